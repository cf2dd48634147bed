"""Reads a blob in windows, in order and each once: directly from a file, or prefetched from other sources."""

from __future__ import annotations

import asyncio
import io
import os
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import CancelledError, Future
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Protocol

from kittui.disk.blobs import open_regular
from kittui.disk.durable import storage_error
from kittui.errors import ConnectionLost, DigestMismatch, NotFound, Unsupported
from kittui.oci.descriptor import Descriptor
from kittui.oci.protocols import Repository
from kittui.tasks import stop
from kittui.usecases.inspect.spool import Spool

WINDOW = 4 * 1024 * 1024
"""Bytes of a window."""
SLOTS = 4
"""Windows of one side in use at once, so that nothing waits for reading."""
SEGMENT = 2
"""Windows per ranged request."""
AHEAD = 4
"""Concurrent ranged requests per blob."""
LEAD = 48
"""Unused bytes at the start of a buffer. A large bytearray begins 16 bytes into a page, and copying from the page cache
to there is four times slower on some processors than to any other offset."""

Blob = Spool | tuple[Repository, Descriptor]


@dataclass(slots=True)
class Window:
    """Bytes that were read: `size` bytes from `offset` on are in `buffer` after its first LEAD bytes.

    The buffer stays unchanged until all of `busy` is done.
    """

    offset: int
    buffer: bytearray
    size: int
    busy: list[Future[None]] = field(default_factory=list)

    @property
    def view(self) -> memoryview:
        """The bytes."""
        return memoryview(self.buffer)[LEAD : LEAD + self.size]


class Windows(Protocol):
    """Yields a blob's windows in order; `next` and `give_back` are called in a thread, and block."""

    def next(self) -> Window:
        """The next window. Raises ConnectionLost if the blob ends early, and the source's errors."""
        ...

    def give_back(self, window: Window) -> None:
        """Release the buffer for reuse."""
        ...

    async def stop(self) -> None:
        """Stop fetching; a waiting `next` raises ConnectionLost."""
        ...


class FileWindows:
    """Windows of a local file, read on demand."""

    def __init__(self, file: io.FileIO, descriptor: Descriptor) -> None:
        self._file = file
        self._descriptor = descriptor
        self._reached = 0
        self._free: list[bytearray] = []

    def next(self) -> Window:
        buffer = self._free.pop() if self._free else bytearray(LEAD + min(WINDOW, self._descriptor.size))
        size = min(WINDOW, self._descriptor.size - self._reached)
        window = Window(self._reached, buffer, size)
        view, filled = window.view, 0
        while filled < size:
            try:
                count = self._file.readinto(view[filled:])
            except OSError as error:
                raise storage_error(error, f"read the blob {self._descriptor.digest.short}") from error
            if not count:
                raise ConnectionLost(
                    f"the blob {self._descriptor.digest.short} ended early",
                    hint="The file was truncated; pull or copy the ModelKit again.",
                )
            filled += count
        self._reached += size
        return window

    def give_back(self, window: Window) -> None:
        self._free.append(window.buffer)

    async def stop(self) -> None:
        return


class FetchedWindows:
    """Prefetched windows of a blob that is read through the event loop: by parallel ranges, or as one stream if the
    source does not serve ranges."""

    def __init__(self, blob: Blob) -> None:
        self._blob = blob
        self._size = blob.size if isinstance(blob, Spool) else blob[1].size
        self._loop = asyncio.get_running_loop()
        self._slots = asyncio.Semaphore(AHEAD * SEGMENT + SLOTS)
        self._free: deque[bytearray] = deque()
        self._ready: deque[Future[Window]] = deque(Future() for _ in range(0, self._size, WINDOW))
        self._futures = list(self._ready)
        self._task = asyncio.ensure_future(self._fetch())

    def next(self) -> Window:
        future = self._ready.popleft()
        try:
            return future.result()
        except CancelledError:
            raise ConnectionLost("reading was stopped") from None

    def give_back(self, window: Window) -> None:
        self._free.append(window.buffer)
        self._loop.call_soon_threadsafe(self._slots.release)

    async def stop(self) -> None:
        await stop(self._task)

    async def _fetch(self) -> None:
        """Read the blob. Errors are raised by `next`; cancelling cancels the reads."""
        try:
            if isinstance(self._blob, Spool):
                await self._spool(self._blob)
            elif len(self._futures) <= SEGMENT or self._blob[0].source.capabilities.ranges.denied:
                await self._stream(*self._blob)
            else:
                await self._ranges(*self._blob)
        except asyncio.CancelledError:
            self._fail(None)
            raise
        except Exception as error:  # noqa: BLE001 - it is raised in the thread that waits
            self._fail(error)

    def _fail(self, error: Exception | None, first: int = 0, last: int | None = None) -> None:
        for future in self._futures[first:last]:
            if not future.done():
                if error is None:
                    future.cancel()
                else:
                    future.set_exception(error)

    async def _window(self, number: int, read: Callable[[memoryview], Awaitable[int]]) -> None:
        """Fill one window; its slot was taken before."""
        offset = number * WINDOW
        size = min(WINDOW, self._size - offset)
        buffer = self._free.popleft() if self._free else bytearray(LEAD + min(WINDOW, self._size))
        window = Window(offset, buffer, size)
        view, filled = window.view, 0
        while filled < size:
            count = await read(view[filled:])
            if not count:
                raise ConnectionLost("a layer ended before its size was reached")
            filled += count
        self._futures[number].set_result(window)

    async def _spool(self, spool: Spool) -> None:
        at = 0

        async def read(view: memoryview) -> int:
            nonlocal at
            piece = await spool.read(at, len(view))
            view[: len(piece)] = piece
            at += len(piece)
            return len(piece)

        for number in range(len(self._futures)):
            await self._slots.acquire()
            await self._window(number, read)

    async def _stream(self, repository: Repository, descriptor: Descriptor) -> None:
        async with repository.open_blob(descriptor) as reader:
            for number in range(len(self._futures)):
                await self._slots.acquire()
                await self._window(number, reader.readinto)

    async def _ranges(self, repository: Repository, descriptor: Descriptor) -> None:
        async def segment(first: int, last: int) -> None:
            start = first * WINDOW
            async with repository.open_blob(descriptor, start, min(last * WINDOW, self._size) - start) as reader:
                for number in range(first, last):
                    await self._window(number, reader.readinto)

        async def later(first: int, last: int) -> None:
            try:
                await segment(first, last)
            except Exception as error:
                # The next slot may depend on the thread that waits for these windows: it must see the failure now.
                self._fail(error, first, last)
                raise

        count = len(self._futures)
        running: set[asyncio.Task[None]] = set()
        try:
            # The first request shows whether the source serves ranges at all.
            await self._take(SEGMENT)
            try:
                await segment(0, SEGMENT)
            except Unsupported:
                for _ in range(SEGMENT):
                    self._slots.release()
                await self._stream(repository, descriptor)
                return
            for first in range(SEGMENT, count, SEGMENT):
                last = min(first + SEGMENT, count)
                await self._take(last - first)
                while len(running) >= min(AHEAD, repository.source.traits.at_once):
                    running = await _some(running)
                running.add(asyncio.ensure_future(later(first, last)))
            while running:
                running = await _some(running)
        finally:
            await stop(*running)

    async def _take(self, count: int) -> None:
        for _ in range(count):
            await self._slots.acquire()


async def _some(running: set[asyncio.Task[None]]) -> set[asyncio.Task[None]]:
    """Wait for one to finish; raises its error."""
    done, left = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()
    return left


async def open_windows(blob: Blob, stack: AsyncExitStack) -> Windows:
    """Open the blob's windows, directly from its file if it is local. The stack stops and closes what was opened.

    Raises NotFound for a missing file, and DigestMismatch for one of another size.
    """
    if not isinstance(blob, Spool) and (files := blob[0].files) is not None:
        descriptor = blob[1]
        file = open_regular(files.path(descriptor.digest))
        if file is None:
            raise NotFound(f"the blob {descriptor.digest.short} is missing on disk")
        stack.callback(file.close)
        if (size := os.fstat(file.fileno()).st_size) != descriptor.size:
            raise DigestMismatch(
                f"the blob {descriptor.digest.short} has {size} bytes on disk and should have {descriptor.size}",
                hint="The file was truncated or overwritten; pull or copy the ModelKit again.",
            )
        return FileWindows(file, descriptor)
    windows = FetchedWindows(blob)
    stack.push_async_callback(windows.stop)
    return windows
