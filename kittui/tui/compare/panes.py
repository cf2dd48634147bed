"""The tree of changes and the details of the one under the cursor, with folding, filters and layout."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Final

from textual import on
from textual.app import ComposeResult
from textual.containers import Container

from kittui.compare.comparison import Comparison
from kittui.compare.outline import Entry
from kittui.terminal import clean
from kittui.tui.compare.details import Detail, lines_of
from kittui.tui.compare.tree import FILTERS, ChangeTree, Filter, Row, cells, detail_width, neighbour, title_width
from kittui.tui.compare.wording import nothing_words
from kittui.tui.frame.program import program_of
from kittui.tui.widgets.columns import Column
from kittui.tui.widgets.cutting import Spans
from kittui.tui.widgets.rows import Rows
from kittui.tui.widgets.text_lines import Hanging, Line

WIDE: Final = 120
"""Columns from which tree and detail stand side by side; below, the tree is above the detail."""
BESIDE: Final = 70
"""Columns of the detail from which old and new stand side by side."""
SEEN: Final = ("✓", "x")
"""The mark of a ticked change, and the one in ASCII, where + means added."""
NOTED: Final = ("✎ ", "# ")
"""The mark before a name with a note, and the one in ASCII."""
NOTHING: Final = "Nothing differs, or nothing was read yet."
LEAST, MOST, PERCENT = 30, 42, 5
"""Percent of the room that the tree has at least and at most beside the detail, and by how much a key moves that."""
_BESIDE = 3
"""Cells of a row that are neither its name nor what is said of it."""
_MEASURED = 2_000


class ChangeRows(Rows[Row]):
    """The tree of changes; what would move its columns, which all fit, moves cut lines of the detail."""

    def __init__(
        self, cells: Callable[[Row], Sequence[Spans]], on_room: Callable[[], None], on_sideways: Callable[[int], None]
    ) -> None:
        columns = (Column("", 18, flex=True, sticky=True), Column("", 14, flex=True))
        super().__init__(columns, cells, lambda row: row.entry.key, titles=False)
        self._on_room = on_room
        self._on_sideways = on_sideways

    def action_columns(self, direction: int) -> None:
        """Move cut lines of the detail."""
        self._on_sideways(direction)

    def on_resize(self) -> None:
        """Names and details share other room, also where that came while a dialog was open."""
        self._on_room()


class ChangePanes(Container):
    """Tree and detail. `on_place` is called when the cursor has moved, `on_rows` when other rows are shown."""

    def __init__(self, on_place: Callable[[], None], on_rows: Callable[[], None]) -> None:
        super().__init__(id="panes")
        self._on_place = on_place
        self._on_rows = on_rows
        self._comparison: Comparison | None = None
        self._detailed: Row | None = None
        self._beside: bool | None = None
        self._cut = False
        self._outputs = False
        self._scrolled = 0
        self._more = 0
        self._placed = ""
        self._seen: Collection[str] = ()
        self._notes: Mapping[str, str] = {}
        self.below: Callable[[Row, int], Iterable[Line]] = lambda _row, _width: ()
        """Returns what to show below a row's lines, for a pane so many cells wide."""
        self.needle = ""
        """What is marked in the detail."""
        self.on_layout: Callable[[], None] = lambda: None
        """Called when the lines of the detail have changed."""
        self.change_tree = ChangeTree()
        self.chosen_filter = FILTERS[0]
        self.rows = ChangeRows(self._cells, self.fit, self.go_sideways)
        self.rows.id = "changes"
        self.detail = Detail()
        self.detail.id = "detail"

    def compose(self) -> ComposeResult:
        """The tree, then the detail."""
        yield self.rows
        yield self.detail

    def on_mount(self) -> None:
        """Marks of what was seen, as the terminal can show them."""
        self.rows.mark = SEEN[self._plain]

    @property
    def _plain(self) -> bool:
        return program_of(self.screen).ports.settings.ascii_marks

    def _cells(self, row: Row) -> Sequence[Spans]:
        return cells(row, NOTED[self._plain] if row.entry.key in self._notes else "")

    @property
    def place(self) -> tuple[int, int]:
        """Which change the cursor is on, from 1 (0: none), of how many."""
        tree = self.change_tree
        return tree.place(self.rows.cursor), len(tree.changes)

    def show(self, comparison: Comparison, first: bool) -> None:
        """Show a state of the comparison, keeping cursor and folds."""
        self._comparison = comparison
        folded = self.change_tree.folded_keys
        self.change_tree = ChangeTree(comparison)
        self._show_rows(folded)
        self.fit()
        self._put_on_first(first)

    def expect_another(self) -> None:
        """Expect another comparison: the one shown is obsolete."""
        self._comparison = None

    def annotate(self, seen: Collection[str], notes: Mapping[str, str]) -> None:
        """Show which changes were ticked, and the notes."""
        self._seen, self._notes = seen, notes
        self._mark()
        self._on_place()
        if self.is_attached and self.detail.page.lines:
            self.show_detail()

    def _mark(self) -> None:
        """Mark a row with changes below it if all of them are marked."""
        self.rows.marked.clear()
        self.rows.marked.update(self._seen, self.change_tree.whole(self._seen) if self._seen else ())
        self.rows.touch()

    def fit(self) -> None:
        """Give the tree what its rows need, in bounds; in it the names, then what is said of them."""
        measured = self.change_tree.rows[:_MEASURED]
        wanted = max(map(title_width, measured), default=0) + (2 if self._notes else 0)
        width = self._fit_tree(wanted + max(map(detail_width, measured), default=0) + _BESIDE)
        names = max(18, min(wanted, width - 20 if width < 60 else width * 3 // 5))
        self.rows.set_columns((Column("", names, sticky=True), Column("", 14, flex=True)))
        self.show_detail()
        self.on_layout()

    def _fit_tree(self, wanted: int) -> int:
        """Share the room between both panes, as the user has moved it; returns the tree's width."""
        stacked, reading = self.screen.has_class("-stacked"), self.screen.has_class("-reading")
        for pane in (self.rows, self.detail):
            pane.styles.clear_rule("width")
            pane.styles.clear_rule("height")
        self.refresh(layout=True)
        if stacked:
            if self._more and not reading:
                self.rows.styles.height, self.detail.styles.height = f"{50 + self._more}fr", f"{50 - self._more}fr"
            return self.rows.size.width
        if self.screen.has_class("-zoomed"):
            return self.size.width
        whole = self.size.width
        share = min(max(wanted, whole * LEAST // 100), whole * (LEAST if reading else MOST) // 100)
        width = max(whole // 5, min(whole * 4 // 5, share + whole * self._more // 100))
        self.rows.styles.width = width
        self.call_after_refresh(self.show_detail)
        return width

    def resize(self, step: int) -> None:
        """Give the pane that has the keys more room, or less."""
        program = program_of(self.screen)
        if self.screen.has_class("-zoomed"):
            program.toast(f"This pane is zoomed; {program.ports.keys['compare.zoom']} ends that.")
            return
        if self.screen.has_class("-stacked") and self.detail.has_focus:
            program.toast("The focused detail always gets most of the screen.")
            return
        more = max(-30, min(30, self._more + (step if self.rows.has_focus else -step) * PERCENT))
        if more == self._more:
            program.toast(f"This pane can't get any {'larger' if step > 0 else 'smaller'}.")
            return
        self._more = more
        self.fit()

    def zoom(self) -> None:
        """Give all the room to the pane that has the keys, or give it back."""
        self.screen.toggle_class("-zoomed")
        self._hide_other()
        self.call_after_refresh(self.fit)

    def _hide_other(self) -> None:
        zoomed = self.screen.has_class("-zoomed")
        self.rows.set_class(zoomed and self.detail.has_focus, "-hidden")
        self.detail.set_class(zoomed and not self.detail.has_focus, "-hidden")

    def give_room(self) -> None:
        """If the panes are stacked, give most of the room to the focused one."""
        self._hide_other()
        reading = self.detail.has_focus
        if reading == self.screen.has_class("-reading"):
            return
        self.screen.set_class(reading, "-reading")
        if reading:
            self._scrolled = self.rows.scroll_offset.y
        if not reading:
            self.screen.call_after_refresh(self.rows.scroll_to, y=self._scrolled, animate=False, force=True)

    def show_detail(self, *, anew: bool = False) -> None:
        """Show what there is to see of the row under the cursor: from its top, unless it is in view and not `anew`."""
        before, row = self._detailed, self.rows.current
        self._detailed = row
        if row is None:
            if self._comparison is not None:
                self.detail.begin([((nothing_words(self._comparison, self.chosen_filter), "muted"),)])
            return
        lines = chain(self._lines()(row.entry), self.below(row, self._width))
        keep = not anew and before is not None and before.entry.key == row.entry.key
        match = self.detail.match[0] if keep else 0
        self.detail.begin(lines, cut=self._cut, keep=keep)
        if self.needle:
            self.detail.find(self.needle, match)

    @property
    def _width(self) -> int:
        return max(20, self.detail.size.width - 3)

    def _lines(self, *, searched: bool = False) -> Callable[[Entry], Iterator[Line]]:
        """What makes the lines of a row as they are shown now. What is searched may be in an output."""
        outputs = self._outputs or searched or bool(self.needle)
        width, beside, notes = self._width, self._side_by_side, self._notes
        mark = ((NOTED[self._plain], "accent+bold"),)

        def lines(entry: Entry) -> Iterator[Line]:
            for text in notes.get(entry.key, "").splitlines():
                yield Hanging.after(mark, ((clean(text), "accent"),))
            if entry.key in notes:
                yield ()
            yield from lines_of(entry, width, beside, outputs=outputs, colours=not searched)

        return lines

    @property
    def searched(self) -> Callable[[Entry], Iterator[Line]]:
        """What makes the lines of any row to be searched in a thread, as they would be shown now."""
        return self._lines(searched=True)

    def go_sideways(self, direction: int) -> None:
        """Show more of lines that are cut off, to the right or the left."""
        program = program_of(self.screen)
        if not self.detail.display:
            program.toast(f"The detail is hidden; {program.ports.keys['compare.zoom']} ends the zoom.")
        elif self.detail.go_sideways(direction):
            return
        elif self._cut:
            program.toast(f"Nothing more on the {'right' if direction > 0 else 'left'}.")
        else:
            program.toast(f"Long lines are wrapped; {program.ports.keys['compare.cut']} cuts them off.")

    @property
    def _side_by_side(self) -> bool:
        wide = not self.screen.has_class("-stacked") and self.detail.size.width >= BESIDE
        return wide if self._beside is None else self._beside

    def turn_beside(self) -> None:
        """Side by side, or one below the other, whatever the width."""
        self._beside = not self._side_by_side
        self.show_detail()
        self.on_layout()
        said = "Old and new are shown side by side." if self._beside else "Old and new are shown one below the other."
        program_of(self.screen).toast(said)

    def turn_cut(self) -> None:
        """Cut long lines off, or wrap them."""
        self._cut = not self._cut
        self.show_detail()
        program_of(self.screen).toast("Long lines are truncated." if self._cut else "Long lines are wrapped.")

    def turn_outputs(self) -> None:
        """Unfold what the cells of notebooks printed, or fold it."""
        self._outputs = not self._outputs
        self.show_detail()
        program_of(self.screen).toast(
            "Outputs of cells are shown." if self._outputs else "Outputs of cells are folded."
        )

    def focus_other(self) -> None:
        """From the tree to the detail, or back."""
        other = self.detail if self.rows.has_focus else self.rows
        other.remove_class("-hidden")
        other.focus()

    def go_to_change(self, step: int) -> None:
        """Go to the next or previous change, around the ends."""
        number = neighbour(self.change_tree.changes, self.rows.cursor, step)
        if number is None:
            program_of(self.screen).toast(NOTHING)
        else:
            self._go(number, step)

    def go_to_change_below(self) -> bool:
        """Go to the next change after what is below this row; false where there is none, and not around the end."""
        end = self.change_tree.end(self.rows.cursor)
        number = neighbour(self.change_tree.changes, end - 1, 1)
        if number is None or number < end:
            return False
        self.rows.move_to(number)
        return True

    def go_to_hunk(self, step: int) -> None:
        """The next or previous hunk of this change, else the next change; what is folded is unfolded on the way."""
        if self.detail.go_to_hunk(step):
            return
        self._unfold()
        number = neighbour(self.change_tree.changes, self.rows.cursor, step)
        if number is None:
            program_of(self.screen).toast(NOTHING)
            return
        self._go(number, step)
        self.show_detail(anew=True)
        if step > 0:
            self.detail.go_to_hunk(1)
        else:
            self.detail.go_to_last_hunk()

    def go_to_row(self, key: str) -> None:
        """Put the cursor on a row, unfolded and with another filter if it takes that."""
        self._unfold()
        for shown in (self.chosen_filter, FILTERS[0], FILTERS[-1]):
            if shown is not self.chosen_filter:
                self.chosen_filter = shown
                self._show_rows()
            rows = self.change_tree.rows
            number = next((n for n, row in enumerate(rows) if row.entry.key == key), None)
            if number is not None:
                self.rows.move_to(number)
                self.show_detail(anew=True)
                return

    def choose(self, chosen: Filter) -> None:
        """Show what a filter lets through, the cursor on a change."""
        key = self.rows.current.entry.key if self.rows.current else None
        self.chosen_filter = chosen
        self._show_rows()
        self.fit()
        row = self.rows.current
        if row is None or row.entry.key != key:
            # What a filter hides is left for the first that it shows.
            self.rows.move_to(self.change_tree.changes[0] if self.change_tree.changes else 0)
        elif not row.is_change:
            number = neighbour(self.change_tree.changes, self.rows.cursor, 1)
            if number is not None:
                self.rows.move_to(number)

    def choose_next(self) -> None:
        """The next filter that shows something."""
        at = FILTERS.index(self.chosen_filter)
        for distance in range(1, len(FILTERS) + 1):
            each = FILTERS[(at + distance) % len(FILTERS)]
            if self.change_tree.counts[each] or each.statuses is None:
                self.choose(each)
                return

    def choose_only(self, mark: str) -> None:
        """One kind of change alone; the same kind again shows all."""
        chosen = next(each for each in FILTERS if each.mark == mark)
        if chosen is self.chosen_filter:
            chosen = FILTERS[0]
        elif not self.change_tree.counts[chosen]:
            program_of(self.screen).toast(f"Nothing was {chosen.name}.")
            return
        self.choose(chosen)

    def _put_on_first(self, first: bool) -> None:
        """Put the cursor on the first change, as long as nobody has put it anywhere else."""
        row = self.rows.current
        moved = row is not None and not first and row.entry.key != self._placed
        if moved or (row is not None and row.is_change and not first):
            return
        if self.change_tree.changes:
            self.rows.move_to(self.change_tree.changes[0])
        row = self.rows.current
        self._placed = row.entry.key if row is not None else ""

    def _show_rows(self, folded: set[str] | None = None) -> None:
        """Show the rows that the filter lets through, the cursor on the same one."""
        tree = self.change_tree
        key = self.rows.current.entry.key if self.rows.current else None
        following = [row.entry.key for row in self.rows.rows[self.rows.cursor :]]
        if self.chosen_filter.statuses is not None and not tree.counts[self.chosen_filter] and not tree.problems:
            self.chosen_filter = FILTERS[0]
        tree.load(self.chosen_filter, tree.folded_keys if folded is None else folded)
        self._mark()
        self.rows.show(tree.rows, self._row_for(following) if key is not None else None)
        self._on_rows()

    def _row_for(self, keys: Iterable[str]) -> Row | None:
        """The row of the first of some keys that has one."""
        rows = {row.entry.key: row for row in self.change_tree.rows}
        return next((rows[key] for key in keys if key in rows), None)

    def _go(self, number: int, step: int) -> None:
        """Put the cursor on a change, and say where that is around the end."""
        if (number - self.rows.cursor) * step <= 0:
            program_of(self.screen).toast(f"Wrapped around to the {'first' if step > 0 else 'last'} change.")
        self.rows.move_to(number)

    def _unfold(self) -> None:
        tree = self.change_tree
        for row in tree.folded_changes:
            tree.fold(tree.rows.index(row))
        self.rows.show(tree.rows, self.rows.current)

    def _turn(self, row: Row) -> None:
        self.change_tree.fold(self.rows.cursor)
        self.rows.show(self.change_tree.rows, row)
        self._on_place()

    @on(Rows.Highlighted)
    def _highlighted(self) -> None:
        if self.rows.current is not self._detailed:
            self.show_detail()
        self._on_place()

    @on(Rows.Folded)
    def _fold(self, event: Rows.Folded) -> None:
        row = self.rows.current
        if row is None:
            return
        if row.entry.children and event.unfold == row.folded:
            self._turn(row)
            return
        if not event.unfold:
            self.rows.to_parent(lambda each: each.depth)
        if self.rows.current is row:
            program_of(self.screen).toast("Nothing to unfold here." if event.unfold else "Nothing to fold here.")

    @on(Rows.Opened)
    def _opened(self) -> None:
        row = self.rows.current
        if row is not None and row.folded:
            self._turn(row)
        else:
            self.detail.focus()
