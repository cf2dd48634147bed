"""The cursor of a list whose rows come and go."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Generic, TypeVar

Row = TypeVar("Row")


class Cursor(Generic[Row]):
    """Tracks the current row.

    The cursor stays with its row, by identity or `key`; if that is gone, no row is current.
    """

    def __init__(self, key: Callable[[Row], Hashable]) -> None:
        self.rows: Sequence[Row] = ()
        self.number = 0
        """The row's number, from 0; if no row is current, that of the row in its place."""
        self._key = key
        self._choice: tuple[Row] | None = None

    @property
    def chosen(self) -> Row | None:
        """The row last chosen, which may not be shown now."""
        return self._choice[0] if self._choice is not None else None

    @property
    def on_row(self) -> bool:
        """Whether the chosen row is shown."""
        if self._choice is None or not self.rows:
            return False
        row, (chosen,) = self.rows[self.number], self._choice
        return row is chosen or self._key(row) == self._key(chosen)

    @property
    def current(self) -> Row | None:
        """The row under the cursor; None if the chosen one is not among the rows."""
        return self.rows[self.number] if self.on_row else None

    def show(self, rows: Sequence[Row], current: Row | None = None) -> None:
        """Show other rows: stay on the chosen one, or go to `current`; at first, the cursor is on the first row."""
        wanted = (current,) if current is not None else self._choice
        if wanted is None and rows:
            wanted = (rows[0],)
        self.rows = rows
        self._choice = wanted
        found = self._index(wanted[0]) if wanted is not None else None
        if found is None:
            self.number = min(self.number, max(0, len(rows) - 1))
        else:
            self.number, self._choice = found, (rows[found],)

    def forget(self) -> None:
        """Forget which row was chosen."""
        self._choice = None

    def move_to(self, number: int) -> bool:
        """Go to a row by its number, or the nearest one; False if the cursor does not move."""
        number = max(0, min(number, len(self.rows) - 1))
        if not self.rows or (number == self.number and self.on_row):
            return False
        self.number, self._choice = number, (self.rows[number],)
        return True

    def parent(self, depth: Callable[[Row], int]) -> int | None:
        """The number of the current row's parent, in a tree whose rows are `depth` deep."""
        if not self.on_row:
            return None
        deep = depth(self.rows[self.number])
        return next((number for number in range(self.number - 1, -1, -1) if depth(self.rows[number]) < deep), None)

    def _index(self, wanted: Row) -> int | None:
        """Where a row is, by identity, else by its key; None if it isn't."""
        if self.number < len(self.rows) and self.rows[self.number] is wanted:
            return self.number
        same = next((number for number, row in enumerate(self.rows) if row is wanted), None)
        if same is not None:
            return same
        name = self._key(wanted)
        return next((number for number, row in enumerate(self.rows) if self._key(row) == name), None)
