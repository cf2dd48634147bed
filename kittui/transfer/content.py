"""Content to upload: a blob of another source, and content whose progress is reported."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from kittui.oci.descriptor import Descriptor
from kittui.oci.protocols import BlobContent, BlobReader, Repository, SupportsFile


class BlobOf:
    """A blob of a repository as content to upload somewhere else."""

    def __init__(self, repository: Repository, descriptor: Descriptor) -> None:
        self._repository = repository
        self._descriptor = descriptor

    def open(self, offset: int = 0) -> AbstractAsyncContextManager[BlobReader]:
        """Read from an offset to the end; request a range only if the offset is not 0."""
        return self._repository.open_blob(self._descriptor, offset)


class _WatchedReader:
    def __init__(self, reader: BlobReader, moved: Callable[[int], None]) -> None:
        self.offset = reader.offset
        self.length = reader.length
        self._backed = reader if isinstance(reader, SupportsFile) else None
        self.file = self._backed.file if self._backed is not None else None
        self._reader = reader
        self._moved = moved
        self._at = reader.offset

    def passed(self, count: int) -> None:
        if self._backed is not None:
            self._backed.passed(count)
        self._at += count
        self._moved(self._at)

    async def readinto(self, buffer: memoryview) -> int:
        count = await self._reader.readinto(buffer)
        self._at += count
        self._moved(self._at)
        return count

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._reader:
            self._at += len(piece)
            self._moved(self._at)
            yield piece


class Watched:
    """Content that calls `moved` with each offset reached while it is read."""

    def __init__(self, content: BlobContent, moved: Callable[[int], None]) -> None:
        self._content = content
        self._moved = moved

    @asynccontextmanager
    async def open(self, offset: int = 0) -> AsyncIterator[BlobReader]:
        """Read from an offset to the end."""
        async with self._content.open(offset) as reader:
            yield _WatchedReader(reader, self._moved)
