"""A blob's bytes in windows, in order and each once: straight from a file, or fetched ahead from anywhere else."""

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
"""Windows of one side that are worked on at once, so that reading is never waited for."""
SEGMENT = 2
"""Windows that one ranged request asks for."""
AHEAD = 4
"""Ranged requests in flight for one blob."""
LEAD = 48
"""Unused bytes at the start of a buffer. A large bytearray begins 16 bytes into a page, and to copy from the page cache
to there is four times slower on some processors than to anywhere else in the page."""

Blob = Spool | tuple[Repository, Descriptor]


@dataclass(slots=True)
class Window:
    """Bytes that were read: `size` of them, from `offset` on, lie in `buffer` behind its first LEAD bytes.

    The buffer stays as it is until all of `busy` is done.
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
    """Gives a blob's windows in order; `next` and `give_back` are called in a thread, and block."""

    def next(self) -> Window:
        """The next window. Raises ConnectionLost where the blob ends early, and the source's errors."""
        ...

    def give_back(self, window: Window) -> None:
        """Let the buffer be used again."""
        ...

    async def stop(self) -> None:
        """Fetch no more; who waits for a window gets ConnectionLost."""
        ...


class FileWindows:
    """Windows of a file on this machine, read when they are asked for."""

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
                    hint="The file was cut short; get the ModelKit again from where it came from.",
                )
            filled += count
        self._reached += size
        return window

    def give_back(self, window: Window) -> None:
        self._free.append(window.buffer)

    async def stop(self) -> None:
        return


class FetchedWindows:
    """Windows of a blob that is read through the event loop, some of them ahead: by ranges side by side, or as one
    stream where the source serves only wholes."""

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
        """Read the blob. Errors are raised where the windows are waited for; a cancel cancels them."""
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
                # Who waits for these windows may be what the next slot waits for: it has to know now.
                self._fail(error, first, last)
                raise

        count = len(self._futures)
        running: set[asyncio.Task[None]] = set()
        try:
            # The first one tells whether ranges are served at all.
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
    """Wait for one to end; raises what it raises."""
    done, left = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()
    return left


async def open_windows(blob: Blob, stack: AsyncExitStack) -> Windows:
    """The blob's windows: a file's own where it is one on this machine. The stack stops and closes what was opened.

    Raises NotFound and DigestMismatch for a file that is missing or has another size.
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
                hint="The file was cut short or overwritten; get the ModelKit again from where it came from.",
            )
        return FileWindows(file, descriptor)
    windows = FetchedWindows(blob)
    stack.push_async_callback(windows.stop)
    return windows
