"""The columns of a list, and which of them fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

ESSENTIAL: Final = 3
"""The last rank of columns for which a name is cut."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of cells. A `flex` column takes what the others leave, at least `width` cells; a `sticky` one stays at
    the left when the others don't fit and are moved sideways. Of those that don't all fit, the ones of the lowest
    `rank` are shown; a flex column that `wants` more cells has them before any of a rank above ESSENTIAL, or so many of
    them that it has `beside` cells next to a column that says so."""

    title: str
    width: int
    align: Literal["left", "right"] = "left"
    sticky: bool = False
    flex: bool = False
    rank: int = 0
    wants: int = 0
    beside: int = 0


def fitted(columns: Sequence[Column], room: int, first: int = 0) -> list[tuple[int, int]]:
    """Which columns are shown, and how wide: sticky ones first, then those of the lowest ranks that fit; moved
    sideways, as many as fit from the `first` one on."""
    sticky = [number for number, column in enumerate(columns) if column.sticky]
    others = [number for number, column in enumerate(columns) if not column.sticky][first:]
    if not first:
        others.sort(key=lambda number: columns[number].rank)
    shown = list(sticky)
    used = sum(columns[number].width + 1 for number in sticky)
    crowded = False
    for number in others:
        width = columns[number].width + 1
        if used + width - 1 > room and shown:
            break
        if columns[number].rank > ESSENTIAL and not first and shown:
            bound = columns[number].beside
            wanted = sum(max(0, min(column.wants, bound or column.wants) - column.width) for column in columns)
            if used + width - 1 + wanted > room or (crowded and not bound):
                crowded = True
                continue
        shown.append(number)
        used += width
    shown.sort()
    spare = max(0, room - used + 1)
    flexible = [number for number in shown if columns[number].flex]
    widths = {number: columns[number].width for number in shown}
    for place, number in enumerate(flexible):
        share = spare // len(flexible) + (1 if place < spare % len(flexible) else 0)
        widths[number] += share
    return [(number, min(widths[number], max(1, room))) for number in shown]
