"""Where text meets a terminal: everything that was read from somewhere is cleaned here before it is shown."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from humanize import naturalsize

LIMIT: Final = 4000
"""Characters kept of a text by default; longer ones end in an ellipsis."""

MARKS: Final = 6
"""Combining marks kept in a row: more than any script puts on one letter, fewer than hide the lines around it."""

_FIRST_MARK: Final = "\u0300"
_REMEMBERED: Final = 20_000
"""Characters remembered at most; a text may hold every one there is."""
_STEERING: Final = frozenset({"Cc", "Cf", "Cn", "Cs", "Zl", "Zp"})
"""Categories of what steers a terminal or its reader, is invisible, or has no width that programs agree on: controls,
format characters, unassigned ones, surrogates, separators of lines."""
_INVISIBLE: Final = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0"
    + "".join(map(chr, (*range(0x180B, 0x1810), *range(0xFE00, 0xFE0F), *range(0xE0100, 0xE01F0))))
)
"""Letters and marks that show nothing: fillers, joiners, selectors of variants (except that of emoji, U+FE0F)."""


def clean(text: str, *, limit: int | None = LIMIT) -> str:
    """Make a text harmless on a terminal: whatever steers or hides becomes a visible escape.

    Line breaks become blanks, so that one text is one line; `limit` caps the length in characters.
    """
    if limit is not None and len(text) > limit:
        text = text[: limit - 1] + "…"
    if text.isascii() and text.isprintable():
        return text
    text = text.translate(_SHOWN)
    if max(text) < _FIRST_MARK or _PILED.search(shape := text.translate(_SHAPE)) is None:
        return text
    marks = MARKS  # a mark at the start would sit on whatever is before the text
    shown: list[str] = []
    for character, kind in zip(text, shape, strict=True):
        marks = marks + 1 if kind == "m" else 0
        shown.append(_escape(character) if marks > MARKS else character)
    return "".join(shown)


class _Table(dict[int, str]):
    """What `str.translate` puts for a character, found out when it is first met and remembered for the first many."""

    def __init__(self, find: Callable[[str], str]) -> None:
        self._find = find

    def __missing__(self, number: int) -> str:
        found = self._find(chr(number))
        if len(self) < _REMEMBERED:
            self[number] = found
        return found


def _shown(character: str) -> str:
    hidden = unicodedata.category(character) in _STEERING or character in _INVISIBLE
    return _escape(character) if hidden else character


def _shape(character: str) -> str:
    return "m" if unicodedata.category(character).startswith("M") else " "


def _escape(character: str) -> str:
    if character in "\n\r\t\u2028\u2029":
        return " "
    number = ord(character)
    if number < 0x20:
        return chr(0x2400 + number)
    if number == 0x7F:
        return "␡"
    if 0xDC80 <= number <= 0xDCFF:
        return f"\\x{number - 0xDC00:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


_SHOWN: Final = _Table(_shown)
_SHAPE: Final = _Table(_shape)
_PILED: Final = re.compile(f"^m|m{{{MARKS + 1}}}")


@lru_cache(maxsize=4096)
def size_text(size: int | None) -> str:
    """Bytes in at most 7 cells, 1000-based: `18.0 kB`, `1.2 GB`, `120 MB`; unknown is empty."""
    if size is None:
        return ""
    if size < 1000:
        return f"{size} B"
    number, unit = naturalsize(size, format="%.3f").split()
    return f"{float(number):.{0 if float(number) >= 99.95 else 1}f} {unit}"


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


def some_of(names: Sequence[str], limit: int = 8) -> str:
    """Names in a sentence; of many, the rest is counted."""
    more = len(names) - limit
    return ", ".join(names) if more <= 0 else f"{', '.join(names[:limit])} and {more} more"


def counted(number: int, noun: str) -> str:
    """`1 tag`, `3,000 tags`, `2 repositories`."""
    if number == 1:
        return f"1 {noun}"
    plural = f"{noun[:-1]}ies" if noun.endswith("y") and noun[-2] not in "aeiou" else f"{noun}s"
    return f"{number:,} {plural}"
