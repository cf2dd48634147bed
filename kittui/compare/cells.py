"""Shortens rows: long cells are cut to what differs, and differences inside their JSON are added."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from kittui.compare.changes import Row, ValueChange
from kittui.compare.documents import compare_documents
from kittui.compare.excerpts import shortened
from kittui.errors import Malformed
from kittui.formats.exact_json import json_text, parse_json
from kittui.formats.tables import shown_cell

CELL_LIMIT = 2_000
"""Characters kept of a cell, around what differs."""
_MOST = 2 * CELL_LIMIT
"""Maximum characters of an excerpt: a difference and a few words around it."""
_VALUES = 50
"""Maximum differences kept inside one row's JSON."""
_PARSED = 1024 * 1024
"""Cells up to this many characters are compared by their JSON values."""


def cut_row(row: Row, names: Sequence[str], json: bool) -> Row:
    """Cut a row's long cells to what differs, and add the differences inside its JSON."""
    values: list[ValueChange] = []
    a, b = list(row.a or ()), list(row.b or ())
    for at in row.changed:
        old, new = a[at], b[at]
        if old is not None and new is not None:
            values += _inside(names[at], old, new)
            if json and shown_cell(old) != shown_cell(new):
                old, new = shown_cell(old), shown_cell(new)
            a[at], b[at] = shortened(old, new, CELL_LIMIT)
    rest = set(range(len(names))) - set(row.changed)
    return replace(
        row,
        key=(shown_cell(row.key) if json else row.key)[:CELL_LIMIT],
        a=None if row.a is None else tuple(_cut(cell, json and at in rest) for at, cell in enumerate(a)),
        b=None if row.b is None else tuple(_cut(cell, json and at in rest) for at, cell in enumerate(b)),
        values=tuple(values[:_VALUES]),
    )


def _cut(cell: str | None, json: bool) -> str | None:
    if cell is None:
        return None
    cell = shown_cell(cell) if json else cell
    return cell if len(cell) <= _MOST else cell[:CELL_LIMIT] + "…"


def _inside(name: str, a: str, b: str) -> Sequence[ValueChange]:
    """Find what differs between two cells that hold JSON lists or maps."""
    if a[:1] not in ("[", "{") or b[:1] not in ("[", "{") or max(len(a), len(b)) > _PARSED:
        return ()
    try:
        found = compare_documents(parse_json(a), parse_json(b), name)[:_VALUES]
    except Malformed:
        return ()
    return [_excerpt(value) for value in found]


def _excerpt(value: ValueChange) -> ValueChange:
    a, b = (
        inner if isinstance(inner, str) or len(json_text(inner)) <= CELL_LIMIT else json_text(inner)
        for inner in (value.a, value.b)
    )
    if isinstance(a, str) and isinstance(b, str):
        a, b = shortened(a, b, CELL_LIMIT)
    return replace(value, a=a[:_MOST] if isinstance(a, str) else a, b=b[:_MOST] if isinstance(b, str) else b)
