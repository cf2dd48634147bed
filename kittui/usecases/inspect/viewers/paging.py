"""Reads a long file page by page: text, tables and hexadecimal grow as they are read."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from kittui.budget import Budget
from kittui.errors import TooLarge
from kittui.tasks import aside

if TYPE_CHECKING:
    from kittui.usecases.inspect.views import View

FIRST, MOST = 256 * 1024, 4 * 1024 * 1024
"""Bytes of the first page, and of the largest: each is four times the one before."""
END = 64 * 1024 * 1024
"""Maximum bytes shown; the file can still be saved."""


class Layout(Protocol):
    """Turns bytes into lines or records, page by page; called in threads, one after the other."""

    def __call__(self, content: bytes, offset: int, *, ended: bool) -> list[Any]:
        """Lay out the next bytes; raises TooLarge if there is too much to show."""
        ...


class Pager:
    """Reads a file from its start, page after page; `offset` is the bytes read so far."""

    def __init__(self, view: View, layout: Layout, budget: Budget, first: int = FIRST) -> None:
        self._view = view
        self._layout = layout
        self._budget = budget
        self._next = first
        self._digest = hashlib.sha256()
        self.offset = 0
        self.problem = ""
        """Why reading stopped although the file continues."""

    @property
    def ended(self) -> bool:
        """Whether there is nothing more to show."""
        return bool(self.problem) or self.offset >= min(self._view.size, END)

    @property
    def proof(self) -> bytes:
        """The digest of all bytes read, to compare them with verified ones."""
        return self._digest.digest()

    async def more(self) -> list[Any]:
        """Read the next page; raises what reading raises. Empty only at the end."""
        while True:
            start = self.offset
            end = min(self._view.size, END)
            content = await self._view.read(start, min(self._next, end - start))
            self._next = min(self._next * 4, MOST)
            self.offset = start + len(content) if content else end
            self._digest.update(content)
            try:
                found = await aside(self._lay, content, start, self.offset >= end)
            except TooLarge as error:
                self.problem = error.message
                return []
            if found or self.ended:
                return found

    def _lay(self, content: bytes, start: int, ended: bool) -> list[Any]:
        self._budget.resume()
        return self._layout(content, start, ended=ended)


def as_is(work: Callable[..., list[Any]]) -> Layout:
    """A layout that needs no state."""

    def layout(content: bytes, offset: int, *, ended: bool) -> list[Any]:
        return work(content, offset)

    return layout
