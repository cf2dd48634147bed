"""Aligns two sequences: patience diff for unique lines, difflib in small gaps, bounded everywhere."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Hashable, Sequence

Block = tuple[int, int, int]
"""Start in a, start in b, length."""

_SMALL = 250_000
"""A gap is aligned exactly while the product of its sides is at most this."""
_EFFORT = 4_000_000
"""The sum of those products over one call."""


def matching_blocks(a: Sequence[Hashable], b: Sequence[Hashable]) -> list[Block]:
    """Find the maximal stretches that both sequences share, in order; what lies between was replaced.

    Equal starts and ends are stripped, elements unique on both sides anchor the rest (patience), and small gaps without
    anchors are aligned by difflib; larger ones count as replaced. O(n log n) except for those gaps.
    """
    blocks: list[Block] = []
    gaps = [(0, len(a), 0, len(b))]
    effort = _EFFORT
    while gaps:
        a_low, a_high, b_low, b_high = gaps.pop()
        start = a_low
        while a_low < a_high and b_low < b_high and a[a_low] == b[b_low]:
            a_low, b_low = a_low + 1, b_low + 1
        if a_low > start:
            blocks.append((start, b_low - (a_low - start), a_low - start))
        end = a_high
        while a_low < a_high and b_low < b_high and a[a_high - 1] == b[b_high - 1]:
            a_high, b_high = a_high - 1, b_high - 1
        if end > a_high:
            blocks.append((a_high, b_high, end - a_high))
        if a_low == a_high or b_low == b_high:
            continue
        anchors = _anchors(a, a_low, a_high, b, b_low, b_high)
        if anchors:
            previous_a, previous_b = a_low, b_low
            for at_a, at_b in anchors:
                blocks.append((at_a, at_b, 1))
                if at_a > previous_a and at_b > previous_b:
                    gaps.append((previous_a, at_a, previous_b, at_b))
                previous_a, previous_b = at_a + 1, at_b + 1
            if a_high > previous_a and b_high > previous_b:
                gaps.append((previous_a, a_high, previous_b, b_high))
        elif (product := (a_high - a_low) * (b_high - b_low)) <= min(_SMALL, effort):
            effort -= product
            from difflib import SequenceMatcher

            matcher = SequenceMatcher(None, a[a_low:a_high], b[b_low:b_high], autojunk=False)
            blocks.extend((a_low + x, b_low + y, size) for x, y, size in matcher.get_matching_blocks() if size)
    return _joined(sorted(blocks))


def _anchors(
    a: Sequence[Hashable], a_low: int, a_high: int, b: Sequence[Hashable], b_low: int, b_high: int
) -> list[tuple[int, int]]:
    """Find the longest increasing run of elements that are unique on both sides of a gap."""
    counts_a = Counter(a[a_low:a_high])
    counts_b = Counter(b[b_low:b_high])
    place_b = {b[i]: i for i in range(b_low, b_high) if counts_b[b[i]] == 1 and counts_a.get(b[i]) == 1}
    pairs = [(i, place_b[a[i]]) for i in range(a_low, a_high) if a[i] in place_b]
    return increasing(pairs)


def increasing(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The longest run of pairs whose second parts increase; the first parts are increasing already."""
    tails: list[int] = []
    tail_pairs: list[int] = []
    before: list[int] = []
    for number, (_, value) in enumerate(pairs):
        at = bisect_left(tails, value)
        before.append(tail_pairs[at - 1] if at else -1)
        if at == len(tails):
            tails.append(value)
            tail_pairs.append(number)
        else:
            tails[at] = value
            tail_pairs[at] = number
    run: list[tuple[int, int]] = []
    at = tail_pairs[-1] if tail_pairs else -1
    while at >= 0:
        run.append(pairs[at])
        at = before[at]
    return run[::-1]


def _joined(blocks: list[Block]) -> list[Block]:
    joined: list[Block] = []
    for a, b, size in blocks:
        if joined and joined[-1][0] + joined[-1][2] == a and joined[-1][1] + joined[-1][2] == b:
            joined[-1] = (joined[-1][0], joined[-1][1], joined[-1][2] + size)
        else:
            joined.append((a, b, size))
    return joined
