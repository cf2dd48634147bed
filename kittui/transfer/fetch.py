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
"""Bytes a connection reads before they are written."""
STRETCH = 16 * 1024 * 1024
"""Bytes asked for at least in one request of a big blob."""
LONGEST_STRETCH = 256 * 1024 * 1024
SMALL = 1024 * 1024
"""Blobs up to this many bytes are read in one piece."""
PACE = Pace(tries=7, first=0.5, longest=20.0, budget=120.0)
"""A blob is given up after so many failures in a row without a byte of progress, or so many seconds of them."""
SLOW_BYTES, SLOW_SECONDS = 60 * 1024, 60.0
"""A connection that brings less than so many bytes in so many seconds is taken as dead."""
FAST_BYTES, LOOK_SECONDS = 50 * 1024 * 1024, 0.25
"""While so many bytes come in so many seconds, more connections would only take processors from those that are busy."""
HASH_EVERY = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Tuning:
    """How hard to pull: blobs at once, connections in all, and how often what fails is tried again."""

    blobs: int = 6
    connections: int = 4
    pace: Pace = PACE
    sleep: Sleep = asyncio.sleep

    def retries(self, descriptor: Descriptor, progress: Progress) -> Retries:
        """The attempts of one connection to bring bytes of a blob; each wait is noted in the progress."""

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
    """Have a blob in the files, verified and durable; a small one once the gathering that takes it is left.

    Resumes what an earlier run left. Bytes that do not match the digest are thrown away and asked for once more.
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
    """A blob that fits into one buffer, verified in memory. Two that fetch one do no harm."""
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
    """One run over the gaps of a partial file."""

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
        """One for each 64 MiB: what is under way in each is lost when the process is killed."""
        return min(self.tuning.connections, len(self.gaps), max(2, self.descriptor.size // (4 * STRETCH)))

    async def _hash(self) -> None:
        """Follow the writers, so that little is left to hash when the last byte is there."""
        hashed = 0
        while True:
            await self.grown.wait()
            self.grown.clear()
            if self.partial.done.frontier - hashed >= HASH_EVERY:
                hashed = self.partial.done.frontier
                await self.partial.hash_on()

    async def _worker(self, *, first: bool) -> None:
        """Fill one gap after the other over one connection, until there is none or parts are not served."""
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
        """Return when what comes is so slow that another connection may bring more, or nothing is left to ask for."""
        fast = True
        while fast and self.gaps and not self.ended.is_set():
            before = self.partial.done.total
            with suppress(TimeoutError):
                await asyncio.wait_for(self.ended.wait(), LOOK_SECONDS)
            fast = self.partial.done.total - before >= FAST_BYTES

    async def _whole(self) -> None:
        """Read from the start, where parts are not served; a cut means from the start again."""
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
        """Fill a buffer as far as bytes come without delay, write it, and count it as progress."""
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
        """Wait before the next attempt; raises the error, with what is kept, where there is none."""
        done = self.partial.done.total
        self.progress.reach(self.descriptor.digest, done)
        try:
            await retries.after(error, progress=progress)
        except NetworkError:
            if done:
                kept = f"The {done} bytes so far are kept; run it again to continue."
                error.hint = f"{without_again(error.hint)} {kept}".lstrip()
            raise
