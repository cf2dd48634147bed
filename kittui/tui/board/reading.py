"""The board's rows as they are read; what can't be read again stays as it was, with why."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from kittui.errors import KittuiError
from kittui.tui.style.sizes import at_text

if TYPE_CHECKING:
    from kittui.oci.protocols import Repository
    from kittui.oci.tag import Tag
    from kittui.tui.frame.ports import TrustPorts
    from kittui.usecases.trust.board import Board, BoardRow


class Reading:
    """Rows by reference. `total` is how many repositories there are, None until that is known; `read_at` when all of
    them were read."""

    def __init__(self, trust: TrustPorts, clock: Callable[[], datetime]) -> None:
        self._trust, self._clock = trust, clock
        self._board: Board | None = None
        self._broken_since: datetime | None = None
        self.rows: dict[str, BoardRow] = {}
        self.total: int | None = None
        self.problems: Sequence[KittuiError] = ()
        self.read_at: datetime | None = None

    @property
    def stages(self) -> Sequence[Tag]:
        """The stages that may be shown, in their order."""
        return self._board.stages if self._board is not None else ()

    @property
    def done(self) -> int:
        """How many rows have nothing more to come."""
        return sum(row.complete for row in self.rows.values())

    def begin(self) -> dict[str, BoardRow]:
        """Forget what was read, and return it."""
        before, self.rows, self.total, self.problems = self.rows, {}, None, ()
        return before

    async def read(self, words: Sequence[str], before: dict[str, BoardRow]) -> AsyncIterator[BoardRow | None]:
        """Read the rows that words name: None once it is known how many there are, then each. Raises KittuiError where
        that breaks off; `before` are rows that stay where they can't be read."""
        try:
            found, self.problems = await self._trust.named(words)
            self.total = len(found)
            yield None
            self._board = self._trust.board()
            async for row in self._board.rows(found):
                name = row.repository.reference()
                row = self.rows[name] = _kept(before.get(name), row)
                yield row
            self.read_at = self._clock()
        except KittuiError as error:
            self.total = self.total or 0
            self.problems = [*self.problems, error]
            raise
        finally:
            for one in self.problems:
                lost = {name: row for name, row in before.items() if _names(one, row) and name not in self.rows}
                self.rows |= {name: replace(row, problem=one.message) for name, row in lost.items()}

    async def read_again(self, repository: Repository) -> bool:
        """Read a repository again, if it is among the rows."""
        name = repository.reference()
        if self._board is None or name not in self.rows:
            return False
        before = self.rows[name]
        row = await self._board.stages_of(repository)
        self.rows[name] = _kept(before, row if row.complete else await self._board.details_of(row))
        return True

    def trouble(self) -> str:
        """How many were not read, and since when; empty where all were. Called after each reading."""
        now = self._clock()
        broken = sum(bool(row.problem) for row in self.rows.values()) or len(self.problems)
        if self.total is not None:
            self._broken_since = (self._broken_since or now) if broken else None
        since = self._broken_since
        return f"{broken} not read since {at_text(since, now)}" if since is not None and broken else ""


def _kept(before: BoardRow | None, row: BoardRow) -> BoardRow:
    """A row as it was read; where it could not be read, what was known of it before, with why."""
    return replace(before, problem=row.problem) if before is not None and row.problem and not row.cells else row


def _names(error: KittuiError, row: BoardRow) -> bool:
    """Whether what could not be listed is where a row is from."""
    return str(row.repository.source.place) == (error.reference or "") or row.name.startswith(f"{error.reference}/")
