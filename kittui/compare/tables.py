"""CSV, TSV and JSON lines compared by row: keyed where a key is evident, by order elsewhere."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from kittui.compare.changes import Column, Row, Status, Table
from kittui.compare.lines import increasing, matching_blocks
from kittui.compare.text import between, decode

ROWS_LIMIT = 2_000
"""Rows that are kept with their cells; the counts are of all."""

Pairs = list[tuple[int | None, int | None]]
Cells = tuple[str | None, ...]
"""A row; None where it has no such cell."""

_KEY_NAME = re.compile(r"(?:.*[_\- .])?(?:id|key|uuid|guid|index|sha256|hash|name|title)\Z", re.IGNORECASE)
_ID_IN_CAMEL_CASE = re.compile(r".*[a-z](?:Id|ID|Key)\Z")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\Z")
_COLUMNS_LIMIT = 4_096


@dataclass(frozen=True, slots=True)
class Records:
    """A table as read: `rows` are as long as `names`, None where a row has no such cell."""

    names: tuple[str, ...]
    rows: tuple[tuple[str | None, ...], ...]
    has_header: bool = True


def read_table(kind: str, content: bytes) -> Records | None:
    """Read a whole table; None where it is none (ragged rows, JSON lines that are no objects, broken quotes)."""
    text = decode(content)
    return _read_lines(text) if kind == "jsonl" else _read_csv(text, find_delimiter(kind, text))


def find_delimiter(kind: str, text: str) -> str:
    """What separates a table's cells, judged by its first line."""
    first = text.partition("\n")[0]
    return "\t" if kind == "tsv" else max(",;\t|", key=lambda mark: (first.count(mark), mark == ","))


def _read_csv(text: str, delimiter: str) -> Records | None:
    try:
        rows = [
            tuple(row) for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True) if row
        ]
    except csv.Error:
        return None
    if not rows or len(rows[0]) > _COLUMNS_LIMIT or any(len(row) != len(rows[0]) for row in rows):
        return None
    if _is_header(rows[0]):
        return Records(rows[0], tuple(rows[1:]))
    return Records(tuple(f"column {number}" for number in range(1, len(rows[0]) + 1)), tuple(rows), has_header=False)


def _is_header(row: Sequence[str]) -> bool:
    return len(set(row)) == len(row) and all(cell.strip() and not _NUMBER.match(cell.strip()) for cell in row)


def _read_lines(text: str) -> Records | None:
    entries: list[dict[str, object]] = []
    names: dict[str, None] = {}
    for line in text.split("\n"):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            return None
        if not isinstance(entry, dict):
            return None
        names.update(dict.fromkeys(entry))
        if len(names) > _COLUMNS_LIMIT:
            return None
        entries.append(entry)
    if not entries:
        return None
    rows = tuple(tuple(cell_text(entry[name]) if name in entry else None for name in names) for entry in entries)
    return Records(tuple(names), rows)


def cell_text(value: object) -> str:
    """A value of a JSON line as a cell."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


class Shape:
    """How the rows of two tables lie beside each other. Cells are compared over the columns that both have."""

    def __init__(self, names_a: Sequence[str], names_b: Sequence[str]) -> None:
        self.common = [name for name in names_b if name in set(names_a)]
        self.names = (*names_a, *(name for name in names_b if name not in set(names_a)))
        self.place_a = {name: number for number, name in enumerate(names_a)}
        self.place_b = {name: number for number, name in enumerate(names_b)}
        self._shared_a = [self.place_a[name] for name in self.common]
        self._shared_b = [self.place_b[name] for name in self.common]
        self._spread_a = [self.place_a.get(name) for name in self.names]
        self._spread_b = [self.place_b.get(name) for name in self.names]
        positions = {name: number for number, name in enumerate(self.names)}
        self._where = [positions[name] for name in self.common]

    def compared_a(self, row: Cells) -> Cells:
        """The cells of a row of a that are compared."""
        return tuple(row[at] for at in self._shared_a)

    def compared_b(self, row: Cells) -> Cells:
        """The cells of a row of b that are compared."""
        return tuple(row[at] for at in self._shared_b)

    def compare(
        self, a: Sequence[Cells], b: Sequence[Cells], key: str | None, room: int, offset_a: int = 0, offset_b: int = 0
    ) -> tuple[Counter[str], list[Row]]:
        """Counts of rows added, removed, changed and reordered, and at most `room` of them.

        The offsets are how many rows come before these. Rows in another order count in `reordered` alone.
        """
        compared_a, compared_b = [self.compared_a(row) for row in a], [self.compared_b(row) for row in b]
        pairs, moved = (
            _by_key(compared_a, compared_b, self.common.index(key))
            if key is not None
            else _by_order(compared_a, compared_b)
        )
        counts: Counter[str] = Counter(reordered=moved)
        rows: list[Row] = []
        for at_a, at_b in pairs:
            status: Status
            changed: tuple[int, ...] = ()
            if at_a is None:
                status = "added"
            elif at_b is None:
                status = "removed"
            else:
                old, new = compared_a[at_a], compared_b[at_b]
                if old == new:
                    continue
                status = "changed"
                changed = tuple(self._where[cell] for cell in range(len(self.common)) if old[cell] != new[cell])
            counts[status] += 1
            if len(rows) < room:
                name = ""
                if key is not None:
                    name = (a[at_a][self.place_a[key]] if at_a is not None else b[at_b or 0][self.place_b[key]]) or ""
                rows.append(
                    Row(
                        status,
                        name,
                        None if at_a is None else offset_a + at_a + 1,
                        None if at_b is None else offset_b + at_b + 1,
                        None if at_a is None else _spread(a[at_a], self._spread_a),
                        None if at_b is None else _spread(b[at_b], self._spread_b),
                        changed,
                    )
                )
        return counts, rows


def compare_tables(a: Records, b: Records) -> Table:
    """Rows that were added, removed or changed, and columns that came, went or hold another kind of value."""
    shape = Shape(a.names, b.names)
    key = evident_key(a, b, shape.common)
    counts, rows = shape.compare(a.rows, b.rows, key, ROWS_LIMIT)
    return Table(
        shape.names, key, len(a.rows), len(b.rows), compare_columns(a, b), counts["added"], counts["removed"],
        counts["changed"], counts["reordered"], tuple(rows),
    )  # fmt: skip


def _spread(row: Sequence[str | None], places: Sequence[int | None]) -> tuple[str | None, ...]:
    return tuple(None if at is None else row[at] for at in places)


def evident_key(a: Records, b: Records, common: Sequence[str]) -> str | None:
    """The column that names rows: called like one (id, key, name …) or first of all, unique and filled on both sides.

    At least half of the shorter side's keys must be on the other side too; a table without header has none.
    """
    if not a.has_header or not b.has_header or not a.rows or not b.rows:
        return None
    candidates = [name for name in common if _KEY_NAME.match(name) or _ID_IN_CAMEL_CASE.match(name)]
    candidates.sort(key=lambda name: (name.lower() not in ("id", "key", "uuid"), common.index(name)))
    if common and common[0] == a.names[0] == b.names[0] and common[0] not in candidates:
        candidates.append(common[0])
    for name in candidates:
        keys = []
        for side in (a, b):
            at = side.names.index(name)
            values = [row[at] for row in side.rows]
            unique = set(values)
            if None in unique or "" in unique or len(unique) != len(values):
                break
            keys.append(unique)
        if len(keys) == 2 and len(keys[0] & keys[1]) * 2 >= min(map(len, keys)):
            return name
    return None


def _by_key(a: Sequence[Cells], b: Sequence[Cells], key: int) -> tuple[Pairs, int]:
    at_b = {row[key]: number for number, row in enumerate(b)}
    known = {row[key] for row in a}
    shared = [(number, at_b[row[key]]) for number, row in enumerate(a) if row[key] in at_b]
    moved = len(shared) - len(increasing(shared))
    pairs: Pairs = [(number, at_b.get(row[key])) for number, row in enumerate(a)]
    pairs += [(None, number) for number, row in enumerate(b) if row[key] not in known]
    return sorted(pairs, key=_order), moved


def _by_order(a: Sequence[Cells], b: Sequence[Cells]) -> tuple[Pairs, int]:
    """Rows aligned by equality; in a gap of as many rows on both sides one is the other, changed."""
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


def compare_columns(a: Records, b: Records) -> tuple[Column, ...]:
    """Columns that came, went, changed place, or hold another kind of value in their first thousand rows."""
    columns = [Column(name, "removed", _kind(a, name), "") for name in a.names if name not in set(b.names)]
    columns += [Column(name, "added", "", _kind(b, name)) for name in b.names if name not in set(a.names)]
    for name in a.names:
        if name in set(b.names) and (old := _kind(a, name)) != (new := _kind(b, name)) and old and new:
            columns.append(Column(name, "changed", old, new))
    shared_a = [name for name in a.names if name in set(b.names)]
    shared_b = [name for name in b.names if name in set(a.names)]
    if shared_a != shared_b:
        kept = {pair[0] for pair in increasing([(at, shared_b.index(name)) for at, name in enumerate(shared_a)])}
        columns += [Column(name, "moved") for at, name in enumerate(shared_a) if at not in kept]
    return tuple(columns)


def _kind(side: Records, name: str) -> str:
    """What the first thousand cells of a column hold: integers, numbers, text; empty where there is nothing."""
    at = side.names.index(name)
    cells = [row[at] for row in side.rows[:1000] if row[at] not in (None, "")]
    if not cells:
        return ""
    if all(re.fullmatch(r"[+-]?\d+", cell or "") for cell in cells):
        return "integers"
    return "numbers" if all(_NUMBER.match(cell or "") for cell in cells) else "text"
