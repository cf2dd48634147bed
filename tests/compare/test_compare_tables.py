"""Tables: rows by key or order, columns by name, edits found and none invented."""

from __future__ import annotations

import csv
import io

from hypothesis import given, settings
from hypothesis import strategies as st

from kittui.compare.changes import Table
from kittui.compare.contents import table_kind
from kittui.compare.tables import compare_tables, read_table


def compare(kind: str, a: str, b: str) -> Table:
    first, second = read_table(kind, a.encode()), read_table(kind, b.encode())
    assert first is not None
    assert second is not None
    return compare_tables(first, second)


def test_a_keyed_row_that_changed() -> None:
    table = compare(
        "csv",
        "id,amount,is_fraud\nT1,2.00,0\nT2,3.00,0\nT3,4.00,1\n",
        "id,amount,is_fraud\nT1,2.00,0\nT2,999.99,1\nT4,5.00,0\nT3,4.00,1\n",
    )
    assert (table.key, table.added, table.removed, table.changed, table.reordered) == ("id", 1, 0, 1, 0)
    changed, added = table.rows
    assert (changed.key, changed.changed, changed.a, changed.b) == (
        "T2",
        (1, 2),
        ("T2", "3.00", "0"),
        ("T2", "999.99", "1"),
    )
    assert (added.status, added.key, added.number_a, added.number_b) == ("added", "T4", None, 3)


def test_columns_that_came_went_and_changed_kind() -> None:
    table = compare("csv", "id,a,b\n1,5,x\n2,6,y\n", "id,b,a,c\n1,x,5.5,q\n2,y,6,r\n")
    assert [(column.name, column.status, column.kind_a, column.kind_b) for column in table.columns] == [
        ("c", "added", "", "text"),
        ("a", "changed", "integers", "numbers"),
        ("a", "moved", "", ""),
    ]
    assert [row.changed for row in table.rows] == [(1,)]


def test_rows_without_key_are_aligned_by_content() -> None:
    table = compare("csv", "1,1\n1,1\n2,2\n3,3\n", "1,1\n2,2\n9,9\n3,3\n")
    assert table.key is None
    assert (table.added, table.removed, table.changed) == (1, 1, 0)


def test_json_lines_have_the_columns_of_all_rows() -> None:
    table = compare("jsonl", '{"id": 1, "t": "a"}\n{"id": 2}\n', '{"id": 1, "t": "b"}\n{"id": 2, "n": null}\n')
    assert table.key == "id"
    assert [column.name for column in table.columns] == ["n"]
    (row,) = table.rows
    assert (row.a, row.b, row.changed) == (("1", "a", None), ("1", "b", None), (1,))


def test_what_is_no_table() -> None:
    assert read_table("csv", b"a,b\n1\n") is None
    assert read_table("csv", b"") is None
    assert read_table("jsonl", b"[1]\n") is None
    assert read_table("jsonl", b"{" * 100_000) is None
    assert table_kind("a/b.TSV") == "tsv"
    assert table_kind("noextension") is None


ROWS = st.dictionaries(
    st.integers(0, 60).map(lambda number: f"k{number}"),
    st.tuples(st.integers(0, 9), st.text('xyz,"\n', max_size=3)),
    max_size=25,
)


@settings(max_examples=60)
@given(ROWS, ROWS)
def test_counts_are_those_of_the_edits(a: dict[str, tuple[int, str]], b: dict[str, tuple[int, str]]) -> None:
    shared = a.keys() & b.keys()
    if not a or not b or len(shared) * 2 < min(len(a), len(b)):
        return

    def written(rows: dict[str, tuple[int, str]]) -> str:
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["id", "n", "t"])
        writer.writerows([key, *cells] for key, cells in rows.items())
        return out.getvalue()

    table = compare("csv", written(a), written(b))
    assert (table.added, table.removed, table.changed) == (
        len(b.keys() - a.keys()),
        len(a.keys() - b.keys()),
        sum(a[key] != b[key] for key in shared),
    )
