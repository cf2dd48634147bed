"""Chooses which parts of two streams can be compared side by side while each is read once, front to back."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Key = TypeVar("Key")


@dataclass(frozen=True, slots=True)
class Stretch(Generic[Key]):
    """Two stretches that belong together, in bytes of each stream; `key` belongs to the caller."""

    a: int
    a_size: int
    b: int
    b_size: int
    key: Key


def in_order(stretches: Sequence[Stretch[Key]]) -> tuple[list[Stretch[Key]], list[Stretch[Key]]]:
    """Find the heaviest run of stretches that rise in both streams and overlap in neither; also return the others.

    O(n log n): over stretches sorted by a, the best run that ends before each one in b (weights are bytes).
    """
    ordered = sorted(stretches, key=lambda entry: (entry.a, entry.b))
    ends: list[int] = []
    best: list[int] = []
    at: list[int] = []
    before: list[int] = []
    for number, entry in enumerate(ordered):
        place = bisect_right(ends, entry.b) - 1
        before.append(at[place] if place >= 0 else -1)
        weight = entry.a_size + entry.b_size + 1 + (best[place] if place >= 0 else 0)
        end = entry.b + entry.b_size
        place = bisect_right(ends, end)
        if place and best[place - 1] >= weight:
            continue
        if place and ends[place - 1] == end:
            place -= 1
            best[place], at[place] = weight, number
        else:
            ends.insert(place, end)
            best.insert(place, weight)
            at.insert(place, number)
        while place + 1 < len(ends) and best[place + 1] <= weight:
            del ends[place + 1], best[place + 1], at[place + 1]
    run: list[Stretch[Key]] = []
    number = at[-1] if at else -1
    while number >= 0:
        run.append(ordered[number])
        number = before[number]
    run.reverse()
    kept: list[Stretch[Key]] = []
    for entry in run:
        if not kept or (kept[-1].a + kept[-1].a_size <= entry.a and kept[-1].b + kept[-1].b_size <= entry.b):
            kept.append(entry)
    chosen = {id(entry) for entry in kept}
    return kept, [entry for entry in ordered if id(entry) not in chosen]
