"""Sizes, ages and digests as the screen shows them: short, aligned, never cut in the middle."""

from __future__ import annotations

from datetime import UTC, datetime

_UNITS = ("B", "kB", "MB", "GB", "TB", "PB", "EB")


def size_text(size: int | None) -> str:
    """Bytes in at most 7 cells, 1000-based: `18 kB`, `1.2 GB`; unknown is empty."""
    if size is None:
        return ""
    value = float(size)
    for unit in _UNITS:
        if value < 999.5 or unit == _UNITS[-1]:
            if unit == "B" or value >= 99.95:
                return f"{value:.0f} {unit}"
            return f"{value:.1f} {unit}"
        value /= 1000
    raise AssertionError("the last unit always fits")


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
