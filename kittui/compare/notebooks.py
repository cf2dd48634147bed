"""Compares notebooks by cell (nbformat 4: https://nbformat.readthedocs.io/en/latest/format_description.html)."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from kittui.compare.changes import Hunk, TextChange, ValueChange
from kittui.compare.documents import compare_documents, same_value
from kittui.compare.excerpts import between
from kittui.compare.lines import matching_blocks
from kittui.compare.text import AS_EVER, HUNKS_LIMIT, LineRules, compare_lines, encoding_notes, split
from kittui.errors import Malformed, TooLarge
from kittui.formats.notebook import Cell, notebook_budget, read_notebook
from kittui.formats.text import decode, sniff


def compare_notebooks(path: str, a: bytes | None, b: bytes | None, rules: LineRules = AS_EVER) -> TextChange | None:
    """Compare each cell's source and output, and the metadata; a side without the notebook is None.

    Returns None if either is not a notebook.
    """
    encodings = sniff(a or b""), sniff(b or b"")
    if encodings[0] is None or encodings[1] is None:
        return None
    try:
        old, new = (
            read_notebook(decode(content, encoding), notebook_budget()) if content is not None else None
            for content, encoding in ((a, encodings[0]), (b, encodings[1]))
        )
    except (Malformed, TooLarge):
        return None
    if old is None or new is None:
        cells = new.cells if new else old.cells if old else ()
        found: list[Hunk] = []
        for number, cell in enumerate(cells, 1):
            found += _cell(number, None if new else cell, cell if new else None, rules)
        return TextChange(path, "notebook", tuple(found[:HUNKS_LIMIT]), cut=max(0, len(found) - HUNKS_LIMIT))
    hunks: list[Hunk] = []
    values: list[ValueChange] = [*compare_documents(old.about, new.about)]
    outputs = 0
    pairs, moved = _paired(old.cells, new.cells)
    for at_a, at_b in pairs:
        one = old.cells[at_a] if at_a is not None else None
        other = new.cells[at_b] if at_b is not None else None
        number = (at_b if at_b is not None else at_a or 0) + 1
        came = at_a + 1 if at_a is not None and at_a in moved else 0
        hunks += _cell(number, one, other, rules, came)
        if one and other:
            outputs += not same_value(_uncounted(one.results), _uncounted(other.results))
            values += compare_documents(one.about, other.about, f"cells[{number}]")
    notes = encoding_notes(*encodings)
    if outputs:
        notes.append(f"outputs of {outputs} cell{'s' if outputs > 1 else ''} differ")
    if not hunks and not values and not notes:
        notes.append("the same cells: at most their ids, execution counts or the way they are written differ")
    cut = max(0, len(hunks) - HUNKS_LIMIT)
    return TextChange(
        path, "notebook", tuple(hunks[:HUNKS_LIMIT]), notes=tuple(notes), values=tuple(values), cut=cut
    )  # fmt: skip


def _uncounted(results: Any) -> Any:
    """Outputs without their execution counts."""
    if not isinstance(results, list):
        return results
    return [
        {key: value for key, value in output.items() if key not in ("execution_count", "prompt_number")}
        if isinstance(output, dict)
        else output
        for output in results
    ]


def _cell(number: int, old: Cell | None, new: Cell | None, rules: LineRules, came: int = 0) -> list[Hunk]:
    """Compare two cells, one of which may be missing; `came` is the number of a moved one."""
    kind = new.kind if new else old.kind if old else ""
    what = "added" if old is None else "removed" if new is None else "changed"
    if old and new and old.kind != new.kind:
        what = f"{old.kind} → {new.kind}"
    if came:
        what = f"moved from {came}" + (f", {what}" if old and new and _said(old) != _said(new) else "")
    hunks: list[Hunk] = []

    def lines(one: str, other: str, section: str) -> list[Hunk]:
        # A cell's last line has no line end; mention it only if the other side's has one.
        end = "" if one.endswith("\n") or other.endswith("\n") else "\n"
        a, b = (split(text + end) if text else [] for text in (one, other))
        return compare_lines(a, b, rules.context, section, spaces=rules.spaces)

    if not old or not new or came or _said(old) != _said(new):
        section = f"cell {number} ({kind}), {what}"
        found = lines(old.source if old else "", new.source if new else "", section)
        hunks += found or ([Hunk(0, 0, 0, 0, (), section)] if what != "changed" else [])
    said, says = (cell.outputs if cell else () for cell in (old, new))
    if said != says:
        found = lines(
            "\n".join(said), "\n".join(says), f"cell {number} (output), {what if not old or not new else 'changed'}"
        )
        hunks += [replace(hunk, output=True) for hunk in found]
    return hunks


def _said(cell: Cell) -> tuple[str, str]:
    return cell.kind, cell.source


def _paired(a: Sequence[Cell], b: Sequence[Cell]) -> tuple[list[tuple[int | None, int | None]], set[int]]:
    """Pair cells, and find which of a's moved in b.

    They are paired by id if all ids are unique and some are on both sides, else by equal sources, also at other
    positions, and then by order inside each gap.
    """
    names_a, names_b = [cell.name for cell in a], [cell.name for cell in b]
    named = all(names_a) and all(names_b) and len(set(names_a)) == len(a) and len(set(names_b)) == len(b)
    # If a tool rewrote all ids, they identify nothing.
    named = named and not set(names_a).isdisjoint(names_b)
    keys_a: list[Any] = names_a if named else [(cell.kind, cell.source) for cell in a]
    keys_b: list[Any] = names_b if named else [(cell.kind, cell.source) for cell in b]
    blocks = matching_blocks(keys_a, keys_b)
    pairs: list[tuple[int | None, int | None]] = [
        (start_a + step, start_b + step) for start_a, start_b, size in blocks for step in range(size)
    ]
    gaps = between(blocks, len(a), len(b))
    gone: dict[Any, deque[int]] = defaultdict(deque)
    for a_from, a_to, _, _ in gaps:
        for at in range(a_from, a_to):
            if a[at].source.strip():
                gone[keys_a[at]].append(at)
    came = {
        at: gone[keys_b[at]].popleft()
        for _, _, b_from, b_to in gaps
        for at in range(b_from, b_to)
        if gone.get(keys_b[at])
    }
    moved = set(came.values())
    pairs += [(at_a, at_b) for at_b, at_a in came.items()]
    for a_from, a_to, b_from, b_to in gaps:
        left_a = [at for at in range(a_from, a_to) if at not in moved]
        left_b = [at for at in range(b_from, b_to) if at not in came]
        if named:
            sources = {_said(a[at]): at for at in left_a}
            renamed = {at: sources.pop(_said(b[at])) for at in left_b if _said(b[at]) in sources}
            pairs += [(at_a, at_b) for at_b, at_a in renamed.items()]
            taken = set(renamed.values())
            left_a = [at for at in left_a if at not in taken]
            left_b = [at for at in left_b if at not in renamed]
        together = 0 if named else min(len(left_a), len(left_b))
        pairs += zip(left_a[:together], left_b[:together], strict=True)
        pairs += [(at, None) for at in left_a[together:]]
        pairs += [(None, at) for at in left_b[together:]]
    order = sorted(pairs, key=lambda pair: (pair[1] if pair[1] is not None else pair[0] or 0, pair[1] is not None))
    return order, moved
