"""Formats times and bars for the screen, and sets the minimum screen size."""

from __future__ import annotations

from datetime import datetime
from typing import Final

SMALLEST: Final = (60, 15)
"""Minimum columns and rows."""


def too_small(size: tuple[int, int]) -> str:
    """The message if a terminal of this size is too small; empty if it is not."""
    (width, height), (columns, rows) = size, SMALLEST
    if width >= columns and height >= rows:
        return ""
    return f"kittui needs {columns} columns and {rows} rows; this terminal has {width} columns and {height} rows."


def at_text(moment: datetime, now: datetime) -> str:
    """A time for display, with the day unless it is today."""
    local = moment.astimezone(now.tzinfo)
    return f"{local:%H:%M}" if local.date() == now.date() else f"{local:%d %b %H:%M}"


def bar_text(part: int, whole: int, width: int) -> str:
    """A bar in eighths of a cell, at least a sliver for anything above zero."""
    if part <= 0 or whole <= 0:
        return ""
    eighths = max(1, round(part / whole * width * 8))
    return "█" * (eighths // 8) + ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")[eighths % 8]
