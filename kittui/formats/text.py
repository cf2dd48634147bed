"""Telling text from binary, and bytes into text."""

from __future__ import annotations

import codecs
from dataclasses import dataclass

_CONTROLS = frozenset(range(32)) - {9, 10, 12, 13, 27}


@dataclass(frozen=True, slots=True)
class Sniffed:
    """What a file's first bytes look like; `encoding` is None for binary content."""

    encoding: str | None

    @property
    def is_text(self) -> bool:
        """Whether it reads as text."""
        return self.encoding is not None


def sniff(start: bytes) -> Sniffed:
    """Judge by the first bytes: a byte order mark, valid UTF-8 (a character may be cut at the end), else latin-1."""
    for mark, encoding in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF32_LE, "utf-32"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if start.startswith(mark):
            return Sniffed(encoding)
    if b"\0" in start:
        return Sniffed(None)
    if sum(byte in _CONTROLS for byte in start) * 10 > len(start):
        return Sniffed(None)
    try:
        codecs.getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError:
        high = sum(byte > 127 for byte in start)
        return Sniffed("latin-1" if high * 3 < len(start) else None)
    return Sniffed("utf-8")


def decode(content: bytes, encoding: str) -> str:
    """The text, what does not fit its encoding replaced; line ends become one kind."""
    return content.decode(encoding, "replace").replace("\r\n", "\n").replace("\r", "\n")


def hex_lines(content: bytes, offset: int = 0) -> list[str]:
    """Sixteen bytes a line: offset, hexadecimal, printable ASCII."""
    lines = []
    for at in range(0, len(content), 16):
        row = content[at : at + 16]
        digits = " ".join(f"{byte:02x}" for byte in row[:8]) + "  " + " ".join(f"{byte:02x}" for byte in row[8:])
        shown = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        lines.append(f"{offset + at:010x}  {digits:<48}  {shown}")
    return lines
