"""What all panes share: a title line, a filter as you type, states in words, and a debounced cursor."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, Final

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.content import Content
from textual.reactive import reactive
from textual.timer import Timer
from textual.widget import Widget

from kittui.terminal import clean
from kittui.tui.panes.state import MARKS, READY, State
from kittui.tui.widgets.bars import shorten

if TYPE_CHECKING:
    from kittui.tui.panes.filtering import FilterInput

REST: Final = 0.12
"""Seconds that a cursor rests before dependent content is loaded."""
PATIENCE: Final = 0.3
"""Seconds before a spinner appears."""
NAMED: Final = 6
"""Minimum cells of a pane's name beside its problem."""
FRAMES: Final = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


class PaneTitle(Widget):
    """Number and name of a pane on the left, the filter, and how many rows on the right."""

    DEFAULT_CSS = """
    PaneTitle { height: 1; background: $kit-surface; color: $kit-muted; }
    """
    parts: reactive[tuple[tuple[str, str], ...]] = reactive((), layout=False)
    right: reactive[str] = reactive("", layout=False)
    active: reactive[bool] = reactive(False, layout=False)
    age: reactive[str] = reactive("", layout=False)
    trouble: reactive[str] = reactive("", layout=False)
    least: reactive[int] = reactive(0, layout=False)
    """Cells on the left that the age may not take."""

    def render(self) -> Content:
        """Draw the title; the focused pane has the accent. The age is shown if there is room, problems always."""
        bar = ("▌", "$kit-accent") if self.active else (" ", "")
        left = Content.assemble(bar, *self.parts)
        trouble, count = self._fitting(left)
        pieces = [(f" ✗ {trouble} ", "$kit-bad")] if trouble else []
        pieces += [(f" {count} ", "$kit-muted")] if count else []
        right = Content.assemble(*pieces)
        if self.age and min(left.cell_length, self.least) + right.cell_length + len(self.age) + 1 <= self.size.width:
            right = Content.assemble((f" {self.age}", "$kit-faint"), *(pieces or [(" ", "")]))
        room = self.size.width - right.cell_length
        if left.cell_length > room:
            left = left.truncate(max(1, room), ellipsis=True)
        return Content.assemble(left, " " * (self.size.width - left.cell_length - right.cell_length), right)

    def _fitting(self, left: Content) -> tuple[str, str]:
        """As much of the problem and the count as fits beside a piece of the name.

        The start of the problem is cut last.
        """
        if not self.trouble:
            return "", self.right
        room = self.size.width - min(left.cell_length, NAMED)
        words, _, moment = self.trouble.partition(" since ")
        ways = [(self.trouble, self.right), (self.trouble, ""), (f"{words} {moment}", ""), (moment or words, "")]
        return next((way for way in ways if sum(len(text) + 3 for text in way if text) + 2 <= room), ways[-1])


class Note(Widget):
    """A state in words: a panel where there are no rows, one line below rows."""

    DEFAULT_CSS = """
    Note { display: none; background: $kit-background; color: $kit-text; }
    Note.panel { display: block; layer: over; height: 1fr; margin: 1 0 0 0; padding: 1 2; }
    Note.line { display: block; height: 1; padding: 0 1; background: $kit-surface; }
    """
    shown: reactive[State] = reactive(READY, layout=False)
    frame: reactive[int] = reactive(0, layout=False)

    def render(self) -> Content:
        """The mark and headline; below them the reason, and what to do."""
        state = self.shown
        mark, style = MARKS.get(state.kind, ("", ""))
        if state.kind == "loading" and self.frame:
            mark = FRAMES[self.frame % len(FRAMES)]
        pieces: list[tuple[str, str]] = [(f"{mark} ", style), (state.headline, "$kit-text")]
        if self.has_class("line"):
            if state.step:
                pieces.append((" ", ""))
            return Content.assemble(*pieces, *_keyed(state.step, "$kit-muted")).truncate(self.size.width, ellipsis=True)
        if state.explanation:
            pieces.append((f"\n\n{state.explanation}", "$kit-muted"))
        if state.step:
            pieces.append(("\n\n", ""))
        return Content.assemble(*pieces, *_keyed(state.step, "$kit-text"))


def _keyed(step: str, style: str) -> list[tuple[str, str]]:
    return [(text, "$kit-accent bold" if number % 2 else style) for number, text in enumerate(step.split("`")) if text]


class Pane(Widget):
    """A titled pane around one body widget."""

    DEFAULT_CSS = """
    Pane { background: $kit-background; layout: vertical; layers: under over; }
    Pane > * { layer: under; }
    Pane.-filtering Note.panel { margin: 2 0 0 0; }
    """
    NUMBER: ClassVar[int] = 0
    FILTER_HINT: ClassVar[str] = "words, !not, /regex/, ~fuzzy"

    def __init__(self) -> None:
        super().__init__()
        self._state = READY
        self._rest: Timer | None = None
        self._patience: Timer | None = None
        self._spinner: Timer | None = None
        self.filter = ""
        self._filtered_by = ""

    def make_body(self) -> Widget:
        """The widget that shows the pane's rows or lines and takes the focus."""
        raise NotImplementedError

    def compose(self) -> ComposeResult:
        """Title, body, note; the filter's input is added when it is first wanted."""
        yield PaneTitle()
        yield self.make_body()
        yield Note()

    @property
    def title_bar(self) -> PaneTitle:
        """The title line."""
        return self.query_one(PaneTitle)

    @property
    def body(self) -> Widget:
        """The widget that takes the focus."""
        raise NotImplementedError

    @property
    def filled(self) -> bool:
        """Whether there is anything to show besides the state."""
        raise NotImplementedError

    @property
    def state(self) -> State:
        """The state that the pane is in."""
        return self._state

    def on_descendant_focus(self) -> None:
        """Draw the focused pane's title in the accent."""
        self.title_bar.active = True
        self.retitle()

    def on_descendant_blur(self) -> None:
        """Draw the title plain again."""
        self.title_bar.active = self.has_focus_within
        self.retitle()

    def retitle(self) -> None:
        """Update the title."""
        raise NotImplementedError

    def set_title(self, name: str, right: str = "", *, about: str = "", age: str = "", trouble: str = "") -> None:
        """Write the title: name, subject, filter; on the right age, problem, count."""
        self.title_bar.age, self.title_bar.trouble = age, trouble
        style = "$kit-accent bold" if self.title_bar.active else "$kit-text"
        parts = [(f"{self.NUMBER} ", "$kit-accent" if self.title_bar.active else "$kit-muted"), (name, style)]
        if self.filter:
            parts += [(" /", "$kit-accent"), (shorten(clean(self.filter), 20), "$kit-accent bold")]
        self.title_bar.least = sum(cell_len(text) for text, _ in parts) + 1 if self.filter else NAMED + 3
        if about:
            parts += [(" · ", "$kit-faint"), (about, "$kit-muted")]
        self.title_bar.parts = tuple(parts)
        self.title_bar.right = right

    def set_state(self, state: State) -> None:
        """Show a state; a spinner appears only when loading takes more than 300 ms."""
        if not self.children:
            return  # The program has ended meanwhile.
        if state.kind == self._state.kind == "loading":
            self._state = self.query_one(Note).shown = state
            return
        self._state = state
        for timer in (self._patience, self._spinner):
            if timer is not None:
                timer.stop()
        self._patience = self._spinner = None
        note = self.query_one(Note)
        note.frame = 0
        note.shown = state
        if state.kind == "loading":
            note.remove_class("panel", "line")
            self._patience = self.set_timer(PATIENCE, self._lose_patience)
            return
        self._place_note()

    def place_note(self) -> None:
        """Place the note after rows changed, so that it does not hide them."""
        if self._state.kind != "loading" or self._patience is None:
            self._place_note()

    def _place_note(self) -> None:
        note, filled = self.query_one(Note), self.filled
        quiet = self._state.kind == "ready"
        note.set_class(not quiet and not filled, "panel")
        note.set_class(not quiet and filled, "line")
        note.refresh()

    def _lose_patience(self) -> None:
        self._patience = None
        self._place_note()
        if not self.app.reduced_motion:  # type: ignore[attr-defined]
            self._spinner = self.set_interval(0.1, self._spin)

    def _spin(self) -> None:
        self.query_one(Note).frame += 1

    def set_filter(self, text: str) -> None:
        """Show what contains the text."""
        raise NotImplementedError

    @property
    def filter_problem(self) -> str:
        """Why the filter can't be used."""
        return ""

    def find_next(self, step: int) -> None:
        """Go to the next or previous match."""
        raise NotImplementedError

    async def open_filter(self) -> None:
        """Let a filter be typed below the title."""
        from kittui.tui.panes.filtering import FilterInput

        found = self.query(FilterInput)
        entry = found.first() if found else FilterInput()
        if not found:
            await self.mount(entry, after=self.title_bar)
        self._filtered_by = self.filter
        entry.placeholder = self.FILTER_HINT
        entry.value = self.filter
        entry.problem = self.filter_problem
        entry.cursor_position = len(entry.value)
        entry.add_class("open")
        self.add_class("-filtering")
        entry.focus()

    def close_filter(self) -> None:
        """Drop the filter."""
        if self.filter:
            self.set_filter("")

    def on_filter_input_typed(self, event: FilterInput.Typed) -> None:
        """Filter as it is typed."""
        event.stop()
        if event.text != self.filter:
            self.set_filter(event.text)
        self.query_one("FilterInput").problem = self.filter_problem  # type: ignore[attr-defined]

    def on_filter_input_left(self, event: FilterInput.Left) -> None:
        """Back to the rows."""
        event.stop()
        if event.keep:
            self.settle_on_match()
        else:
            self.close_filter()
        self.query("FilterInput").remove_class("open")
        self.remove_class("-filtering")
        self.body.focus()

    def settle_on_match(self) -> None:
        """Put the cursor on a new filter's first match."""

    @property
    def resting(self) -> bool:
        """Whether the pane still waits for the cursor to rest."""
        return self._rest is not None

    def when_resting(self, callback: Callable[[], object]) -> None:
        """Call back once the cursor has rested; a newer call replaces an older one."""
        if self._rest is not None:
            self._rest.stop()

        def rested() -> None:
            self._rest = None
            callback()

        self._rest = self.set_timer(REST, rested)
