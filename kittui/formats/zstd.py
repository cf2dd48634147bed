"""zstd streams (RFC 8878), decompressed from the start: a frame can't be entered in its middle."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import IO, Any, cast

import zstandard

from kittui.errors import Malformed

WINDOW_LIMIT = 128 * 1024 * 1024
"""Bytes of memory a frame may ask for, the limit of the zstd program itself."""
PIECE = 128 * 1024
"""Bytes of output that are in memory at once."""


class _Sink(io.RawIOBase):
    """What zstandard writes into."""

    def __init__(self, sink: Callable[[bytes], None]) -> None:
        self._sink = sink

    def writable(self) -> bool:
        return True

    def write(self, piece: Any) -> int:
        content = bytes(piece)
        self._sink(content)
        return len(content)


class Unzstd:
    """Decompresses zstd pushed in pieces, several frames behind each other too, into a sink in bounded pieces."""

    def __init__(self, sink: Callable[[bytes], None]) -> None:
        decompressor = zstandard.ZstdDecompressor(max_window_size=WINDOW_LIMIT)
        self._writer = decompressor.stream_writer(cast(IO[bytes], _Sink(sink)), write_size=PIECE, closefd=False)
        self._input = 0

    def push(self, piece: bytes) -> None:
        """Take one more piece of input; raises Malformed, and whatever the sink raises."""
        self._input += len(piece)
        try:
            self._writer.write(piece)
        except zstandard.ZstdError as error:
            raise Malformed(f"the zstd stream is damaged: {error}") from None

    def close(self) -> None:
        """Raise Malformed where nothing was there; an early end shows in the archive inside."""
        if not self._input:
            raise Malformed("the zstd stream is empty")
