"""A list over the whole screen: above it what it is about, below it the row under the cursor in full."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Hashable, Mapping, Sequence
from datetime import datetime
from typing import ClassVar, Generic, TypeVar

from textual import on
from textual.app import ComposeResult
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from kittui.terminal import clean
from kittui.tui.frame.commands import Condition, reason
from kittui.tui.frame.program import Program, program_of
from kittui.tui.frame.selection import Selection
from kittui.tui.panes.filtering import FilterInput
from kittui.tui.panes.queries import parse
from kittui.tui.panes.spacing import Spacing
from kittui.tui.panes.state import read_facts
from kittui.tui.widgets.bars import FooterBar, HeaderBar, KeyHint
from kittui.tui.widgets.columns import Column
from kittui.tui.widgets.cutting import Spans
from kittui.tui.widgets.lines import Lines
from kittui.tui.widgets.rows import Rows

Row = TypeVar("Row")


class RowsScreen(Screen[None], Generic[Row], inherit_bindings=False):
    """What the screens with one list share: how they look, the filter, how old they are, and the footer's keys."""

    DEFAULT_CSS = """
    RowsScreen { background: $kit-background; color: $kit-text; layout: vertical; }
    RowsScreen #facts { height: 1; padding: 0 1; color: $kit-muted; }
    RowsScreen Lines { border-top: solid $kit-line; }
    RowsScreen FilterInput, RowsScreen FilterInput:focus {
        display: none; height: 1; border: none; padding: 0 1; background: $kit-surface; color: $kit-text;
    }
    RowsScreen.-filtering FilterInput { display: block; }
    """

    NEEDS: ClassVar[Mapping[str, Condition]] = {}
    """What has to hold for keys, by their ids: where it does not, they say why and are not offered."""
    BEGINS_ON_TOP: ClassVar[bool] = True
    """Whether the cursor is on the first row, whatever arrives above it, until the user moves it."""

    def __init__(
        self,
        columns: Sequence[Column],
        cells: Callable[[Row], Sequence[Spans]],
        key: Callable[[Row], Hashable],
    ) -> None:
        super().__init__()
        self._header, self._facts = HeaderBar(), Static(id="facts")
        self._filter = FilterInput()
        self._rows: Rows[Row] = Rows(columns, cells, key)
        self._lines = Lines()
        self._footer = FooterBar()
        self._needle = self._filtered_by = self._said = ""
        self._read_at: datetime | None = None
        self._spacing = Spacing()

    @property
    def program(self) -> Program:
        """The program, for its ports, toasts and clipboard."""
        return program_of(self)

    @property
    @abstractmethod
    def found(self) -> Sequence[Row]:
        """All that was read."""

    @abstractmethod
    def text(self, row: Row) -> str:
        """A row as it is filtered and copied."""

    def arranged(self, found: Sequence[Row]) -> Sequence[Row]:
        """The rows in the order in which they are shown."""
        return found

    def compose(self) -> ComposeResult:
        """Header, facts, the filter while one is typed, rows, the one under the cursor in full, footer."""
        yield self._header
        yield self._facts
        yield self._filter
        yield self._rows
        yield self._lines
        yield self._footer

    def say(self, text: str) -> None:
        """Put a text above the list, with what the filter leaves of it."""
        self._said = text
        shown = f" · /{self._needle}: {len(self._rows.rows)} of {len(self.found)}" if self._needle else ""
        self._facts.update(Content(clean(text + shown)))

    def say_read(self, read_at: datetime | None, trouble: str = "") -> None:
        """Say in the header when the list was read, and what is wrong since."""
        self._read_at = read_at
        self._header.facts = read_facts(read_at, trouble, self.program.ports.clock())

    def spaced(self, draw: Callable[[], None]) -> None:
        """Draw what has arrived, unless the drawing before has just taken long; called every DRAW seconds."""
        if not self._spacing.wait:
            self._spacing.draw(draw)

    def draw(self, wanted: Row | None = None) -> None:
        """Show what was found and the filter leaves; the cursor goes to `wanted`, else it stays on its row."""
        found = self.found
        if self._needle:
            query = parse(self._needle)
            found = [row for row in found if query.matches(self.text(row))]
        rows = self.arranged(found)
        if self.BEGINS_ON_TOP and rows and not self._rows.touched:
            wanted = rows[0]
        self._rows.show(rows, wanted)
        self.say(self._said)

    def action_filter(self) -> None:
        """Let a filter be typed."""
        self._filtered_by = self._needle
        self.add_class("-filtering")
        self._filter.focus()

    def drop_filter(self) -> bool:
        """Show every row again; False where all are shown."""
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
        self._rows.focus()
        if self._rows.current is None or (self._needle and self._needle != self._filtered_by):
            self._rows.move_to(0)

    def action_copy(self) -> None:
        """Copy what is shown, one row a line."""
        self.program.copy("\n".join(self.text(row) for row in self._rows.rows))

    @on(Rows.Folded)
    def _folded(self, event: Rows.Folded) -> None:
        way = "right" if event.unfold else "left"
        self.notify(f"Rows don't open here, and no column is out of sight on the {way}.", markup=False)

    def refusal(self, command: str) -> str:
        """Why a key does nothing now, by its id; empty where it does something."""
        condition = self.NEEDS.get(command)
        return reason(condition, self.selection) if condition is not None else ""

    @property
    def selection(self) -> Selection:
        """What the conditions in NEEDS are asked of."""
        return Selection(read_only=self.program.ports.settings.read_only)

    def refuses(self, command: str) -> bool:
        """Whether a key does nothing now, which is then said."""
        if said := self.refusal(command):
            self.notify(said, markup=False)
        return bool(said)

    def hint(self, hints: Sequence[tuple[str, str, str]]) -> None:
        """Name keys in the footer, by the command's id, with a label and the action of a click."""
        keys = self.program.ports.keys
        self._footer.hints = tuple(
            KeyHint(keys.all_of(name), label, action) for name, label, action in hints if not self.refusal(name)
        )
