"""Reads text tables (CSV, TSV and JSON lines) in the same way for showing and for comparing."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from kittui.errors import Malformed, TooLarge
from kittui.formats.exact_json import json_text, parse_json, unique_names
from kittui.formats.long_json import count_values
from kittui.formats.records import COLUMNS, RECORD_LIMIT, Splitter, split_cells

SAMPLE = 64 * 1024
"""Characters at a table's start that decide its delimiter, and the fields of JSON lines."""
VALUES = 500_000
"""A line of JSON with more values is not split into cells."""
FIELDS = 1_000
"""Maximum fields of JSON lines that get a column of their own."""
UNTITLED = "(untitled)"
OTHERS = "(other fields)"
"""The column for values beyond the table's columns."""
_RECORDS = 100
_DELIMITERS = ",;\t|"
NUMBER = re.compile(r"[+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][+-]?\d+)?%?\Z")
"""A number as written in tables, including decimal commas."""
_SEPARATOR = re.compile(r'"?sep=(.)"?\n')

Cells = tuple[str | None, ...]
"""A row; None for a missing cell."""


@dataclass(frozen=True, slots=True)
class Form:
    """A table's format.

    `titles` are as in the file, `names` are unique. `leading` is the number of records before the first row. JSON lines
    have no delimiter.
    """

    delimiter: str
    quoted: bool
    titles: tuple[str, ...]
    leading: int = 0
    has_header: bool = True

    @property
    def json(self) -> bool:
        """Whether the rows are JSON."""
        return not self.delimiter

    @property
    def names(self) -> tuple[str, ...]:
        """The titles, blank ones named and repeated ones numbered."""
        return tuple(unique_names([OTHERS, *(title if title.strip() else UNTITLED for title in self.titles)])[1:])

    def cells(self, record: str) -> list[str]:
        """A record's cells for showing, in the order of the columns; further values follow them."""
        if self.json:
            return ["" if cell is None else shown_cell(cell) for cell in _json_cells(record, self.titles)]
        return split_cells(record, self.delimiter, quoted=self.quoted)

    def row(self, record: str) -> Cells:
        """A record's cells for comparing, one more than there are columns: the last holds further values.

        Cells of JSON lines are JSON.
        """
        width = len(self.titles)
        if self.json:
            found = _json_cells(record, self.titles)
            return (*found, *[None] * (width + 1 - len(found)))
        cells = split_cells(record, self.delimiter, quoted=self.quoted)
        if len(cells) > width:
            return (*cells[:width], self.delimiter.join(cells[width:]))
        return (*cells, *[None] * (width + 1 - len(cells)))


def table_suffix(path: str) -> str | None:
    """`csv`, `tsv` or `jsonl` by the file's name; None for other files."""
    suffix = path.rpartition(".")[2].lower() if "." in path else ""
    return {"csv": "csv", "tsv": "tsv", "jsonl": "jsonl", "ndjson": "jsonl"}.get(suffix)


def read_form(kind: str, text: str, *, ended: bool) -> Form | None:
    """Detect the format of a table from its beginning; None while its first record is incomplete.

    Raises TooLarge for more than COLUMNS columns.
    """
    if kind == "jsonl":
        names: dict[str, None] = {}
        for record in (found := _first_records(Splitter("", quoted=False), text, ended)):
            if isinstance(fields := fields_of(record), dict):
                names.update(dict.fromkeys(list(fields)[: FIELDS - len(names)]))
        return Form("", False, tuple(names)) if found or ended or len(text) > RECORD_LIMIT else None
    leading = 0
    if kind == "tsv":
        delimiter, quoted = "\t", False
    elif named := _SEPARATOR.match(text):
        delimiter, quoted, leading = named[1], True, 1
    else:
        delimiter, quoted = find_delimiter(text[:SAMPLE], ended=ended and len(text) <= SAMPLE), True
    splitter = Splitter(delimiter, quoted=quoted)
    records = [record for record in _first_records(splitter, text, ended) if record != "\n"][leading:]
    if (records[0] if records else text).count(delimiter) > COLUMNS:
        raise TooLarge(f"too large to show: more than {COLUMNS:,} columns in the table")
    if not records:
        return Form(delimiter, quoted, ()) if ended or len(text) > RECORD_LIMIT else None
    rows = [split_cells(record, delimiter, quoted=quoted) for record in records[:_RECORDS]]
    if not is_header(rows[0]):
        titles = [f"column {number}" for number in range(1, len(rows[0]) + 1)]
        return Form(delimiter, quoted, tuple(titles), leading, has_header=False)
    titles = rows.pop(0)
    if rows and all(len(row) == len(titles) + 1 for row in rows) and any(row[-1] for row in rows):
        # R writes row names without a title.
        titles.insert(0, "")
    return Form(delimiter, quoted, tuple(titles), leading + 1)


def _first_records(splitter: Splitter, text: str, ended: bool) -> list[str]:
    """The records of the sample, or the first one if it is longer."""
    sample = text[:SAMPLE]
    records, _ = splitter.split(sample, ended=ended and len(text) <= SAMPLE)
    if not records and len(text) > SAMPLE:
        records, _ = splitter.split(text, ended=ended)
    return records


def is_header(row: Sequence[str]) -> bool:
    """Whether a table's first row holds titles: it does unless it holds only numbers that are not a sequence.

    Blank titles (pandas' index), years and `0, 1, 2` are titles.
    """
    cells = [cell.strip() for cell in row]
    filled = [cell for cell in cells if cell]
    if not filled or not all(NUMBER.match(cell) for cell in filled):
        return True
    if not all(cell.isdecimal() for cell in filled):
        return False
    return len(filled) > 1 and all(int(after) == int(before) + 1 for before, after in pairwise(filled))


def find_delimiter(sample: str, *, ended: bool) -> str:
    """Find the delimiter that gives the first records the same number of cells, respecting quotes.

    Of several, choose the one with the most plausible cells: numbers (also with a decimal comma) and texts without
    another delimiter.
    """
    scores = {}
    for delimiter in _DELIMITERS:
        if delimiter not in sample:
            continue
        splitter = Splitter(delimiter, quoted=True)
        records, used = splitter.split(sample, ended=ended)
        if len(records) < 2 and used < len(sample):
            records = [*records, sample[used:]]
        rows = [split_cells(record, delimiter) for record in records[:_RECORDS] if record != "\n"]
        counts = Counter(map(len, rows))
        usual = max(counts, key=lambda count: (count > 1, counts[count], count), default=1)
        if usual > 1:
            alike = [row for row in rows if len(row) == usual]
            scores[delimiter] = (len(alike) / len(rows), *_looks(alike))
    return max(scores, key=lambda delimiter: scores[delimiter], default=",")


def _looks(rows: Sequence[Sequence[str]]) -> tuple[float, float, int]:
    """The share of cells without another delimiter (but a decimal comma), the share of numbers, the cells per row."""
    clean = numbers = total = 0
    for row in rows:
        for cell in row:
            total += 1
            number = NUMBER.match(cell.strip()) is not None
            numbers += number
            clean += number or not any(mark in cell for mark in _DELIMITERS)
    return clean / total, numbers / total, len(rows[0])


def fields_of(record: str) -> dict[str, Any] | str:
    """A JSON line's fields; its text if it is not an object."""
    if count_values(record, 0, len(record)) > VALUES:
        return record.strip()
    try:
        value = parse_json(record)
    except Malformed:
        return record.strip()
    return value if isinstance(value, dict) else json_text(value)


def _json_cells(record: str, names: Sequence[str]) -> list[str | None]:
    """The fields of a line in the order of the columns; one more cell holds the others, or what is not an object."""
    fields = fields_of(record)
    if isinstance(fields, str):
        return [*[None] * len(names), fields]
    cells = [json_text(fields.pop(name)) if name in fields else None for name in names]
    return [*cells, json_text(fields)] if fields else cells


def shown_cell(cell: str) -> str:
    """A JSON cell for showing: text as it is, all else as JSON."""
    if not cell.startswith('"'):
        return cell
    try:
        return str(json.loads(cell))
    except ValueError:
        return cell
