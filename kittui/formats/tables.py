"""Tables in text: CSV, TSV and JSON lines, a page at a time (RFC 4180; jsonlines.org)."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass

RECORD_LIMIT = 1024 * 1024
"""Characters of one record at most; a longer one, as from a quote that is never closed, is cut there."""
COLUMNS_LIMIT = 1000
"""Columns shown at most."""
CELL_LIMIT = 2000
"""Characters of a cell kept at most."""


@dataclass(frozen=True, slots=True)
class TableStart:
    """What a table's first lines say: the delimiter (empty for JSON lines) and the column names."""

    delimiter: str
    columns: tuple[str, ...]


def is_table(path: str) -> bool:
    """Whether a file's name says that it is a table."""
    return path.lower().endswith((".csv", ".tsv", ".jsonl", ".ndjson"))


def read_start(path: str, text: str) -> TableStart:
    """The delimiter, by the name and the first line, and the columns, from a text with at least the first record."""
    name = path.lower()
    if name.endswith((".jsonl", ".ndjson")):
        columns: dict[str, None] = {}
        for line in text.split("\n")[:50]:
            columns.update(dict.fromkeys(_json_row(line)))
        return TableStart("", tuple(columns)[:COLUMNS_LIMIT])
    first = text.partition("\n")[0]
    delimiter = "\t" if name.endswith(".tsv") else max(",;\t|", key=first.count)
    records, _ = split_records(text[:RECORD_LIMIT], delimiter, ended=True, most=1)
    return TableStart(delimiter, tuple(records[0][:COLUMNS_LIMIT]) if records else ())


def split_records(text: str, delimiter: str, *, ended: bool, most: int | None = None) -> tuple[list[list[str]], int]:
    """The whole records in a text, and how many characters they took; `ended` says that nothing comes after the text.

    A quoted cell may hold line ends, so a record ends where its quotes are balanced.
    """
    records: list[list[str]] = []
    start = at = quotes = 0
    while at < len(text) and (most is None or len(records) < most):
        end = text.find("\n", at)
        if end < 0:
            if not ended and len(text) - start <= RECORD_LIMIT:
                break
            end = len(text)
        quotes += text.count('"', at, end)
        if quotes % 2 and end < len(text) and end - start < RECORD_LIMIT:
            at = end + 1
            continue
        record = text[start:end]
        if record.strip():
            records.append(_cells(record, delimiter))
        start = at = end + 1
        quotes = 0
    return records, min(start, len(text))


def _cells(record: str, delimiter: str) -> list[str]:
    if len(record) > RECORD_LIMIT:
        return [record[:CELL_LIMIT]]
    try:
        cells = next(csv.reader([record.replace("\n", "\u2028")], delimiter=delimiter), [])
    except csv.Error:
        cells = record.split(delimiter)
    return [cell.replace("\u2028", "\n")[:CELL_LIMIT] for cell in cells[:COLUMNS_LIMIT]]


def _json_row(line: str) -> dict[str, str]:
    if not line.strip() or len(line) > RECORD_LIMIT:
        return {}
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return {"?": line[:CELL_LIMIT]}
    if not isinstance(value, dict):
        return {"value": json.dumps(value, ensure_ascii=False)[:CELL_LIMIT]}
    return {
        key[:200]: cell[:CELL_LIMIT] if isinstance(cell, str) else json.dumps(cell, ensure_ascii=False)[:CELL_LIMIT]
        for key, cell in list(value.items())[:COLUMNS_LIMIT]
    }


def json_records(text: str, columns: Sequence[str], *, ended: bool) -> tuple[list[list[str]], int]:
    """Like `split_records`, for JSON lines, each row's cells in the order of the columns."""
    lines = text.split("\n")
    rest = "" if ended else lines.pop()
    if len(rest) > RECORD_LIMIT:
        lines.append(rest)
        rest = ""
    rows = [_json_row(line) for line in lines if line.strip()]
    return [[row.get(column, "") for column in columns] for row in rows], len(text) - len(rest)
