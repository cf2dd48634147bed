"""Reads the content of a zstd layer from the start of any frame."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

from kittui.budget import layer_budget
from kittui.disk.threads import in_thread
from kittui.errors import Malformed, TooLarge
from kittui.formats.zstd import Unzstd, ZstdIndex
from kittui.usecases.inspect.views import READ_LIMIT, View

FIRST = 64 * 1024
"""Bytes of the first piece of a stretch; each further piece is longer, up to MOST."""
MOST = 4 * 1024 * 1024
LEAD = 1024 * 1024
"""Maximum wasted bytes for which a file is read in stretches, each from a frame's start."""
WALKED = 16 * 1024 * 1024
"""Maximum bytes of output per frame for listing a layer frame by frame."""

Pay = Callable[[int], Awaitable[None]]
Spend = Callable[[int], None]


class ZstdView:
    """The output of a zstd blob; a read takes input from a frame's start.

    `pay` is awaited with the maximum input bytes of a read, and may raise; `spend` is called with those of each piece
    before it is read, and may raise too.
    """

    def __init__(self, blob: View, index: ZstdIndex, pay: Pay | None = None, spend: Spend | None = None) -> None:
        self._blob = blob
        self._pay = pay
        self._spend = spend
        self.index = index

    @property
    def size(self) -> int:
        return self.index.output

    @property
    def verified(self) -> bool:
        return self._blob.verified

    def at_terms(self, pay: Pay | None = None, spend: Spend | None = None) -> ZstdView:
        """The same content on other terms."""
        return ZstdView(self._blob, self.index, pay, spend)

    def is_fine(self) -> bool:
        """Whether its frames are short enough to walk all of it in stretches."""
        return self.index.lead(0, self.size) <= WALKED

    def is_near(self, offset: int, length: int) -> bool:
        """Whether any part of a stretch can be read without much waste."""
        return self.index.lead(offset, length) <= LEAD

    async def read(self, offset: int, length: int) -> bytes:
        length = min(length, self.size - offset)
        if length <= 0:
            return b""
        if length > READ_LIMIT:
            raise TooLarge(f"{length} bytes at once are more than kittui holds in memory")
        return b"".join([piece async for piece in self.pieces(offset, length)])

    async def pieces(self, offset: int, length: int) -> AsyncIterator[bytes]:
        """Read a stretch in pieces, whatever its length; raises Malformed if the stream is damaged."""
        need, start = self.index.stretch(offset, length)
        if self._pay is not None:
            await self._pay(need.length)
        window = _Window(offset - start, length)
        at, end, step = need.offset, need.offset + need.length, FIRST
        while at < end and window.left:
            if self._spend is not None:
                self._spend(min(step, end - at))
            piece = await self._blob.read(at, min(step, end - at))
            if not piece:
                break
            at, step = at + len(piece), min(MOST, 2 * step)
            for output in await in_thread(window.push, piece):
                yield output
        if window.left:
            raise Malformed("the zstd layer ends early, or is not as its index says")


class _Full(Exception):
    """All wanted output was read."""


class _Window:
    """Decompresses, and keeps `length` bytes of the output after the first `skip`."""

    def __init__(self, skip: int, length: int) -> None:
        self.left = length
        self._skip = skip
        self._kept: list[bytes] = []
        self._budget = layer_budget()
        self._decoder = Unzstd(self._take)

    def push(self, piece: bytes) -> list[bytes]:
        self._budget.spend("input", len(piece))
        # Once all output is there, ignore the rest of the piece.
        with suppress(_Full):
            self._decoder.push(piece)
        kept, self._kept = self._kept, []
        return kept

    def _take(self, output: bytes) -> None:
        self._budget.spend("output", len(output))
        wanted = output[self._skip : self._skip + self.left]
        self._skip = max(0, self._skip - len(output))
        if wanted:
            self._kept.append(wanted)
            self.left -= len(wanted)
        if not self.left:
            raise _Full
