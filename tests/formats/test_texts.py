"""Texts, tables and notebooks from hostile bytes."""

from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kittui.errors import Malformed
from kittui.formats.notebook import read_notebook
from kittui.formats.tables import json_records, read_start, split_records
from kittui.formats.text import decode, hex_lines, sniff

CELLS = st.lists(
    st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\u2028"), max_size=12), min_size=2, max_size=4),
    min_size=1,
    max_size=6,
)


@given(CELLS, st.sampled_from(",;\t|"), st.integers(0, 200))
@settings(max_examples=150, deadline=None)
def test_records_equal_those_of_the_csv_module_wherever_the_text_is_cut(
    rows: list[list[str]], delimiter: str, cut: int
) -> None:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(rows)
    text = out.getvalue()
    records, _ = split_records(text, delimiter, ended=True)
    assert records == rows
    first, taken = split_records(text[:cut], delimiter, ended=False)
    rest, _ = split_records(text[taken:], delimiter, ended=True)
    assert first + rest == rows


def test_the_delimiter_and_columns_are_told_by_the_first_line() -> None:
    assert read_start("a.csv", "id;amount\n1;2,5\n").columns == ("id", "amount")
    assert read_start("a.tsv", "id\tamount\n").columns == ("id", "amount")
    start = read_start("a.jsonl", '{"a":1}\n{"a":2,"b":[1]}\nnot json\n')
    assert start.columns[:2] == ("a", "b")
    rows, taken = json_records('{"a":1}\n{"b":"x"}\n{"a"', start.columns[:2], ended=False)
    assert rows == [["1", ""], ["", "x"]]
    assert taken == len('{"a":1}\n{"b":"x"}\n')


def test_a_quote_that_is_never_closed_ends() -> None:
    records, _ = split_records('a,"' + "x\n" * 2_000_000, ",", ended=True, most=3)
    assert len(records) <= 3


@pytest.mark.parametrize(
    ("start", "encoding"),
    [
        (b"plain", "utf-8"),
        ("grün 日本".encode(), "utf-8"),
        ("grün 日".encode()[:-1], "utf-8"),
        (b"\xef\xbb\xbfmark", "utf-8-sig"),
        ("wide".encode("utf-16"), "utf-16"),
        (b"caf\xe9 au lait is latin", "latin-1"),
        (b"\x7fELF\x00\x01", None),
        (bytes(range(1, 32)) * 4, None),
        (b"", "utf-8"),
    ],
)
def test_sniffing(start: bytes, encoding: str | None) -> None:
    assert sniff(start).encoding == encoding


@given(st.binary(max_size=200))
def test_any_bytes_are_shown_somehow(content: bytes) -> None:
    kind = sniff(content)
    if kind.encoding is not None:
        assert "\r" not in decode(content, kind.encoding)
    shown = hex_lines(content, 16)
    assert bytes.fromhex("".join(line[12:62].replace(" ", "") for line in shown)) == content


def test_notebooks() -> None:
    document = {
        "metadata": {"kernelspec": {"language": "python"}},
        "cells": [
            {"cell_type": "markdown", "source": ["# Title\n", "text"]},
            {
                "cell_type": "code",
                "execution_count": 3,
                "source": "print(1)",
                "outputs": [
                    {"output_type": "stream", "text": ["1\n"]},
                    {"output_type": "display_data", "data": {"image/png": "…"}},
                    {"output_type": "error", "ename": "E", "evalue": "bad"},
                    7,
                ],
            },
            "nonsense",
        ],
    }
    language, cells = read_notebook(json.dumps(document))
    assert language == "python"
    assert [(cell.kind, cell.text, cell.number) for cell in cells] == [
        ("markdown", "# Title\ntext", None),
        ("code", "print(1)", 3),
        ("output", "1\n", None),
        ("output", "image/png (not shown)", None),
        ("output", "E: bad", None),
    ]
    for bad in ("", "[]", '{"cells": 1}', "[" * 100_000):
        with pytest.raises(Malformed):
            read_notebook(bad)
