"""Draws rows as strips: chooses columns, draws cells, and cuts names so that they stay distinguishable."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from rich.cells import cell_len
from textual.cache import LRUCache
from textual.strip import Strip

from kittui.tui.style.theme import Roles
from kittui.tui.widgets.columns import Column, fitted
from kittui.tui.widgets.cutting import Span, Spans, cut_names, fit, join

Row = TypeVar("Row")


class RowStrips(Generic[Row]):
    """Draws rows, and remembers what it drew.

    `cells` gives one sequence of spans for each column; it is called for visible rows only, and again after `touch`.
    A text that is too long for its column continues into empty cells to its right.
    """

    def __init__(self, columns: Sequence[Column], cells: Callable[[Row], Sequence[Spans]]) -> None:
        self._columns = tuple(columns)
        self._cells = cells
        self._rows: Sequence[Row] = ()
        self._width = 0
        self._first_column = 0
        self._widths: list[tuple[int, int]] | None = None
        self._strips: LRUCache[tuple[int, str, bool], Strip] = LRUCache(1000)
        self._texts: LRUCache[int, Sequence[Spans]] = LRUCache(1000)
        self._cut = range(0)
        self._renamed = False
        self._shown_names: dict[tuple[int, int], Spans] = {}

    @property
    def room(self) -> int:
        """Cells of the first column."""
        return self._layout()[0][1]

    def show(self, rows: Sequence[Row]) -> None:
        """Draw these rows instead."""
        self._rows = rows
        self.forget()

    def fit(self, width: int) -> None:
        """Draw for so many cells."""
        if width != self._width:
            self._width = width
            self._widths = None
            self.forget()

    def set_columns(self, columns: Sequence[Column]) -> bool:
        """Use other columns; False if they are the same."""
        if self._columns == tuple(columns):
            return False
        self._columns = tuple(columns)
        self._widths = None
        self.forget()
        return True

    def sideways(self, direction: int) -> bool:
        """Move the columns that don't fit; False if they stay."""
        if not (self._overflowing or self._first_column):
            return False
        others = [column for column in self._columns if not column.sticky]
        last = len(others) - 1
        first = max(0, min(last, self._first_column + direction))
        if 0 < first < last and not others[first - 1].title:
            first += direction  # Moving such a column would change nothing on the screen.
        if first == self._first_column or (direction > 0 and not self._overflowing):
            return False
        self._first_column = first
        self._widths = None
        self.forget()
        return True

    def forget(self) -> None:
        """Forget what was drawn, and what the cells said."""
        self._strips.clear()
        self._texts.clear()
        self._cut, self._renamed, self._shown_names = range(0), False, {}

    def restyle(self) -> None:
        """Forget the colours."""
        self._strips.clear()

    def touch(self, row: Row | None) -> list[int] | None:
        """Forget a row's cells (all, if None); returns the numbers of the rows to redraw, None for all rows."""
        if row is None:
            self.forget()
            return None
        # Rows drawn before the list was scrolled are cached too.
        known = {number for number in (*self._cut, *self._texts.keys()) if self._rows[number] is row}
        for number in known:
            before = self._names(number) if number in self._cut else None
            self._forget(number)
            self._texts.discard(number)
            if before is not None and before != self._names(number):
                self._renamed = True
        return None if self._renamed else [number for number in known if number in self._cut]

    def titles(self, roles: Roles) -> Strip:
        """The line of the columns' titles."""
        cells = [((column.title[: 16 * self._width], "muted"),) for column in self._columns]
        return self._strip(cells, roles, "base", "")

    def row(self, number: int, ground: str, mark: str, roles: Roles) -> Strip:
        """A row's line on a background, with the mark if it is marked; blank after the last row."""
        if number >= len(self._rows):
            return Strip.blank(self._width, roles.style("text"))
        key = (number, ground, bool(mark))
        strip = self._strips.get(key)
        if strip is None:
            cells = [self._shown_names.get((number, column), spans) for column, spans in enumerate(self._whole(number))]
            strip = self._strips[key] = self._strip(cells, roles, ground, mark)
        return strip

    def cut_names(self, top: int, height: int) -> None:
        """Cut the names in view, and a page around them, so that different ones look different."""
        if not self._renamed and self._cut.start <= top and min(top + height, len(self._rows)) <= self._cut.stop:
            return
        self._renamed = False
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

    @property
    def _overflowing(self) -> bool:
        shown = {number for number, _ in self._layout()}
        if not self._first_column:
            return len(shown) < len(self._columns)
        return len(self._columns) - 1 not in shown

    def _layout(self) -> list[tuple[int, int]]:
        """Which columns are shown, and how wide."""
        if self._widths is None:
            self._widths = fitted(self._columns, self._width - 2, self._first_column)
        return self._widths

    def _forget(self, number: int) -> None:
        for ground in ("base", "cursor", "blurred"):
            for marked in (False, True):
                self._strips.discard((number, ground, marked))

    def _strip(self, cells: Sequence[Spans], roles: Roles, ground: str, mark: str) -> Strip:
        pieces: list[Span] = [(mark, "accent+bold") if mark else (" ", "text")]
        for place, (number, room) in enumerate(self._placed(cells)):
            if place:
                pieces.append((" ", "text"))
            pieces.extend(fit(cells[number], room, self._columns[number].align))
        return join(pieces, roles, ground, self._width)

    def _placed(self, cells: Sequence[Spans]) -> list[tuple[int, int]]:
        """The columns of a row, and the room of each: long texts continue into empty cells to their right."""
        layout = self._layout()
        if not any(text.strip() for number, _ in layout[1:] for text, _ in cells[number]):
            return [(layout[0][0], max(1, self._width - 2))]
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
        """The cells of a row, with uncut names."""
        found = self._texts.get(number)
        if found is None:
            # Measuring takes a step for each character, and a cell may hold millions, so drop what can't be shown.
            most = 16 * max(1, self._width)
            found = [[(text[:most], role) for text, role in spans] for spans in self._cells(self._rows[number])]
            self._texts[number] = found
        return found

    def _names(self, number: int) -> list[tuple[int, Spans, int]]:
        """The cells of a row that name it, with the column and the room of each."""
        cells = self._whole(number)
        return [(column, cells[column], room) for column, room in self._placed(cells) if self._columns[column].sticky]
