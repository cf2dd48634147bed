"""Texts and tables of any size, compared in one pass over both sides with bounded memory.

Both sides are walked together. Where they differ, as many lines of both are aligned as it takes to find each other
again, within WINDOWS bytes: what moved farther is told as removed and added.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from kittui.compare.changes import Hunk, Row, Table, TextChange
from kittui.compare.contents import table_kind
from kittui.compare.lines import Block, matching_blocks
from kittui.compare.records import PIECE, Long, Read, Record, RecordReader
from kittui.compare.tables import (
    ROWS_LIMIT,
    Cells,
    Records,
    Shape,
    cell_text,
    compare_columns,
    evident_key,
    find_delimiter,
    read_table,
)
from kittui.compare.text import CONTEXT, HUNKS_LIMIT, between, compare_lines, decode, first_difference

WINDOWS = (64 * 1024, 512 * 1024, 2 * 1024 * 1024)
"""Bytes of each side in which both are looked for in each other, one after the other."""
SAMPLE = 1024 * 1024
"""Bytes at the start of a table that its columns and its key are judged by."""
_SOLID = 4
_OTHER = "other fields"


class _NoTable(Exception):
    """What was taken for a table is none."""


@dataclass(frozen=True, slots=True)
class Side:
    """A file: its size in bytes, and what reads it."""

    size: int
    read: Read


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Records of both sides that begin and end together; `blocks` are those that are the same, the rest was replaced.

    `number_a` and `number_b` are how many records come before.
    """

    a: list[Record]
    b: list[Record]
    blocks: list[Block]
    number_a: int
    number_b: int
    before_a: list[bytes]
    before_b: list[bytes]


Alike = Callable[[Record, int], object]
"""What records of one side (0 or 1) are compared by, where it is not their bytes."""


def compare_streams(path: str, a: Side, b: Side) -> TextChange:
    """What changed in a large text or table that differs. Blocks; raises what reading raises."""
    kind = table_kind(path)
    if kind is not None:
        try:
            return _compare_tables(path, kind, a, b)
        except _NoTable:
            pass
    return _compare_texts(path, a, b)


def schema(path: str, a: Side, b: Side, lines: tuple[int, int] | None) -> TextChange:
    """What can be told before the rows are compared: the columns, and how many lines there are where that is known."""
    note = f"{lines[0]:,} → {lines[1]:,} lines; " if lines else ""
    note += "what changed is being looked for"
    kind = table_kind(path)
    heads = _heads(kind, a, b) if kind is not None else None
    if heads is None:
        return TextChange(path, "text", notes=(note,))
    shape = Shape(heads[0].names, heads[1].names)
    counts = [total - head.has_header for total, head in zip(lines or (1, 1), heads, strict=True)]
    table = Table(shape.names, None, counts[0], counts[1], compare_columns(*heads), 0, 0, 0, 0, ())
    return TextChange(path, "table", table=table, notes=(note,))


def _walk(a: RecordReader, b: RecordReader, alike: Alike | None = None) -> Iterator[_Stretch]:
    """The stretches in which both sides are not the same all along."""
    while True:
        if alike is None:
            a.fill(PIECE)
            b.fill(PIECE)
            if a.buffer == b.buffer:
                same = len(a.buffer)
                if a.ended and b.ended:
                    a.skip(same)
                    b.skip(same)
                    return
            else:
                same = first_difference(a.buffer, b.buffer)
            if same and (end := a.boundary(same)):
                a.skip(end)
                b.skip(end)
                continue
        found = _stretch(a, b, alike)
        if found is None:
            return
        yield found


def _stretch(a: RecordReader, b: RecordReader, alike: Alike | None) -> _Stretch | None:
    for window in WINDOWS:
        numbers, before = (a.number, b.number), (a.before(CONTEXT), b.before(CONTEXT))
        records_a, records_b = a.peek(window), b.peek(window)
        if not records_a and not records_b:
            return None
        if any(records and isinstance(records[0], Long) for records in (records_a, records_b)):
            # A record too long to be held was passed by looking at it; the other side's first one is its partner.
            for reader, records in ((a, records_a), (b, records_b)):
                if records and isinstance(records[0], bytes):
                    del records[1:]
                    reader.skip(len(records[0]))
            blocks = [(0, 0, 1)] if records_a == records_b else []
            return _Stretch(records_a, records_b, blocks, *numbers, *before)
        keys_a: Sequence[object] = [alike(record, 0) for record in records_a] if alike else records_a
        keys_b: Sequence[object] = [alike(record, 1) for record in records_b] if alike else records_b
        blocks = matching_blocks(keys_a, keys_b)
        sizes = tuple(sum(map(_size, records)) for records in (records_a, records_b))
        if a.ended and b.ended and sizes == (len(a.buffer), len(b.buffer)):
            end_a, end_b = len(records_a), len(records_b)
        elif blocks and (window == WINDOWS[-1] or blocks[-1][2] >= _SOLID):
            end_a, end_b = blocks[-1][0] + blocks[-1][2], blocks[-1][1] + blocks[-1][2]
        elif window == WINDOWS[-1]:
            end_a, end_b = len(records_a), len(records_b)
        else:
            continue
        del records_a[end_a:], records_b[end_b:]
        a.skip(sum(map(_size, records_a)))
        b.skip(sum(map(_size, records_b)))
        return _Stretch(records_a, records_b, blocks, *numbers, *before)
    return None


def _size(record: Record) -> int:
    return len(record) if isinstance(record, bytes) else 0


def _text(record: Record) -> str:
    return (record if isinstance(record, bytes) else record.content).decode("utf-8", "surrogateescape")


def _compare_texts(path: str, a: Side, b: Side) -> TextChange:
    readers = RecordReader(a.read, a.size), RecordReader(b.read, b.size)
    added = removed = cut = 0
    hunks: list[Hunk] = []
    for stretch in _walk(*readers):
        gaps = between(stretch.blocks, len(stretch.a), len(stretch.b))
        removed += sum(high - low for low, high, _, _ in gaps)
        added += sum(high - low for _, _, low, high in gaps)
        if len(hunks) >= HUNKS_LIMIT:
            cut += len(gaps)
            continue
        before = _common_end(stretch.before_a, stretch.before_b)
        found = compare_lines([*before, *map(_text, stretch.a)], [*before, *map(_text, stretch.b)])
        for hunk in found:
            if len(hunks) >= HUNKS_LIMIT:
                cut += 1
                continue
            start_a = hunk.a_start + stretch.number_a - len(before)
            _append(hunks, replace(hunk, a_start=start_a, b_start=hunk.b_start + stretch.number_b - len(before)))
    notes = (f"{readers[0].number:,} → {readers[1].number:,} lines",)
    return TextChange(path, "text", tuple(hunks), notes=notes, cut=cut, added=added, removed=removed)


def _common_end(a: Sequence[bytes], b: Sequence[bytes]) -> list[str]:
    """The lines that both sides end with."""
    same = 0
    while same < min(len(a), len(b)) and a[-1 - same] == b[-1 - same]:
        same += 1
    return [_text(record) for record in a[len(a) - same :]]


def _append(hunks: list[Hunk], hunk: Hunk) -> None:
    """Add a hunk; context that it shares with the last one, or touches, joins them."""
    last = hunks[-1] if hunks else None
    start = hunk.a_start - bool(hunk.a_count)
    end = last.a_start - bool(last.a_count) + last.a_count if last is not None else -1
    if last is None or start > end:
        hunks.append(hunk)
        return
    shared = end - start
    hunks[-1] = Hunk(
        last.a_start if last.a_count else hunk.a_start + shared,
        last.a_count + hunk.a_count - shared,
        last.b_start if last.b_count else hunk.b_start + shared,
        last.b_count + hunk.b_count - shared,
        (*last.lines, *hunk.lines[shared:]),
    )


def _heads(kind: str, a: Side, b: Side) -> tuple[Records, Records] | None:
    """The beginnings of both tables; None where one is no table."""
    heads = []
    for side in (a, b):
        reader = RecordReader(side.read, side.size, quoted=kind != "jsonl")
        records = reader.peek(SAMPLE)
        head = read_table(kind, b"".join(record for record in records if isinstance(record, bytes)))
        if head is None:
            return None
        heads.append(head)
    return heads[0], heads[1]


def _compare_tables(path: str, kind: str, a: Side, b: Side) -> TextChange:
    heads = _heads(kind, a, b)
    if heads is None or heads[0].has_header != heads[1].has_header:
        raise _NoTable
    names = [(*head.names, _OTHER) if kind == "jsonl" else head.names for head in heads]
    shape = Shape(*names)
    key = evident_key(*heads, [name for name in shape.common if name != _OTHER or kind != "jsonl"])
    readers = [RecordReader(side.read, side.size, quoted=kind != "jsonl") for side in (a, b)]
    rows_of = [_Rows(kind, own, reader) for own, reader in zip(names, readers, strict=True)]
    header = int(kind != "jsonl" and heads[0].has_header)
    for own, reader in zip(rows_of, readers, strict=True):
        own.start(header)
        reader.number = 0

    def alike(record: Record, side: int) -> object:
        row = rows_of[side].row(record)
        return (shape.compared_a, shape.compared_b)[side](row) if row is not None else None

    counts: Counter[str] = Counter()
    rows: list[Row] = []
    for stretch in _walk(readers[0], readers[1], None if names[0] == names[1] else alike):
        for a_from, a_to, b_from, b_to in between(stretch.blocks, len(stretch.a), len(stretch.b)):
            old = [row for record in stretch.a[a_from:a_to] if (row := rows_of[0].row(record)) is not None]
            new = [row for record in stretch.b[b_from:b_to] if (row := rows_of[1].row(record)) is not None]
            usable = key if key is not None and _unique(old, new, shape, key) else None
            more, some = shape.compare(
                old, new, usable, ROWS_LIMIT - len(rows), stretch.number_a + a_from, stretch.number_b + b_from
            )
            counts += more
            rows += some
    notes = ["a row that moved far is told as removed and added"] if counts["removed"] and counts["added"] else []
    table = Table(
        shape.names, key, readers[0].number, readers[1].number, compare_columns(*heads), counts["added"],
        counts["removed"], counts["changed"], counts["reordered"], tuple(rows),
    )  # fmt: skip
    return TextChange(path, "table", table=table, notes=tuple(notes))


def _unique(a: Sequence[Cells], b: Sequence[Cells], shape: Shape, key: str) -> bool:
    """Whether a key that was evident at the tables' start names these rows too."""
    for rows, at in ((a, shape.place_a[key]), (b, shape.place_b[key])):
        keys = {row[at] for row in rows}
        if len(keys) != len(rows) or None in keys or "" in keys:
            return False
    return True


class _Rows:
    """Reads the rows of one table."""

    def __init__(self, kind: str, names: Sequence[str], reader: RecordReader) -> None:
        self._kind = kind
        self._names = names
        self._reader = reader
        self._delimiter = ","

    def start(self, header: int) -> None:
        """Learn what separates cells, and pass the header."""
        first = next(iter(self._reader.peek(SAMPLE)), b"")
        if not isinstance(first, bytes):
            raise _NoTable
        self._delimiter = find_delimiter(self._kind, decode(first))
        if header:
            self._reader.skip(len(first))

    def row(self, record: Record) -> Cells | None:
        """The cells of a record; None for an empty one. Raises _NoTable for what is no row."""
        text = _text(record)
        if not text.strip():
            return None
        if isinstance(record, Long):
            return (text.rstrip("\n"), *("",) * (len(self._names) - 1))
        try:
            return self._json(text) if self._kind == "jsonl" else self._csv(text)
        except (ValueError, RecursionError, csv.Error):
            raise _NoTable from None

    def _json(self, text: str) -> Cells:
        entry = json.loads(text)
        if not isinstance(entry, dict):
            raise _NoTable
        cells = [cell_text(entry.pop(name)) if name in entry else None for name in self._names[:-1]]
        return (*cells, json.dumps(entry, ensure_ascii=False, sort_keys=True) if entry else None)

    def _csv(self, text: str) -> Cells:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=self._delimiter, strict=True))
        if len(rows) != 1 or len(rows[0]) != len(self._names):
            raise _NoTable
        return tuple(rows[0])
