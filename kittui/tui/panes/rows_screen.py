"""A full-screen list: its subject above, the row under the cursor in full below."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Hashable, Sequence
from typing import ClassVar, Generic, TypeVar

from textual import on

from kittui.tui.panes.queries import parse
from kittui.tui.panes.spacing import Spacing
from kittui.tui.panes.table_screen import TableScreen
from kittui.tui.widgets.columns import Column
from kittui.tui.widgets.cutting import Spans
from kittui.tui.widgets.rows import Rows

Row = TypeVar("Row")


class RowsScreen(TableScreen, Generic[Row]):
    """What the screens with one list share beyond those with any table: rows that are filtered and copied as texts."""

    BEGINS_ON_TOP: ClassVar[bool] = True
    """Whether the cursor stays on the first row, whatever arrives, until the user moves it."""

    def __init__(
        self,
        columns: Sequence[Column],
        cells: Callable[[Row], Sequence[Spans]],
        key: Callable[[Row], Hashable],
    ) -> None:
        self._rows: Rows[Row] = Rows(columns, cells, key)
        super().__init__(self._rows)
        self._said = ""
        self._spacing = Spacing()

    @property
    @abstractmethod
    def found(self) -> Sequence[Row]:
        """All rows read."""

    @abstractmethod
    def text(self, row: Row) -> str:
        """A row's text for filtering and copying."""

    def arranged(self, found: Sequence[Row]) -> Sequence[Row]:
        """The rows in display order."""
        return found

    def say(self, text: str) -> None:
        """Show a text above the list, with the filter's result."""
        self._said = text
        shown = f" · /{self._needle}: {len(self._rows.rows)} of {len(self.found)}" if self._needle else ""
        super().say(text + shown)

    def spaced(self, draw: Callable[[], None]) -> None:
        """Draw what has arrived, unless the last drawing took long; called every DRAW seconds."""
        if not self._spacing.wait:
            self._spacing.draw(draw)

    def draw(self, wanted: Row | None = None) -> None:
        """Show the rows that match the filter; the cursor goes to `wanted`, else it stays on its row."""
        found = self.found
        if self._needle:
            query = parse(self._needle)
            found = [row for row in found if query.matches(self.text(row))]
        rows = self.arranged(found)
        if self.BEGINS_ON_TOP and rows and not self._rows.touched:
            wanted = rows[0]
        self._rows.show(rows, wanted)
        self.say(self._said)

    def to_first(self) -> None:
        """Put the cursor on the first row."""
        self._rows.move_to(0)

    @property
    def on_a_row(self) -> bool:
        """Whether the cursor is on a row."""
        return self._rows.current is not None

    def action_copy(self) -> None:
        """Copy the rows shown, one per line."""
        self.program.copy("\n".join(self.text(row) for row in self._rows.rows))

    @on(Rows.Folded)
    def _folded(self, event: Rows.Folded) -> None:
        way = "right" if event.unfold else "left"
        self.notify(f"Rows don't open here, and there are no hidden columns on the {way}.", markup=False)
