"""Decompresses zstd streams (RFC 8878) in pieces, from the start of any frame.

A frame can't be entered in the middle. Many frames or a seek table (zstd's contrib/seekable_format) make single files
cheap to read; in a single frame, a file needs all of the stream before it.
"""

from __future__ import annotations

import io
import struct
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import IO, Any, cast

import zstandard

from kittui.errors import Malformed
from kittui.formats.need import Feed, Need, Steps, fetch, fetch_exactly

WINDOW_LIMIT = 128 * 1024 * 1024
"""Maximum memory in bytes that a frame may ask for, as in the zstd program."""
PIECE = 128 * 1024
"""Bytes of output that are in memory at once."""
POINTS = 16 * 1024
"""Maximum frames, and marks between them, in an index; above it they are thinned out."""
NEAR = 256 * 1024
"""Minimum bytes of output between frames in an index: closer ones are entered at the first."""
_MARK = 256 * 1024
"""Bytes of input between marks, at first."""
_SMALL_BLOCKS = 64
"""Minimum average bytes per block; below it, looking for frames is not worth it."""
_FRAME, _SKIPPABLE, _TABLE, _TABLE_END = 0xFD2FB528, 0x184D2A50, 0x184D2A5E, 0x8F92EAB1
_TABLE_LIMIT = 64 * 1024 * 1024


class FrameWalk:
    """Finds where the frames of a stream end, from block headers alone; nothing is decompressed."""

    def __init__(self) -> None:
        self.ends: list[int] = []
        """Input offsets at which a frame, or a skippable one, ends; the newest ones last."""
        self.last = 0
        """The last of them, or 0."""
        self.lost = False
        """Whether the walk was given up: the stream is not zstd, or has too many blocks."""

    def steps(self) -> Steps[None]:
        """Walk to the stream's end; anything that is not zstd ends the walk."""
        at = blocks = 0
        while True:
            head = yield from fetch(at, 8)
            if len(head) < 8:
                return
            magic = int.from_bytes(head[:4], "little")
            if magic & 0xFFFFFFF0 == _SKIPPABLE and not _too_small(blocks, at):
                at += 8 + int.from_bytes(head[4:8], "little")
                blocks += 1
                self._end(at)
                continue
            if magic != _FRAME or _too_small(blocks, at):
                self.lost = True
                return
            at += _header_length(head[4])
            last = False
            while not last:
                raw = yield from fetch(at, 3)
                if len(raw) < 3:
                    return
                block = int.from_bytes(raw, "little")
                last, kind = bool(block & 1), block >> 1 & 3
                at += 3 + (1 if kind == 1 else block >> 3)
                blocks += 1
                if kind == 3 or _too_small(blocks, at):
                    self.lost = True
                    return
            at += 4 if head[4] & 4 else 0
            self._end(at)

    def _end(self, at: int) -> None:
        self.ends.append(at)
        self.last = at


def _too_small(blocks: int, at: int) -> bool:
    """Whether following every block costs more than it is worth."""
    return blocks > 10_000 and blocks * _SMALL_BLOCKS > at


def _header_length(descriptor: int) -> int:
    """Bytes of a frame's header with its magic number (RFC 8878, 3.1.1.1)."""
    single = descriptor >> 5 & 1
    content = (single, 2, 4, 8)[descriptor >> 6]
    return 5 + (0 if single else 1) + (0, 1, 2, 4)[descriptor & 3] + content


class ZstdIndex:
    """Where frames begin, and how much output precedes them, in bytes: for entering a stream."""

    def __init__(self, size: int, output: int, frames: Iterable[tuple[int, int]], marks: Iterable[tuple[int, int]]):
        """`frames` and `marks` are places in the input and in the output, ascending; the first frame is (0, 0)."""
        self.size = size
        self.output = output
        ordered = list(frames)
        self._frames = array("Q", (place for place, _ in ordered)), array("Q", (place for _, place in ordered))
        ends = sorted({*marks, *ordered, (size, output)})
        self._ends = array("Q", (place for place, _ in ends)), array("Q", (place for _, place in ends))

    @property
    def frames(self) -> int:
        """The number of frames in the index."""
        return len(self._frames[0])

    def stretch(self, offset: int, length: int) -> tuple[Need, int]:
        """Return the input needed for a stretch of the output, and where its output begins."""
        inputs, outputs = self._frames
        first = max(0, bisect_right(outputs, offset) - 1)
        last = bisect_left(self._ends[1], min(offset + length, self.output))
        end = self._ends[0][min(last, len(self._ends[0]) - 1)]
        return Need(inputs[first], max(0, end - inputs[first])), outputs[first]

    def lead(self, offset: int, length: int) -> int:
        """Maximum bytes of output between a frame's start and any place of a stretch in it."""
        outputs = self._frames[1]
        first = max(0, bisect_right(outputs, offset) - 1)
        last = bisect_left(outputs, offset + max(1, length))
        begins = [*outputs[first:last], offset + length]
        return max(after - before for before, after in pairwise(begins))

    def dump(self) -> bytes:
        """Serialize to bytes, for a cache."""
        arrays = (*self._frames, *self._ends)
        head = struct.pack("<4Q", self.size, self.output, len(arrays[0]), len(arrays[2]))
        return head + b"".join(part.tobytes() for part in arrays)

    @classmethod
    def load(cls, content: bytes) -> ZstdIndex:
        """Read what `dump` wrote; raises Malformed for anything else."""
        try:
            size, output, frames, ends = struct.unpack_from("<4Q", content)
            if len(content) != 32 + 16 * (frames + ends) or not frames or not ends:
                raise ValueError("of another length")
            numbers = array("Q", content[32:])
        except (struct.error, ValueError):
            raise Malformed("the index of a zstd layer can't be read") from None
        begin, edge = zip(numbers[:frames], numbers[frames : 2 * frames], strict=True), 2 * frames
        marks = zip(numbers[edge : edge + ends], numbers[edge + ends :], strict=True)
        return cls(size, output, begin, marks)


class _Sink(io.RawIOBase):
    """What zstandard writes into."""

    def __init__(self, sink: Callable[[bytes], None]) -> None:
        self._sink = sink
        self.output = 0

    def writable(self) -> bool:
        return True

    def write(self, piece: Any) -> int:
        content = bytes(piece)
        self.output += len(content)
        self._sink(content)
        return len(content)


class Unzstd:
    """Decompresses zstd that is pushed in pieces into a sink, in bounded pieces; handles consecutive frames."""

    def __init__(self, sink: Callable[[bytes], None]) -> None:
        self._sink = _Sink(sink)
        decompressor = zstandard.ZstdDecompressor(max_window_size=WINDOW_LIMIT)
        self._writer = decompressor.stream_writer(cast(IO[bytes], self._sink), write_size=PIECE, closefd=False)
        self._input = 0
        self._walk = FrameWalk()
        self._feed = Feed(self._walk.steps())
        self._frames = _Points(NEAR, by_output=True)
        self._marks = _Points(_MARK, by_output=False)

    def push(self, piece: bytes) -> None:
        """Take one more piece of input; raises Malformed, and whatever the sink raises."""
        self._feed.push(piece)
        start, seen, ends = 0, 0, self._walk.ends
        # At a frame's end the decoder has returned all its output, so both offsets are known there.
        while seen < len(ends) and ends[seen] <= self._input + len(piece) - start:
            start += self._write(piece[start : start + ends[seen] - self._input])
            self._frames.add(self._input, self._sink.output)
            seen += 1
        del ends[:seen]
        self._write(piece[start:])
        self._marks.add(self._input, self._sink.output)

    def _write(self, piece: bytes) -> int:
        self._input += len(piece)
        try:
            self._writer.write(piece)
        except zstandard.ZstdError as error:
            raise Malformed(f"the zstd stream is damaged: {error}") from None
        return len(piece)

    def close(self) -> None:
        """Raise Malformed if there was nothing, or if the last frame ended early."""
        if not self._input:
            raise Malformed("the zstd stream is empty")
        if not self._walk.lost and self._walk.last != self._input:
            raise Malformed("the zstd stream ends early")

    def index(self) -> ZstdIndex:
        """The index of the stream that was pushed."""
        frames = [(0, 0), *(place for place in self._frames.places if 0 < place[0] < self._input)]
        return ZstdIndex(self._input, self._sink.output, frames, self._marks.places)


class _Points:
    """Pairs of input and output offsets, spaced apart, and never more than POINTS."""

    def __init__(self, spacing: int, *, by_output: bool) -> None:
        self.places: list[tuple[int, int]] = []
        self._spacing = spacing
        self._side = int(by_output)

    def add(self, place: int, output: int) -> None:
        point = (place, output)
        last = self.places[-1][self._side] if self.places else 0
        if point[self._side] - last < self._spacing:
            return
        self.places.append(point)
        if len(self.places) > POINTS:
            self._spacing *= 2
            del self.places[::2]


def read_seek_table(size: int) -> Steps[ZstdIndex | None]:
    """Read the seek table at the end of a stream of `size` bytes; None if it is missing or does not fit."""
    if size < 17:
        return None
    tail = yield from fetch(size - 9, 9)
    if len(tail) < 9:
        return None
    count, descriptor, magic = struct.unpack("<IBI", tail)
    entry = 12 if descriptor & 0x80 else 8
    length = 8 + count * entry + 9
    if magic != _TABLE_END or descriptor & 0x7C or not count or length > min(size, _TABLE_LIMIT):
        return None
    raw = yield from fetch_exactly(size - length, length, "the seek table")
    if struct.unpack_from("<II", raw) != (_TABLE, length - 8):
        return None
    frames = _Points(NEAR, by_output=True)
    at = output = 0
    for packed, plain, *_ in struct.iter_unpack("<III" if entry == 12 else "<II", raw[8:-9]):
        if at:
            frames.add(at, output)
        at, output = at + packed, output + plain
    if at != size - length:
        return None
    return ZstdIndex(size, output, [(0, 0), *frames.places], [(at, output)])
