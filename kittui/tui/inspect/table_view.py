"""A table with its titles in view: columns move sideways, a row opens into all of its cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal

from kittui.tui.inspect.pages import CELL, fitted, is_number, row_lines, widths_of
from kittui.tui.widgets.columns import Column
from kittui.tui.widgets.cutting import Spans
from kittui.tui.widgets.lines import Lines, Page
from kittui.tui.widgets.rows import Rows
from kittui.usecases.inspect.viewers.shown import Grid, Record

NARROW = 4
"""Columns of the screen that a table's column has at least."""
SHOWN = 400
"""Characters of a cell that are laid out; a row in full shows all of them."""


class TableView(Horizontal):
    """Records as rows; Enter shows the one under the cursor in full, beside them or below."""

    DEFAULT_CSS = """
    TableView { height: 1fr; background: $kit-background; }
    TableView Rows { width: 1fr; padding: 0 1; }
    TableView Lines { width: 50; border-left: solid $kit-line; padding: 0 1; display: none; }
    TableView.full Lines { display: block; }
    TableView.narrow { layout: vertical; }
    TableView.narrow Lines { width: 1fr; height: 40%; border-left: none; border-top: solid $kit-line; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._grid = Grid((), [])
        self._widths: Sequence[int] = ()
        self._needle = ""
        self._rows: Rows[Record] = Rows((Column("", 7, "right"),), self._cells, id)
        self._full = Lines()

    def compose(self) -> ComposeResult:
        """The rows, and the one that is shown in full."""
        yield self._rows
        yield self._full

    @property
    def rows(self) -> Rows[Record]:
        """The rows, which take the focus."""
        return self._rows

    @property
    def full(self) -> Lines:
        """The row that is shown in full."""
        return self._full

    def show(self, grid: Grid) -> None:
        """Show a table from its first row."""
        self._grid, self._widths = grid, [max(NARROW, width) for width in widths_of(grid)]
        titles = [
            Column(name, width, flex=width >= CELL) for name, width in zip(grid.columns, self._widths, strict=False)
        ]
        self._rows.set_columns((Column("", 7, "right", sticky=True), *titles))
        self._rows.show(grid.records)

    def extend(self, records: Sequence[Any]) -> None:
        """Add rows below."""
        self._grid.records.extend(records)
        self._rows.show(self._grid.records)

    def on_resize(self) -> None:
        """The full row goes below where it is narrow."""
        self.set_class(self.size.width < 110, "narrow")

    def find(self, text: str) -> tuple[int, int]:
        """Go to the first row from the cursor on that holds the text; returns which of how many, from 1."""
        self._needle = text.casefold()
        return self._go(self._rows.cursor, 1)

    def find_next(self, step: int) -> tuple[int, int]:
        """Go to the next or previous of them, around the ends."""
        return self._go(self._rows.cursor + step, step)

    def _go(self, start: int, step: int) -> tuple[int, int]:
        if not self._needle:
            return (0, 0)
        found = [
            n for n, record in enumerate(self._grid.records) if any(self._needle in c.casefold() for c in record.cells)
        ]
        if not found:
            return (0, 0)
        after = [number for number in found if (number - start) * step >= 0]
        wanted = (min(after) if step > 0 else max(after)) if after else (found[0] if step > 0 else found[-1])
        self._rows.move_to(wanted)
        return (found.index(wanted) + 1, len(found))

    @on(Rows.Opened)
    def _opened(self, event: Rows.Event) -> None:
        event.stop()
        self.toggle_class("full")
        self._tell()

    @on(Rows.Folded)
    def _folded(self, event: Rows.Folded) -> None:
        event.stop()
        self._rows.say_no_columns(1 if event.unfold else -1)

    @on(Rows.Highlighted)
    def _moved(self, event: Rows.Event) -> None:
        event.stop()
        self._tell()

    def close_row(self) -> bool:
        """Hide the full row; False if it is hidden."""
        shown = self.has_class("full")
        self.remove_class("full")
        return shown

    def _tell(self) -> None:
        record = self._rows.current
        if record is None or not self.has_class("full"):
            return
        self._full.show(Page(row_lines(self._grid, record)))

    def _cells(self, record: Record) -> Sequence[Spans]:
        cells: list[Spans] = [((f"{record.number:,}", "faint"),)]
        for number, width in enumerate(self._widths):
            cell = record.cells[number] if number < len(record.cells) else ""
            numeric = is_number(cell) and width < CELL
            cells.append(fitted(cell, width, "number") if numeric else ((cell[:SHOWN], "text"),))
        return cells
