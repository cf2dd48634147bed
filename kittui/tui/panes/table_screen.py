"""A screen with one table: its subject above, the row under the cursor in full below."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Static

from kittui.terminal import clean
from kittui.tui.frame.commands import Condition, reason
from kittui.tui.frame.program import Program, program_of
from kittui.tui.frame.selection import Selection
from kittui.tui.panes.filtering import FilterInput
from kittui.tui.panes.queries import parse
from kittui.tui.panes.state import read_facts
from kittui.tui.widgets.bars import FooterBar, HeaderBar, KeyHint
from kittui.tui.widgets.lines import Lines


class TableScreen(Screen[None], inherit_bindings=False):
    """What screens with one table share: how they look, the filter, how old they are, the text below, the footer."""

    DEFAULT_CSS = """
    TableScreen { background: $kit-background; color: $kit-text; layout: vertical; }
    TableScreen #facts { height: 1; padding: 0 1; color: $kit-muted; }
    TableScreen Lines {
        border-top: solid $kit-line; border-title-align: right; border-title-color: $kit-muted;
    }
    TableScreen FilterInput, TableScreen FilterInput:focus {
        display: none; height: 1; border: none; padding: 0 1; background: $kit-surface; color: $kit-text;
    }
    TableScreen.-filtering FilterInput { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("J", "below(1)", "More below", id="below.down", tooltip="The text below the list: on", show=False),
        Binding("K", "below(-1)", "Back below", id="below.up", tooltip="The text below the list: back", show=False),
    ]

    NEEDS: ClassVar[Mapping[str, Condition]] = {}
    """Conditions for keys, by their ids: if one does not hold, the key is hidden, and says why."""

    def __init__(self, table: Widget) -> None:
        super().__init__()
        self._table = table
        self._header, self._facts = HeaderBar(), Static(id="facts")
        self._filter = FilterInput()
        self._lines = Lines()
        self._footer = FooterBar()
        self._needle = self._filtered_by = ""
        self._read_at: datetime | None = None

    @property
    def program(self) -> Program:
        """The program, for its ports, toasts and clipboard."""
        return program_of(self)

    @abstractmethod
    def draw(self) -> None:
        """Show the rows that match the filter."""

    @abstractmethod
    def to_first(self) -> None:
        """Put the cursor on the first row."""

    @property
    @abstractmethod
    def on_a_row(self) -> bool:
        """Whether the cursor is on a row."""

    def compose(self) -> ComposeResult:
        """Header, facts, the filter while one is typed, the table, the row under the cursor in full, footer."""
        yield self._header
        yield self._facts
        yield self._filter
        yield self._table
        yield self._lines
        yield self._footer

    def on_mount(self) -> None:
        """Watch which part of the text below is visible."""
        for name in ("scroll_y", "virtual_size"):
            self.watch(self._lines, name, self._say_below)

    def say(self, text: str) -> None:
        """Show a text above the table."""
        self._facts.update(Content(clean(text)))

    def say_read(self, read_at: datetime | None, trouble: str = "") -> None:
        """Show in the header when the list was read, and problems since then."""
        self._read_at = read_at
        self._header.facts = read_facts(read_at, trouble, self.program.ports.clock())

    def on_resize(self) -> None:
        """Update how much of the text below is visible."""
        self.call_after_refresh(self._say_below)

    def _say_below(self) -> None:
        """Show how much of the text below is hidden, with the key that scrolls it."""
        keys = self.program.ports.keys
        above = self._lines.scroll_offset.y
        below = max(0, self._lines.virtual_size.height - self._lines.size.height - above)
        parts = [f"▲ {above} more: {keys['below.up']}" if above else ""]
        parts += [f"▼ {below} more: {keys['below.down']}" if below else ""]
        self._lines.border_title = Content(" · ".join(filter(None, parts))) if any(parts) else None

    def action_below(self, step: int) -> None:
        """Scroll the text below the table, keeping one line of it, or say that there is no more of it that way."""
        if self._lines.scroll_offset.y == (self._lines.max_scroll_y if step > 0 else 0):
            self.program.toast(f"There is no more text {'below' if step > 0 else 'above'}.")
        self._lines.action_page(step)

    def action_filter(self) -> None:
        """Let a filter be typed."""
        self._filtered_by = self._needle
        self.add_class("-filtering")
        self._filter.focus()

    def drop_filter(self) -> bool:
        """Show every row again; False if all are shown."""
        filtered, self._needle, self._filter.value = bool(self._needle), "", ""
        if filtered:
            self.draw()
        return filtered

    @on(FilterInput.Typed)
    def _typed(self, event: FilterInput.Typed) -> None:
        self._needle = event.text.strip()
        self._filter.problem = parse(self._needle).problem
        self.draw()

    @on(FilterInput.Left)
    def _left(self, event: FilterInput.Left) -> None:
        if not event.keep:
            self.drop_filter()
        self.remove_class("-filtering")
        self._table.focus()
        if not self.on_a_row or (self._needle and self._needle != self._filtered_by):
            self.to_first()

    def refusal(self, command: str) -> str:
        """Why a key does nothing now, by its id; empty if it does something."""
        condition = self.NEEDS.get(command)
        return reason(condition, self.selection) if condition is not None else ""

    @property
    def selection(self) -> Selection:
        """The selection for the conditions in NEEDS."""
        return Selection(read_only=self.program.ports.settings.read_only)

    def refuses(self, command: str) -> bool:
        """Whether a key does nothing now; if so, say why."""
        if said := self.refusal(command):
            self.notify(said, markup=False)
        return bool(said)

    def hint(self, hints: Sequence[tuple[str, str, str]]) -> None:
        """Name keys in the footer, by the command's id, with a label and the action of a click."""
        keys = self.program.ports.keys
        self._footer.hints = tuple(
            KeyHint(keys.all_of(name), label, action) for name, label, action in hints if not self.refusal(name)
        )
