"""Chooses how to upload a blob, by the limits that a registry has shown; a refusal leads to the next way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass
class UploadLimits:
    """The limits of one registry for all uploads.

    `refused` bytes were too many for one request, and chunks of `chunk` bytes were accepted; None while unknown.
    `earlier` returns both from the last run, and `keep` stores new ones; both block.
    """

    refused: int | None = None
    chunk: int | None = None
    earlier: Callable[[], tuple[int | None, int | None]] | None = None
    keep: Callable[[int | None, int | None], None] = lambda *_: None

    def recall(self) -> None:
        """Read the limits of an earlier run, once. Blocks."""
        if self.earlier is not None:
            self.refused, self.chunk = self.earlier()
            self.earlier = None


class Way:
    """The way to upload one blob: in one PUT, which every registry should accept, or in chunks if that fails.

    `chunk` is the first chunk size, `shortest` the minimum. Refused chunks lead back to one PUT, unless that was too
    long; then chunks get shorter.
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
        """Bytes of the next chunk, None for one PUT; `least` and `most` are the registry's stated chunk limits."""
        if most is not None and self._chunks and self._shortest <= most < self._size:
            self._in_chunks = True
            self._length = min(self._length, most)
        return max(self._length, least) if self._in_chunks else None

    def refuse(self, status: int, length: int) -> bool:
        """Note that a request of so many bytes was refused; returns whether there is another way."""
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
        """Note that a request of so many bytes broke off, so that the upload is resumed in chunks.

        `on_the_way`: a proxy may have a limit, rather than the source having failed.
        """
        if not self._in_chunks:
            self._in_chunks = self._chunks and self._size > self._shortest
            self._was_cut = self._in_chunks and on_the_way
        elif on_the_way:
            self._shorten(length)

    def succeed(self) -> bool:
        """Remember for the next blobs what has worked; returns whether that is new."""
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
