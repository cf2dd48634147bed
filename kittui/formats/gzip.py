"""Random access to gzip streams through checkpoints (RFC 1952; zlib's zran.c, by way of indexed_gzip).

A checkpoint is a place in the compressed stream with the 32 KiB of output before it. One pass over the whole stream
makes them; from then on, reading any stretch of the output needs only the compressed bytes after the nearest earlier
checkpoint.
"""

from __future__ import annotations

import io
import zlib
from bisect import bisect_right
from collections.abc import Callable
from typing import Any

from kittui.errors import Malformed
from kittui.formats.files import RangeFile
from kittui.formats.need import Need, Steps

SPACING = 4 * 1024 * 1024
"""Minimum bytes of output between checkpoints."""
CHECKPOINTS = 1000
"""Approximate maximum of checkpoints: an index stays below 33 MB whatever the size of the stream."""
OUTPUT_PIECE = 1024 * 1024
"""Bytes of output that are in memory at once."""

_FAULTS = (OSError, ValueError, EOFError)
"""Built-in exceptions that indexed_gzip raises besides its own."""


def _open(file: io.RawIOBase, spacing: int, buffer: int) -> tuple[Any, tuple[type[Exception], ...]]:
    """A file for indexed_gzip, which takes a while to import, and all that it may raise; raises Malformed."""
    import indexed_gzip

    faults = (indexed_gzip.ZranError, indexed_gzip.NotCoveredError, *_FAULTS)
    try:
        opened = indexed_gzip._IndexedGzipFile(fileobj=file, skip_crc_check=True, spacing=spacing, readbuf_size=buffer)
    except faults as error:
        raise Malformed(f"the gzip stream can't be read: {error}") from None
    return opened, faults


class Inflate:
    """Decompresses gzip that is pushed in pieces into a sink, in bounded pieces; handles consecutive members."""

    def __init__(self, sink: Callable[[bytes], None]) -> None:
        self._sink = sink
        self._inflate = zlib.decompressobj(31)
        self._members = 0
        self._ended = False

    def push(self, piece: bytes) -> None:
        """Take one more piece of input; raises Malformed, and whatever the sink raises."""
        left = piece
        while left and not self._ended:
            try:
                output = self._inflate.decompress(left, OUTPUT_PIECE)
                if output:
                    self._sink(output)
                left = self._inflate.unconsumed_tail
                while not left and len(output) == OUTPUT_PIECE:
                    output = self._inflate.decompress(b"", OUTPUT_PIECE)
                    if output:
                        self._sink(output)
                    left = self._inflate.unconsumed_tail
            except zlib.error as error:
                if self._members:
                    # Ignore what follows the last member, as gzip does.
                    self._ended = True
                    return
                raise Malformed(f"the gzip stream is damaged: {error}") from None
            if self._inflate.eof:
                self._members += 1
                left = self._inflate.unused_data.lstrip(b"\0")
                self._inflate = zlib.decompressobj(31)

    def close(self) -> None:
        """Raise Malformed if the stream ended early."""
        if not self._members:
            raise Malformed("the gzip stream ends early")


class GzipIndex:
    """The checkpoints of one stream, for reading any part of its output."""

    def __init__(self, exported: bytes, compressed_size: int) -> None:
        """Read an index that `build_index` made; raises Malformed for anything else."""
        self._size = compressed_size
        self._held = Need(0, 0), b""
        self._gzip, self._faults = _open(RangeFile(compressed_size, self._compressed), SPACING, 64 * 1024)
        try:
            self._gzip.import_index(fileobj=io.BytesIO(exported))
            points = list(self._gzip.seek_points())
        except self._faults as error:
            raise Malformed(f"the index of a gzip layer can't be read: {error}") from None
        if not points:
            raise Malformed("the index of a gzip layer is empty")
        self._outputs = [point[0] for point in points]
        self._inputs = [point[1] for point in points]

    def _compressed(self, offset: int, length: int) -> bytes:
        """Return compressed bytes that were read; asking for any others is an error, not the end of the file."""
        need, content = self._held
        at = offset - need.offset
        if at < 0 or (at >= len(content) and offset < self._size):
            raise OSError("outside of the stretch that was read")
        return content[at : at + length]

    def stretch(self, offset: int, length: int) -> Need:
        """Return the range of compressed bytes needed for a stretch of the output."""
        first = max(0, bisect_right(self._outputs, offset) - 1)
        last = bisect_right(self._outputs, offset + length)
        # A checkpoint may lie inside a byte, whose first bits belong to the byte before.
        # The first one is entered through the header.
        start = self._inputs[first] - 1 if first else 0
        end = self._inputs[last] + 1 if last < len(self._inputs) else self._size
        return Need(start, min(end, self._size) - start)

    def read(self, offset: int, length: int) -> Steps[bytes]:
        """Read a stretch of the output; raises Malformed if the stream is damaged."""
        need = self.stretch(offset, length)
        (content,) = yield (need,)
        self._held = need, content
        try:
            self._gzip.seek(offset)
            pieces: list[bytes] = []
            while length and (piece := self._gzip.read(length)):
                pieces.append(piece)
                length -= len(piece)
        except self._faults as error:
            raise Malformed(f"the gzip layer is damaged: {error}") from None
        finally:
            self._held = Need(0, 0), b""
        return b"".join(pieces)


def build_index(file: io.RawIOBase, compressed_size: int) -> bytes:
    """Read a gzip file from start to end and return its index; raises Malformed. Blocks until done."""
    spacing = max(SPACING, compressed_size * 4 // CHECKPOINTS)
    index, faults = _open(file, spacing, 256 * 1024)
    try:
        index.build_full_index()
        exported = io.BytesIO()
        index.export_index(fileobj=exported)
    except faults as error:
        raise Malformed(f"the gzip stream is damaged: {error}") from None
    return exported.getvalue()
