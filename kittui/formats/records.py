"""Records of a table in text, and the cells of one.

Records are cut at line ends that are in no quotes (RFC 4180), cells by the csv module, which reads a quote as one only
where a cell begins; in TSV a quote is a character. A quote that is never closed is a character, too: from there on
every line is a record.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Sequence

RECORD_LIMIT = 4 * 1024 * 1024
"""Characters of one record that are held at most: a quote that was not closed by then is a character."""
COLUMNS = 100_000
"""Columns of a table at most."""

csv.field_size_limit(sys.maxsize)


class Splitter:
    """Cuts a text into records; knows that quotes are characters once one turned out never to be closed."""

    def __init__(self, delimiter: str, *, quoted: bool) -> None:
        self.quoted = quoted and bool(delimiter)
        self.unclosed = False
        """Whether a quote was never closed."""
        self._delimiter = delimiter or ","

    def give_up(self) -> None:
        """Take quotes for characters from here on: one was not closed."""
        self.quoted, self.unclosed = False, True

    def split(self, text: str, *, ended: bool, most: int = -1) -> tuple[list[str], int]:
        """The whole records of the text, the first `most` of them, and how many characters they take.

        `ended` says that nothing follows: then the last line needs no end, and an open quote is given up.
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
        """Where the last whole record within the first `end` characters ends, and how many there are till there.

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
        """How many cells each row has; nothing where the last one is open, or it isn't known.

        The csv module's rows go as they come, without a step of Python for each: most tables need no more.
        """
        try:
            *widths, last = map(len, csv.reader([*lines, ""], delimiter=self._delimiter))
        except csv.Error:
            return []
        # An open row swallows the empty line.
        return [] if last else widths

    def _rows(self, lines: Sequence[str]) -> Iterator[tuple[int, bool]]:
        """The lines up to the end of each row, and whether anything is in it; an open row is left out."""
        # The csv module says which lines made a row. The line after the last is one of its own, or was swallowed.
        reader = csv.reader([*lines, ""], delimiter=self._delimiter)
        try:
            for row in reader:
                if reader.line_num > len(lines):
                    return
                yield reader.line_num, bool(row)
        except csv.Error:
            # Carriage returns in the middle, which no Decoder leaves there.
            return


def split_lines(text: str, most: int = -1) -> list[str]:
    """Lines with their ends, the first `most` of them; line feeds end them."""
    lines = text.split("\n", most)
    last = lines.pop()
    return [line + "\n" for line in lines] + ([last] if last and len(lines) != most else [])


def split_cells(record: str, delimiter: str, *, quoted: bool = True) -> list[str]:
    """The cells of one record; a quote that it does not close is a character.

    What comes after the first COLUMNS of them is one more.
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
