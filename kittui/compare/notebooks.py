"""Notebooks compared by cell (nbformat 4: https://nbformat.readthedocs.io/en/latest/format_description.html)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kittui.compare.changes import Hunk, TextChange, ValueChange
from kittui.compare.documents import compare_documents, same_value
from kittui.compare.excerpts import between
from kittui.compare.lines import matching_blocks
from kittui.compare.text import AS_EVER, HUNKS_LIMIT, LineRules, compare_lines, encoding_notes, split
from kittui.errors import Malformed, TooLarge
from kittui.formats.notebook import Cell, notebook_budget, read_notebook
from kittui.formats.text import decode, sniff


def compare_notebooks(path: str, a: bytes, b: bytes, rules: LineRules = AS_EVER) -> TextChange | None:
    """Hunks per cell, of its source and of what it printed, and the metadata. None where either is not a notebook."""
    encodings = sniff(a), sniff(b)
    if encodings[0] is None or encodings[1] is None:
        return None
    try:
        old, new = (
            read_notebook(decode(content, encoding), notebook_budget())
            for content, encoding in ((a, encodings[0]), (b, encodings[1]))
        )
    except (Malformed, TooLarge):
        return None
    hunks: list[Hunk] = []
    values: list[ValueChange] = [*compare_documents(old.about, new.about)]
    outputs = 0
    for at_a, at_b in _paired(old.cells, new.cells):
        one = old.cells[at_a] if at_a is not None else None
        other = new.cells[at_b] if at_b is not None else None
        number = (at_b if at_b is not None else at_a or 0) + 1
        hunks += _cell(number, one, other, rules)
        if one and other:
            outputs += one.number != other.number or not same_value(one.results, other.results)
            values += compare_documents(one.about, other.about, f"cells[{number}]")
    notes = encoding_notes(*encodings)
    if outputs:
        notes.append(f"outputs of {outputs} cell{'s' if outputs > 1 else ''} differ")
    cut = max(0, len(hunks) - HUNKS_LIMIT)
    return TextChange(
        path, "notebook", tuple(hunks[:HUNKS_LIMIT]), notes=tuple(notes), values=tuple(values), cut=cut
    )  # fmt: skip


def _cell(number: int, old: Cell | None, new: Cell | None, rules: LineRules) -> list[Hunk]:
    """What differs between two cells, one of which may be missing."""
    kind = new.kind if new else old.kind if old else ""
    what = "added" if old is None else "removed" if new is None else "changed"
    if old and new and old.kind != new.kind:
        what = f"{old.kind} → {new.kind}"
    hunks: list[Hunk] = []

    def lines(one: str, other: str, section: str) -> list[Hunk]:
        return compare_lines(split(one), split(other), rules.context, section, spaces=rules.spaces)

    if not old or not new or (old.kind, old.source) != (new.kind, new.source):
        section = f"cell {number} ({kind}), {what}"
        found = lines(old.source if old else "", new.source if new else "", section)
        hunks += found or ([Hunk(0, 0, 0, 0, (), section)] if what != "changed" else [])
    if old and new and old.outputs != new.outputs:
        hunks += lines("\n".join(old.outputs), "\n".join(new.outputs), f"cell {number} (output), changed")
    return hunks


def _paired(a: Sequence[Cell], b: Sequence[Cell]) -> list[tuple[int | None, int | None]]:
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
