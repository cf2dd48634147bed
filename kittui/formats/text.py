"""Decodes bytes into text: detects a file's encoding once, for every reader of text."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

SNIFFED = 8192
"""Bytes at a file's start that decide whether it is text, and its encoding."""
_CONTROLS = frozenset(range(32)) - {8, 9, 10, 12, 13, 27}
_WIDE = 0.4
"""Minimum share of zeros among every other byte to guess UTF-16 without a mark."""
_LETTERS = 4
"""Minimum letters for that guess."""
_LONE = re.compile(r"\r(?!\n)")


@dataclass(frozen=True, slots=True)
class Encoding:
    """How a file's bytes are read as text; `mark` is the byte order mark that it starts with."""

    codec: str
    mark: bytes = b""
    guess: bool = False
    """Whether this is a guess: the bytes are not UTF-8, and this encoding reads all of them."""

    @property
    def name(self) -> str:
        """Its name for people."""
        return _NAMES[self.codec]

    @property
    def label(self) -> str:
        """Its name with a remark: `UTF-16`, `Latin-1 (a guess: not UTF-8)`."""
        if self.guess:
            return f"{self.name} (a guess: not UTF-8)"
        return f"{self.name} with a byte order mark" if self.mark and self.codec == "utf-8" else self.name


_NAMES = {
    "utf-8": "UTF-8",
    "utf-16-le": "UTF-16",
    "utf-16-be": "UTF-16",
    "utf-32-le": "UTF-32",
    "utf-32-be": "UTF-32",
    "cp1252": "Windows-1252",
    "latin-1": "Latin-1",
}
UTF8 = Encoding("utf-8")
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def sniff(content: bytes, *, zeros: bool = False) -> Encoding | None:
    """Detect the encoding of a text from its first SNIFFED bytes; None for binary content.

    A byte order mark decides, then valid UTF-8 (a character may be cut at the end). UTF-16 without a mark and
    single-byte encodings are guesses; the latter only if there are hardly any control characters. With `zeros`, a few
    zero bytes are accepted, as some databases export them in tables.
    """
    start = content[:SNIFFED]
    for mark, codec in _MARKS:
        if start.startswith(mark):
            return Encoding(codec, mark)
    if b"\0" in start and ((wide := _wide(start)) or not zeros):
        return wide
    controls = sum(byte in _CONTROLS for byte in start)
    if controls * 10 > len(start):
        return None
    try:
        codecs.getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError:
        high = sum(byte > 127 for byte in start)
        if controls and high * 3 >= len(start):
            return None
        return Encoding("cp1252" if any(0x80 <= byte < 0xA0 for byte in start) else "latin-1", guess=True)
    return UTF8


def _wide(start: bytes) -> Encoding | None:
    """Detect UTF-16 of mostly Latin letters: every other byte is zero, and none of the rest is."""
    half = len(start) // 2
    for codec, zeros, others in (("utf-16-le", start[1::2], start[0::2]), ("utf-16-be", start[0::2], start[1::2])):
        if half >= _LETTERS and zeros.count(0) >= half * _WIDE and 0 not in others:
            if sum(byte in _CONTROLS for byte in others) * 10 > len(others):
                return None
            return Encoding(codec, guess=True)
    return None


def _undecodable(error: UnicodeError) -> tuple[str, int]:
    """Turn undecodable bytes into lone surrogates, as Python's surrogateescape does for UTF-8."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "".join(chr(0xDC00 + byte) for byte in error.object[error.start : error.end]), error.end


codecs.register_error("kittui-keep", _undecodable)


class Decoder:
    """Turns a file's bytes into text, piece by piece, so that every reader of a file gets the same text.

    The byte order mark is left out. Undecodable bytes become lone surrogates: nothing is lost, and cleaning shows them
    as `\\xe9`. Lone carriage returns become line feeds; with `ends`, those before line feeds are dropped.
    """

    def __init__(self, encoding: Encoding, *, ends: bool = True) -> None:
        self._decoder = codecs.getincrementaldecoder(encoding.codec)("kittui-keep")
        self._mark = len(encoding.mark)
        self._ends = ends
        self._held = ""
        self.windows = 0
        """CRLF line ends so far."""
        self.lone = 0
        """Lone carriage returns so far."""

    def feed(self, content: bytes, *, ended: bool) -> str:
        """Decode the next bytes; `ended` says that they are the last."""
        if self._mark:
            skipped, content = content[: self._mark], content[self._mark :]
            self._mark -= len(skipped)
        text = self._held + self._decoder.decode(content, ended)
        self._held = ""
        if "\r" not in text:
            return text
        if text.endswith("\r") and not ended:
            text, self._held = text[:-1], "\r"
        windows = text.count("\r\n")
        self.windows += windows
        lone = text.count("\r") - windows
        if lone:
            self.lone += lone
            text = _LONE.sub("\n", text)
        return text.replace("\r\n", "\n") if self._ends else text


def decode(content: bytes, encoding: Encoding, *, ends: bool = True) -> str:
    """Decode a whole file as a Decoder does."""
    return Decoder(encoding, ends=ends).feed(content, ended=True)


def decode_exactly(content: bytes, encoding: Encoding) -> str:
    """Decode a whole file, keeping its line ends."""
    return content[len(encoding.mark) :].decode(encoding.codec, "kittui-keep")


def hex_lines(content: bytes, offset: int = 0) -> list[str]:
    """Format bytes as a hex dump, sixteen per line: offset, hexadecimal, printable ASCII."""
    lines = []
    for at in range(0, len(content), 16):
        row = content[at : at + 16]
        digits = " ".join(f"{byte:02x}" for byte in row[:8]) + "  " + " ".join(f"{byte:02x}" for byte in row[8:])
        shown = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        lines.append(f"{offset + at:010x}  {digits:<48}  {shown}")
    return lines
