"""Views read stored content in stretches; the driver here answers parsers from them."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from kittui.disk.threads import in_thread
from kittui.errors import ConnectionLost, Malformed, TooLarge
from kittui.formats.gzip import GzipIndex
from kittui.formats.need import Need, Steps
from kittui.formats.tar import DISK, Pace
from kittui.oci.descriptor import Descriptor
from kittui.oci.protocols import Repository
from kittui.tasks import together

T = TypeVar("T")

READ_LIMIT = 64 * 1024 * 1024
"""Maximum bytes of one read."""
SPLIT = 1024 * 1024
"""Ranges longer than this are read in parallel parts."""
PARALLEL = 4
"""Maximum concurrent ranges for one layer."""
KEPT = 4 * 1024 * 1024
"""Bytes of ranges that a view caches, so that what was just listed can be shown without another request."""
MERGE = 16 * 1024
"""Needs with at most this many bytes between them become one range."""


class View(Protocol):
    """Bytes of known size, readable in stretches."""

    @property
    def size(self) -> int: ...

    @property
    def verified(self) -> bool:
        """Whether reads come from a blob whose whole hash was verified."""
        ...

    async def read(self, offset: int, length: int) -> bytes:
        """Read a stretch, shorter only at the end; raises TooLarge over 64 MiB, and the source's errors."""
        ...


def _bounded(offset: int, length: int, size: int) -> int:
    """Limit a read to the content's size; raises TooLarge for more than memory may hold."""
    length = max(0, min(length, size - offset))
    if length > READ_LIMIT:
        raise TooLarge(f"{length} bytes at once are more than kittui holds in memory")
    return length


class BytesView:
    """Bytes in memory."""

    def __init__(self, content: bytes, *, verified: bool) -> None:
        self._content = content
        self.verified = verified

    @property
    def size(self) -> int:
        return len(self._content)

    async def read(self, offset: int, length: int) -> bytes:
        return self._content[offset : offset + length]


class BlobView:
    """A blob in a repository, read by ranges; caches the last ones, and learns what a round trip costs."""

    def __init__(self, repository: Repository, descriptor: Descriptor) -> None:
        self._repository = repository
        self._descriptor = descriptor
        self._kept: OrderedDict[int, bytes] = OrderedDict()
        self._parallel = min(PARALLEL, repository.source.traits.at_once)
        self._slots = asyncio.Semaphore(self._parallel)
        self._latency = 0.0
        self.local = repository.source.traits.free
        self.pace = Pace(DISK.first, DISK.most, DISK.gap) if self.local else Pace()
        self.verified = False

    @property
    def size(self) -> int:
        return self._descriptor.size

    async def read(self, offset: int, length: int) -> bytes:
        length = _bounded(offset, length, self.size)
        if not length:
            return b""
        if (kept := self._find(offset, length)) is not None:
            return kept
        if self.local or length <= SPLIT:
            content = await self._range(offset, length)
        else:
            part = -(-length // self._parallel)
            starts = range(offset, offset + length, part)
            parts = await together(*(self._range(start, min(part, offset + length - start)) for start in starts))
            content = b"".join(parts)
        self._keep(offset, content)
        return content

    async def _range(self, offset: int, length: int) -> bytes:
        async with self._slots:
            began = time.monotonic()
            buffer = bytearray(length)
            filled = 0
            async with self._repository.open_blob(self._descriptor, offset, length) as reader:
                with memoryview(buffer) as target:
                    while filled < length and (count := await reader.readinto(target[filled:])):
                        filled += count
            if filled < length:
                raise ConnectionLost(f"the layer {self._descriptor.digest.short} ended {length - filled} bytes early")
            if not self.local:
                self._learn(time.monotonic() - began, length)
            return bytes(buffer)

    def _learn(self, seconds: float, length: int) -> None:
        """Set how many bytes are worth a round trip: what the link transfers meanwhile."""
        self._latency = min(self._latency or seconds, seconds)
        if length >= 128 * 1024 and seconds > self._latency:
            rate = length / (seconds - self._latency)
            self.pace.gap = int(min(1024 * 1024, max(16 * 1024, rate * self._latency)))

    def _find(self, offset: int, length: int) -> bytes | None:
        for start, content in self._kept.items():
            if start <= offset and offset + length <= start + len(content):
                self._kept.move_to_end(start)
                return content[offset - start : offset - start + length]
        return None

    def _keep(self, offset: int, content: bytes) -> None:
        if self.local or len(content) > KEPT // 2:
            return
        self._kept[offset] = content
        while sum(map(len, self._kept.values())) > KEPT:
            self._kept.popitem(last=False)


class GzipView:
    """The output of a gzip blob, entered at its checkpoints."""

    def __init__(self, blob: View, index: GzipIndex, size: int) -> None:
        self._blob = blob
        self._index = index
        self._lock = asyncio.Lock()
        self.size = size

    @property
    def verified(self) -> bool:
        return self._blob.verified

    async def read(self, offset: int, length: int) -> bytes:
        length = _bounded(offset, length, self.size)
        if not length:
            return b""
        async with self._lock:
            steps = self._index.read(offset, length)
            (need,) = next(steps)
            answer = await self._blob.read(*need)
            return await in_thread(_finish, steps, answer)


def _finish(steps: Steps[T], answer: bytes) -> T:
    """Send a parser's only answer; returns its result, since a StopIteration can't leave a thread."""
    try:
        steps.send((answer,))
    except StopIteration as stop:
        result: T = stop.value
        return result
    raise Malformed("the gzip layer asked for more than its index says")


class SliceView:
    """A stretch of another view: one file in a layer."""

    def __init__(self, inside: View, offset: int, size: int) -> None:
        self._inside = inside
        self._offset = offset
        self.size = size

    @property
    def verified(self) -> bool:
        return self._inside.verified

    async def read(self, offset: int, length: int) -> bytes:
        length = min(length, self.size - offset)
        return await self._inside.read(self._offset + offset, length) if length > 0 else b""


async def drive(steps: Steps[T], view: View, on_step: Callable[[], None] | None = None, *, threaded: bool = False) -> T:
    """Answer a parser's Needs from a view; nearby Needs are merged, and several are read in parallel.

    `on_step` is called after each answer; a `threaded` parser runs off the event loop. Raises what the
    parser and the view raise.
    """
    try:
        needs = next(steps)
        while True:
            answers = await _answer(needs, view)
            if threaded:
                advanced = await in_thread(_advance, steps, answers)
                if isinstance(advanced, _Finished):
                    return advanced.value
                needs = advanced
            else:
                needs = steps.send(answers)
            if on_step is not None:
                on_step()
            await asyncio.sleep(0)
    except StopIteration as stop:
        result: T = stop.value
        return result
    finally:
        steps.close()


class _Finished(Generic[T]):
    """A parser's result, carried out of a thread."""

    def __init__(self, value: T) -> None:
        self.value = value


def _advance(steps: Steps[T], answers: tuple[bytes, ...]) -> tuple[Need, ...] | _Finished[T]:
    try:
        return steps.send(answers)
    except StopIteration as stop:
        return _Finished(stop.value)


async def _answer(needs: tuple[Need, ...], view: View) -> tuple[bytes, ...]:
    if len(needs) == 1:
        return (await view.read(*needs[0]),)
    ranges: list[Need] = []
    for need in sorted(needs):
        if ranges and need.offset <= (last := ranges[-1]).offset + last.length + MERGE:
            end = max(last.offset + last.length, need.offset + need.length)
            ranges[-1] = Need(last.offset, end - last.offset)
        else:
            ranges.append(need)
    contents = dict(zip(ranges, await together(*(view.read(*part) for part in ranges)), strict=True))
    answers: list[bytes] = []
    for need in needs:
        part = next(part for part in ranges if part.offset <= need.offset <= part.offset + part.length)
        start = need.offset - part.offset
        answers.append(contents[part][start : start + need.length])
    return tuple(answers)
