"""Draws changed rows of a table: differing cells on a stronger background, key columns always in view."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

from rich.cells import cell_len, set_cell_size

from kittui.compare.changes import MARKS, Row, Table
from kittui.compare.words import cells_of, change_words, table_words
from kittui.terminal import clean, counted
from kittui.tui.compare.hunks import GROUNDS, ROLES
from kittui.tui.widgets.cutting import Span
from kittui.tui.widgets.text_lines import Hanging, Line

CELL: Final = 28
"""Maximum cells of one column."""
_MEASURED = 500


def table_lines(table: Table, width: int) -> Iterator[Line]:
    """Columns and rows that differ. Columns without a change are left out where there is no room for them; where even
    the changed ones don't fit, each changed cell has a line of its own."""
    key = f"by {clean(table.key, limit=40)}" if table.key else "by their order"
    rows = (
        counted(table.count_b, "row")
        if table.count_a == table.count_b
        else f"{table.count_a:,} → {table.count_b:,} rows"
    )
    yield ((f"{rows}, {key}: {table_words(table)}", "muted"),)
    for column in table.columns:
        kinds = f"  {column.kind_a} → {column.kind_b}" if column.status == "changed" else ""
        mark = ((f"{MARKS[column.status]} ", "warn+bold"),)
        yield Hanging.after(mark, ((f"column {clean(column.name)}{kinds}", "text"),), stop=True)
    widths = _widths(table)
    shown = _chosen(table, widths, width - 2)
    yield ()
    if shown is None:
        yield ((f"{counted(len(table.rows), 'row')}, each changed cell on a line", "accent"),)
        for row in table.rows:
            yield from _record(table, row)
    else:
        yield (("  ", "text"), *((_fit(clean(table.names[at]), widths[at]), "key") for at in shown))
        for row in table.rows:
            yield from _cells(row, shown, widths)
        if (hidden := len(table.names) - len(shown)) > 0:
            yield ()
            many = counted(hidden, "more column")
            yield ((f"{many}: the same in changed rows, no room here", "muted"),)
    if (total := table.added + table.removed + table.changed) > len(table.rows):
        yield ((f"and {counted(total - len(table.rows), 'more row')}", "muted"),)


def _widths(table: Table) -> list[int]:
    """Each column's cells, with the blank after it."""
    widths = [min(CELL, cell_len(clean(name, limit=CELL))) + 2 for name in table.names]
    for row in islice(table.rows, _MEASURED):
        for values in (row.a, row.b):
            for at, value in enumerate((values or ())[: len(widths)]):
                widths[at] = max(widths[at], min(CELL, cell_len(clean(value or "", limit=CELL))) + 2)
    return widths


def _chosen(table: Table, widths: Sequence[int], room: int) -> list[int] | None:
    """The columns to show: the key's and the changed ones, then as many others as fit; None where there is no room."""
    needed = {table.names.index(table.key)} if table.key in table.names else set()
    for row in islice(table.rows, _MEASURED):
        needed |= {at for at in row.changed if at < len(widths)}
    left = room - sum(widths[at] for at in needed)
    if left < 0:
        return None
    for at, width in enumerate(widths):
        if at not in needed and width <= left:
            needed.add(at)
            left -= width
    return sorted(needed)


def _cells(row: Row, shown: Sequence[int], widths: Sequence[int]) -> Iterator[Line]:
    """Both sides of a row; it is a stop at its first line."""
    stop = True
    for op, values in zip("-+", cells_of(row, CELL - 2), strict=True):
        if not values:
            continue
        ground = GROUNDS[op]
        spans: list[Span] = []
        for at in shown:
            text = clean((values[at] if at < len(values) else None) or "", limit=CELL * 2)
            cut = _fit(text, widths[at])
            filled = cut.rstrip(" ")
            role = f"text{ground}-word" if at in row.changed else f"text{ground}"
            spans += [(filled, role), (cut[len(filled) :], f"text{ground}")]
        yield Hanging.after(((f"{op} ", f"{ROLES[op]}+bold{ground}"),), spans, stop=stop)
        stop = False


def _record(table: Table, row: Row) -> Iterator[Line]:
    number = row.number_b if row.number_b is not None else row.number_a
    named = ((clean(row.key, limit=200) or f"row {number}", "text+bold"), (f"  {row.status}", "muted"))
    yield Hanging.after(((f"{MARKS[row.status]} ", "warn+bold"),), named, stop=True)
    changed = row.changed or range(len(row.b or row.a or ()))
    sides = cells_of(row, 2000)
    for at in changed:
        name = table.names[at] if at < len(table.names) else f"column {at + 1}"
        inside = [value for value in row.values if value.path.startswith((name + ".", name + "["))]
        for value in inside:
            words = clean(change_words(value, 400))
            yield ((f"    {clean(value.path, limit=200)}  ", "key"), (words, "text"))
        if inside:
            continue
        yield ((f"    {clean(name, limit=60)}", "key"),)
        for op, values in zip("-+", sides, strict=True):
            if values:
                text = "nothing" if values[at] is None else clean(values[at] or "", limit=None) or '""'
                yield ((f"    {op} ", f"{ROLES[op]}+bold"), (text, "text"))


def _fit(text: str, width: int) -> str:
    """Exactly `width` cells, a blank at the end."""
    return set_cell_size(text, width) if cell_len(text) < width else set_cell_size(text, width - 2) + "… "
