"""zstd streams of many frames."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import zstandard


def framed(parts: Sequence[bytes], **options: Any) -> bytes:
    """Each part in a frame of its own."""
    return b"".join(zstandard.ZstdCompressor(1, **options).compress(part) for part in parts)


def seekable(parts: Sequence[bytes], checksums: bool = False) -> bytes:
    """Frames with the seek table of zstd's contrib/seekable_format behind them."""
    frames = [zstandard.compress(part, 1) for part in parts]
    rows = b"".join(
        struct.pack("<II", len(frame), len(part)) + (b"sums" if checksums else b"")
        for frame, part in zip(frames, parts, strict=True)
    )
    tail = struct.pack("<IBI", len(frames), 0x80 if checksums else 0, 0x8F92EAB1)
    return b"".join(frames) + struct.pack("<II", 0x184D2A5E, len(rows) + 9) + rows + tail
