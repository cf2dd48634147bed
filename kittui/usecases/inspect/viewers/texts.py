"""Shows texts as lines, and anything else in hexadecimal; this works for every file."""

from __future__ import annotations

from typing import Any

from kittui.budget import Budget
from kittui.formats.text import SNIFFED, Decoder, Encoding, hex_lines, sniff
from kittui.usecases.inspect.viewers.paging import FIRST, Pager, as_is
from kittui.usecases.inspect.viewers.shown import Code, Document, OpenFile, Shown, Way, clean_line

HEX_FIRST = 8 * 1024
"""Bytes of the first page in hexadecimal: a row of sixteen bytes takes a line."""
LINE_LIMIT = 1024 * 1024
"""Characters of a line; a longer one continues in the next."""


class TextLayout:
    """Lines, cleaned."""

    def __init__(self, encoding: Encoding, budget: Budget) -> None:
        self._decoder = Decoder(encoding)
        self._budget = budget
        self._left = ""

    def __call__(self, content: bytes, offset: int, *, ended: bool) -> list[Any]:
        text = self._left + self._decoder.feed(content, ended=ended)
        lines = text.split("\n")
        self._left = "" if ended else lines.pop()
        if len(self._left) > LINE_LIMIT:
            lines.append(self._left)
            self._left = ""
        if ended and lines and not lines[-1]:
            lines.pop()
        self._budget.spend("lines", len(lines))
        return [clean_line(line) for line in lines]


async def open_text(file: OpenFile, problem: str = "") -> Shown:
    """Open a file as text, or in hexadecimal if it is not text."""
    encoding = sniff(await file.view.read(0, min(file.size, SNIFFED)))
    budget = Budget("the text", lines=4_000_000, seconds=60)
    if encoding is None:
        pager = Pager(file.view, as_is(hex_lines), budget, HEX_FIRST)
        way = Way("Hexadecimal", Document([Code(await pager.more(), "hexadecimal")]))
        return Shown("hex", file.size, (way,), pager, verified=file.view.verified, problem=problem)
    pager = Pager(file.view, TextLayout(encoding, budget), budget, FIRST)
    way = Way("Text", Document([Code(await pager.more(), file.path)]))
    return Shown("text", file.size, (way,), pager, verified=file.view.verified, problem=problem or guessed(encoding))


def guessed(encoding: Encoding) -> str:
    """A remark on how a text was decoded."""
    return f"read as {encoding.label}" if encoding.guess else ""
