"""Finds where two texts differ, and cuts excerpts that show it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import AnyStr, NamedTuple

from kittui.compare.lines import Block, matching_blocks

AROUND = 60
"""Characters of context around a difference in a shortened text."""
_TOKEN = re.compile(r"\w+|\s+|[^\w\s]")
_IN_WORD = re.compile(r"\w\w")
_WORD = 40
"""Maximum characters by which a difference is widened to whole words."""
_TOKENS = 200_000
"""Maximum tokens of each side that are aligned."""
_CHARACTERS = 1_000_000

Gap = tuple[int, int, int, int]
"""A stretch that was replaced: from, to in a, from, to in b."""
Words = tuple[tuple[int, int], ...]
"""Stretches of a text, in characters."""


def first_difference(a: AnyStr, b: AnyStr) -> int:
    """The offset of the first character or byte that differs; the shorter length if one is a prefix of the other."""
    low, high = 0, min(len(a), len(b))
    while low < high:
        middle = (low + high + 1) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def last_difference(a: AnyStr, b: AnyStr, start: int = 0) -> int:
    """How many characters or bytes at the end are equal, without the first `start` of each."""
    low, high = 0, min(len(a), len(b)) - start
    while low < high:
        middle = (low + high + 1) // 2
        if a[len(a) - middle : len(a) - low] == b[len(b) - middle : len(b) - low]:
            low = middle
        else:
            high = middle - 1
    return low


def between(blocks: Sequence[Block], length_a: int, length_b: int) -> list[Gap]:
    """The stretches between matching blocks, which were replaced."""
    gaps = []
    at_a = at_b = 0
    for start_a, start_b, size in [*blocks, (length_a, length_b, 0)]:
        if start_a > at_a or start_b > at_b:
            gaps.append((at_a, start_a, at_b, start_b))
        at_a, at_b = start_a + size, start_b + size
    return gaps


def differences(a: str, b: str, *, aligned: bool = True) -> list[Gap]:
    """The stretches in which two texts differ: one from the first to the last difference unless `aligned`.

    If `aligned`, they are found word by word, unless the texts are too long for that.
    """
    whole = _trimmed(a, b, (0, len(a), 0, len(b)))
    a_from, a_to, b_from, b_to = whole
    if a_from == a_to and b_from == b_to:
        return []
    if not aligned or a_from == a_to or b_from == b_to or max(a_to - a_from, b_to - b_from) > _CHARACTERS:
        return [whole]
    tokens_a, tokens_b = _TOKEN.findall(a[a_from:a_to]), _TOKEN.findall(b[b_from:b_to])
    if max(len(tokens_a), len(tokens_b)) > _TOKENS:
        return [whole]
    places_a, places_b = _places(tokens_a, a_from), _places(tokens_b, b_from)
    gaps = between(matching_blocks(tokens_a, tokens_b), len(tokens_a), len(tokens_b))
    return [_trimmed(a, b, (places_a[i], places_a[j], places_b[k], places_b[m])) for i, j, k, m in gaps]


def _trimmed(a: str, b: str, gap: Gap) -> Gap:
    """Trim a gap's common start and end; words stay whole unless they are very long."""
    a_from, a_to, b_from, b_to = gap
    one, other = a[a_from:a_to], b[b_from:b_to]
    start = first_difference(one, other)
    end = last_difference(one, other, start)
    back = next(
        (n for n in range(min(start, _WORD) + 1) if not _in_word(one, start - n) | _in_word(other, start - n)), 0
    )
    start -= back
    on = next((n for n in range(min(end, _WORD) + 1) if not _in_word(one, n - end) | _in_word(other, n - end)), 0)
    end -= on
    return a_from + start, a_to - end, b_from + start, b_to - end


def _in_word(text: str, at: int) -> bool:
    """Whether a place (from the end, where it is negative) is in the middle of a word."""
    at = len(text) + at if at < 0 else at
    return 0 < at < len(text) and _IN_WORD.match(text, at - 1) is not None


def _places(tokens: Sequence[str], start: int) -> list[int]:
    places = [start]
    for token in tokens:
        places.append(places[-1] + len(token))
    return places


class Excerpt(NamedTuple):
    """A part of each of two texts around what differs; `words` are the differing stretches."""

    a: str
    b: str
    words_a: Words
    words_b: Words


def excerpt(a: str, b: str, room: int, gaps: Sequence[Gap] | None = None) -> Excerpt:
    """Both texts cut to some `room` characters around what differs; cuts are marked with an ellipsis."""
    gaps = differences(a, b) if gaps is None else gaps
    one, other = _Side(a), _Side(b)
    around = min(AROUND, room // 4)
    for number, (a_from, a_to, b_from, b_to) in enumerate(gaps):
        if number and max(one.size, other.size) > room:
            break
        # Text between two gaps is the same on both sides.
        one.same(a_from, around)
        other.same(b_from, around)
        longest = max(around, room - max(one.size, other.size))
        one.changed(a_to, longest)
        other.changed(b_to, longest)
    one.end(around)
    other.end(around)
    return Excerpt("".join(one.parts), "".join(other.parts), tuple(one.words), tuple(other.words))


class _Side:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self.parts: list[str] = []
        self.size = 0
        self.words: list[tuple[int, int]] = []

    def _put(self, part: str) -> None:
        self.parts.append(part)
        self.size += len(part)

    def same(self, until: int, around: int) -> None:
        """Skip text that both sides share, except for its ends."""
        lead = around if self._at else 0
        if until - self._at > lead + around + 1:
            self._put(self._text[self._at : self._at + lead] + "…")
            self._at = until - around
        self._put(self._text[self._at : until])
        self._at = until

    def changed(self, until: int, room: int) -> None:
        """Add a differing stretch from its beginning, or as much of it as fits."""
        if until == self._at:
            return
        part = self._text[self._at : until]
        self._put(part if len(part) <= room else part[:room] + "…")
        self.words.append((self.size - len(self.parts[-1]), self.size))
        self._at = until

    def end(self, around: int) -> None:
        """Add what follows the last stretch."""
        left = len(self._text) - self._at
        self._put(self._text[self._at : self._at + around] + ("…" if left > around else ""))


def shortened(a: str, b: str, room: int) -> tuple[str, str]:
    """Cut two texts to about `room` characters so that what differs is visible."""
    if len(a) <= room and len(b) <= room:
        return a, b
    cut = excerpt(a, b, room)
    return cut.a, cut.b


def spread(gaps: Sequence[Gap], side: int) -> Iterator[tuple[int, int]]:
    """The stretches of one side that are not empty."""
    for gap in gaps:
        low, high = gap[2 * side : 2 * side + 2]
        if high > low:
            yield low, high
