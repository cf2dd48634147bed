"""The comparison screen: a summary, the tree of changes, and the details of the one under the cursor."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from rich.cells import cell_len
from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import Screen

from kittui.compare.changes import Problem
from kittui.compare.comparison import Comparison
from kittui.compare.text import LineRules
from kittui.compare.words import facts_words
from kittui.errors import KittuiError
from kittui.terminal import clean, counted
from kittui.tui.compare import keys
from kittui.tui.compare.depths import ask_depth
from kittui.tui.compare.details import copied
from kittui.tui.compare.line_rules import with_context, with_folds_turned, with_spaces_turned
from kittui.tui.compare.panes import WIDE, ChangePanes
from kittui.tui.compare.pictures import Pictures
from kittui.tui.compare.reading import Reading
from kittui.tui.compare.reviewing import Reviewing
from kittui.tui.compare.search_input import SearchInput
from kittui.tui.compare.strip import Chip, SummaryStrip
from kittui.tui.compare.tree import FILTERS, ChangeTree
from kittui.tui.compare.wording import name_of, place_of, subject_of
from kittui.tui.frame.program import Program, program_of
from kittui.tui.widgets.bars import FooterBar, HeaderBar
from kittui.usecases.diff.compare import Depth, DiffUseCase, Side

if TYPE_CHECKING:
    from kittui.tui.compare.handing import How

NO_ROW: Final = "No row is chosen: nothing differs, or nothing was read yet."
TICK: Final = 0.5
"""Seconds between two reports of how far it is."""
_AROUND = 14
"""Columns of the header besides the two names and the text on the right."""


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
    CompareScreen .-hidden { display: none; }
    CompareScreen.-zoomed #changes, CompareScreen.-zoomed #detail { height: 1fr; width: 1fr; border: none; }
    CompareScreen FilterInput, CompareScreen FilterInput:focus {
        display: none; height: 1; border: none; padding: 0 1; background: $kit-surface; color: $kit-text;
    }
    CompareScreen FilterInput.asked { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = keys.BINDINGS

    def __init__(self, case: DiffUseCase, a: Side, b: Side) -> None:
        super().__init__()
        self._reading = Reading(
            self,
            case,
            (a, b),
            on_state=self._show_state,
            on_progress=self._update_words,
            on_failure=self._show_failure,
        )
        self._panes = ChangePanes(self._update_place, self._update_all)
        self._panes.below = Pictures(self, self._reading, self._panes.show_detail).lines
        self._reviewing = Reviewing(self, self._reading, self._panes)
        self._search_input = SearchInput(self._panes, self._update_bars, self._update_place)
        self._told: tuple[Problem, ...] = ()
        self._header = HeaderBar()
        self._strip = SummaryStrip()
        self._footer = FooterBar()

    @property
    def comparison(self) -> Comparison | None:
        """What is known so far."""
        return self._reading.comparison

    @property
    def sides(self) -> tuple[Side, Side]:
        """Old and new, as they stand now."""
        return self._reading.sides

    @property
    def change_tree(self) -> ChangeTree:
        """The rows that are shown."""
        return self._panes.change_tree

    @property
    def program(self) -> Program:
        """The program, for its toasts and clipboard."""
        return program_of(self)

    @property
    def working(self) -> bool:
        """Whether something is being read."""
        return self._reading.working

    def compose(self) -> ComposeResult:
        """Header, summary, tree and detail, footer."""
        yield self._header
        yield self._strip
        yield self._panes
        yield self._search_input
        yield self._footer

    def on_mount(self) -> None:
        """Begin."""
        self._panes.rows.focus()
        self.set_interval(TICK, self._update_words)
        self._begin()

    def on_resize(self, event: events.Resize) -> None:
        """Stack the panes where there is little room."""
        self.set_class(event.size.width < WIDE, "-stacked")
        self.call_after_refresh(self._update_bars)

    def on_screen_resume(self) -> None:
        """The terminal may have another size than before what was above."""
        self.call_after_refresh(self._panes.fit)

    def on_descendant_focus(self) -> None:
        """The pane that is read has most of the room; the footer names its keys."""
        self._panes.give_room()
        self._update_bars()

    def _begin(self) -> None:
        self._reading.start()
        if self.comparison is None:
            self._panes.expect_another()
            places = " and ".join(dict.fromkeys(place_of(side) for side in self.sides))
            self._strip.facts = (f"reading both manifests from {places} …",)
        self._update_all()

    def _show_state(self, comparison: Comparison, first: bool) -> None:
        self._panes.show(comparison, first)
        self._reviewing.follow(comparison)
        if comparison.complete and comparison.problems and comparison.problems != self._told:
            self._told = comparison.problems
            problem, many = comparison.problems[0], counted(len(comparison.problems), "part")
            said = f"{many} could not be compared. {problem.where}: {problem.message}"
            self.program.notify(clean(said), severity="warning", markup=False)

    def _show_failure(self, error: KittuiError) -> None:
        if self.comparison is None:
            self._panes.detail.begin([((clean(text), "bad"),) for text in (error.message, error.hint or "") if text])
        self.program.fail(error)
        self._update_all()
        self._strip.facts = (clean(error.message),)

    def _update_all(self) -> None:
        self._update_bars()
        self._update_words()

    def _update_bars(self) -> None:
        """Header, filters and keys."""
        comparison = self.comparison
        self._update_place()
        if comparison is not None:
            self._strip.facts = tuple(map(clean, facts_words(comparison)))
            self._strip.problems = len(comparison.problems)
            counts, chosen = self.change_tree.counts, self._panes.chosen_filter
            self._strip.chips = tuple(
                Chip(each, counts[each], each is chosen)
                for each in FILTERS
                if counts[each] or each is chosen or each.statuses is None or not each.mark
            )
        self._footer.hints = keys.footer_hints(
            self.program.ports.keys,
            self.size.width,
            unread=comparison.unread if comparison is not None and not self._reading.depth.content else 0,
            in_detail=self._panes.detail.has_focus,
            stops=self._reading.working_on_values,
        )

    def _way(self) -> str:
        """Which is the old side and which the new one, with their digests where there is room."""
        a, b = (clean(name_of(side, self.sides), limit=60) for side in self.sides)
        ways = [f"old {a} → new {b}", f"{a} → {b}"]
        if self.comparison is not None:
            ways.insert(0, f"old {a} {self.comparison.a.short} → new {b} {self.comparison.b.short}")
        room = self.size.width - _AROUND - sum(cell_len(text) for text, _ in self._header.facts)
        return next((way for way in ways if cell_len(way) <= room), ways[-1])

    def _update_place(self) -> None:
        """Which change this is, of how many."""
        if self._search_input.searching:
            self._header.facts = ((self._search_input.words, "$kit-accent"),)
            return
        place, total = self._panes.place
        words = f"change {place} of {total}" if place else counted(total, "change")
        if self.comparison is None:
            words = "reading" if self.working else "not compared"
        self._header.facts = ((words + self._reviewing.words, "$kit-accent"),)
        self._header.where = (self._way(),)

    def _update_words(self) -> None:
        """What was read, and whether it continues."""
        self._strip.reading = self._reading.words(self.size.width >= WIDE)

    def action_other_pane(self) -> None:
        """Between the tree and the detail."""
        self._panes.focus_other()

    def action_resize(self, step: int) -> None:
        """More room for the pane that has the keys, or less."""
        self._panes.resize(step)

    def action_zoom(self) -> None:
        """All the room for the pane that has the keys, or give it back."""
        self._panes.zoom()

    def action_change(self, step: int) -> None:
        """The next or previous change, around the ends; while something is searched, the next or previous match."""
        if self._search_input.searching:
            self._search_input.go_to_match(step)
        else:
            self._panes.go_to_change(step)

    def action_sideways(self, direction: int) -> None:
        """More of lines that are cut off, to the right or the left."""
        self._panes.go_sideways(direction)

    def action_hunk(self, step: int) -> None:
        """The next or previous hunk of this change, else the next change."""
        self._panes.go_to_hunk(step)

    def action_search(self) -> None:
        """Ask for a text to look for, in all that was compared."""
        self._search_input.ask()

    def action_seen(self) -> None:
        """Tick the change under the cursor, and continue with the next one."""
        self._reviewing.tick()

    def action_note(self) -> None:
        """Attach a note to what the cursor is on."""
        self._reviewing.note()

    def action_verdict(self) -> None:
        """Approve or reject."""
        self._reviewing.verdict()

    def action_context(self, step: int) -> None:
        """More or fewer unchanged lines around changes."""
        self._compare_lines(*with_context(self._reading.rules, step))

    def action_whole(self) -> None:
        """Show texts whole, or fold what is unchanged."""
        self._compare_lines(*with_folds_turned(self._reading.rules))

    def action_spaces(self) -> None:
        """Ignore white space, or compare it."""
        self._compare_lines(*with_spaces_turned(self._reading.rules))

    def _compare_lines(self, rules: LineRules, said: str) -> None:
        if self.comparison is None or not self.comparison.complete or self.working:
            self.program.toast("Still reading.")
            return
        self._reading.compare_lines(rules, said)
        self._strip.reading = ("comparing texts …",)

    def action_beside(self) -> None:
        """Side by side, or one below the other, whatever the width."""
        self._panes.turn_beside()

    def action_cut(self) -> None:
        """Cut long lines off, or wrap them."""
        self._panes.turn_cut()

    def action_outputs(self) -> None:
        """Unfold what the cells of notebooks printed, or fold it."""
        self._panes.turn_outputs()

    def action_filter(self) -> None:
        """The next filter that shows something."""
        if self.comparison is None:
            self.program.toast("Still reading.")
        else:
            self._panes.choose_next()

    def action_only(self, mark: str) -> None:
        """One kind of change alone; the same key again shows all."""
        self._panes.choose_only(mark)

    @on(SummaryStrip.Chosen)
    def _chip(self, event: SummaryStrip.Chosen) -> None:
        self._panes.choose(event.filter)

    def action_swap(self) -> None:
        """Old becomes new; what was compared before in that order is shown at once."""
        if not self._reading.swap():
            self._begin()
        old, new = (clean(name_of(side, self.sides), limit=60) for side in self.sides)
        self.program.toast(f"Swapped: {old} is the old side now, {new} the new one.")

    def action_again(self) -> None:
        """Compare again, asking for both tags anew."""
        self._reading.forget()
        self._begin()
        self.program.toast("Comparing again with what both tags point to now.")

    def action_back(self) -> None:
        """From the detail to the tree; from the tree back to browsing, where no values are being read."""
        if self._search_input.searching:
            self._search_input.end()
        elif self._panes.detail.has_focus:
            self._panes.rows.focus()
        elif self._reading.working_on_values and self.comparison is not None:
            self._reading.stop()
            self._update_all()
            self.program.toast("Stopped reading values; the results so far stay.")
        else:
            self.dismiss()

    def action_copy(self) -> None:
        """Copy what the detail pane shows, old above new and without line numbers."""
        row = self._panes.rows.current
        if row is None:
            self.program.toast(NO_ROW)
        else:
            self.program.copy(copied(row.entry))

    def action_content(self) -> None:
        """Compare values: all of them, or a sample."""
        self.program.run_command("Compare values", self._content())

    async def _content(self) -> None:
        comparison = self.comparison
        if comparison is None or not comparison.unread:
            self.program.toast("All differing values were compared already." if comparison else "Still reading.")
            return
        depth = await ask_depth(self.program, comparison)
        if depth is not None:
            self.read_values(depth)

    def read_values(self, depth: Depth) -> None:
        """Compare again, deeper; what is known stays in view meanwhile."""
        self._reading.depth = depth
        self._begin()

    def action_outside(self, how: How) -> None:
        """Open the file under the cursor, or both its sides, in another program."""
        from kittui.tui.compare.handing import hand_over

        row, comparison = self._panes.rows.current, self.comparison
        if row is None or comparison is None:
            self.program.toast(NO_ROW)
        else:
            self.program.run_command("Open", hand_over(self.program, self._reading, comparison, row.entry.key, how))

    def action_report(self) -> None:
        """The report: copied, or saved."""
        from kittui.tui.compare.report import report

        if self.comparison is None:
            self.program.toast("Still reading.")
        else:
            self.program.run_command("Report", report(self.program, self.comparison, self._reviewing.review))

    def action_timeline(self) -> None:
        """The thing under the cursor over all versions of b's repository."""
        from kittui.tui.compare.over_versions import TimelineScreen

        row = self._panes.rows.current
        subject = subject_of(row) if row is not None else None
        if subject is None:
            self.program.toast("Put the cursor on a Kitfile value, a file or a tensor to follow it across versions.")
            return
        b = self.sides[1]
        self.app.push_screen(TimelineScreen(self._reading.case, b.repository, subject, b.target))
