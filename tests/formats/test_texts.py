"""Texts, tables and notebooks from hostile bytes."""

from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kittui.budget import Budget
from kittui.errors import Malformed, TooLarge
from kittui.formats.notebook import notebook_budget, read_notebook
from kittui.formats.records import Splitter, split_cells
from kittui.formats.tables import Form, read_form
from kittui.formats.text import Decoder, Encoding, decode, decode_exactly, hex_lines, sniff

CELLS = st.lists(
    st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\u2028"), max_size=12), min_size=2, max_size=4),
    min_size=1,
    max_size=6,
)


@given(CELLS, st.sampled_from(",;\t|"), st.integers(0, 200))
@settings(max_examples=150)
def test_records_equal_those_of_the_csv_module_wherever_the_text_is_cut(
    rows: list[list[str]], delimiter: str, cut: int
) -> None:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator="\n", quoting=csv.QUOTE_ALL).writerows(rows)
    text = out.getvalue()
    splitter = Splitter(delimiter, quoted=True)
    records, _ = splitter.split(text, ended=True)
    assert [split_cells(record, delimiter) for record in records] == rows
    first, taken = splitter.split(text[:cut], ended=False)
    rest, _ = splitter.split(text[taken:], ended=True)
    assert [split_cells(record, delimiter) for record in first + rest] == rows
    assert not splitter.unclosed


def form_of(kind: str, text: str) -> Form:
    form = read_form(kind, text, ended=True)
    assert form is not None
    return form


def rows_of(kind: str, text: str) -> tuple[Form, list[list[str]]]:
    """A whole table, as the viewer reads it."""
    form = form_of(kind, text)
    records, _ = Splitter(form.delimiter, quoted=form.quoted).split(text, ended=True)
    return form, [form.cells(record) for record in records if record != "\n"][form.leading :]


@pytest.mark.parametrize(
    ("text", "delimiter", "titles"),
    [
        ("id;amount\n1;2,5\n", ";", ("id", "amount")),
        ("id,amount\n1,2\n", ",", ("id", "amount")),
        ("a;1,5;2,5\nb;3,5;4,5\n", ";", ("a", "1,5", "2,5")),
        ('"Width, mm";"Height, mm";name\n1;2;a\n3;4;b\n', ";", ("Width, mm", "Height, mm", "name")),
        ("id;text\n1;Hello, dear, friend\n2;x\n", ";", ("id", "text")),
        ("id|text\n1|a, b\n2|c, d\n", "|", ("id", "text")),
        ('id,text\n1,"a;b"\n2,"c;d"\n', ",", ("id", "text")),
        ("sep=;\na;b\n1,0;2\n", ";", ("a", "b")),
        (",age,label\n0,31,1\n1,45,0\n", ",", ("", "age", "label")),
        ("country,2019,2020\nx,1,2\n", ",", ("country", "2019", "2020")),
        ("2019,2020,2021\n1,5,2\n", ",", ("2019", "2020", "2021")),
        ("0,1,2\n9,5,2\n", ",", ("0", "1", "2")),
        ("a,a,b\n1,2,3\n", ",", ("a", "a", "b")),
        ('"mpg","cyl"\n"Mazda",21,6\n"Fiat",22,4\n', ",", ("", "mpg", "cyl")),
        ("a,b\n1,2,\n3,4,\n", ",", ("a", "b")),
        ("text\n", ",", ("text",)),
        ("1;1,5;-3\n2;2,5;-4\n", ";", ("column 1", "column 2", "column 3")),
    ],
)
def test_delimiter_and_titles_are_those_that_the_first_records_agree_on(
    text: str, delimiter: str, titles: tuple[str, ...]
) -> None:
    form = form_of("csv", text)
    assert (form.delimiter, form.titles) == (delimiter, titles)


def test_columns_are_told_apart_by_their_names() -> None:
    assert form_of("csv", ",a,a,a.1, \n1,2,3,4,5\n").names == ("(untitled)", "a", "a.2", "a.1", "(untitled).1")
    assert form_of("csv", "(other fields),b\n1,2\n").names == ("(other fields).1", "b")


def test_a_quote_counts_where_a_cell_begins() -> None:
    _, rows = rows_of("csv", 'id,item\n1,36" screen\n2,lamp\n3,"a ""b"", c\nd"\n')
    assert rows == [["1", '36" screen'], ["2", "lamp"], ["3", 'a "b", c\nd']]
    _, rows = rows_of("tsv", 'id\titem\n1\t"Well, he said\n2\tbye" he said\n')
    assert rows == [["1", '"Well, he said'], ["2", 'bye" he said']]


def test_an_open_quote_shows_the_rest_as_lines() -> None:
    text = 'id,item\n1,"a\nb"\n2,"36 screen\n3,"a, b"\n4,x\n'
    splitter = Splitter(",", quoted=True)
    assert splitter.split(text, ended=False) == (
        ["id,item\n", '1,"a\nb"\n', '2,"36 screen\n3,"a, b"\n', "4,x\n"],
        len(text),
    )
    text = 'id,item\n1,"a\nb"\n2,"36 screen\n3,y\n4,x\n'
    splitter = Splitter(",", quoted=True)
    assert splitter.split(text, ended=False) == (["id,item\n", '1,"a\nb"\n'], 16)
    assert not splitter.unclosed
    records, used = splitter.split(text, ended=True)
    assert records[2:] == ['2,"36 screen\n', "3,y\n", "4,x\n"]
    assert (used, splitter.unclosed) == (len(text), True)
    assert [split_cells(record, ",") for record in records[2:]] == [["2", '"36 screen'], ["3", "y"], ["4", "x"]]


def test_an_open_quote_is_not_looked_for_without_end() -> None:
    splitter = Splitter(",", quoted=True)
    records, _ = splitter.split('a,"' + "x\n" * 3_000_000, ended=False)
    assert splitter.unclosed
    assert records[:2] == ['a,"x\n', "x\n"]


def test_cells_are_as_long_as_they_are() -> None:
    long = "ACGT" * 300_000
    _, rows = rows_of("csv", f'id,seq\n1,{long}\n2,"{long}, x"\n')
    assert rows == [["1", long], ["2", f"{long}, x"]]


def test_json_lines_keep_their_numbers_and_what_comes_up_late() -> None:
    form = form_of("jsonl", '{"a":1.50}\n{"a":12345678901234567890.1234,"b":[1e5]}\nnot json\n')
    assert form.titles == ("a", "b")
    assert form.cells('{"b":[1.0, -0],"a":"x","late":{"y":null}}\n') == ["x", "[1.0, -0]", '{"late": {"y": null}}']
    assert form.cells('{"a":9007199254740993}') == ["9007199254740993", ""]
    assert form.cells("[1, 2]") == ["", "", "[1, 2]"]
    assert form.cells("not json\n") == ["", "", "not json"]
    assert form.cells('{"a":1,"a":2}')[:1] == ["2"]
    assert form.cells('{"a":1,"a":2}')[2:] == ['{"a.1": 1}']
    deep = "[" * 900 + "]" * 900
    assert form.cells(deep) == ["", "", deep]


def test_a_form_waits_for_its_first_record() -> None:
    wide = ",".join(f"column_{number}" for number in range(20_000))
    assert read_form("csv", wide, ended=False) is None
    assert len(form_of("csv", wide + "\n").titles) == 20_000
    assert read_form("jsonl", '{"a": "' + "x" * 100_000, ended=False) is None


@pytest.mark.parametrize(
    ("start", "label"),
    [
        (b"plain", "UTF-8"),
        ("grün 日本".encode(), "UTF-8"),
        ("grün 日".encode()[:-1], "UTF-8"),
        (b"\xef\xbb\xbfmark", "UTF-8 with a byte order mark"),
        ("wide".encode("utf-16"), "UTF-16"),
        (b"\xfe\xff" + "wide".encode("utf-16-be"), "UTF-16"),
        ("wide".encode("utf-32"), "UTF-32"),
        (b"\0\0\xfe\xff" + "wide".encode("utf-32-be"), "UTF-32"),
        ("id;Straße\n1;ä\n".encode("utf-16-le"), "UTF-16 (a guess: not UTF-8)"),
        ("id;Straße\n1;ä\n".encode("utf-16-be"), "UTF-16 (a guess: not UTF-8)"),
        (b"caf\xe9 au lait is latin", "Latin-1 (a guess: not UTF-8)"),
        ("“5 €”".encode("cp1252"), "Windows-1252 (a guess: not UTF-8)"),
        ("1,привет мир\n".encode("cp1251"), "Latin-1 (a guess: not UTF-8)"),
        ("2,京都駅\n".encode("shift_jis"), "Windows-1252 (a guess: not UTF-8)"),
        (b"\x7fELF\x00\x01", None),
        (bytes(range(1, 32)) * 4, None),
        (bytes(range(256)) * 4, None),
        (b"\x93NUMPY\x01\x00v\x00{'descr': '<f8'}", None),
        (b"x\0y,1\n", None),
        (b"", "UTF-8"),
    ],
)
def test_sniffing(start: bytes, label: str | None) -> None:
    encoding = sniff(start)
    assert (None if encoding is None else encoding.label) == label


def test_a_table_may_have_a_zero_byte() -> None:
    encoding = sniff(b"a,b\n1,x\0y\n", zeros=True)
    assert encoding is not None
    assert decode(b"a,b\n1,x\0y\n", encoding) == "a,b\n1,x\0y\n"
    assert sniff(b"\x80\x04\x95\0\0\0\0\0\0\0\0ab", zeros=True) is None


@given(st.binary(max_size=200), st.integers(0, 200), st.integers(0, 200))
def test_any_bytes_are_shown_somehow_wherever_they_are_cut(content: bytes, one: int, other: int) -> None:
    encoding = sniff(content)
    if encoding is not None:
        text = decode(content, encoding)
        assert "\r" not in text
        low, high = sorted((one, other))
        decoder = Decoder(encoding)
        pieces = [decoder.feed(content[:low], ended=False), decoder.feed(content[low:high], ended=False)]
        assert "".join(pieces) + decoder.feed(content[high:], ended=True) == text
        exactly = decode_exactly(content, encoding)
        assert exactly.replace("\r\n", "\n").replace("\r", "\n") == text
    shown = hex_lines(content, 16)
    assert bytes.fromhex("".join(line[12:62].replace(" ", "") for line in shown)) == content


def test_bytes_that_do_not_fit_are_kept_apart() -> None:
    for name in ("utf-8", "utf-16-le", "cp1252"):
        one, other = Encoding(name), Encoding(name)
        texts = [decode(content, one) for content in (b"a\x81\xff", b"a\x81\xfe", b"a\xd8\x00", b"a\x00\xd8\x00\xd8")]
        assert len(set(texts)) == len(texts), (name, other)


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
    notebook = read_notebook(json.dumps(document), notebook_budget())
    assert notebook.language == "python"
    assert [(cell.kind, cell.source, cell.number, cell.outputs) for cell in notebook.cells] == [
        ("markdown", "# Title\ntext", None, ()),
        ("code", "print(1)", 3, ("1\n", "image/png (not shown)", "E: bad")),
    ]
    for bad in ("", "[]", '{"cells": 1}', "[" * 100_000):
        with pytest.raises(Malformed):
            read_notebook(bad, notebook_budget())


def test_a_notebook_of_version_3() -> None:
    cells = [
        {"cell_type": "heading", "level": 2, "source": ["Title"]},
        {"cell_type": "code", "language": "python", "input": ["print(1)"], "outputs": [], "prompt_number": 4},
    ]
    notebook = read_notebook(
        json.dumps({"nbformat": 3, "metadata": {"name": "old"}, "worksheets": [{"cells": cells}]}), notebook_budget()
    )
    assert [(cell.kind, cell.source, cell.number) for cell in notebook.cells] == [
        ("markdown", "## Title", None),
        ("code", "print(1)", 4),
    ]
    assert notebook.about == {"nbformat": 3, "metadata": {"name": "old"}}


@pytest.mark.parametrize("cell", ["[],", "{},", '"",', "0,"])
def test_a_notebook_of_too_many_values_is_refused_before_it_is_parsed(cell: str) -> None:
    source = '{"cells":[' + cell * 1_100_000 + "0]}"
    with pytest.raises(TooLarge, match="too large to show: more than 1,000,000 values in the notebook"):
        read_notebook(source, Budget("the notebook", items=1_000_000))


def test_a_line_of_too_many_values_stays_text() -> None:
    record = '{"a":[' + "0," * 500_000 + "0]}\n"
    form = read_form("jsonl", '{"a":1}\n' + record, ended=True)
    assert form is not None
    assert form.cells(record) == ["", record.strip()]


@pytest.mark.parametrize("kind", ["csv", "tsv"])
def test_cells_beyond_the_columns_that_are_read_are_one(kind: str) -> None:
    delimiter = "," if kind == "csv" else "\t"
    assert len(split_cells(delimiter * 300_000, delimiter, quoted=kind == "csv")) == 100_001
    assert len(split_cells('"' + delimiter * 300_000, delimiter, quoted=kind == "csv")) == 100_001
    with pytest.raises(TooLarge, match="more than 100,000 columns"):
        read_form(kind, delimiter * 5_000_000, ended=False)
