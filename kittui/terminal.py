"""Where text meets a terminal: everything that was read from somewhere is cleaned here before it is shown."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

from humanize import naturalsize

LIMIT: Final = 4000
"""Characters kept of a text by default; longer ones end in an ellipsis."""

_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)


def clean(text: str, *, limit: int | None = LIMIT) -> str:
    """Make a text harmless on a terminal: controls, bidirectional and invisible characters become visible escapes.

    Line breaks become blanks, so that one text is one line; `limit` caps the length in characters.
    """
    if limit is not None and len(text) > limit:
        text = text[: limit - 1] + "…"
    if text.isascii() and text.isprintable():
        return text
    return _UNSAFE.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    if character in "\n\r\t\u2028\u2029":
        return " "
    number = ord(character)
    if number < 0x20:
        return chr(0x2400 + number)
    if number == 0x7F:
        return "␡"
    if unicodedata.category(character) == "Cs" and 0xDC80 <= number <= 0xDCFF:
        return f"\\x{number - 0xDC00:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


@lru_cache(maxsize=4096)
def size_text(size: int | None) -> str:
    """Bytes in at most 7 cells, 1000-based: `18.0 kB`, `1.2 GB`, `120 MB`; unknown is empty."""
    if size is None:
        return ""
    if size < 1000:
        return f"{size} B"
    number, unit = naturalsize(size, format="%.3f").split()
    return f"{float(number):.{0 if float(number) >= 99.95 else 1}f} {unit}"
