"""Ages and bars as the screen shows them: short, aligned, never cut in the middle. And how large a screen must be."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

SMALLEST: Final = (60, 15)
"""Columns and rows below which nothing fits."""


def too_small(size: tuple[int, int]) -> str:
    """What a terminal of this size says where it is too small; empty where it is not."""
    (width, height), (columns, rows) = size, SMALLEST
    if width >= columns and height >= rows:
        return ""
    return f"kittui needs {columns} columns and {rows} rows; this terminal has {width} columns and {height} rows."


def age_text(created: str | None, now: datetime) -> str:
    """An RFC 3339 time as an age in at most 5 cells: `12 d`, `3 h`; unknown, or no time at all, is empty."""
    moment = parse_time(created)
    if moment is None:
        return ""
    seconds = (now - moment).total_seconds()
    if seconds < 60:
        return "now"
    for unit, length in (("m", 3600), ("h", 86400), ("d", 86400 * 365)):
        if seconds < length:
            divisor = {"m": 60, "h": 3600, "d": 86400}[unit]
            return f"{int(seconds // divisor)} {unit}"
    return f"{int(seconds // (86400 * 365))} y"


def at_text(moment: datetime, now: datetime) -> str:
    """When something was: the time, and the day where it is another one."""
    local = moment.astimezone(now.tzinfo)
    return f"{local:%H:%M}" if local.date() == now.date() else f"{local:%d %b %H:%M}"


def parse_time(text: str | None) -> datetime | None:
    """An RFC 3339 time; None for anything else."""
    if not text or len(text) > 40:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def bar_text(part: int, whole: int, width: int) -> str:
    """A bar in eighths of a cell, at least a sliver for anything that isn't nothing."""
    if part <= 0 or whole <= 0:
        return ""
    eighths = max(1, round(part / whole * width * 8))
    return "█" * (eighths // 8) + ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")[eighths % 8]
