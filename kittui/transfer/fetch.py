"""Downloads one blob into files on this machine: ranges over several connections, retried, resumed, verified."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from kittui.crashpoints import crash_point
from kittui.disk.buffers import read_buffer
from kittui.disk.threads import in_thread
from kittui.errors import ConnectionLost, DigestMismatch, NetworkError, Unsupported, without_again
from kittui.oci.descriptor import Descriptor
from kittui.oci.protocols import BlobFiles, Repository
from kittui.retry import Pace, Retries, Sleep
from kittui.tasks import stop, together
from kittui.transfer.gathering import Gathering
from kittui.transfer.partial import Partial
from kittui.transfer.plan import holds
from kittui.transfer.progress import Outcome, Progress

BUFFER = 1024 * 1024
"""Bytes that a connection reads before writing them."""
STRETCH = 16 * 1024 * 1024
"""Minimum bytes per request of a big blob."""
LONGEST_STRETCH = 256 * 1024 * 1024
SMALL = 1024 * 1024
"""Blobs up to this many bytes are read with one request."""
PACE = Pace(tries=7, first=0.5, longest=20.0, budget=120.0)
"""A blob is given up after this many consecutive failures without progress, or this many seconds of them."""
SLOW_BYTES, SLOW_SECONDS = 60 * 1024, 60.0
"""A connection that delivers fewer bytes in this many seconds counts as dead."""
FAST_BYTES, LOOK_SECONDS = 50 * 1024 * 1024, 0.25
"""At this rate or above, more connections would only compete for the processor."""
HASH_EVERY = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Tuning:
    """How hard to pull: concurrent blobs, connections in all, and number of retries."""

    blobs: int = 6
    connections: int = 4
    pace: Pace = PACE
    sleep: Sleep = asyncio.sleep

    def retries(self, descriptor: Descriptor, progress: Progress) -> Retries:
        """The retries of one connection for a blob; each wait is noted in the progress."""

        def note(error: NetworkError, seconds: float, _: int) -> None:
            done = progress.blobs[descriptor.digest].done
            percent = 100 * done // max(1, descriptor.size)
            progress.note = f"{error.message} at {percent} %; trying again in {seconds:.0f} s"

        return Retries(self.pace, note, sleep=self.sleep)


async def fetch_blob(
    origin: Repository,
    descriptor: Descriptor,
    files: BlobFiles,
    progress: Progress,
    connections: asyncio.Semaphore,
    tuning: Tuning,
    gathering: Gathering | None = None,
) -> Outcome:
    """Download a blob, verified and durable; a small one is durable once its gathering ends.

    Resumes what an earlier run left. Bytes that do not match the digest are discarded and requested once more.
    Raises DigestMismatch, NetworkError after the attempts are used up (the partial stays), DiskFull.
    """
    if descriptor.size <= SMALL:
        raw = await _fetch_small(origin, descriptor, progress, connections, tuning)
        if gathering is not None:
            await gathering.add(descriptor, raw)
        else:
            await in_thread(files.write_all, [(descriptor, raw)])
        return "copied"
    async with files.lock(descriptor.digest):
        if await in_thread(holds, files, descriptor):
            return "present"
        for attempt in (1, 2):
            partial = await Partial.open(files.partial(descriptor.digest), descriptor)
            try:
                progress.hold(descriptor.digest, partial.held)
                await _Fetch(origin, descriptor, partial, progress, connections, tuning).run()
                await partial.verify()
                await partial.sync()
                crash_point("transfer.before-commit")
                await files.commit(descriptor, partial.path)
                crash_point("transfer.after-commit")
                partial.forget()
                return "resumed" if partial.held else "copied"
            except DigestMismatch:
                partial.discard()
                if attempt == 2:
                    raise
            finally:
                partial.close()
    raise AssertionError("unreachable")


async def _fetch_small(
    origin: Repository, descriptor: Descriptor, progress: Progress, connections: asyncio.Semaphore, tuning: Tuning
) -> bytes:
    """Download a blob that fits into one buffer, verified in memory. Fetching it twice at once is harmless."""
    mismatches = 0
    buffer = memoryview(bytearray(descriptor.size))
    with tuning.retries(descriptor, progress) as retries:
        while True:
            at = 0
            try:
                async with connections, origin.open_blob(descriptor) as reader, asyncio.timeout(SLOW_SECONDS):
                    while at < descriptor.size:
                        count = await reader.readinto(buffer[at:])
                        if not count:
                            raise ConnectionLost("the connection ended early", hint="Run it again.")
                        at += count
                        progress.reach(descriptor.digest, at)
                raw = bytes(buffer)
                descriptor.digest.verify(raw, f"the blob {descriptor.digest.short}")
                progress.note = None
                return raw
            except DigestMismatch:
                mismatches += 1
                if mismatches == 2:
                    raise
            except TimeoutError:
                await retries.after(ConnectionLost("the connection stalled", hint="Run it again later."))
            except NetworkError as error:
                await retries.after(error)


class _Fetch:
    """Downloads the gaps of one partial file."""

    def __init__(
        self,
        origin: Repository,
        descriptor: Descriptor,
        partial: Partial,
        progress: Progress,
        connections: asyncio.Semaphore,
        tuning: Tuning,
    ) -> None:
        self.origin = origin
        self.descriptor = descriptor
        self.partial = partial
        self.progress = progress
        self.connections = connections
        self.tuning = tuning
        self.grown = asyncio.Event()
        self.ended = asyncio.Event()
        """Set once the first connection has found nothing more to do."""
        self.served = asyncio.Event()
        """Set once it is known whether the source serves parts."""
        ranges = origin.source.capabilities.ranges
        self.ranged = not ranges.denied
        if ranges.state != "unknown":
            self.served.set()
        stretch = max(STRETCH, min(LONGEST_STRETCH, descriptor.size // (tuning.connections * 8)))
        self.gaps = deque(partial.done.missing(descriptor.size, stretch))

    async def run(self) -> None:
        """Fill the gaps."""
        hashing = asyncio.create_task(self._hash())
        try:
            if self.ranged and self.gaps:
                await self._ranges()
            if not self.partial.complete:
                await self._whole()
        finally:
            await stop(hashing)
            self.progress.note = None

    async def _ranges(self) -> None:
        """Fill the gaps over several connections, as far as parts are served."""
        await together(*(self._worker(first=number == 0) for number in range(self._connections)))

    @property
    def _connections(self) -> int:
        """The number of connections, one per 64 MiB: each loses its current request if the process is killed."""
        return min(self.tuning.connections, len(self.gaps), max(2, self.descriptor.size // (4 * STRETCH)))

    async def _hash(self) -> None:
        """Hash behind the writers, so that little is left to hash after the last byte."""
        hashed = 0
        while True:
            await self.grown.wait()
            self.grown.clear()
            if self.partial.done.frontier - hashed >= HASH_EVERY:
                hashed = self.partial.done.frontier
                await self.partial.hash_on()

    async def _worker(self, *, first: bool) -> None:
        """Fill one gap after another over one connection, until none is left or ranges turn out unsupported."""
        if not first:
            await self.served.wait()
            await self._while_fast()
        buffer = read_buffer(min(BUFFER, self.descriptor.size))
        moved = False
        try:
            with self.tuning.retries(self.descriptor, self.progress) as retries:
                async with self.connections:
                    while self.gaps and self.ranged:
                        start, end = self.gaps.popleft()
                        at = start
                        length = end - start if end - start < self.descriptor.size else None
                        try:
                            async with self.origin.open_blob(self.descriptor, start, length) as reader:
                                while at < end:
                                    at += await self._step(reader.readinto, buffer[: end - at], at)
                                    moved = True
                                    self.served.set()
                        except Unsupported:
                            self.ranged = False
                        except NetworkError as error:
                            reached = self.partial.done.reach(at)
                            if reached < end:
                                self.gaps.appendleft((reached, end))
                            await self._failed(error, retries, progress=moved or reached > start)
                            moved = False
        finally:
            self.served.set()
            self.ended.set()

    async def _while_fast(self) -> None:
        """Return when the transfer is so slow that another connection may help, or when nothing is left to request."""
        fast = True
        while fast and self.gaps and not self.ended.is_set():
            before = self.partial.done.total
            with suppress(TimeoutError):
                await asyncio.wait_for(self.ended.wait(), LOOK_SECONDS)
            fast = self.partial.done.total - before >= FAST_BYTES

    async def _whole(self) -> None:
        """Download from the start if ranges are unsupported; after a break, start again."""
        buffer = read_buffer(min(BUFFER, self.descriptor.size))
        furthest = 0
        with self.tuning.retries(self.descriptor, self.progress) as retries:
            async with self.connections:
                while not self.partial.complete:
                    at = 0
                    try:
                        async with self.origin.open_blob(self.descriptor) as reader:
                            while at < self.descriptor.size:
                                at += await self._step(reader.readinto, buffer[: self.descriptor.size - at], at)
                    except NetworkError as error:
                        await self._failed(error, retries, progress=at > furthest)
                        furthest = max(furthest, at)

    async def _step(self, readinto: Callable[[memoryview], Awaitable[int]], buffer: memoryview, at: int) -> int:
        """Fill a buffer with the bytes available without delay, write it, and count it as progress."""
        filled = 0
        loop = asyncio.get_running_loop()
        deadline = loop.time() + SLOW_SECONDS
        while filled < len(buffer):
            try:
                async with asyncio.timeout_at(deadline):
                    count = await readinto(buffer[filled:])
            except TimeoutError:
                if filled >= SLOW_BYTES:
                    break
                raise ConnectionLost(
                    f"the connection brought less than {SLOW_BYTES} bytes in {SLOW_SECONDS:.0f} s",
                    hint="Run it again later; the download so far is kept.",
                ) from None
            except BaseException:
                if filled:
                    await self._keep(at, buffer[:filled])
                raise
            if not count:
                break
            filled += count
            self.progress.reach(self.descriptor.digest, self.progress.blobs[self.descriptor.digest].done + count)
        if not filled:
            raise ConnectionLost("the connection ended early", hint="Run it again; the download so far is kept.")
        await self._keep(at, buffer[:filled])
        return filled

    async def _keep(self, at: int, content: memoryview) -> None:
        await self.partial.write(at, content)
        self.progress.reach(self.descriptor.digest, self.partial.done.total)
        self.progress.note = None
        self.grown.set()

    async def _failed(self, error: NetworkError, retries: Retries, *, progress: bool) -> None:
        """Wait before the next attempt; without one, raise the error, saying how much is kept."""
        done = self.partial.done.total
        self.progress.reach(self.descriptor.digest, done)
        try:
            await retries.after(error, progress=progress)
        except NetworkError:
            if done:
                kept = f"The {done} bytes so far are kept; run it again to continue."
                error.hint = f"{without_again(error.hint)} {kept}".lstrip()
            raise
