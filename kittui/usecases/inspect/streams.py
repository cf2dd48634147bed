"""Reads a whole layer in one pass: its digest, its files, its index, and one file's content on the way."""

from __future__ import annotations

import queue
import threading
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Literal

from kittui.budget import layer_budget
from kittui.disk.threads import in_thread
from kittui.errors import ContentError, DigestMismatch, Malformed
from kittui.formats.files import RangeFile
from kittui.formats.gzip import CHECKPOINTS, SPACING, Inflate, build_index
from kittui.formats.need import Feed
from kittui.formats.tar import FileEntry, Pace, TarWalk
from kittui.formats.zstd import Unzstd
from kittui.oci.descriptor import Descriptor
from kittui.oci.protocols import BlobReader

PIECE = 512 * 1024
"""Bytes read from the source at once."""

Compression = Literal["none", "gzip", "zstd"]
OnBytes = Callable[[int], None]
Wanted = Callable[[FileEntry], bool]
Emit = Callable[[bytes], Awaitable[None]]


@dataclass(slots=True)
class PassResult:
    """`verified`: the whole blob was read and hashes to its digest. `output`: bytes inside.

    `index` is for entering a compressed layer from then on: gzip checkpoints, or zstd frames, `frames` of them. `found`
    is the wanted file, if the pass was for one.
    """

    verified: bool
    output: int
    index: bytes | None
    found: FileEntry | None
    frames: int | None = None


class _Pieces:
    """The pieces of the pass as they arrive, for the thread that builds an index; they can be read once, in order."""

    def __init__(self) -> None:
        self._at = 0
        self._piece = b""
        self._pieces: queue.Queue[bytes | None] = queue.Queue(maxsize=8)
        self._ended = False
        self.abandoned = False

    def read_at(self, offset: int, length: int) -> bytes:
        if offset != self._at:
            raise OSError("only one pass is made")
        while not self._piece and not self._ended:
            piece = None if self.abandoned else self._pieces.get()
            if self.abandoned:
                raise OSError("the pass was given up")
            self._ended = piece is None
            self._piece = piece or b""
        answer, self._piece = self._piece[:length], self._piece[length:]
        self._at += len(answer)
        return answer

    def push(self, piece: bytes | None) -> None:
        """Pass on the next piece, None at the end; blocks while the builder lags."""
        while not self.abandoned:
            try:
                self._pieces.put(piece, timeout=1.0)
                return
            except queue.Full:
                continue

    def abandon(self) -> None:
        self.abandoned = True
        try:
            self._pieces.put_nowait(None)
        except queue.Full:
            return


class _Indexer:
    """Builds gzip checkpoints in a thread beside the pass."""

    def __init__(self, size: int) -> None:
        self.pieces = _Pieces()
        self._size = size
        self._result: bytes | None = None
        self._thread = threading.Thread(target=self._run, name="gzip-index", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._result = build_index(RangeFile(self._size, self.pieces.read_at), self._size)
        except Malformed:
            self._result = None
        finally:
            self.pieces.abandoned = True

    def finish(self) -> bytes | None:
        self.pieces.push(None)
        self._thread.join()
        return self._result

    def abandon(self) -> None:
        self.pieces.abandon()
        self._thread.join()


class _Pass:
    """The work of one pass on each piece; runs in a thread, one piece at a time."""

    def __init__(
        self, descriptor: Descriptor, compression: Compression, walk: TarWalk | None, wanted: Wanted | None, index: bool
    ) -> None:
        self._hasher = descriptor.digest.hasher()
        self._descriptor = descriptor
        self._walk = walk
        self._feed = Feed(walk.steps()) if walk is not None else None
        self._wanted = wanted
        self._seen = 0
        self.input = 0
        self.output = 0
        self.found: FileEntry | None = None
        if walk is None and wanted is not None:
            # Without an archive, the output is the one file, whatever its length.
            self.found = FileEntry("", "file", 1 << 62, 0, 0)
        self.captured: list[bytes] = []
        self._decoder: Inflate | Unzstd | None = None
        if compression != "none":
            self._decoder = Inflate(self._take) if compression == "gzip" else Unzstd(self._take)
        self._indexer = _Indexer(descriptor.size) if index and compression == "gzip" else None
        self._output_limit = 4 * CHECKPOINTS * max(SPACING, descriptor.size * 4 // CHECKPOINTS)
        self._budget = layer_budget()
        self.fault: ContentError | None = None

    @property
    def satisfied(self) -> bool:
        """Whether the wanted file was found and read completely."""
        return self.found is not None and self.output >= self.found.offset + self.found.size

    def push(self, piece: bytes) -> None:
        self._hasher.update(piece)
        self.input += len(piece)
        self._budget.spend("input", len(piece))
        if self._indexer is not None:
            if self.output > self._output_limit:
                self._indexer.abandon()
                self._indexer = None
            else:
                self._indexer.pieces.push(piece)
        if self.fault is not None:
            return
        try:
            if self._decoder is None:
                self._take(piece)
            else:
                self._decoder.push(piece)
        except ContentError as error:
            self.fault = error

    def _take(self, output: bytes) -> None:
        start = self.output
        self.output += len(output)
        if self._decoder is not None:
            self._budget.spend("output", len(output))
        if self._feed is not None and self._walk is not None:
            self._feed.push(output)
            if self._wanted is not None and self.found is None:
                entries = self._walk.entries
                while self._seen < len(entries) and self.found is None:
                    entry = entries[self._seen]
                    self._seen += 1
                    if self._wanted(entry):
                        self.found = entry
        if self.found is not None and self._wanted is not None:
            first = max(0, self.found.offset - start)
            last = self.found.offset + self.found.size - start
            if last > 0 and first < len(output):
                self.captured.append(output[first:last])

    def end(self) -> PassResult:
        """End the input, and return the result of the pass."""
        if self.fault is None and self._decoder is not None:
            try:
                self._decoder.close()
            except ContentError as error:
                self.fault = error
        if self._feed is not None:
            self._feed.close()
        if self._walk is not None:
            self._walk.ended(self.output)
        index = self._indexer.finish() if self._indexer is not None else None
        self._indexer = None
        frames = None
        if isinstance(self._decoder, Unzstd) and self.fault is None:
            entered = self._decoder.index()
            index, frames = entered.dump(), entered.frames
        verified = self.input == self._descriptor.size and self._hasher.hexdigest() == self._descriptor.digest.hex
        return PassResult(verified, self.output, index, self.found, frames)

    def abandon(self) -> None:
        if self._indexer is not None:
            self._indexer.abandon()
            self._indexer = None


async def read_through(
    opening: AbstractAsyncContextManager[BlobReader],
    descriptor: Descriptor,
    compression: Compression,
    walk: TarWalk | None,
    *,
    wanted: Wanted | None = None,
    emit: Emit | None = None,
    stop_early: bool = False,
    on_bytes: OnBytes | None = None,
) -> PassResult:
    """Stream a whole blob once from `opening`, feeding `walk` (None: no archive), and a wanted file's bytes to `emit`.

    With `stop_early` the transfer ends as soon as the wanted file was read; then nothing is verified. A fault in the
    content is `walk.problem`; raises DigestMismatch if the whole blob does not match its digest, and the source's
    errors. Cancelling closes the transfer.
    """
    work = _Pass(descriptor, compression, walk, wanted, index=not stop_early)
    try:
        async with opening as reader:
            buffer = bytearray(PIECE)
            ended = False
            while not ended:
                filled = 0
                with memoryview(buffer) as target:
                    while filled < PIECE:
                        count = await reader.readinto(target[filled:])
                        if not count:
                            ended = True
                            break
                        filled += count
                await in_thread(work.push, bytes(memoryview(buffer)[:filled]))
                if emit is not None:
                    for captured in work.captured:
                        await emit(captured)
                work.captured.clear()
                if on_bytes is not None:
                    on_bytes(work.input)
                if stop_early and (work.satisfied or work.fault is not None):
                    return PassResult(False, work.output, None, work.found)
        result = await in_thread(work.end)
    finally:
        await in_thread(work.abandon)
    if walk is not None and work.fault is not None:
        walk.problem, walk.complete = work.fault.message, False
    if not result.verified:
        raise DigestMismatch(
            f"the layer {descriptor.digest.short} does not match its digest",
            hint="The source's content does not match its digest; nothing was stored.",
        )
    return result


STREAM_PACE = Pace(512, 512, 0)
"""For a walk over a stream: one header at a time, so that a file is known before its content arrives."""
