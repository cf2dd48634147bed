"""How a blob is uploaded: what a registry has shown to take decides, and what it refuses leads to the next way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass
class UploadLimits:
    """What one registry has shown, for all uploads to it: `refused` bytes were too many for one request, and chunks of
    `chunk` bytes were taken. None while nothing is known. `earlier` gives both as the last run learnt them, and `keep`
    is told of them where they are new; both block."""

    refused: int | None = None
    chunk: int | None = None
    earlier: Callable[[], tuple[int | None, int | None]] | None = None
    keep: Callable[[int | None, int | None], None] = lambda *_: None

    def recall(self) -> None:
        """Read what an earlier run learnt, unless that was done. Blocks."""
        if self.earlier is not None:
            self.refused, self.chunk = self.earlier()
            self.earlier = None


class Way:
    """The way of one blob: in one PUT, which every registry should take; in chunks where that is refused or cut.

    `chunk` is how long chunks are at first, none is shorter than `shortest`. Chunks that are refused lead back to the
    one PUT, unless that was too long; then they get shorter.
    """

    def __init__(self, limits: UploadLimits, size: int, chunk: int, shortest: int) -> None:
        self._limits = limits
        self._size = size
        self._shortest = shortest
        self._length = limits.chunk or min(chunk, max(shortest, size // 4))
        self._whole = limits.refused is None or size < limits.refused
        """Whether one PUT may still be tried."""
        self._chunks = True
        self._in_chunks = not self._whole
        self._was_cut = False
        self._known = (limits.refused, limits.chunk)

    def chunk(self, least: int = 0, most: int | None = None) -> int | None:
        """Bytes of the next chunk, None for one PUT; `least` and `most` are what the registry states of chunks."""
        if most is not None and self._chunks and self._shortest <= most < self._size:
            self._in_chunks = True
            self._length = min(self._length, most)
        return max(self._length, least) if self._in_chunks else None

    def refuse(self, status: int, length: int) -> bool:
        """Take note that a request of so many bytes was refused; whether there is another way."""
        if not self._in_chunks:
            self._whole = False
            if status == 413:
                self._limits.refused = min(length, self._limits.refused or length)
            self._in_chunks = self._chunks
            return self._chunks
        if self._whole:
            self._chunks = self._in_chunks = False
            return True
        return status in (400, 404, 413, 416) and self._shorten(length)

    def cut(self, length: int, *, on_the_way: bool = True) -> None:
        """Take note that a request of so many bytes broke off, so that the upload is resumed in chunks.

        `on_the_way`: something in between may not let through as many, rather than that the source broke off.
        """
        if not self._in_chunks:
            self._in_chunks = self._chunks and self._size > self._shortest
            self._was_cut = self._in_chunks and on_the_way
        elif on_the_way:
            self._shorten(length)

    def succeed(self) -> bool:
        """Remember for the next blobs what has worked; whether that is new."""
        before = self._known
        if self._in_chunks:
            self._limits.chunk = self._length
            if self._was_cut:
                self._limits.refused = min(self._size, self._limits.refused or self._size)
        return (self._limits.refused, self._limits.chunk) != before

    def _shorten(self, length: int) -> bool:
        if length <= self._shortest:
            return False
        self._length = max(self._shortest, min(self._length, length) // 4)
        return True
