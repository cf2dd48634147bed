"""The comparison: a summary, the tree of changes, and what there is to see of the one under the cursor."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from time import monotonic
from typing import ClassVar, Final

from rich.cells import cell_len
from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.screen import Screen
from textual.timer import Timer

from kittui.compare.comparison import Comparison
from kittui.compare.review import Review
from kittui.compare.text import AS_EVER, CONTEXT, LineRules
from kittui.compare.words import facts_words, reading_words
from kittui.errors import KittuiError
from kittui.oci.traffic import Traffic, metered
from kittui.tasks import aside
from kittui.terminal import clean, size_text
from kittui.tui.compare.depths import ask_depth
from kittui.tui.compare.details import Detail, copied, lines_of
from kittui.tui.compare.reviewing import ask_note, ask_verdict, keep, load
from kittui.tui.compare.searching import Search, holding
from kittui.tui.compare.strip import Chip, SummaryStrip
from kittui.tui.compare.tree import FILTERS, ChangeTree, Filter, Row, cells, neighbour, title_width
from kittui.tui.compare.wording import doing_words, key_of, name_of, nothing_words, place_of, subject_of
from kittui.tui.frame.program import Program, program_of
from kittui.tui.panes.filtering import FilterInput
from kittui.tui.widgets.bars import FooterBar, HeaderBar, KeyHint
from kittui.tui.widgets.rows import Column, Rows
from kittui.usecases.diff.compare import Depth, DiffUseCase, Side

WIDE: Final = 120
"""Columns from which tree and detail, old and new stand side by side; below, the tree is above the detail."""
ROOMY: Final = 100
"""Columns from which the footer has room for longer words."""
PAUSE: Final = 0.15
"""Seconds between two drawings of a comparison that is still growing."""
TICK: Final = 0.5
"""Seconds between two tellings of how far it is."""
CONTEXTS: Final = (0, 1, 3, 6, 12, 25, 50, 100)
"""Lines around changes that more and less context go through."""
WHOLE: Final = 1_000_000_000
"""More lines around changes than any text has."""
_MEASURED = 2_000
_AROUND = 31
"""Columns of the header that are not for the two names."""


class CompareScreen(Screen[None], inherit_bindings=False):
    """Two versions, level by level as they are read."""

    DEFAULT_CSS = """
    CompareScreen { background: $kit-background; color: $kit-text; layout: vertical; }
    CompareScreen #panes { height: 1fr; layout: horizontal; }
    CompareScreen #changes { width: 2fr; height: 1fr; }
    CompareScreen #detail { width: 3fr; height: 1fr; border-left: solid $kit-line; }
    CompareScreen.-stacked #panes { layout: vertical; }
    CompareScreen.-stacked #changes { width: 1fr; height: 1fr; }
    CompareScreen.-stacked #detail { width: 1fr; height: 1fr; border-left: none; border-top: solid $kit-line; }
    CompareScreen.-reading #changes { width: 1fr; }
    CompareScreen.-stacked.-reading #changes { height: 4; }
    CompareScreen FilterInput, CompareScreen FilterInput:focus {
        display: none; height: 1; border: none; padding: 0 1; background: $kit-surface; color: $kit-text;
    }
    CompareScreen FilterInput.asked { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "change(1)", "Next", id="compare.next", tooltip="Next change; while searching, next match"),
        Binding("N", "change(-1)", "Previous", id="compare.previous", tooltip="Previous change, or match"),
        Binding(
            "right_square_bracket",
            "hunk(1)",
            "Next hunk",
            id="compare.next-hunk",
            tooltip="Next changed lines or rows, or the next change that has none",
        ),
        Binding(
            "left_square_bracket",
            "hunk(-1)",
            "Previous hunk",
            id="compare.previous-hunk",
            tooltip="Previous changed lines, rows or change",
        ),
        Binding("f", "filter", "Filter", id="compare.filter", tooltip="Only changed, only added … everything"),
        Binding(
            "tilde", "only('~')", "Only changed", id="compare.only-changed", tooltip="Only what changed; again: all"
        ),
        Binding("plus", "only('+')", "Only added", id="compare.only-added", tooltip="Only what was added; again: all"),
        Binding(
            "minus", "only('-')", "Only removed", id="compare.only-removed", tooltip="Only what was removed; again: all"
        ),
        Binding("s", "beside", "Side by side", id="compare.beside", tooltip="Side by side, or one below the other"),
        Binding("S", "cut", "Cut", id="compare.cut", tooltip="Cut long lines off, or wrap them"),
        Binding(
            "right_curly_bracket",
            "context(1)",
            "More context",
            id="compare.more-context",
            tooltip="More unchanged lines around changes",
        ),
        Binding(
            "left_curly_bracket",
            "context(-1)",
            "Less context",
            id="compare.less-context",
            tooltip="Fewer unchanged lines around changes",
        ),
        Binding("z", "whole", "Fold", id="compare.fold", tooltip="Unfold the unchanged parts of texts, or fold them"),
        Binding("W", "spaces", "White space", id="compare.spaces", tooltip="Ignore white space in texts, or not"),
        Binding("slash", "search", "Search", id="compare.search", tooltip="Search all of it, the Kitfile too"),
        Binding("space", "seen", "Seen", id="compare.seen", tooltip="Tick the change as seen, or not; the next one"),
        Binding("a", "note", "Note", id="compare.note", tooltip="Attach a note to the change"),
        Binding("v", "verdict", "Verdict", id="compare.verdict", tooltip="Approve or reject; kept for these digests"),
        Binding("C", "content", "Compare values", id="compare.content", tooltip="Read and compare every value"),
        Binding("m", "report", "Report", id="compare.report", tooltip="Copy or save the report"),
        Binding("w", "swap", "Swap", id="compare.swap", tooltip="Swap the sides"),
        Binding(
            "i,H", "timeline", "Timeline", id="compare.timeline", tooltip="This value, file or tensor over all versions"
        ),
        Binding("y", "copy", "Copy", id="compare.copy", tooltip="Copy what the detail pane shows"),
        Binding("r", "again", "Refresh", id="compare.refresh", tooltip="Compare again"),
        Binding("tab,shift+tab", "other_pane", "Other pane", id="compare.pane", tooltip="Tree or detail"),
        Binding("question_mark", "app.help", "Help", id="compare.help", tooltip="Every live key"),
        Binding(
            "escape,q",
            "back",
            "Back",
            id="compare.back",
            tooltip="End the search; to the tree; stop reading values; to the tags",
        ),
    ]

    def __init__(self, case: DiffUseCase, a: Side, b: Side) -> None:
        super().__init__()
        self._case = case
        self._sides = (a, b)
        self._depth = Depth()
        self._comparison: Comparison | None = None
        self._kept: dict[tuple[str, ...], tuple[Comparison, Depth]] = {}
        self._tree = ChangeTree()
        self._filter = FILTERS[0]
        self._placed = ""
        self._detailed: Row | None = None
        self._beside: bool | None = None
        self._cut = False
        self._scrolled = 0
        self._rules = AS_EVER
        self._review = Review()
        self._reviewed: tuple[str, str] | None = None
        self._search = Search()
        self._searched = FilterInput()
        self._searched.placeholder = "search"
        self._waiting: Comparison | None = None
        self._step: Comparison | None = None
        self._drawn_at = 0.0
        self._timer: Timer | None = None
        self._traffic: Traffic | None = None
        self._began = 0.0
        self._header = HeaderBar()
        self._strip = SummaryStrip()
        self._rows: Rows[Row] = Rows(
            (Column("", 18, flex=True, sticky=True), Column("", 14, flex=True)),
            cells,
            lambda row: row.entry.key,
            titles=False,
        )
        self._rows.id = "changes"
        self._rows.mark = "✓"
        self._lines = Detail()
        self._lines.id = "detail"
        self._footer = FooterBar()

    @property
    def comparison(self) -> Comparison | None:
        """What is known so far."""
        return self._comparison

    @property
    def sides(self) -> tuple[Side, Side]:
        """Old and new, as they stand now."""
        return self._sides

    @property
    def change_tree(self) -> ChangeTree:
        """The rows that are shown."""
        return self._tree

    @property
    def program(self) -> Program:
        """The program, for its toasts and clipboard."""
        return program_of(self)

    @property
    def working(self) -> bool:
        """Whether something is being read."""
        return self._traffic is not None

    def compose(self) -> ComposeResult:
        """Header, summary, tree and detail, footer."""
        yield self._header
        yield self._strip
        with Container(id="panes"):
            yield self._rows
            yield self._lines
        yield self._searched
        yield self._footer

    def on_mount(self) -> None:
        """Begin."""
        self._rows.focus()
        self.set_interval(TICK, self._tell_reading)
        self._begin()

    def on_resize(self, event: events.Resize) -> None:
        """Stack the panes where there is little room."""
        self.set_class(event.size.width < WIDE, "-stacked")
        self.call_after_refresh(self._fit)
        self.call_after_refresh(self._tell)

    def on_descendant_focus(self) -> None:
        """Where the panes stand above each other, the one that is read has most of the room."""
        if self._lines.has_focus != self.has_class("-reading"):
            self.set_class(self._lines.has_focus, "-reading")
            if self._lines.has_focus:
                self._scrolled = self._rows.scroll_offset.y
            self.call_after_refresh(self._fit)
            if not self._lines.has_focus:
                self.call_after_refresh(self._rows.scroll_to, y=self._scrolled, animate=False, force=True)
        self._tell()

    def _fit(self) -> None:
        """Give the names what they need, the rest to what is said of them."""
        width = self._rows.size.width
        wanted = max(map(title_width, self._tree.rows[:_MEASURED]), default=0)
        names = max(18, min(wanted, width - 20 if width < 60 else width * 3 // 5))
        self._rows.set_columns((Column("", names, sticky=True), Column("", 14, flex=True)))
        self._detail()

    def _begin(self) -> None:
        self._began = monotonic()
        self._traffic = Traffic()
        self._step = None
        if self._comparison is None:
            places = " and ".join(dict.fromkeys(place_of(side) for side in self._sides))
            self._strip.facts = (f"asking {places} for both manifests …",)
        self._tell()
        self._tell_reading()
        self._compare()

    @work(group="compare", exclusive=True)
    async def _compare(self) -> None:
        self.workers.cancel_group(self, "rules")
        sides, depth = self._sides, replace(self._depth, rules=self._rules)
        try:
            with metered() as traffic:
                self._traffic = traffic
                comparison = await self._case.compare(*sides, depth, self._grown)
        except KittuiError as error:
            self._traffic = None
            self._strip.facts = (clean(error.message),)
            self._lines.begin([((clean(text), "bad"),) for text in (error.message, error.hint or "") if text])
            self.program.fail(error)
            self._tell_reading()
            return
        self._traffic = None
        self._kept[key_of(sides)] = (comparison, depth)
        self._show(comparison)

    def _grown(self, comparison: Comparison) -> None:
        """A newer state: drawn at once where the last drawing was a while ago, else soon.

        A state that names a step is told in words alone: nothing else of it is new.
        """
        self._step = comparison
        if comparison.doing and (self._comparison or self._waiting):
            self._tell_reading()
            return
        self._waiting = comparison
        if self._timer is None and self.is_attached:
            self._timer = self.set_timer(max(0.001, PAUSE - (monotonic() - self._drawn_at)), self._draw)

    def _draw(self) -> None:
        self._timer = None
        if self._waiting is not None:
            self._show(self._waiting)

    def _show(self, comparison: Comparison) -> None:
        """Show a state of the comparison, the cursor and what is folded as they were."""
        self._waiting = None
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
        if not self.is_attached:
            return
        first = self._comparison is None
        self._comparison = comparison
        folded = self._tree.folded_keys
        self._tree = ChangeTree(comparison)
        self._arrange(folded)
        self._fit()
        self._place(first)
        self._drawn_at = monotonic()
        pair = (comparison.a.digest, comparison.b.digest)
        if pair != self._reviewed:
            self._reviewed = pair
            self._load_review(comparison)

    @work(group="review", exclusive=True)
    async def _load_review(self, comparison: Comparison) -> None:
        self._show_review(await load(self._case, comparison))

    def _show_review(self, review: Review) -> None:
        self._review = review
        self._rows.marked.clear()
        self._rows.marked.update(review.seen)
        self._rows.touch()
        self._tell_place()
        if self._lines.page.lines:
            self._detail()

    async def _keep_review(self, review: Review) -> None:
        if self._comparison is not None:
            self._show_review(review)
            await keep(self._case, self._comparison, review)

    def action_seen(self) -> None:
        """Tick the change under the cursor, and go on to the next one."""
        row = self._rows.current
        if row is None or not row.is_change:
            self.program.toast("Put the cursor on a change.")
            return
        ticked = row.entry.key not in self._review.seen
        self.program.run_command("Seen", self._keep_review(self._review.ticked(row.entry.key)))
        number = neighbour(self._tree.changes, self._rows.cursor, 1)
        if ticked and number is not None and number > self._rows.cursor:
            self._rows.move_to(number)

    def action_note(self) -> None:
        """Attach a note to what the cursor is on."""
        if self._rows.current is not None:
            self.program.run_command("Note", self._note(self._rows.current))

    async def _note(self, row: Row) -> None:
        review = await ask_note(self.program, row, self._review)
        if review is not None:
            await self._keep_review(review)

    def action_verdict(self) -> None:
        """Say what is to become of it."""
        self.program.run_command("Verdict", self._verdict())

    async def _verdict(self) -> None:
        verdict = await ask_verdict(self.program, self._left)
        if verdict is not None:
            await self._keep_review(replace(self._review, verdict=verdict))

    @property
    def _left(self) -> int:
        """How many changes were not ticked yet."""
        return sum(self._tree.rows[number].entry.key not in self._review.seen for number in self._tree.changes)

    def _place(self, first: bool) -> None:
        """Put the cursor on the first change, as long as nobody has put it anywhere else."""
        row = self._rows.current
        moved = row is not None and not first and row.entry.key != self._placed
        if moved or (row is not None and row.is_change and not first):
            return
        if self._tree.changes:
            self._rows.move_to(self._tree.changes[0])
        row = self._rows.current
        self._placed = row.entry.key if row is not None else ""

    def _arrange(self, folded: set[str] | None = None) -> None:
        """Show the rows that the filter lets through, the cursor on the same one."""
        key = self._rows.current.entry.key if self._rows.current else None
        if self._filter.statuses is not None and not self._tree.counts[self._filter] and not self._tree.problems:
            self._filter = FILTERS[0]
        self._tree.load(self._filter, self._tree.folded_keys if folded is None else folded)
        rows = self._tree.rows
        self._rows.show(rows, next((row for row in rows if row.entry.key == key), None))
        self._tell()
        self._tell_reading()

    def _tell(self) -> None:
        """Header, filters and keys."""
        comparison = self._comparison
        a, b = (clean(name_of(side, self._sides), limit=60) for side in self._sides)
        way = f"{a} → {b}"
        if comparison is not None:
            full = f"{a} {comparison.a.short} → {b} {comparison.b.short}"
            way = full if cell_len(full) <= self.size.width - _AROUND else way
        self._header.where = (way,)
        self._tell_place()
        if comparison is not None:
            self._strip.facts = tuple(map(clean, facts_words(comparison)))
            counts = self._tree.counts
            self._strip.chips = tuple(
                Chip(each, counts[each], each is self._filter)
                for each in FILTERS
                if counts[each] or each is self._filter or each.statuses is None or not each.mark
            )
        hints = [("next", "Next", "change(1)"), ("next-hunk", "Hunk", "hunk(1)")]
        if comparison is not None and comparison.unread and not self._depth.content:
            words = "Values," if self.size.width < ROOMY else "Compare values,"
            hints.append(("content", f"{words} {size_text(comparison.unread)}", "content"))
        hints += [("filter", "Filter", "filter"), ("report", "Report", "report"), ("timeline", "Timeline", "timeline")]
        other = "Tree" if self._lines.has_focus else "Detail"
        stops = self.working and (self._depth.content or self._depth.sample)
        back = "Tree" if self._lines.has_focus else "Stop" if stops else "Back"
        last = [("help", "Help", "app.help"), ("back", back, "back")]
        more = [("swap", "Swap", "swap"), ("copy", "Copy", "copy"), ("pane", other, "other_pane")]
        hints += more + last if self.size.width >= ROOMY else more[:1] + last
        keys = (self.program.ports.keys[f"compare.{name}"] for name, _, _ in hints)
        actions = (action if "." in action else f"screen.{action}" for _, _, action in hints)
        self._footer.hints = tuple(map(KeyHint, keys, (label for _, label, _ in hints), actions))

    def _tell_place(self) -> None:
        """Which change this is, of how many."""
        total = len(self._tree.changes)
        place = self._tree.place(self._rows.cursor)
        if self._search.needle:
            at, count = self._lines.match
            rows = len(self._search.found)
            words = f"match {at} of {count}, in {rows} place{'s' if rows != 1 else ''}" if count else f"found in {rows}"
            self._header.facts = ((words if rows else "not found", "$kit-accent"),)
            return
        words = f"change {place} of {total}" if place else f"{total} changes"
        if not self._review.empty:
            left = self._left
            words += f" · {left} left" if left else " · all seen"
            words += f" · {self._review.verdict}" if self._review.verdict else ""
        self._header.facts = ((words, "$kit-accent"),)

    def _tell_reading(self) -> None:
        """What was read, and whether it continues."""
        comparison, traffic = self._comparison, self._traffic
        if traffic is None:
            self._strip.reading = tuple(map(clean, reading_words(comparison))) if comparison else ()
            return
        seconds = monotonic() - self._began
        words = [f"{doing_words(self._step, self._depth, self.size.width >= WIDE)} …"]
        if traffic.requests:
            words.append(f"{size_text(traffic.bytes)} in {traffic.requests:,} requests")
        if seconds >= 1:
            words.append(f"{seconds:.0f} s")
        self._strip.reading = tuple(words)

    @on(Rows.Highlighted)
    def _highlighted(self) -> None:
        if self._rows.current is not self._detailed:
            self._detail()
        self._tell_place()

    def _detail(self) -> None:
        row = self._detailed = self._rows.current
        if row is None:
            if self._comparison is not None:
                self._lines.begin([((nothing_words(self._comparison, self._filter), "muted"),)])
            return
        width = max(20, self._lines.size.width - 3)
        beside = self.size.width >= WIDE if self._beside is None else self._beside
        note = self._review.notes.get(row.entry.key, "")
        noted = [(("✎ ", "accent+bold"), (clean(note), "accent")), ()] if note else []
        self._lines.begin(chain(noted, lines_of(row.entry, width, beside)), cut=self._cut)
        if self._search.needle:
            self._lines.find(self._search.needle)

    @on(Rows.Folded)
    def _fold(self, event: Rows.Folded) -> None:
        row = self._rows.current
        if row is None:
            return
        if row.entry.children and event.unfold == row.folded:
            self._turn(row)
        elif not event.unfold:
            self._rows.to_parent(lambda each: each.depth)

    def _turn(self, row: Row) -> None:
        self._tree.fold(self._rows.cursor)
        self._rows.show(self._tree.rows, row)
        self._tell_place()

    @on(Rows.Opened)
    def _opened(self) -> None:
        row = self._rows.current
        if row is not None and row.folded:
            self._turn(row)
        else:
            self._lines.focus()

    def action_other_pane(self) -> None:
        """Between the tree and the detail."""
        (self._lines if self._rows.has_focus else self._rows).focus()

    def action_change(self, step: int) -> None:
        """The next or previous change, around the ends; while something is searched, the next or previous match."""
        if self._search.needle:
            self._match(step)
            return
        number = neighbour(self._tree.changes, self._rows.cursor, step)
        if number is not None:
            self._go(number, step)

    def _go(self, number: int, step: int) -> None:
        """Put the cursor on a change, and say where that is around the end."""
        if (number - self._rows.cursor) * step <= 0:
            self.program.toast(f"Around the end: the {'first' if step > 0 else 'last'} change again.")
        self._rows.move_to(number)

    def action_hunk(self, step: int) -> None:
        """The next or previous hunk of this change, else the next change; what is folded is unfolded on the way."""
        if self._lines.go_to_hunk(step):
            return
        self._unfold()
        number = neighbour(self._tree.changes, self._rows.cursor, step)
        if number is None:
            self.program.toast("Nothing differs, or nothing was read yet.")
            return
        self._go(number, step)
        self._detail()
        if step > 0:
            self._lines.go_to_hunk(1)
        else:
            self._lines.go_to_last_hunk()

    def _unfold(self) -> None:
        for row in self._tree.folded_changes:
            self._tree.fold(self._tree.rows.index(row))
        self._rows.show(self._tree.rows, self._rows.current)

    def action_search(self) -> None:
        """Ask for a text to look for, in all that was compared."""
        self._searched.add_class("asked")
        self._searched.focus()

    @on(FilterInput.Typed)
    def _typed(self, event: FilterInput.Typed) -> None:
        self._seek(event.text)

    @on(FilterInput.Left)
    def _search_left(self, event: FilterInput.Left) -> None:
        self._searched.remove_class("asked")
        self._rows.focus()
        if not event.keep:
            self._end_search()

    def _end_search(self) -> None:
        self.workers.cancel_group(self, "search")
        self._search = Search()
        self._searched.value = ""
        self._lines.find("")
        self._tell()

    @work(group="search", exclusive=True)
    async def _seek(self, text: str) -> None:
        """Find a text, and go to the first place from the cursor on."""
        needle = text.strip().casefold()
        found = await aside(holding, list(self._tree.entries), needle) if needle else []
        self._search = Search(needle, found)
        row = self._rows.current
        if row is not None and row.entry.key in found:
            self._detail()
        elif found:
            self._match_row(1)
        else:
            self._lines.find("")
        self._tell()

    def _match(self, step: int) -> None:
        """The next or previous match: in this row's lines, then in the next row that holds the text."""
        at, count = self._lines.match
        if 1 <= at + step <= count:
            self._lines.find_next(step)
            self._tell_place()
        else:
            self._match_row(step)

    def _match_row(self, step: int) -> None:
        row = self._rows.current
        order = [entry.key for entry in self._tree.entries]
        key, around = self._search.next(order, row.entry.key if row else None, step)
        if key is None:
            return
        if around and row is not None:
            self.program.toast(f"Around the end: the {'first' if step > 0 else 'last'} match again.")
        self._to_row(key)
        if step < 0:
            self._lines.find_next(-1)
        self._tell_place()

    def _to_row(self, key: str) -> None:
        """Put the cursor on a row, unfolded and with another filter if it takes that."""
        self._unfold()
        for shown in (self._filter, FILTERS[0], FILTERS[-1]):
            if shown is not self._filter:
                self._filter = shown
                self._arrange()
            number = next((n for n, row in enumerate(self._tree.rows) if row.entry.key == key), None)
            if number is not None:
                self._rows.move_to(number)
                self._detail()
                return

    def action_context(self, step: int) -> None:
        """More or fewer unchanged lines around changes."""
        at = min(range(len(CONTEXTS)), key=lambda place: abs(CONTEXTS[place] - self._rules.context))
        wanted = CONTEXTS[max(0, min(len(CONTEXTS) - 1, at + step))]
        self._line_up(replace(self._rules, context=wanted), f"Context: {wanted} lines.")

    def action_whole(self) -> None:
        """Show texts whole, or fold what is unchanged."""
        whole = self._rules.context < WHOLE
        said = "Unchanged parts are unfolded." if whole else "Unchanged parts are folded."
        self._line_up(replace(self._rules, context=WHOLE if whole else CONTEXT), said)

    def action_spaces(self) -> None:
        """Ignore white space, or compare it."""
        said = "White space is ignored in texts." if self._rules.spaces else "White space is compared."
        self._line_up(replace(self._rules, spaces=not self._rules.spaces), said)

    def _line_up(self, rules: LineRules, said: str) -> None:
        if self._comparison is None or not self._comparison.complete or self.working:
            self.program.toast("Still reading.")
            return
        self._rules = rules
        self._kept.clear()
        self._compare_lines(said)

    @work(group="rules", exclusive=True)
    async def _compare_lines(self, said: str) -> None:
        """Compare texts by other rules. All else that is known stays: values are not read again."""
        self._strip.reading = ("comparing texts …",)
        try:
            fresh = await self._case.compare(*self._sides, Depth(rules=self._rules))
        except KittuiError as error:
            self.program.fail(error)
            return
        known = self._comparison
        if known is None:
            return
        texts = {text.path: text for text in fresh.texts}
        self._show(replace(known, texts=tuple(texts.get(text.path, text) for text in known.texts)))
        self.program.toast(said)

    def action_beside(self) -> None:
        """Side by side, or one below the other, whatever the width."""
        self._beside = not (self.size.width >= WIDE if self._beside is None else self._beside)
        self._detail()

    def action_cut(self) -> None:
        """Cut long lines off, or wrap them."""
        self._cut = not self._cut
        self._detail()
        self.program.toast("Long lines are cut off." if self._cut else "Long lines are wrapped.")

    def action_filter(self) -> None:
        """The next filter that shows something."""
        at = FILTERS.index(self._filter)
        for distance in range(1, len(FILTERS) + 1):
            each = FILTERS[(at + distance) % len(FILTERS)]
            if self._tree.counts[each] or each.statuses is None:
                self._choose(each)
                return

    def action_only(self, mark: str) -> None:
        """One kind of change alone; the same key again shows all."""
        chosen = next(each for each in FILTERS if each.mark == mark)
        if chosen is self._filter:
            chosen = FILTERS[0]
        elif not self._tree.counts[chosen]:
            self.program.toast(f"Nothing was {chosen.name}.")
            return
        self._choose(chosen)

    @on(SummaryStrip.Chosen)
    def _chip(self, event: SummaryStrip.Chosen) -> None:
        self._choose(event.filter)

    def _choose(self, chosen: Filter) -> None:
        self._filter = chosen
        self._arrange()
        self._fit()
        row = self._rows.current
        if row is not None and not row.is_change:
            number = neighbour(self._tree.changes, self._rows.cursor, 1)
            if number is not None:
                self._rows.move_to(number)

    def action_swap(self) -> None:
        """Old becomes new; what was compared before in that order is shown at once."""
        self._sides = (self._sides[1], self._sides[0])
        self.workers.cancel_group(self, "compare")
        kept = self._kept.get(key_of(self._sides))
        if kept is not None:
            self._traffic = None
            comparison, self._depth = kept
            self._show(comparison)
        else:
            self._comparison = None
            self._begin()

    def action_again(self) -> None:
        """Compare again, asking for both tags anew."""
        self._kept.clear()
        self._comparison = None
        self._begin()

    def action_back(self) -> None:
        """From the detail to the tree; from the tree back to browsing, where no values are being read."""
        if self._search.needle:
            self._end_search()
        elif self._lines.has_focus:
            self._rows.focus()
        elif self.working and self._comparison is not None and (self._depth.content or self._depth.sample):
            self.workers.cancel_group(self, "compare")
            self._traffic = None
            self._depth = Depth()
            self._tell()
            self._tell_reading()
            self.program.toast("Stopped reading values; what was found so far stays.")
        else:
            self.dismiss()

    def action_copy(self) -> None:
        """Copy what the detail pane shows, old above new and without line numbers."""
        row = self._rows.current
        if row is not None:
            self.program.copy(copied(row.entry))

    def action_content(self) -> None:
        """Compare values: all of them, or a sample."""
        self.program.run_command("Compare values", self._content())

    async def _content(self) -> None:
        comparison = self._comparison
        if comparison is None or not comparison.unread:
            self.program.toast("All values that differ were compared." if comparison else "Still reading.")
            return
        depth = await ask_depth(self.program, comparison)
        if depth is not None:
            self.read_values(depth)

    def read_values(self, depth: Depth) -> None:
        """Compare again, deeper; what is known stays in view meanwhile."""
        self._depth = depth
        self._begin()

    def action_report(self) -> None:
        """The report: copied, or saved."""
        from kittui.tui.compare.report import report

        if self._comparison is not None:
            self.program.run_command("Report", report(self.program, self._comparison, self._review))

    def action_timeline(self) -> None:
        """The thing under the cursor over all versions of b's repository."""
        from kittui.tui.compare.over_versions import TimelineScreen

        row = self._rows.current
        subject = subject_of(row) if row is not None else None
        if subject is None:
            self.program.toast("A Kitfile value, a file or a tensor can be followed over the versions.")
            return
        b = self._sides[1]
        self.app.push_screen(TimelineScreen(self._case, b.repository, subject, b.target))
