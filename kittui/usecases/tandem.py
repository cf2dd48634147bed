"""Two blobs read side by side, each once and front to back, while their digests are worked out in threads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from kittui.errors import ConnectionLost, DigestMismatch
from kittui.oci.descriptor import Descriptor
from kittui.oci.protocols import Repository
from kittui.usecases.spool import Spool

Key = TypeVar("Key")

CHUNK = 16 * 1024 * 1024
"""Bytes of each side in memory at once, twice: one chunk is worked on while the next is read."""
_COMPARED = 256 * 1024


def equal_bytes(a: memoryview, b: memoryview) -> bool:
    """Whether two buffers hold the same bytes; comparing memoryviews themselves is many times slower."""
    if len(a) != len(b):
        return False
    return all(
        bytearray(a[start : start + _COMPARED]) == b[start : start + _COMPARED] for start in range(0, len(a), _COMPARED)
    )


class Sink(Protocol):
    """Takes a file's bytes in order; called in a thread."""

    def take(self, piece: memoryview) -> None: ...


@dataclass(slots=True)
class Watch:
    """A stretch of one side, in bytes of its layer, and who takes its bytes."""

    offset: int
    size: int
    sink: Sink


@dataclass(frozen=True, slots=True)
class Step(Generic[Key]):
    """What to read next: `a` and `b` bytes of each side. With a `key` they belong together and are compared.

    `unit_a` and `unit_b` are what a chunk of each side is a multiple of; as many units of both make a chunk.
    """

    a: int
    b: int
    key: Key | None = None
    unit_a: int = 1
    unit_b: int = 1


@dataclass(slots=True)
class Chunk(Generic[Key]):
    """A part of a step that was read. `equal` tells whether both sides have the same bytes.

    The buffers stay as they are until all of `busy` is done: who works on them in a thread adds the future.
    """

    step: Step[Key]
    offset_a: int
    offset_b: int
    a: memoryview
    b: memoryview
    equal: bool
    busy: list[asyncio.Future[None]] = field(default_factory=list)


class _Feed:
    """One side being read."""

    def __init__(self, side: Spool | tuple[Repository, Descriptor], watches: Sequence[Watch]) -> None:
        self._side = side
        self.reached = 0
        """Bytes read from the source."""
        self._taken = 0
        self._before: Any = None
        self._watches = sorted(watches, key=lambda watch: watch.offset)
        self._next = 0
        self._reader: Callable[[memoryview], Awaitable[int]] | None = None
        self.thread = ThreadPoolExecutor(1, "kittui-hash")
        self.descriptor = side[1] if isinstance(side, tuple) else None
        self.hasher = self.descriptor.digest.hasher() if self.descriptor else None

    async def open(self, stack: AsyncExitStack) -> None:
        stack.callback(self.thread.shutdown, wait=False)
        if isinstance(self._side, tuple):
            repository, descriptor = self._side
            reader = await stack.enter_async_context(repository.open_blob(descriptor))
            self._reader = reader.readinto

    async def fill(self, buffer: memoryview) -> None:
        """Read exactly so many bytes; raises ConnectionLost where there are fewer."""
        filled = 0
        start = self.reached
        while filled < len(buffer):
            if isinstance(self._side, Spool):
                piece = await self._side.read(start + filled, len(buffer) - filled)
                count = len(piece)
                buffer[filled : filled + count] = piece
            else:
                count = await self._reader(buffer[filled:]) if self._reader is not None else 0
            if not count:
                raise ConnectionLost("a layer ended before its size was reached")
            filled += count
        self.reached = start + filled

    def branch(self) -> Any:
        """The hash as it was before the chunk that was taken last."""
        return self._before

    def advance(self, buffer: memoryview, hash_it: bool, branching: bool) -> None:
        """Hash and hand on what was read; runs in this side's thread. `branching` keeps the hash as it was before."""
        if hash_it and self.hasher is not None:
            self._before = self.hasher.copy() if branching else None
            self.hasher.update(buffer)
        start, end = self._taken, self._taken + len(buffer)
        self._taken = end
        while self._next < len(self._watches):
            watch = self._watches[self._next]
            low, high = max(watch.offset, start), min(watch.offset + watch.size, end)
            if low < high:
                watch.sink.take(buffer[low - start : high - start])
            if watch.offset + watch.size > end:
                return
            self._next += 1

    def verify(self) -> None:
        """Raise DigestMismatch unless what was read hashes to the descriptor's digest."""
        if self.hasher is None or self.descriptor is None:
            return
        if self.reached != self.descriptor.size or self.hasher.hexdigest() != self.descriptor.digest.hex:
            raise DigestMismatch(
                f"the layer {self.descriptor.digest.short} does not match its digest",
                hint="The source served other bytes than it promised; its values were not compared.",
            )


async def read_in_tandem(
    a: Spool | tuple[Repository, Descriptor],
    b: Spool | tuple[Repository, Descriptor],
    steps: Sequence[Step[Key]],
    watches_a: Sequence[Watch] = (),
    watches_b: Sequence[Watch] = (),
) -> AsyncIterator[Chunk[Key]]:
    """Read both sides along `steps`, which cover all of both, and yield what was read.

    As long as both sides have been the same from their very start, one hash does for both. Raises DigestMismatch at the
    end for a side that is not what its digest says (a spool was verified when it was filled), and the sources' errors.
    """
    feeds = (_Feed(a, watches_a), _Feed(b, watches_b))
    one, other = feeds
    loop = asyncio.get_running_loop()
    shared = (
        one.descriptor is not None
        and other.descriptor is not None
        and one.descriptor.digest.algorithm == other.descriptor.digest.algorithm
    )
    buffers = [(bytearray(), bytearray()), (bytearray(), bytearray())]
    pending: list[list[asyncio.Future[None]]] = [[], []]
    turn = 0
    async with AsyncExitStack() as stack:
        for feed in feeds:
            await feed.open(stack)
        try:
            for step in steps:
                for size_a, size_b in _chunks(step):
                    turn = 1 - turn
                    await _done(pending[turn])
                    # Whoever still looks at a buffer that is too small keeps it.
                    if len(buffers[turn][0]) < size_a:
                        buffers[turn] = (bytearray(size_a), buffers[turn][1])
                    if len(buffers[turn][1]) < size_b:
                        buffers[turn] = (buffers[turn][0], bytearray(size_b))
                    buffer_a, buffer_b = buffers[turn]
                    view_a, view_b = memoryview(buffer_a)[:size_a], memoryview(buffer_b)[:size_b]
                    await _done(pending[1 - turn], keep=True)
                    offsets = one.reached, other.reached
                    await asyncio.gather(one.fill(view_a), other.fill(view_b))
                    busy = pending[turn]
                    hashing = loop.run_in_executor(one.thread, one.advance, view_a, True, shared)
                    busy.append(hashing)
                    equal = await asyncio.to_thread(equal_bytes, view_a, view_b)
                    if shared and not equal:
                        await hashing
                        other.hasher = one.branch()
                        shared = False
                    busy.append(loop.run_in_executor(other.thread, other.advance, view_b, not shared, False))
                    chunk = Chunk(step, *offsets, view_a, view_b, equal, busy)
                    yield chunk
        finally:
            for futures in pending:
                await _done(futures)
        if shared:
            other.hasher = one.hasher
        for feed in feeds:
            feed.verify()


def _chunks(step: Step[Key]) -> list[tuple[int, int]]:
    """How a step is cut: as many units of both sides each time, and what is over of a longer side at the end."""
    units = max(1, CHUNK // max(step.unit_a, step.unit_b))
    sizes = []
    left_a, left_b = step.a, step.b
    while left_a or left_b:
        size_a, size_b = min(left_a, units * step.unit_a), min(left_b, units * step.unit_b)
        sizes.append((size_a, size_b))
        left_a, left_b = left_a - size_a, left_b - size_b
    return sizes


async def _done(futures: list[asyncio.Future[None]], keep: bool = False) -> None:
    """Wait for work on a buffer; with `keep` only raise what has failed already."""
    if keep:
        for future in futures:
            if future.done() and not future.cancelled() and (error := future.exception()):
                raise error
        return
    if futures:
        results = await asyncio.gather(*futures, return_exceptions=True)
        futures.clear()
        for result in results:
            if isinstance(result, BaseException):
                raise result
