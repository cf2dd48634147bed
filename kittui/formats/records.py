"""Splits a text table into records, and a record into cells.

Records end at line ends outside quotes (RFC 4180). The csv module splits cells; it takes a quote as one only at a
cell's start. In TSV a quote is a plain character. So is a quote that is never closed: from there on every line is a
record.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Sequence

RECORD_LIMIT = 4 * 1024 * 1024
"""Maximum characters of one record: a quote that is not closed by then is a plain character."""
COLUMNS = 100_000
"""Columns of a table at most."""

csv.field_size_limit(sys.maxsize)


class Splitter:
    """Splits a text into records; treats quotes as plain characters once one was never closed."""

    def __init__(self, delimiter: str, *, quoted: bool) -> None:
        self.quoted = quoted and bool(delimiter)
        self.unclosed = False
        """Whether a quote was never closed."""
        self._delimiter = delimiter or ","

    def give_up(self) -> None:
        """Treat quotes as plain characters from here on: one was not closed."""
        self.quoted, self.unclosed = False, True

    def split(self, text: str, *, ended: bool, most: int = -1) -> tuple[list[str], int]:
        """Return up to `most` whole records of the text, and how many characters they take.

        `ended` says that nothing follows: then the last line needs no line end, and an open quote counts as a plain
        character.
        """
        end = len(text) if ended else text.rfind("\n") + 1
        if not self.quoted or '"' not in text:
            lines = split_lines(text[:end], most)
            return lines, end if len(lines) != most else sum(map(len, lines))
        lines = split_lines(text[:end])
        if len(self._widths(lines)) == len(lines):
            chosen = lines if most < 0 else lines[:most]
            return chosen, end if len(chosen) != most else sum(map(len, chosen))
        records: list[str] = []
        taken = 0
        for row_end, _ in self._rows(lines):
            records.append(lines[taken] if row_end == taken + 1 else "".join(lines[taken:row_end]))
            taken = row_end
            if len(records) == most:
                return records, sum(map(len, records))
        if taken == len(lines):
            return records, end
        used = sum(map(len, records))
        if not ended and end - used <= RECORD_LIMIT:
            return records, used
        self.give_up()
        return records + lines[taken:], end

    def measure(self, text: str, end: int) -> tuple[int, int]:
        """Return where the last whole record in the first `end` characters ends, and how many records precede that.

        Blank lines do not count.
        """
        end = text.rfind("\n", 0, end) + 1
        part = text[:end]
        if not self.quoted or '"' not in part:
            blank = part.startswith("\n") or "\n\n" in part
            return end, part.count("\n") - (part.split("\n").count("") - 1 if blank else 0)
        lines = part.split("\n")
        lines.pop()
        if widths := self._widths(lines):
            return end, len(widths) - widths.count(0)
        count = taken = 0
        for row_end, filled in self._rows(lines):
            count += filled
            taken = row_end
        return end - sum(len(line) + 1 for line in lines[taken:]), count

    def _widths(self, lines: Sequence[str]) -> list[int]:
        """Return the number of cells of each row; nothing if the last one is open, or it isn't known.

        It consumes the csv module's rows without a Python step for each, which is enough for most tables.
        """
        try:
            *widths, last = map(len, csv.reader([*lines, ""], delimiter=self._delimiter))
        except csv.Error:
            return []
        # An open row swallows the empty line.
        return [] if last else widths

    def _rows(self, lines: Sequence[str]) -> Iterator[tuple[int, bool]]:
        """Yield the line count up to each row's end, and whether the row holds anything; an open row is left out."""
        # The csv module says which lines form a row. The line after the last is a row of its own, or was swallowed.
        reader = csv.reader([*lines, ""], delimiter=self._delimiter)
        try:
            for row in reader:
                if reader.line_num > len(lines):
                    return
                yield reader.line_num, bool(row)
        except csv.Error:
            # Carriage returns inside the text, which a Decoder never leaves.
            return


def split_lines(text: str, most: int = -1) -> list[str]:
    """Split a text into up to `most` lines with their line feeds."""
    lines = text.split("\n", most)
    last = lines.pop()
    return [line + "\n" for line in lines] + ([last] if last and len(lines) != most else [])


def split_cells(record: str, delimiter: str, *, quoted: bool = True) -> list[str]:
    """Split one record into cells; an unclosed quote is a plain character.

    Text after the first COLUMNS cells is one more cell.
    """
    line = record.removesuffix("\n")
    if not quoted or '"' not in line or line.count(delimiter) > COLUMNS:
        return line.split(delimiter, COLUMNS)
    reader = csv.reader([line, ""], delimiter=delimiter)
    try:
        row = next(reader)
    except csv.Error:
        return line.split(delimiter)
    # An open quote swallows the second, empty line.
    return row if reader.line_num == 1 else line.split(delimiter)
