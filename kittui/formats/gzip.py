"""gzip streams that can be entered anywhere (RFC 1952; the checkpoints are zlib's zran.c, kept by indexed_gzip).

A checkpoint is a place in the compressed stream with the 32 KiB of output before it. One pass over the whole stream
makes them; from then on any stretch of the output needs only the compressed bytes behind the checkpoint before it.
"""

from __future__ import annotations

import io
import zlib
from bisect import bisect_right
from collections.abc import Callable

import indexed_gzip

from kittui.errors import Malformed
from kittui.formats.need import Need, Steps

SPACING = 4 * 1024 * 1024
"""Bytes of output between checkpoints, at least."""
CHECKPOINTS = 1000
"""Checkpoints at most, about: an index stays below 33 MB whatever the size of the stream."""
OUTPUT_PIECE = 1024 * 1024
"""Bytes of output that are in memory at once."""

_FAULTS = (indexed_gzip.ZranError, indexed_gzip.NotCoveredError, OSError, ValueError, EOFError)


class Inflate:
    """Decompresses gzip pushed in pieces, several members behind each other too, into a sink in bounded pieces."""

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
                    # What is behind the last member and is no member is ignored, as gzip does.
                    self._ended = True
                    return
                raise Malformed(f"the gzip stream is damaged: {error}") from None
            if self._inflate.eof:
                self._members += 1
                left = self._inflate.unused_data.lstrip(b"\0")
                self._inflate = zlib.decompressobj(31)

    def close(self) -> None:
        """Raise Malformed where the stream ended early."""
        if not self._members:
            raise Malformed("the gzip stream ends early")


class _Window(io.RawIOBase):
    """A file of which only some stretch is there; reading outside of it is an error, not an end."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.start = 0
        self.content = b""
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = (0, self._at, self.size)[whence] + offset
        return self._at

    def read(self, size: int = -1) -> bytes:
        at = self._at - self.start
        if at < 0 or (at >= len(self.content) and self._at < self.size):
            raise OSError("outside of the stretch that was read")
        piece = self.content[at : at + size] if size >= 0 else self.content[at:]
        self._at += len(piece)
        return piece


class GzipIndex:
    """The checkpoints of one stream, for reading stretches of its output."""

    def __init__(self, exported: bytes, compressed_size: int) -> None:
        """Read an index that `build_index` made; raises Malformed for anything else."""
        self._file = _Window(compressed_size)
        try:
            self._gzip = indexed_gzip._IndexedGzipFile(
                fileobj=self._file, skip_crc_check=True, spacing=SPACING, readbuf_size=64 * 1024
            )
            self._gzip.import_index(fileobj=io.BytesIO(exported))
            points = list(self._gzip.seek_points())
        except _FAULTS as error:
            raise Malformed(f"the index of a gzip layer can't be read: {error}") from None
        if not points:
            raise Malformed("the index of a gzip layer is empty")
        self._outputs = [point[0] for point in points]
        self._inputs = [point[1] for point in points]

    def stretch(self, offset: int, length: int) -> Need:
        """The compressed bytes that a stretch of the output needs."""
        first = max(0, bisect_right(self._outputs, offset) - 1)
        last = bisect_right(self._outputs, offset + length)
        # A checkpoint may lie inside a byte, whose first bits belong to the byte before.
        # The first one is entered through the header.
        start = self._inputs[first] - 1 if first else 0
        end = self._inputs[last] + 1 if last < len(self._inputs) else self._file.size
        return Need(start, min(end, self._file.size) - start)

    def read(self, offset: int, length: int) -> Steps[bytes]:
        """A stretch of the output; raises Malformed where the stream is damaged."""
        need = self.stretch(offset, length)
        (self._file.content,) = yield (need,)
        self._file.start = need.offset
        try:
            self._gzip.seek(offset)
            pieces: list[bytes] = []
            while length and (piece := self._gzip.read(length)):
                pieces.append(piece)
                length -= len(piece)
        except _FAULTS as error:
            raise Malformed(f"the gzip layer is damaged: {error}") from None
        finally:
            self._file.content = b""
        return b"".join(pieces)


def build_index(file: io.RawIOBase, compressed_size: int) -> bytes:
    """Read a gzip file from start to end and return its index; raises Malformed. Blocks for as long as that takes."""
    spacing = max(SPACING, compressed_size * 4 // CHECKPOINTS)
    try:
        index = indexed_gzip._IndexedGzipFile(
            fileobj=file, skip_crc_check=True, spacing=spacing, readbuf_size=256 * 1024
        )
        index.build_full_index()
        exported = io.BytesIO()
        index.export_index(fileobj=exported)
    except _FAULTS as error:
        raise Malformed(f"the gzip stream is damaged: {error}") from None
    return exported.getvalue()
