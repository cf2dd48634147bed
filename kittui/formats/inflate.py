"""Decompresses files and members within a budget, in the formats that joblib, pandas and zip archives use."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable
from typing import Any

from kittui.budget import Budget
from kittui.errors import Malformed
from kittui.formats.need import Feed, Steps, T, fetch_exactly
from kittui.formats.zstd import Unzstd

PIECE = 256 * 1024
"""Bytes of input, and of output, held in memory at once."""
MEMORY = 256 * 1024 * 1024
"""Maximum bytes of a decoder's window."""
MAGICS = (
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bz2"),
    (b"\xfd7zXZ\0", "xz"),
    (b"\x5d\0\0", "lzma"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
)


def compression_of(first: bytes) -> str | None:
    """Detect a file's compression from its first bytes."""
    for magic, name in MAGICS:
        if first.startswith(magic):
            return name
    # zlib has no magic number, only a checksum over two bytes; its four levels write these.
    return "zlib" if first[:2] in (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda") else None


class _Whole:
    """Gives zlib's decoder the interface of the bz2 and lzma ones."""

    def __init__(self, form: int) -> None:
        self._inner = zlib.decompressobj(form)
        self._full = False

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail and not self._full

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, most: int) -> bytes:
        output = self._inner.decompress(self._inner.unconsumed_tail + data, most)
        self._full = len(output) == most and not self._inner.eof
        return output


def _lz4() -> Any:
    try:
        from lz4.frame import LZ4FrameDecompressor
    except ImportError:
        raise Malformed("it is compressed with lz4, and the package lz4 is not installed") from None
    return LZ4FrameDecompressor()


_DECODERS: dict[str, Callable[[], Any]] = {
    "zlib": lambda: _Whole(15),
    "gzip": lambda: _Whole(31),
    "deflate": lambda: _Whole(-15),
    "bz2": bz2.BZ2Decompressor,
    "xz": lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MEMORY),
    "lzma": lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=MEMORY),
    "lz4": _lz4,
}
_FAULTS = (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError, RuntimeError)


class _Steady:
    """Pushes pieces through a decoder into a sink, in bounded pieces; handles consecutive streams."""

    def __init__(self, how: str, sink: Callable[[bytes], None]) -> None:
        self._make = _DECODERS[how]
        self._sink = sink
        self._decoder = self._make()
        self._ended = 0

    def push(self, piece: bytes) -> None:
        while piece or not self._decoder.needs_input:
            try:
                output = self._decoder.decompress(piece, PIECE)
                piece = (self._decoder.unused_data or b"").lstrip(b"\0") if self._decoder.eof else b""
            except _FAULTS as error:
                if self._ended:
                    # Ignore what follows the last stream, as loaders do.
                    return
                raise Malformed(str(error)) from None
            self._sink(output)
            if self._decoder.eof:
                self._ended += 1
                self._decoder = self._make()

    def close(self) -> None:
        if not self._ended:
            raise Malformed("the compressed stream ends early")


def _decoder(how: str, sink: Callable[[bytes], None]) -> _Steady | Unzstd:
    return Unzstd(sink) if how == "zstd" else _Steady(how, sink)


def inflate(how: str, raw: bytes, budget: Budget, what: str) -> bytes:
    """Decompress bytes in memory; raises Malformed naming `what`, and TooLarge beyond the budget."""
    if how == "zip lzma":
        # In a zip archive, the decoder's settings follow a header of four bytes; the size is stored elsewhere.
        how, raw = "lzma", raw[4:9] + b"\xff" * 8 + raw[9:]
    pieces: list[bytes] = []

    def take(output: bytes) -> None:
        budget.spend("output", len(output))
        pieces.append(output)

    try:
        decoder = _decoder(how, take)
        decoder.push(raw)
        decoder.close()
    except Malformed as error:
        raise Malformed(f"{what}: {error.message}") from None
    return b"".join(pieces)


def read_through(steps: Steps[T], how: str, size: int, budget: Budget) -> Steps[T]:
    """Run a forward-only parser over the decompressed content of a file of `size` bytes, in little memory.

    Raises Malformed and TooLarge, and what the parser raises.
    """
    kept: list[T] = []

    def keep() -> Steps[None]:
        kept.append((yield from steps))

    feed = Feed(keep())

    def take(output: bytes) -> None:
        budget.spend("output", len(output))
        feed.push(output)

    decoder = _decoder(how, take)
    for offset in range(0, size, PIECE):
        budget.spend("input", min(PIECE, size - offset))
        decoder.push((yield from fetch_exactly(offset, min(PIECE, size - offset), "the file")))
        if feed.done:
            return kept[0]
    decoder.close()
    feed.close()
    return kept[0]
