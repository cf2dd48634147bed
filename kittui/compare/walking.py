"""Walks two streams of records together.

After a difference, it aligns as many records of both as needed to match again, within WINDOWS characters; what moved
farther counts as removed and added.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from kittui.compare.excerpts import first_difference
from kittui.compare.lines import Block, matching_blocks
from kittui.compare.records import PIECE, Record, RecordReader, pass_both, pass_long
from kittui.compare.text import CONTEXT

WINDOWS = (64 * 1024, 512 * 1024, 2 * 1024 * 1024)
"""Window sizes, in characters of each side, that are tried in turn to match both again."""
_SOLID = 4


@dataclass(frozen=True, slots=True)
class Divergence:
    """A differing stretch of records on both sides; `blocks` are those that are the same, the rest was replaced.

    `number_a` and `number_b` are the numbers of records before it.
    """

    a: list[Record]
    b: list[Record]
    blocks: list[Block]
    number_a: int
    number_b: int
    before_a: list[str]
    before_b: list[str]


Alike = Callable[[Record, int], object]
"""The value by which records of one side (0 or 1) are compared, if not their bytes."""


def walk(a: RecordReader, b: RecordReader, alike: Alike | None = None) -> Iterator[Divergence]:
    """Yield the stretches in which the sides differ."""
    while True:
        if alike is None:
            a.fill(PIECE)
            b.fill(PIECE)
            if a.buffer == b.buffer:
                if a.ended and b.ended:
                    _pass_same(a, b)
                    return
                same = len(a.buffer)
            else:
                same = first_difference(a.buffer, b.buffer)
            if same and (measured := a.measure(same))[0]:
                a.skip(*measured)
                b.skip(*measured)
                continue
        found = _stretch(a, b, alike)
        if found is None:
            return
        yield found


def _pass_same(a: RecordReader, b: RecordReader) -> None:
    """Skip all that is left, which is the same on both sides."""
    while (records := a.peek(PIECE)) or records is None:
        if records is None:
            pass_both(a, b)
            continue
        a.skip_records(records)
        b.skip_records(records)


def _stretch(a: RecordReader, b: RecordReader, alike: Alike | None) -> Divergence | None:
    for window in WINDOWS:
        numbers, before = (a.number, b.number), (a.before(CONTEXT), b.before(CONTEXT))
        records_a, records_b = a.peek(window), b.peek(window)
        if records_a is None or records_b is None:
            pair = _long(a, records_a, b, records_b)
            return Divergence(*pair, [(0, 0, 1)] if pair[0] == pair[1] else [], *numbers, *before)
        if not records_a and not records_b:
            return None
        keys_a: Sequence[object] = [alike(record, 0) for record in records_a] if alike else records_a
        keys_b: Sequence[object] = [alike(record, 1) for record in records_b] if alike else records_b
        blocks = matching_blocks(keys_a, keys_b)
        sizes = sum(map(len, records_a)), sum(map(len, records_b))
        if a.ended and b.ended and sizes == (len(a.buffer), len(b.buffer)):
            end_a, end_b = len(records_a), len(records_b)
        elif blocks and (window == WINDOWS[-1] or blocks[-1][2] >= _SOLID):
            end_a, end_b = blocks[-1][0] + blocks[-1][2], blocks[-1][1] + blocks[-1][2]
        elif window == WINDOWS[-1]:
            end_a, end_b = len(records_a), len(records_b)
        else:
            continue
        one, other = records_a[:end_a], records_b[:end_b]
        a.skip_records(one)
        b.skip_records(other)
        return Divergence([*one], [*other], blocks, *numbers, *before)
    return None


def _long(
    a: RecordReader, records_a: Sequence[str] | None, b: RecordReader, records_b: Sequence[str] | None
) -> tuple[list[Record], list[Record]]:
    """Skip the first record of each side, of which at least one is too long for memory; they are paired."""
    if records_a is None and records_b is None:
        one, other = pass_both(a, b)
        return [one], [other]
    sides: list[list[Record]] = []
    for reader, records in ((a, records_a), (b, records_b)):
        if records is None:
            sides.append([pass_long(reader)])
        else:
            sides.append([*records[:1]])
            reader.skip_records(records[:1])
    return sides[0], sides[1]
