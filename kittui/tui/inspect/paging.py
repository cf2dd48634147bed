"""A long file a page at a time: text, tables and hexadecimal grow towards their end as they are scrolled."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from rich.cells import cell_len

from kittui.formats.tables import Form, Splitter, read_form, table_suffix
from kittui.formats.text import UTF8, Decoder, Encoding, hex_lines
from kittui.tui.widgets.documents import clean_line

if TYPE_CHECKING:
    from kittui.usecases.inspect.views import View

FIRST, MOST = 256 * 1024, 4 * 1024 * 1024
"""Bytes of the first page, and of the largest: each is four times the one before."""
HEX_FIRST = 8 * 1024
"""Bytes of the first page in hexadecimal: a row of sixteen bytes takes a line."""
END = 64 * 1024 * 1024
"""Bytes after which no more is shown; the file can still be saved."""
CELL = 28
"""Characters of a table's cell that are shown."""
SAMPLE = 300
"""Rows that decide how wide a column is."""

Lay = Callable[[str, bool], tuple[list[Any], str]]
"""Turns text into lines or records; the flag says that nothing follows. Returns what is left for the next page, too."""


class Pager:
    """Reads a file from its start, page after page; `offset` is how far it came.

    `digest` is of all bytes that were shown, to compare them with verified ones.
    """

    def __init__(self, view: View, size: int, lay: Lay | None, encoding: Encoding | None) -> None:
        self._view = view
        self._size = size
        self._lay = lay
        self._decoder = Decoder(encoding or UTF8)
        self._left = ""
        self._next = FIRST if encoding else HEX_FIRST
        self._hexadecimal = encoding is None
        self.offset = 0
        self.digest = hashlib.sha256()

    @property
    def ended(self) -> bool:
        """Whether there is nothing more to show."""
        return self.offset >= min(self._size, END)

    async def more(self) -> list[Any]:
        """The next page: cleaned lines, or records of a table; raises what reading raises."""
        while True:
            start = self.offset
            content = await self._view.read(start, min(self._next, min(self._size, END) - start))
            self._next = min(self._next * 4, MOST)
            self.offset = start + len(content) if content else self._size
            self.digest.update(content)
            lines = await asyncio.to_thread(self._lines, content, start)
            if lines or self.ended:
                return lines

    def _lines(self, content: bytes, start: int) -> list[Any]:
        if self._hexadecimal:
            return list(hex_lines(content, start))
        ended = self.ended
        text = self._left + self._decoder.feed(content, ended=ended)
        lines, self._left = plain_lines(text, ended) if self._lay is None else self._lay(text, ended)
        return lines


def plain_lines(text: str, ended: bool) -> tuple[list[str], str]:
    """Whole lines as they are, cleaned; a line of over a megabyte is cut where its page ends."""
    lines = text.split("\n")
    left = "" if ended else lines.pop()
    if len(left) > 1024 * 1024:
        lines.append(left)
        left = ""
    if ended and lines and not lines[-1]:
        lines.pop()
    return [clean_line(line) for line in lines], left


class Record(NamedTuple):
    """A row of a table: its number from 1, and its cells, cleaned."""

    number: int
    cells: tuple[str, ...]


class TableLay:
    """Reads a CSV, TSV or JSONL file as records; the first page decides on the columns and how wide they are drawn."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._form: Form | None = None
        self._splitter = Splitter("", quoted=False)
        self._count = 0
        self.columns: tuple[str, ...] = ()
        self.widths: tuple[int, ...] = ()

    @property
    def unclosed(self) -> bool:
        """Whether a quote was never closed, so that lines are rows from there on."""
        return self._splitter.unclosed

    def __call__(self, text: str, ended: bool) -> tuple[list[Any], str]:
        form = self._form or read_form(self._kind, text, ended=ended)
        if form is None:
            return [], text
        if self._form is None:
            self._splitter = Splitter(form.delimiter, quoted=form.quoted)
        records, used = self._splitter.split(text, ended=ended)
        filled = [record for record in records if record != "\n"][form.leading if self._form is None else 0 :]
        rows = [tuple(clean_line(cell.replace("\n", "⏎")) for cell in form.cells(line)) for line in filled]
        if self._form is None:
            self._form = form
            self.columns = tuple(clean_line(title) for title in form.titles)
            sample = [self.columns, *rows[:SAMPLE]]
            self.widths = tuple(
                min(CELL, max((cell_len(row[n]) for row in sample if n < len(row)), default=0))
                for n in range(len(self.columns))
            )
        first = self._count + 1
        self._count += len(rows)
        return [Record(number, cells) for number, cells in enumerate(rows, first)], text[used:]


def is_number(cell: str) -> bool:
    """Whether a cell reads as a plain number, and so is drawn to the right."""
    return cell.replace(".", "", 1).replace("-", "", 1).isdigit()


def lay_of(path: str) -> TableLay | None:
    """How a text of this name is laid out; None for lines as they are."""
    kind = table_suffix(path)
    return TableLay(kind) if kind is not None else None
