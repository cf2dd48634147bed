"""Wraps bytes in memory as a blob to read, and as content to upload."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from kittui.oci.protocols import BlobReader


class BytesReader:
    """Reads a stretch of a blob in memory, from `offset`; see `oci.protocols.BlobReader`."""

    def __init__(self, stretch: bytes | memoryview, offset: int = 0) -> None:
        self.offset = offset
        self.length = len(stretch)
        self._rest = memoryview(stretch)

    async def readinto(self, buffer: memoryview) -> int:
        """Fill some of the buffer; 0 at the end of the stretch."""
        count = min(len(buffer), len(self._rest))
        buffer[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._rest:
            piece, self._rest = bytes(self._rest), memoryview(b"")
            yield piece


class BytesContent:
    """Bytes in memory as content to upload."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    @asynccontextmanager
    async def open(self, offset: int = 0) -> AsyncIterator[BlobReader]:
        """Read from an offset to the end."""
        yield BytesReader(memoryview(self._content)[offset:], offset)
