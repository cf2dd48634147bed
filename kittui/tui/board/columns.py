"""How wide the board's columns are, and which of them are shown: width goes to what would be cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

GAP: Final = 2
"""Cells between columns."""
LEAST: Final = 12
"""Cells of a card at least."""
LEGIBLE: Final = 22
"""Cells in which the lines of a card are worth showing where they are cut: narrower columns go out of view instead."""
ENOUGH: Final = 24
"""Cells up to which a card is given room before the columns beside it."""
NAMES: Final = 14
"""Cells of the repositories' names at least; what is not in view is counted above them."""
MOST: Final = 60
"""Cells that a card is given at most."""


@dataclass(frozen=True, slots=True)
class Need:
    """The cells in which a column's first lines are whole, and those in which all of its lines are."""

    first: int = 0
    whole: int = 0

    def __or__(self, other: Need) -> Need:
        """What both need."""
        return Need(max(self.first, other.first), max(self.whole, other.whole))


@dataclass(frozen=True, slots=True)
class Columns:
    """The cells of the names, and of each stage in view, from the `first` one on."""

    names: int
    first: int
    stages: tuple[tuple[str, int], ...]

    def at(self, x: int) -> str | None:
        """The stage of a column of the screen."""
        end = self.names + 1
        for stage, width in self.stages:
            start, end = end, end + GAP + width
            if start <= x < end:
                return stage
        return None


def columns(room: int, names: Need, needs: Sequence[tuple[str, Need]], first: int, at: int) -> Columns:
    """Columns for stages and what each needs: the one that the cursor is `at` is shown, with the next where both fit.

    First every column in view has its least, then names and first lines are made whole, then all lines.
    """
    label = max(NAMES, min(names.first, room // 5, 28))
    # A margin at both sides; the right one is the scrollbar's.
    left = room - label - 2
    least = [max(LEAST, min(max(need.first, min(need.whole, LEGIBLE)), left, ENOUGH)) for _, need in needs]
    first, last = _window(least, left, first, at)
    shown = needs[first:last]
    widths = [label, *(min(width, left - GAP) for width in least[first:last])]
    spare = room - 2 - GAP * len(shown)
    firsts = [min(names.first, room // 3), *(min(need.first, MOST) for _, need in shown)]
    widths = spread(spare, widths, firsts)
    wholes = [min(max(names.whole, names.first), room // 2), *(min(need.whole, MOST) for _, need in shown)]
    label, *cards = spread(spare, widths, wholes)
    return Columns(label, first, tuple(zip((stage for stage, _ in shown), cards, strict=True)))


def _window(least: Sequence[int], room: int, first: int, at: int) -> tuple[int, int]:
    """From where to where columns of these widths are shown."""

    def fit(start: int, end: int) -> bool:
        return end - start == 1 or sum(least[start:end]) + GAP * (end - start) <= room

    if not least:
        return 0, 0
    at = min(max(0, at), len(least) - 1)
    # The stage that a card would go to next is in view too.
    last = min(at + 2, len(least)) if fit(at, min(at + 2, len(least))) else at + 1
    first = min(first, at)
    while not fit(first, last):
        first += 1
    while last < len(least) and fit(first, last + 1):
        last += 1
    while first and last == len(least) and fit(first - 1, last):
        first -= 1
    return first, last


def spread(room: int, widths: Sequence[int], wanted: Sequence[int]) -> list[int]:
    """Give the room that is left to the columns that want more, in equal parts."""
    widths = list(widths)
    while (left := room - sum(widths)) > 0:
        short = [number for number, width in enumerate(widths) if width < wanted[number]]
        if not short:
            break
        for number in short[:left]:
            widths[number] += min(max(1, left // len(short)), wanted[number] - widths[number])
    return widths
