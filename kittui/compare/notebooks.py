"""Notebooks compared by cell (nbformat 4: https://nbformat.readthedocs.io/en/latest/format_description.html)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from kittui.compare.changes import Hunk, TextChange
from kittui.compare.documents import compare_documents
from kittui.compare.lines import matching_blocks
from kittui.compare.text import HUNKS_LIMIT, between, compare_lines, decode, split

_CELLS_LIMIT = 20_000


@dataclass(frozen=True, slots=True)
class _Cell:
    kind: str
    source: str
    name: str
    outputs: str


def compare_notebooks(path: str, a: bytes, b: bytes) -> TextChange | None:
    """Hunks per cell, sources only; outputs and counts of runs are told in a note. None where either is no notebook."""
    read_a, read_b = _read(a), _read(b)
    if read_a is None or read_b is None:
        return None
    (cells_a, about_a), (cells_b, about_b) = read_a, read_b
    hunks: list[Hunk] = []
    pairs = _paired(cells_a, cells_b)
    outputs = 0
    for at_a, at_b in pairs:
        old = cells_a[at_a] if at_a is not None else None
        new = cells_b[at_b] if at_b is not None else None
        if old and new:
            outputs += old.outputs != new.outputs
            if (old.kind, old.source) == (new.kind, new.source):
                continue
        kind = new.kind if new else old.kind if old else ""
        number = (at_b if at_b is not None else at_a or 0) + 1
        what = "added" if old is None else "removed" if new is None else "changed"
        if old and new and old.kind != new.kind:
            what = f"{old.kind} → {new.kind}"
        section = f"cell {number} ({kind}), {what}"
        found = compare_lines(split(old.source if old else ""), split(new.source if new else ""), section=section)
        hunks += found or [Hunk(0, 0, 0, 0, (), section)]
    notes = []
    if outputs:
        notes.append(f"outputs of {outputs} cell{'s' if outputs > 1 else ''} differ")
    cut = max(0, len(hunks) - HUNKS_LIMIT)
    return TextChange(
        path,
        "notebook",
        tuple(hunks[:HUNKS_LIMIT]),
        notes=tuple(notes),
        values=compare_documents(about_a, about_b),
        cut=cut,
    )


def _read(content: bytes) -> tuple[list[_Cell], dict[str, Any]] | None:
    try:
        document = json.loads(decode(content))
    except (ValueError, RecursionError):
        return None
    if not isinstance(document, dict) or not isinstance(document.get("cells"), list):
        return None
    cells = []
    for entry in document["cells"][:_CELLS_LIMIT]:
        if not isinstance(entry, dict):
            return None
        source = entry.get("source", "")
        if isinstance(source, list) and all(isinstance(part, str) for part in source):
            source = "".join(source)
        if not isinstance(source, str):
            return None
        outputs = json.dumps([entry.get("outputs"), entry.get("execution_count")], sort_keys=True)
        cells.append(_Cell(str(entry.get("cell_type", "")), source, str(entry.get("id", "")), outputs))
    return cells, {key: value for key, value in document.items() if key != "cells"}


def _paired(a: list[_Cell], b: list[_Cell]) -> list[tuple[int | None, int | None]]:
    """By id where all cells have one that is their own, else by equal sources and then by order inside each gap."""
    names_a, names_b = [cell.name for cell in a], [cell.name for cell in b]
    named = all(names_a) and all(names_b) and len(set(names_a)) == len(a) and len(set(names_b)) == len(b)
    keys_a: list[Any] = names_a if named else [(cell.kind, cell.source) for cell in a]
    keys_b: list[Any] = names_b if named else [(cell.kind, cell.source) for cell in b]
    blocks = matching_blocks(keys_a, keys_b)
    pairs: list[tuple[int | None, int | None]] = [
        (start_a + step, start_b + step) for start_a, start_b, size in blocks for step in range(size)
    ]
    for a_from, a_to, b_from, b_to in between(blocks, len(a), len(b)):
        together = 0 if named else min(a_to - a_from, b_to - b_from)
        pairs += [(a_from + step, b_from + step) for step in range(together)]
        pairs += [(at, None) for at in range(a_from + together, a_to)]
        pairs += [(None, at) for at in range(b_from + together, b_to)]
    return sorted(pairs, key=lambda pair: (pair[1] if pair[1] is not None else pair[0] or 0, pair[1] is not None))
