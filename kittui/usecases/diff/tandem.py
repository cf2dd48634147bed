"""Reads two blobs side by side, each once and in order, while threads compute their digests."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Generic, Protocol, TypeVar

from kittui.errors import ConnectionLost, DigestMismatch
from kittui.usecases.diff.windows import LEAD, SLOTS, Blob, Window, Windows, open_windows
from kittui.usecases.inspect.spool import Spool

Key = TypeVar("Key")
_TOLD = 0.25


class Sink(Protocol):
    """Takes a file's bytes in order; called in a thread."""

    def take(self, piece: memoryview) -> None: ...


@dataclass(slots=True)
class Watch:
    """A byte range of one side's layer, and the sink for its bytes."""

    offset: int
    size: int
    sink: Sink


@dataclass(frozen=True, slots=True)
class Step(Generic[Key]):
    """What to read next: `a` and `b` bytes of each side. With a `key` they are compared with each other.

    A chunk has the same number of units on both sides, of `unit_a` and `unit_b` bytes.
    """

    a: int
    b: int
    key: Key | None = None
    unit_a: int = 1
    unit_b: int = 1


@dataclass(slots=True)
class Chunk(Generic[Key]):
    """A part of a step that was read; offsets are in bytes of the layers. `equal`: both sides' bytes are the same.

    The bytes stay valid until all of `busy` is done: work on them in a thread must add its future.
    """

    key: Key
    offset_a: int
    offset_b: int
    a: memoryview
    b: memoryview
    equal: bool
    busy: list[Future[None]] = field(default_factory=list)


class _Side:
    """One side being read: its current window, and the thread that hashes it and feeds the sinks."""

    def __init__(self, blob: Blob, windows: Windows, watches: Sequence[Watch]) -> None:
        self.windows = windows
        self.descriptor = None if isinstance(blob, Spool) else blob[1]
        self.hasher: Any = self.descriptor.digest.hasher() if self.descriptor else None
        self.thread = ThreadPoolExecutor(1, "kittui-hash")
        self.reached = 0
        """Bytes of the windows read so far."""
        self.at = 0
        """Bytes consumed."""
        self.window = Window(0, bytearray(), 0)
        self._view = memoryview(b"")
        self._watches = sorted(watches, key=lambda watch: watch.offset)
        self._next = 0
        self._kept: deque[Window] = deque()

    @property
    def left(self) -> int:
        """Bytes of the window that are left."""
        return self.reached - self.at

    def load(self) -> None:
        """Read the next window once a buffer is free."""
        while len(self._kept) >= SLOTS:
            self._drop(self._kept.popleft())
        self.window = self.windows.next()
        self._view = self.window.view
        self._kept.append(self.window)
        self.reached += self.window.size

    def submit(self, hashing: bool) -> None:
        """Queue the window for hashing and for its sinks."""
        if hashing or self._next < len(self._watches):
            self.window.busy.append(self.thread.submit(self._advance, self.window, hashing and self.hasher is not None))

    def _advance(self, window: Window, hashing: bool) -> None:
        """Runs in this side's thread."""
        view = window.view
        if hashing:
            self.hasher.update(view)
        start, end = window.offset, window.offset + window.size
        for watch in islice(self._watches, self._next, None):
            if watch.offset >= end:
                break
            low, high = max(watch.offset, start), min(watch.offset + watch.size, end)
            if low < high:
                watch.sink.take(view[low - start : high - start])
        # Ranges may overlap: finished ones wait behind one that ends late, and get no more bytes.
        while (
            self._next < len(self._watches) and self._watches[self._next].offset + self._watches[self._next].size <= end
        ):
            self._next += 1

    def branch(self) -> Any:
        """Runs in this side's thread: a copy of the hash before the next submission."""
        return self.hasher.copy()

    def adopt(self, branched: Future[Any]) -> None:
        """Runs in this side's thread: continue with the other side's hash."""
        self.hasher = branched.result()

    def take(self, size: int) -> memoryview:
        """Take the next bytes of the window."""
        start = self.at - self.window.offset
        self.at += size
        return self._view[start : start + size]

    def drop(self) -> None:
        """Wait for all pending work; raises its errors."""
        while self._kept:
            self._drop(self._kept.popleft())

    def _drop(self, window: Window) -> None:
        for future in window.busy:
            future.result()
        self.windows.give_back(window)

    def verify(self) -> None:
        """Raise DigestMismatch unless what was read hashes to the descriptor's digest."""
        if self.descriptor is None:
            return
        if self.reached != self.descriptor.size or self.hasher.hexdigest() != self.descriptor.digest.hex:
            raise DigestMismatch(
                f"the layer {self.descriptor.digest.short} does not match its digest",
                hint="The source's content does not match its digest; its values were not compared.",
            )


class _Pass(Generic[Key]):
    """The walk along both sides, in one thread; hashing runs in two more.

    While both sides are the same from the start, one hash serves both. Windows at the same offset on both sides are
    compared whole, which decides every step inside them.
    """

    def __init__(
        self, one: _Side, other: _Side, steps: Sequence[Step[Key]], on_chunk: Callable[[Chunk[Key]], None]
    ) -> None:
        self._one = one
        self._other = other
        self._steps = steps
        self._on_chunk = on_chunk
        self._adopted: Future[None] | None = None
        self._equal = False
        """Whether the windows of both sides have the same offset and bytes."""
        a, b = one.descriptor, other.descriptor
        self._shared = a is not None and b is not None and a.digest.algorithm == b.digest.algorithm
        self.stopped = False
        self.passed = 0
        """Bytes read of both sides."""

    def run(self) -> None:
        for step in self._steps:
            if step.key is None:
                self._skip(step.a, step.b)
            else:
                self._walk(step, step.key)
        self._one.drop()
        self._other.drop()
        if self._shared:
            self._other.hasher = self._one.hasher
        elif self._adopted is not None:
            self._adopted.result()
        self._one.verify()
        self._other.verify()

    def _ensure(self, a: bool, b: bool) -> None:
        """Load a window for each side that needs bytes."""
        if self.stopped:
            raise ConnectionLost("the comparison was stopped")
        one, other = self._one, self._other
        load_a, load_b = a and not one.left, b and not other.left
        if not (load_a or load_b):
            return
        if load_a:
            one.load()
        if load_b:
            other.load()
        self.passed += (one.window.size if load_a else 0) + (other.window.size if load_b else 0)
        aligned = load_a and load_b and one.window.offset == other.window.offset
        self._equal = aligned and _same(one.window, other.window)
        if self._shared and not self._equal:
            self._shared = False
            branched = one.thread.submit(one.branch)
            self._adopted = other.thread.submit(other.adopt, branched)
        if load_a:
            one.submit(hashing=True)
        if load_b:
            other.submit(hashing=not self._shared)

    def _skip(self, a: int, b: int) -> None:
        one, other = self._one, self._other
        while a or b:
            self._ensure(a > 0, b > 0)
            size_a, size_b = min(a, one.left), min(b, other.left)
            one.take(size_a)
            other.take(size_b)
            a, b = a - size_a, b - size_b

    def _walk(self, step: Step[Key], key: Key) -> None:
        one, other = self._one, self._other
        left = min(step.a // step.unit_a, step.b // step.unit_b)
        over_a, over_b = step.a - left * step.unit_a, step.b - left * step.unit_b
        while left:
            self._ensure(a=True, b=True)
            units = min(one.left // step.unit_a, other.left // step.unit_b, left)
            if not units:
                self._straddle(step, key)
                left -= 1
                continue
            at_a, at_b = one.at, other.at
            a, b = one.take(units * step.unit_a), other.take(units * step.unit_b)
            equal = len(a) == len(b) and (
                (self._equal and at_a == at_b) or one.window.buffer.startswith(b, LEAD + at_a - one.window.offset)
            )
            self._tell(Chunk(key, at_a, at_b, a, b, equal))
            left -= units
        if over_a or over_b:
            self._tell(Chunk(key, one.at, other.at, memoryview(b""), memoryview(b""), equal=False))
            self._skip(over_a, over_b)

    def _straddle(self, step: Step[Key], key: Key) -> None:
        """Read one unit across the end of a window."""
        one, other = self._one, self._other
        at_a, at_b = one.at, other.at
        a, b = bytearray(), bytearray()
        while len(a) < step.unit_a or len(b) < step.unit_b:
            self._ensure(len(a) < step.unit_a, len(b) < step.unit_b)
            a += one.take(min(step.unit_a - len(a), one.left))
            b += other.take(min(step.unit_b - len(b), other.left))
        self._tell(Chunk(key, at_a, at_b, memoryview(a), memoryview(b), a == b))

    def _tell(self, chunk: Chunk[Key]) -> None:
        self._on_chunk(chunk)
        if chunk.busy:
            self._one.window.busy += chunk.busy
            self._other.window.busy += chunk.busy


def _same(a: Window, b: Window) -> bool:
    """Whether two windows hold the same bytes; comparing memoryviews directly would be many times slower."""
    if a.size != b.size:
        return False
    return a.buffer.startswith(b.view, LEAD)


async def read_in_tandem(
    a: Blob,
    b: Blob,
    steps: Sequence[Step[Key]],
    on_chunk: Callable[[Chunk[Key]], None],
    watches_a: Sequence[Watch] = (),
    watches_b: Sequence[Watch] = (),
    on_bytes: Callable[[int], None] | None = None,
) -> None:
    """Read both sides along `steps`, which cover both completely; `on_chunk` is called in a thread with each chunk.

    `on_bytes` gets the total bytes of both sides from time to time.

    Raises DigestMismatch at the end for a side that does not match its digest (a spool was verified when it was
    filled), and the sources' errors. If cancelled, it waits for its threads.
    """
    async with AsyncExitStack() as stack:
        one = _Side(a, await open_windows(a, stack), watches_a)
        stack.callback(one.thread.shutdown)
        other = _Side(b, await open_windows(b, stack), watches_b)
        stack.callback(other.thread.shutdown)
        walk = _Pass(one, other, steps, on_chunk)
        running = asyncio.ensure_future(asyncio.to_thread(walk.run))
        try:
            while not running.done():
                await asyncio.wait([running], timeout=_TOLD)
                if on_bytes is not None:
                    on_bytes(walk.passed)
            running.result()
        except asyncio.CancelledError:
            walk.stopped = True
            await one.windows.stop()
            await other.windows.stop()
            await asyncio.wait([running])
            running.exception()
            raise
