"""Pairs the rows of two tables."""

from __future__ import annotations

from collections.abc import Sequence

from kittui.compare.excerpts import between
from kittui.compare.lines import increasing, matching_blocks
from kittui.formats.tables import Cells

Pairs = list[tuple[int | None, int | None]]
"""Row numbers; None if a row has no partner."""


def pairs_by_key(a: Sequence[Cells], b: Sequence[Cells], key: int) -> tuple[Pairs, int]:
    """Pair rows with the same cell in the column `key`, and count those in a different order."""
    at_b = {row[key]: number for number, row in enumerate(b)}
    known = {row[key] for row in a}
    shared = [(number, at_b[row[key]]) for number, row in enumerate(a) if row[key] in at_b]
    moved = len(shared) - len(increasing(shared))
    pairs: Pairs = [(number, at_b.get(row[key])) for number, row in enumerate(a)]
    pairs += [(None, number) for number, row in enumerate(b) if row[key] not in known]
    return sorted(pairs, key=_order), moved


def pairs_by_order(a: Sequence[Cells], b: Sequence[Cells]) -> tuple[Pairs, int]:
    """Pair rows by aligning equal ones; in a gap with as many rows on both sides, they are paired as changed."""
    pairs: Pairs = []
    gaps = between(matching_blocks(a, b), len(a), len(b))
    left_a: list[int] = []
    left_b: list[int] = []
    for a_from, a_to, b_from, b_to in gaps:
        if a_to - a_from == b_to - b_from:
            pairs += zip(range(a_from, a_to), range(b_from, b_to), strict=True)
        else:
            left_a += range(a_from, a_to)
            left_b += range(b_from, b_to)
    elsewhere: dict[Cells, list[int]] = {}
    for number in reversed(left_b):
        elsewhere.setdefault(b[number], []).append(number)
    moved = 0
    gone: set[int] = set()
    for number in left_a:
        if places := elsewhere.get(a[number]):
            gone.add(places.pop())
            moved += 1
        else:
            pairs.append((number, None))
    pairs += [(None, number) for number in left_b if number not in gone]
    return sorted(pairs, key=_order), moved


def _order(pair: tuple[int | None, int | None]) -> tuple[int, int]:
    a, b = pair
    return (b if b is not None else a if a is not None else 0, 0 if a is not None else 1)
