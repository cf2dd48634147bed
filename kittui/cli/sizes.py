"""Sizes as people read them, in kit's units."""

from __future__ import annotations

from typing import Final

_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def size_text(size: int | None) -> str:
    """Bytes in powers of 1024, cut to a tenth as kit does; empty where unknown."""
    if size is None:
        return ""
    if size < 1024:
        return f"{size} B"
    power = min((size.bit_length() - 1) // 10, len(_UNITS) - 1)
    tenths = size * 10 >> (10 * power)
    return f"{tenths // 10}.{tenths % 10} {_UNITS[power]}"
