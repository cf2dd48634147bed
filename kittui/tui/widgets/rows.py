"""The one virtual list: draws only the lines on screen, so that 100,000 rows cost what forty do."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import ClassVar, Final, Generic, TypeVar, cast

from rich.cells import cell_len
from textual import events
from textual.binding import Binding, BindingType
from textual.cache import LRUCache
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.timer import Timer

from kittui.tui.style.theme import Roles
from kittui.tui.widgets.columns import Column, fitted
from kittui.tui.widgets.cutting import Span, Spans, cut_names, fit, join

Row = TypeVar("Row")
VIEW_DELAY: Final = 0.05
"""Seconds that the view must rest before the rows in it are asked for."""


class Rows(ScrollView, Generic[Row], can_focus=True, inherit_bindings=False):
    """A list or an unfolded tree of rows with a cursor; rows are compared by identity.

    `cells` gives one sequence of spans for each column; it is called for visible rows only, and again after `touch`.
    What is too long for its column continues into empty cells to its right.
    `key` names a row for marks. Left and right move columns that don't fit, unless the rows are a `tree`: there they
    open and close rows, and columns have keys of their own.
    """

    DEFAULT_CSS = """
    Rows {
        height: 1fr; background: $kit-background; color: $kit-text;
        scrollbar-size-vertical: 1; scrollbar-size-horizontal: 0; overflow-x: hidden;
    }
    """
    HELP_GROUP: ClassVar[str] = "Moving"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "move(1)", "Down", id="move.down", tooltip="Next row", show=False),
        Binding("up,k", "move(-1)", "Up", id="move.up", tooltip="Previous row", show=False),
        Binding("pagedown,ctrl+f", "page(1)", "Page down", id="move.page-down", tooltip="One page down", show=False),
        Binding("pageup,ctrl+b", "page(-1)", "Page up", id="move.page-up", tooltip="One page up", show=False),
        Binding("ctrl+d", "half(1)", "Half down", id="move.half-down", tooltip="Half a page down", show=False),
        Binding("ctrl+u", "half(-1)", "Half up", id="move.half-up", tooltip="Half a page up", show=False),
        Binding("g,home", "edge(0)", "First", id="move.first", tooltip="First row", show=False),
        Binding("G,end", "edge(1)", "Last", id="move.last", tooltip="Last row", show=False),
        Binding(
            "right,l", "fold(1)", "Expand", id="move.expand", tooltip="Expand, or columns to the right", show=False
        ),
        Binding("left,h", "fold(-1)", "Collapse", id="move.collapse", tooltip="Collapse, or to the parent", show=False),
        Binding(
            "shift+right,full_stop",
            "columns(1)",
            "Columns right",
            id="move.columns-right",
            tooltip="Columns that don't fit, to the right",
            show=False,
        ),
        Binding(
            "shift+left,comma",
            "columns(-1)",
            "Columns left",
            id="move.columns-left",
            tooltip="Back to the columns on the left",
            show=False,
        ),
        Binding("enter", "open", "Open", id="move.open", tooltip="Open the row, or go to the next pane", show=False),
    ]

    class Event(Message):
        """Something happened in a list."""

        def __init__(self, rows: Rows[Row]) -> None:
            super().__init__()
            self.rows = rows

        @property
        def control(self) -> Rows[Row]:
            """The list that sent it."""
            return cast("Rows[Row]", self.rows)

    class Highlighted(Event):
        """The cursor is on another row, or the row under it is another one."""

    class Opened(Event):
        """Enter, or a double click, on the row under the cursor."""

    class Folded(Event):
        """Right (`open` is true) or left was pressed on the row under the cursor."""

        def __init__(self, rows: Rows[Row], unfold: bool) -> None:
            super().__init__(rows)
            self.unfold = unfold

    class Viewed(Event):
        """Other rows are in view, and have been for a moment."""

    def __init__(
        self,
        columns: Sequence[Column],
        cells: Callable[[Row], Sequence[Spans]],
        key: Callable[[Row], Hashable],
        *,
        titles: bool = True,
        tree: bool = False,
    ) -> None:
        super().__init__()
        self._tree = tree
        self.mark = "✎"
        """What stands before a marked row."""
        self._columns = tuple(columns)
        self._cells = cells
        self._key = key
        self._titles = 1 if titles else 0
        self._rows: Sequence[Row] = ()
        self._cursor = 0
        self._choice: tuple[Row] | None = None
        self.touched = False
        self._first_column = 0
        self._marked: set[Hashable] = set()
        self._strips: LRUCache[tuple[int, str, bool], Strip] = LRUCache(1000)
        self._texts: LRUCache[int, Sequence[Spans]] = LRUCache(1000)
        self._cut = range(0)
        self._shown_names: dict[tuple[int, int], Spans] = {}
        self._widths: list[tuple[int, int]] | None = None
        self._drawn_width = 0
        self._roles: Roles | None = None
        self._view_timer: Timer | None = None
        self._viewed: tuple[object, ...] = ()

    @property
    def rows(self) -> Sequence[Row]:
        """The rows as shown."""
        return self._rows

    @property
    def cursor(self) -> int:
        """The number of the row under the cursor, from 0."""
        return self._cursor

    @property
    def current(self) -> Row | None:
        """The row under the cursor; None where the one that it was on is not among the rows."""
        return self._rows[self._cursor] if self._at_choice else None

    @property
    def chosen(self) -> Row | None:
        """The row that the cursor was put on last, though it may not be shown now."""
        return self._choice[0] if self._choice is not None else None

    @property
    def _at_choice(self) -> bool:
        if self._choice is None or not self._rows:
            return False
        row, (chosen,) = self._rows[self._cursor], self._choice
        return row is chosen or self._key(row) == self._key(chosen)

    @property
    def in_view(self) -> Sequence[Row]:
        """The rows on the screen now."""
        top = self.scroll_offset.y
        return self._rows[top : top + max(0, self.size.height - self._titles)]

    @property
    def room(self) -> int:
        """Cells of the first column."""
        return self._layout()[0][1]

    @property
    def marked(self) -> set[Hashable]:
        """Keys of marked rows; call `touch` after changing it."""
        return self._marked

    def show(self, rows: Sequence[Row], current: Row | None = None) -> None:
        """Show these rows instead. The cursor stays on its row, or goes to `current`, if that is among them.

        Where it isn't, no row is current until the user moves, or the row comes back: nothing is chosen that nobody
        chose. The first rows that are ever shown have the cursor on the first one.
        """
        before = self.current
        wanted = (current,) if current is not None else self._choice
        if wanted is None and rows:
            wanted = (rows[0],)
        self._rows = rows
        self._choice = wanted
        found = _index(rows, wanted[0], self._cursor, self._key) if wanted is not None else None
        self._cursor = min(self._cursor, max(0, len(rows) - 1)) if found is None else found
        if found is not None:
            self._choice = (rows[found],)
        self._forget_all()
        self.virtual_size = Size(0, len(rows) + self._titles)
        self._scroll_to_cursor()
        self.refresh()
        if self.current is not before:
            self.post_message(self.Highlighted(self))
        self._view_soon()

    def reset(self) -> None:
        """Show nothing, and forget where the cursor was: what comes next is something else."""
        self._choice, self.touched = None, False
        self.show(())

    def touch(self, row: Row | None = None) -> None:
        """Draw a row again (all, if None) because what its cells say has changed."""
        if row is None:
            self._forget_all()
            self.refresh()
            return
        for number in self._cut:
            if self._rows[number] is row:
                before = self._names(number)
                self._forget(number)
                self._texts.discard(number)
                if before != self._names(number):
                    self._cut = range(0)
                    self.refresh()
                else:
                    self.refresh_line(number + self._titles)

    def set_columns(self, columns: Sequence[Column]) -> None:
        """Use other columns."""
        if self._columns == tuple(columns):
            return
        self._columns = tuple(columns)
        self._widths = None
        self.touch()

    def move_to(self, number: int) -> None:
        """Put the cursor on a row by its number, as near as there is one."""
        number = max(0, min(number, len(self._rows) - 1))
        if not self._rows or (number == self._cursor and self._at_choice):
            return
        before, self._cursor = self._cursor, number
        self._choice, self.touched = (self._rows[number],), True
        scrolled = self._scroll_to_cursor()
        if not scrolled:
            self.refresh_line(before + self._titles)
            self.refresh_line(number + self._titles)
        self.post_message(self.Highlighted(self))

    def to_parent(self, depth: Callable[[Row], int]) -> None:
        """Go to the row that the current one is below, in a tree whose rows are `depth` deep."""
        if not self._at_choice:
            return
        deep = depth(self._rows[self._cursor])
        for number in range(self._cursor - 1, -1, -1):
            if depth(self._rows[number]) < deep:
                self.move_to(number)
                return

    def _forget_all(self) -> None:
        self._strips.clear()
        self._texts.clear()
        self._cut, self._shown_names = range(0), {}

    def _forget(self, number: int) -> None:
        for ground in ("base", "cursor", "blurred"):
            for mark in (False, True):
                self._strips.discard((number, ground, mark))

    def _scroll_to_cursor(self) -> bool:
        height = self.size.height - self._titles
        if height <= 0:
            return False
        top = self.scroll_offset.y
        if self._cursor < top:
            target = self._cursor
        elif self._cursor >= top + height:
            target = self._cursor - height + 1
        else:
            return False
        self.scroll_to(y=target, animate=False, force=True, immediate=True)
        return True

    def _says_empty(self) -> bool:
        if not self._rows:
            self.notify("Nothing is listed here.", markup=False, timeout=4)
        return not self._rows

    def action_move(self, step: int) -> None:
        """Move the cursor by rows; where none is current, to the one that is in the place of it."""
        if self._says_empty():
            return
        self.move_to(self._cursor + step if self._at_choice else self._cursor)

    def action_page(self, step: int) -> None:
        """Move the cursor by a page, keeping one line of it."""
        if self._says_empty():
            return
        self.move_to(self._cursor + step * max(1, self.size.height - self._titles - 1))

    def action_half(self, step: int) -> None:
        """Move the cursor by half a page."""
        self.action_move(step * max(1, (self.size.height - self._titles) // 2))

    def action_edge(self, end: int) -> None:
        """Go to the first or the last row."""
        if self._says_empty():
            return
        self.move_to(len(self._rows) - 1 if end else 0)

    def action_open(self) -> None:
        """Open the row under the cursor."""
        if self._says_empty():
            return
        if self._at_choice:
            self.post_message(self.Opened(self))

    def action_fold(self, direction: int) -> None:
        """Expand or collapse; where columns of a table don't fit, move them sideways instead."""
        if self._says_empty():
            return
        if (self._tree or not self.action_sideways(direction)) and self._at_choice:
            self.post_message(self.Folded(self, direction > 0))

    def action_columns(self, direction: int) -> None:
        """Move the columns that don't fit, or say that there are none that way."""
        if not self.action_sideways(direction):
            where = "right" if direction > 0 else "left"
            self.notify(f"No column is out of sight on the {where}.", markup=False, timeout=4)

    def action_sideways(self, direction: int) -> bool:
        """Move the columns that don't fit; False where they stay."""
        if not (self._overflowing or self._first_column):
            return False
        last = len([column for column in self._columns if not column.sticky]) - 1
        first = max(0, min(last, self._first_column + direction))
        others = [column for column in self._columns if not column.sticky]
        if 0 < first < last and not others[first - 1].title:
            first += direction  # Nobody sees such a column go.
        if first == self._first_column or (direction > 0 and not self._overflowing):
            return False
        self._first_column = first
        self._widths = None
        self.touch()
        return True

    def settle(self) -> None:
        """Where the chosen row is gone, put the cursor on the one that is in its place."""
        if not self._at_choice:
            self.move_to(self._cursor)

    async def on_click(self, event: events.Click) -> None:
        """Click puts the cursor there, a double click opens."""
        number = self.scroll_offset.y + event.y - self._titles
        if event.y < self._titles or number >= len(self._rows):
            return
        self.move_to(number)
        if event.chain == 2:
            self.action_open()

    def on_resize(self) -> None:
        """Keep the cursor in view."""
        self._scroll_to_cursor()
        self._view_soon()

    def on_focus(self) -> None:
        """The cursor row is drawn stronger in the pane that has the keys."""
        self.refresh_line(self._cursor + self._titles)

    def on_blur(self) -> None:
        """And weaker elsewhere."""
        self.refresh_line(self._cursor + self._titles)

    def notify_style_update(self) -> None:
        """Another theme: forget what was drawn."""
        self._roles = None
        self._strips.clear()
        super().notify_style_update()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Ask for the rows that came into view, once the view rests."""
        super().watch_scroll_y(old_value, new_value)
        self._view_soon()

    def _view_soon(self) -> None:
        if self._view_timer is not None:
            self._view_timer.stop()
        if self.is_attached:
            self._view_timer = self.set_timer(VIEW_DELAY, self._view)

    def _view(self) -> None:
        self._view_timer = None
        viewed = tuple(map(id, self.in_view))
        if viewed != self._viewed:
            self._viewed = viewed
            self.post_message(self.Viewed(self))

    def view_again(self) -> None:
        """Say again which rows are in view, because what is known of them was dropped."""
        self._viewed = ()
        self._view_soon()

    @property
    def _overflowing(self) -> bool:
        shown = {number for number, _ in self._layout()}
        if not self._first_column:
            return len(shown) < len(self._columns)
        return len(self._columns) - 1 not in shown

    def _layout(self) -> list[tuple[int, int]]:
        """Which columns are shown, and how wide: sticky ones first, then those of the lowest ranks that fit; moved
        sideways, as many as fit from the first one on."""
        if self._widths is not None:
            return self._widths
        self._widths = fitted(self._columns, self.size.width - 2, self._first_column)
        return self._widths

    def render_line(self, y: int) -> Strip:
        """Draw one line of the screen."""
        if self._roles is None:
            self._roles = Roles(self.app.theme_variables)
        width = self.size.width
        if width != self._drawn_width:
            self._drawn_width = width
            self._widths = None
            self._forget_all()
        if y < self._titles:
            return self._title_strip(width)
        self._cut_names()
        number = self.scroll_offset.y + y - self._titles
        if number >= len(self._rows):
            return Strip.blank(width, self._roles.style("text"))
        at = number == self._cursor and self._at_choice
        ground = "base" if not at else "cursor" if self.has_focus else "blurred"
        row = self._rows[number]
        marked = bool(self._marked) and self._key(row) in self._marked
        cached = self._strips.get((number, ground, marked))
        if cached is None or cached.cell_length != width:
            cached = self._row_strip(number, ground, marked, width)
            self._strips[number, ground, marked] = cached
        return cached

    def _title_strip(self, width: int) -> Strip:
        roles = cast("Roles", self._roles)
        cells = [((column.title[: 16 * width], "muted"),) for column in self._columns]
        return self._strip(cells, roles, "base", " ", width)

    def _row_strip(self, number: int, ground: str, marked: bool, width: int) -> Strip:
        roles = cast("Roles", self._roles)
        cells = [self._shown_names.get((number, column), spans) for column, spans in enumerate(self._whole(number))]
        return self._strip(cells, roles, ground, self.mark if marked else " ", width)

    def _strip(self, cells: Sequence[Spans], roles: Roles, ground: str, lead: str, width: int) -> Strip:
        pieces: list[Span] = [(lead, "accent+bold" if lead != " " else "text")]
        for place, (number, room) in enumerate(self._placed(cells)):
            if place:
                pieces.append((" ", "text"))
            pieces.extend(fit(cells[number], room, self._columns[number].align))
        return join(pieces, roles, ground, width)

    def _placed(self, cells: Sequence[Spans]) -> list[tuple[int, int]]:
        """The columns of a row, and the room of each: what is too long continues into empty cells to its right."""
        layout = self._layout()
        if not any(text.strip() for number, _ in layout[1:] for text, _ in cells[number]):
            return [(layout[0][0], max(1, self.size.width - 2))]
        placed: list[tuple[int, int]] = []
        place = 0
        while place < len(layout):
            number, room = layout[place]
            place += 1
            left = self._columns[number].align == "left"
            if left and place < len(layout) and sum(cell_len(text) for text, _ in cells[number]) > room:
                while place < len(layout) and not any(text.strip() for text, _ in cells[layout[place][0]]):
                    room += 1 + layout[place][1]
                    place += 1
            placed.append((number, room))
        return placed

    def _whole(self, number: int) -> Sequence[Spans]:
        """The cells of a row, with the names as they are."""
        found = self._texts.get(number)
        if found is None:
            # To measure a text takes a step for each character, and a cell may hold millions: no more of it can show.
            most = 16 * max(1, self.size.width)
            found = [[(text[:most], role) for text, role in spans] for spans in self._cells(self._rows[number])]
            self._texts[number] = found
        return found

    def _names(self, number: int) -> list[tuple[int, Spans, int]]:
        """The cells of a row that name it, with the column and the room of each."""
        cells = self._whole(number)
        return [(column, cells[column], room) for column, room in self._placed(cells) if self._columns[column].sticky]

    def _cut_names(self) -> None:
        """Cut the names in view, and a page around them, so that different ones don't look alike."""
        top, height = int(self.scroll_offset.y), max(1, self.size.height)
        if self._cut.start <= top and min(top + height, len(self._rows)) <= self._cut.stop:
            return
        self._cut = range(max(0, top - height), min(len(self._rows), top + 2 * height))
        columns: dict[int, list[tuple[int, Spans, int]]] = {}
        for number in self._cut:
            for column, spans, room in self._names(number):
                columns.setdefault(column, []).append((number, spans, room))
        before, self._shown_names = self._shown_names, {}
        for column, names in columns.items():
            for (number, spans, _), cut in zip(names, cut_names([each[1:] for each in names]), strict=True):
                if cut is not spans:
                    self._shown_names[number, column] = cut
        for number, column in before.keys() | self._shown_names.keys():
            if before.get((number, column)) != self._shown_names.get((number, column)):
                self._forget(number)


def _index(rows: Sequence[Row], wanted: Row, near: int, key: Callable[[Row], Hashable]) -> int | None:
    """Where a row is, by identity, else by its key; None where it isn't."""
    if near < len(rows) and rows[near] is wanted:
        return near
    same = next((number for number, row in enumerate(rows) if row is wanted), None)
    if same is not None:
        return same
    name = key(wanted)
    return next((number for number, row in enumerate(rows) if key(row) == name), None)
