"""Tables: rows by key or order, columns by name, edits found and none invented."""

from __future__ import annotations

import csv
import io

from hypothesis import given, settings
from hypothesis import strategies as st

from kittui.compare.changes import Table
from kittui.compare.tables import compare_tables, read_table
from kittui.compare.words import row_words
from kittui.formats.tables import table_suffix


def compare(kind: str, a: str, b: str) -> Table:
    first, second = read_table(kind, a), read_table(kind, b)
    assert first is not None
    assert second is not None
    table = compare_tables(first, second)
    assert table is not None
    return table


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
    assert read_table("csv", "") is None
    assert read_table("jsonl", "[1]\n") is None
    assert read_table("jsonl", "{" * 100_000) is None
    assert table_suffix("a/b.TSV") == "tsv"
    assert table_suffix("noextension") is None
    one, other = read_table("csv", "a,b\n1,2\n"), read_table("csv", "x,y\n1,2\n")
    assert one is not None
    assert other is not None
    assert compare_tables(one, other) is None


def test_rows_of_other_lengths_are_rows() -> None:
    table = compare("csv", "a,b,c\n1,2,3\n4,5\n6,7,8,9\n7,1,1\n", "a,b,c\n1,2,3\n4,5\n6,7,8,0\nx,1,1\n")
    assert table.names == ("a", "b", "c", "(other fields)")
    assert [(row.changed, row.a, row.b) for row in table.rows] == [
        ((3,), ("6", "7", "8", "9"), ("6", "7", "8", "0")),
        ((), ("7", "1", "1", None), None),
        ((), None, ("x", "1", "1", None)),
    ]


def test_pandas_index_names_rows_though_a_column_came() -> None:
    table = compare(
        "csv", ",age,label\n0,31,1\n1,45,0\n2,50,1\n", ",age,city,label\n0,31,Ulm,1\n1,45,Ulm,1\n2,50,Ulm,1\n"
    )
    assert table.key == "(untitled)"
    assert [(column.name, column.status) for column in table.columns] == [("city", "added")]
    (row,) = table.rows
    assert (row.key, [table.names[at] for at in row.changed], row.number_b) == ("1", ["label"], 2)


def test_json_is_compared_by_value() -> None:
    one = '{"id": 1, "x": 2.5, "m": {"a": 1, "b": [1.0]}}\n{"id": 2, "x": 0.123456789012345671}\n{"id": 3, "x": "1"}\n'
    other = '{"m":{"b":[1.00],"a":1},"x":2.50,"id":1}\n{"id":2,"x":0.123456789012345672}\n{"id":3,"x":1}\n'
    table = compare("jsonl", one, other)
    assert table.key == "id"
    assert [(row.key, row.a and row.a[1], row.b and row.b[1]) for row in table.rows] == [
        ("2", "0.123456789012345671", "0.123456789012345672"),
        ("3", '"1"', "1"),
    ]


def test_what_differs_inside_of_long_json_is_named() -> None:
    line = '{{"id": {}, "messages": [{{"role": "system", "content": "{}"}}, {{"content": "{}"}}]}}\n'
    one = "".join(line.format(number, "Be kind. " * 400, "right") for number in range(6))
    other = one.replace('"right"', '"wrong"', 3).replace('"wrong"', '"right"', 2)
    table = compare("jsonl", one, other)
    (row,) = table.rows
    assert [(value.path, value.a, value.b) for value in row.values] == [("messages[1].content", "right", "wrong")]
    assert row_words(table, row) == "2: messages[1].content right → wrong"
    assert row.a is not None
    assert row.b is not None
    assert row.a[1] is not None
    assert row.b[1] is not None
    assert len(row.a[1]) < 2500
    assert "right" in row.a[1]
    assert "wrong" in row.b[1]


def test_a_long_cell_is_cut_to_what_differs() -> None:
    gene = "ACGT" * 40_000
    changed = gene[:90_000] + "T" + gene[90_001:]
    table = compare("csv", f"id,seq\n1,{gene}\n2,{gene}\n", f"id,seq\n1,{gene}\n2,{changed}\n")
    (row,) = table.rows
    assert row.key == "2"
    assert row.a is not None
    assert row.b is not None
    assert row.a[1] != row.b[1]
    assert len(row.b[1] or "") < 3000
    words = row_words(table, row)
    old, new = words.split(" → ")
    assert len(words) < 200
    assert old.rpartition("seq ")[2] != new


def test_titles_that_are_not_unique_tell_their_columns_apart() -> None:
    table = compare("csv", "a,a,b\n1,2,3\n4,5,6\n", "a,a,b\n1,2,3\n4,5,7\n")
    assert table.names == ("a", "a.1", "b")
    assert [(row.key, row.changed) for row in table.rows] == [("4", (2,))]


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
