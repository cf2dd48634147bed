"""Writes small blobs in batches: gathers them while the disk is busy, then syncs many at once."""

from __future__ import annotations

import asyncio
from types import TracebackType

from kittui.disk.threads import in_thread
from kittui.oci.descriptor import Descriptor
from kittui.oci.protocols import BlobFiles
from kittui.tasks import stop

MOST_BLOBS = 128
"""Maximum blobs per batch: each keeps its file open until all are durable."""
MOST_BYTES = 16 * 1024 * 1024
"""With more bytes than this in memory, `add` waits for the disk."""


class Gathering:
    """Writes verified blobs to files in the background.

    Leaving the block without an error waits until all are durable and visible; with an error, waiting blobs are
    dropped. The next `add`, or leaving, raises the first error of a write.
    """

    def __init__(self, files: BlobFiles) -> None:
        self._files = files
        self._waiting: list[tuple[Descriptor, bytes]] = []
        self._held = 0
        self._writing: asyncio.Task[None] | None = None

    async def add(self, descriptor: Descriptor, raw: bytes) -> None:
        """Add a blob; waits only while too much is in memory. Raises DiskFull, StorageError of earlier ones."""
        self._waiting.append((descriptor, raw))
        self._held += len(raw)
        while self._held > MOST_BYTES and (writing := self._started()) is not None:
            await asyncio.shield(writing)
        self._started()

    def _started(self) -> asyncio.Task[None] | None:
        """Start the writing task if there is something to write; raises the error of an earlier one."""
        if self._writing is not None and self._writing.done():
            ended, self._writing = self._writing, None
            ended.result()
        if self._writing is None and self._waiting:
            self._writing = asyncio.create_task(self._write())
        return self._writing

    async def _write(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:MOST_BLOBS], self._waiting[MOST_BLOBS:]
            await in_thread(self._files.write_all, batch)
            self._held -= sum(len(raw) for _, raw in batch)

    async def __aenter__(self) -> Gathering:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        try:
            while error is None and (writing := self._started()) is not None:
                await asyncio.shield(writing)
        finally:
            if self._writing is not None:
                await stop(self._writing)
