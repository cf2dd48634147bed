"""Compares CSV, TSV and JSON lines by row: by key if one is evident, else by order."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from kittui.budget import Budget
from kittui.compare.cells import cut_row
from kittui.compare.changes import Column, Row, Status, Table
from kittui.compare.lines import increasing
from kittui.compare.pairing import pairs_by_key, pairs_by_order
from kittui.errors import Malformed
from kittui.formats.exact_json import canonical_json, json_text, parse_json
from kittui.formats.records import Splitter
from kittui.formats.tables import NUMBER, OTHERS, Cells, Form, fields_of, read_form

CELLS = 4_000_000
"""Maximum cells of one side in memory."""
ROWS_LIMIT = 2_000
"""Maximum rows kept with their cells; the counts include all."""
CELLS_LIMIT = 200_000
"""Maximum cells of those rows, for wide tables."""

SAME_ROWS = "the same rows, written otherwise"
UNCLOSED = "a quote is not closed: from there on every line is a row"

_KEY_NAME = re.compile(r"(?:.*[_\- .])?(?:id|key|uuid|guid|index|sha256|hash|name|title)\Z", re.IGNORECASE)
_ID_IN_CAMEL_CASE = re.compile(r".*[a-z](?:Id|ID|Key)\Z")


@dataclass(frozen=True, slots=True)
class Records:
    """A table as read: each row has one cell more than there are names, for values beyond the columns."""

    names: tuple[str, ...]
    rows: tuple[Cells, ...]
    has_header: bool = True
    unclosed: bool = False
    """Whether a quote in it was never closed."""
    json: bool = False
    """Whether the cells are JSON."""


def read_table(kind: str, text: str) -> Records | None:
    """Read a whole table; None if it has no rows, or if no line is JSON. Raises TooLarge."""
    form = read_form(kind, text, ended=True)
    if form is None:
        return None
    splitter = Splitter(form.delimiter, quoted=form.quoted)
    records = splitter.split(text, ended=True)[0]
    return read_rows(form, records, splitter.unclosed)


def read_rows(form: Form, records: Sequence[str], unclosed: bool = False) -> Records | None:
    """Read the rows of a table's first records; None if there are none. Raises TooLarge for too many cells."""
    filled = [record for record in records if record != "\n"][form.leading :]
    if form.json:
        return _json_rows(form, filled)
    if not filled and not form.titles:
        return None
    spend_cells(len(form.titles), len(filled))
    return Records(form.names, tuple(map(form.row, filled)), form.has_header, unclosed)


def spend_cells(columns: int, rows: int) -> None:
    """Raise TooLarge for a table with too many cells: each row counts one for each column."""
    Budget("the table", cells=CELLS).spend("cells", (columns + 1) * rows)


def _json_rows(form: Form, records: Sequence[str]) -> Records | None:
    """Put objects into columns, including late ones, and other values after them. None if there is no object."""
    names = dict.fromkeys(form.titles)
    rows = [fields_of(record) for record in records]
    objects = [row for row in rows if isinstance(row, dict)]
    for row in objects:
        names.update(dict.fromkeys(row))
    if not objects:
        return None
    spend_cells(len(names), len(rows))
    return Records(
        Form("", False, tuple(names)).names,
        tuple(
            (*(json_text(row[name]) if name in row else None for name in names), None)
            if isinstance(row, dict)
            else (*[None] * len(names), row)
            for row in rows
        ),
        json=True,
    )


class Shape:
    """How the rows of two tables are compared: by the cells of the columns that both have.

    The last column of both is for values beyond the columns.
    """

    def __init__(self, names_a: Sequence[str], names_b: Sequence[str], *, json: bool = False) -> None:
        known_a = set(names_a)
        self.shared = [name for name in names_b if name in known_a]
        self._common = [*self.shared, OTHERS]
        self.names = (*names_a, *(name for name in names_b if name not in known_a), OTHERS)
        self.place_a = {name: number for number, name in enumerate([*names_a, OTHERS])}
        self.place_b = {name: number for number, name in enumerate([*names_b, OTHERS])}
        self._json = json
        self._shared_a = [self.place_a[name] for name in self._common]
        self._shared_b = [self.place_b[name] for name in self._common]
        self._spread_a = [self.place_a.get(name) for name in self.names]
        self._spread_b = [self.place_b.get(name) for name in self.names]
        positions = {name: number for number, name in enumerate(self.names)}
        self._where = [positions[name] for name in self._common]

    def compared_a(self, row: Cells) -> Cells:
        """The cells of a row of a that are compared."""
        return self._compared(row, self._shared_a)

    def compared_b(self, row: Cells) -> Cells:
        """The cells of a row of b that are compared."""
        return self._compared(row, self._shared_b)

    def _compared(self, row: Cells, places: Sequence[int]) -> Cells:
        cells = tuple(row[at] for at in places)
        return tuple(map(_value, cells)) if self._json else cells

    def compare(
        self,
        a: Sequence[Cells],
        b: Sequence[Cells],
        key: str | None,
        kept: list[Row],
        numbers: tuple[int, int] = (0, 0),
    ) -> Counter[str]:
        """Count rows added, removed, changed and reordered, and add them to `kept` while there is room.

        `numbers` are the rows of each side before these. Reordered rows count only in `reordered`.
        """
        compared_a, compared_b = [self.compared_a(row) for row in a], [self.compared_b(row) for row in b]
        pairs, moved = (
            pairs_by_key(compared_a, compared_b, self._common.index(key))
            if key is not None
            else pairs_by_order(compared_a, compared_b)
        )
        counts: Counter[str] = Counter(reordered=moved)
        room = max(20, min(ROWS_LIMIT, CELLS_LIMIT // len(self.names)))
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
                changed = tuple(self._where[cell] for cell in range(len(self._common)) if old[cell] != new[cell])
            counts[status] += 1
            if len(kept) < room:
                name = ""
                if key is not None:
                    name = (a[at_a][self.place_a[key]] if at_a is not None else b[at_b or 0][self.place_b[key]]) or ""
                kept.append(
                    cut_row(
                        Row(
                            status,
                            name,
                            None if at_a is None else numbers[0] + at_a + 1,
                            None if at_b is None else numbers[1] + at_b + 1,
                            None if at_a is None else _spread(a[at_a], self._spread_a),
                            None if at_b is None else _spread(b[at_b], self._spread_b),
                            changed,
                        ),
                        self.names,
                        self._json,
                    )
                )
        return counts


def _value(cell: str | None) -> str | None:
    """A canonical form of JSON, equal for equal values."""
    if cell is None or cell[:1] == '"' or cell.isdigit():
        return cell
    try:
        return canonical_json(parse_json(cell))
    except Malformed:
        return cell


def compare_tables(a: Records, b: Records) -> Table | None:
    """Find added, removed and changed rows, and columns that were added, removed or changed their kind.

    None if the tables have no column in common.
    """
    shape = Shape(a.names, b.names, json=a.json)
    if not shape.shared:
        return None
    key = evident_key(a, b, shape.shared)
    rows: list[Row] = []
    counts = shape.compare(a.rows, b.rows, key, rows)
    return as_table(shape, key, (len(a.rows), len(b.rows)), compare_columns(a, b), counts, rows)


def as_table(
    shape: Shape,
    key: str | None,
    sizes: tuple[int, int],
    columns: tuple[Column, ...],
    counts: Counter[str],
    rows: Sequence[Row],
) -> Table:
    """Build the result; it includes the column for values beyond the columns only if a row has any."""
    names = shape.names
    if not any(cells and cells[-1] is not None for row in rows for cells in (row.a, row.b)):
        names = names[:-1]
        rows = [replace(row, a=row.a and row.a[:-1], b=row.b and row.b[:-1]) for row in rows]
    return Table(
        names, key, *sizes, columns, counts["added"], counts["removed"], counts["changed"], counts["reordered"],
        tuple(rows),
    )  # fmt: skip


def _spread(row: Sequence[str | None], places: Sequence[int | None]) -> tuple[str | None, ...]:
    return tuple(None if at is None else row[at] for at in places)


def evident_key(a: Records, b: Records, common: Sequence[str]) -> str | None:
    """Find the key column: named like one (id, key, name …) or the first, unique and filled on both sides.

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
            if unique & {None, "", '""'} or len(unique) != len(values):
                break
            keys.append(unique)
        if len(keys) == 2 and len(keys[0] & keys[1]) * 2 >= min(map(len, keys)):
            return name
    return None


def compare_columns(a: Records, b: Records) -> tuple[Column, ...]:
    """Find columns that were added, removed or moved, or changed their kind of value in the first thousand rows."""
    places_a, places_b = ({name: at for at, name in enumerate(side.names)} for side in (a, b))
    columns = [Column(name, "removed", _kind(a, at), "") for name, at in places_a.items() if name not in places_b]
    columns += [Column(name, "added", "", _kind(b, at)) for name, at in places_b.items() if name not in places_a]
    for name, at in places_a.items():
        if name in places_b and (old := _kind(a, at)) != (new := _kind(b, places_b[name])) and old and new:
            columns.append(Column(name, "changed", old, new))
    shared = [name for name in places_a if name in places_b]
    order_b = {name: at for at, name in enumerate(name for name in places_b if name in places_a)}
    if shared != list(order_b):
        kept = {pair[0] for pair in increasing([(at, order_b[name]) for at, name in enumerate(shared)])}
        columns += [Column(name, "moved") for at, name in enumerate(shared) if at not in kept]
    return tuple(columns)


def _kind(side: Records, at: int) -> str:
    """The kind of a column's first thousand cells: integers, numbers, text; empty if there is nothing."""
    cells = [row[at] for row in side.rows[:1000] if row[at] not in (None, "", "null" if side.json else "")]
    if not cells:
        return ""
    if all(re.fullmatch(r"[+-]?\d+", cell or "") for cell in cells):
        return "integers"
    return "numbers" if all(NUMBER.match(cell or "") for cell in cells) else "text"
