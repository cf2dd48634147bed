"""A list over the whole screen: above it what it is about, below it the row under the cursor in full."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import ClassVar, Generic, TypeVar

from textual import on
from textual.app import ComposeResult
from textual.screen import Screen
from textual.widgets import Static

from kittui.tui.frame.commands import Condition, reason
from kittui.tui.frame.program import Program, program_of
from kittui.tui.frame.selection import Selection
from kittui.tui.widgets.bars import FooterBar, HeaderBar, KeyHint
from kittui.tui.widgets.columns import Column
from kittui.tui.widgets.cutting import Spans
from kittui.tui.widgets.lines import Lines
from kittui.tui.widgets.rows import Rows

Row = TypeVar("Row")


class RowsScreen(Screen[None], Generic[Row], inherit_bindings=False):
    """What the screens with one list share: how they look, and the keys in the footer."""

    DEFAULT_CSS = """
    RowsScreen { background: $kit-background; color: $kit-text; layout: vertical; }
    RowsScreen #facts { height: 1; padding: 0 1; color: $kit-muted; }
    RowsScreen Lines { border-top: solid $kit-line; }
    """

    NEEDS: ClassVar[Mapping[str, Condition]] = {}
    """What has to hold for keys, by their ids: where it does not, they say why and are not offered."""

    def __init__(
        self,
        columns: Sequence[Column],
        cells: Callable[[Row], Sequence[Spans]],
        key: Callable[[Row], Hashable],
    ) -> None:
        super().__init__()
        self._header, self._facts = HeaderBar(), Static(id="facts")
        self._rows: Rows[Row] = Rows(columns, cells, key)
        self._lines = Lines()
        self._footer = FooterBar()

    @property
    def program(self) -> Program:
        """The program, for its ports, toasts and clipboard."""
        return program_of(self)

    def compose(self) -> ComposeResult:
        """Header, facts, rows, the one under the cursor in full, footer."""
        yield self._header
        yield self._facts
        yield self._rows
        yield self._lines
        yield self._footer

    @on(Rows.Folded)
    def _folded(self) -> None:
        self.notify("Rows don't open here, and every column is in sight.", markup=False, timeout=4)

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
            self.notify(said, markup=False, timeout=4)
        return bool(said)

    def hint(self, hints: Sequence[tuple[str, str, str]]) -> None:
        """Name keys in the footer, by the command's id, with a label and the action of a click."""
        keys = self.program.ports.keys
        self._footer.hints = tuple(
            KeyHint(keys.all_of(name), label, action) for name, label, action in hints if not self.refusal(name)
        )
