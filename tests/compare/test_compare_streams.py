"""Texts and tables too large to be held: the same findings as in memory, long lines, bounded effort."""

from __future__ import annotations

import random
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kittui.compare import records, walking
from kittui.compare.changes import Table, TextChange
from kittui.compare.contents import compare_contents
from kittui.compare.records import RecordReader, pass_long
from kittui.compare.streams import Side, compare_streams, schema
from kittui.compare.tables import compare_tables, read_table
from kittui.formats import records as cutting
from kittui.formats import tables
from kittui.formats.records import Splitter


def side(content: bytes) -> Side:
    return Side(len(content), lambda offset, length: content[offset : offset + length])


def compared(path: str, a: bytes, b: bytes) -> TextChange:
    return compare_streams(path, side(a), side(b))


def table(path: str, a: bytes, b: bytes) -> Table:
    found = compared(path, a, b).table
    assert found is not None
    return found


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows of a few lines, so that small files are large ones."""
    monkeypatch.setattr(walking, "WINDOWS", (64, 256, 1024))
    for module in (walking, records):
        monkeypatch.setattr(module, "PIECE", 128)
    monkeypatch.setattr(records, "RECORD_LIMIT", 512)
    for module in (tables, cutting):
        monkeypatch.setattr(module, "RECORD_LIMIT", 512)
    monkeypatch.setattr(records, "BEFORE", 256)


def rebuilt(a: list[bytes], change: TextChange) -> list[bytes]:
    """What the hunks make of a."""
    lines = [line.decode("utf-8", "surrogateescape") for line in a]
    result: list[str] = []
    at = 0
    for hunk in change.hunks:
        start = hunk.a_start - (1 if hunk.a_count else 0)
        assert start >= at, "hunks overlap"
        result += lines[at:start]
        assert len(result) == hunk.b_start - (1 if hunk.b_count else 0)
        for line in hunk.lines:
            ending = "" if "no newline" in line.note else "\n"
            if line.op != "-":
                result.append(line.text + ending)
            if line.op != "+":
                assert lines[start] == line.text + ending
                start += 1
        at = start
    result += lines[at:]
    return [line.encode("utf-8", "surrogateescape") for line in result]


LINES = st.lists(st.sampled_from([b"a\n", b"b\n", b"\n", b"long line of text\n", b"x" * 60 + b"\n"]), max_size=120)


@settings(max_examples=150)
@given(LINES, LINES, st.text("ax é", max_size=5).map(str.encode))
def test_hunks_of_a_stream_turn_one_side_into_the_other(a: list[bytes], b: list[bytes], tail: bytes) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(walking, "WINDOWS", (64, 256, 1024))
        patch.setattr(records, "RECORD_LIMIT", 512)
        patch.setattr(walking, "PIECE", 128)
        b = [*b, tail] if tail else b
        change = compared("notes.txt", b"".join(a), b"".join(b))
    assert b"".join(rebuilt(a, change)) == b"".join(b)
    added = sum(line.op == "+" for hunk in change.hunks for line in hunk.lines)
    removed = sum(line.op == "-" for hunk in change.hunks for line in hunk.lines)
    assert (change.added, change.removed, change.cut) == (added, removed, 0)


@settings(max_examples=80)
@given(st.randoms(use_true_random=False), st.sampled_from(["t.csv", "t.jsonl"]))
def test_rows_of_a_stream_are_those_of_the_whole(chance: random.Random, path: str) -> None:
    rows = {f"k{number:03}": [str(chance.randrange(5)), 'two\n"lines"'] for number in range(60)}
    edited = {key: list(row) for key, row in rows.items()}
    for key in chance.sample(sorted(rows), 6):
        edited[key][0] += "9"
    for key in chance.sample(sorted(rows), 3):
        del edited[key]
    edited["new"] = ["1", "plain"]
    a, b = written(path, rows), written(path, edited)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(walking, "WINDOWS", (64, 256, 1024))
        patch.setattr(walking, "PIECE", 128)
        found = table(path, a, b)
    kind = path.partition(".")[2]
    one, other = read_table(kind, a.decode()), read_table(kind, b.decode())
    assert one is not None
    assert other is not None
    whole = compare_tables(one, other)
    assert whole is not None
    assert (found.added, found.removed, found.changed) == (whole.added, whole.removed, whole.changed)
    assert (found.count_a, found.count_b, found.key) == (whole.count_a, whole.count_b, "id")
    assert {(row.status, row.key, row.number_a, row.number_b) for row in found.rows} == {
        (row.status, row.key, row.number_a, row.number_b) for row in whole.rows
    }


def written(path: str, rows: dict[str, list[str]]) -> bytes:
    if path.endswith("csv"):
        lines = ["id,n,text\n"]
        lines += [f'{key},{row[0]},"{row[1].replace(chr(34), chr(34) * 2)}"\n' for key, row in rows.items()]
    else:
        text = '{{"id": "{}", "n": "{}", "text": "t"}}\n'
        lines = [text.format(key, row[0]) for key, row in rows.items()]
    return "".join(lines).encode()


def test_other_columns_do_not_make_every_row_a_change() -> None:
    a = "id,n\n" + "".join(f"{number},{number % 7}\n" for number in range(5000))
    b = "id,extra,n\n" + "".join(f"{number},x,{number % 7 + (number == 77)}\n" for number in range(5000))
    found = table("t.csv", a.encode(), b.encode())
    assert [(column.name, column.status) for column in found.columns] == [("extra", "added")]
    assert (found.added, found.removed, found.changed) == (0, 0, 1)
    assert found.rows[0].key == "77"
    assert found.rows[0].changed == (1,)


def test_a_field_that_only_late_lines_have_is_compared(small: None) -> None:
    plain = b"".join(b'{"id": %d, "n": 1}\n' % number for number in range(100, 400))
    found = table("t.jsonl", plain + b'{"id": 9, "late": 1}\n', plain + b'{"id": 9, "late": 2}\n')
    assert (found.added, found.removed, found.changed) == (0, 0, 1)


def test_rows_of_other_lengths_further_down_are_rows(small: None) -> None:
    good = b"id,n\n" + b"".join(b"%d,1\n" % number for number in range(100, 300))
    found = table("t.csv", good + b"1,2,3\n", good + b"1,2,4\n")
    assert found.names == ("id", "n", "(other fields)")
    assert [(row.key, row.a, row.b) for row in found.rows] == [("1", ("1", "2", "3"), ("1", "2", "4"))]


def test_the_same_rows_written_otherwise_are_compared_as_text(small: None) -> None:
    rows = [f"{number},x\n" for number in range(100, 300)]
    quoted = [*rows[:77], '177,"x"\n', *rows[78:]]
    change = compared("t.csv", ("id,n\n" + "".join(rows)).encode(), ("id,n\n" + "".join(quoted)).encode())
    assert change.table is None
    assert change.notes[0] == "the same rows, written otherwise"
    assert [line.text for hunk in change.hunks for line in hunk.lines if line.op == "+"] == ['177,"x"']


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "latin-1", "cp1252"])
@pytest.mark.parametrize("path", ["t.csv", "t.txt"])
def test_encodings_are_those_of_the_viewer(small: None, path: str, encoding: str) -> None:
    lines = ["id;Straße\n", *(f"{number};Müllerweg\n" for number in range(100, 400))]
    other = [*lines[:150], "249;Am Bühl\n", *lines[151:]]
    change = compared(path, "".join(lines).encode(encoding), "".join(other).encode(encoding))
    if path == "t.csv":
        assert change.table is not None
        assert [(row.key, row.a, row.b) for row in change.table.rows] == [
            ("249", ("249", "Müllerweg"), ("249", "Am Bühl"))
        ]
    else:
        changed = [(line.op, line.text) for hunk in change.hunks for line in hunk.lines if line.op != " "]
        assert changed == [("-", "249;Müllerweg"), ("+", "249;Am Bühl")]
    guessed = encoding in ("latin-1", "cp1252")
    assert ("read as Latin-1 (a guess: not UTF-8)" in change.notes) == guessed


def test_another_encoding_and_other_line_ends_are_said(small: None) -> None:
    text = "".join(f"{number};Müllerweg\n" for number in range(100, 400))
    change = compared("t.csv", text.encode("latin-1"), text.replace("\n", "\r\n").encode("utf-16"))
    assert change.notes[:3] == (
        "the same rows, written otherwise",
        "encoding: Latin-1 (a guess: not UTF-8) → UTF-16",
        "line ends: LF → CRLF",
    )


@pytest.mark.parametrize("screen", ['36" screen', '"36 screen'])
def test_a_lone_quote_hides_no_row(small: None, screen: str) -> None:
    rows = [f"{number},thing {number}\n" for number in range(100, 900)]
    rows[3] = f"103,{screen}\n"
    other = [*rows]
    other[777] = "877,changed\n"
    found = table("t.csv", ("id,item\n" + "".join(rows)).encode(), ("id,item\n" + "".join(other)).encode())
    assert (found.count_a, found.count_b, found.changed) == (800, 800, 1)
    assert [(row.key, row.number_a, row.number_b) for row in found.rows] == [("877", 778, 778)]


def test_rows_with_line_ends_in_quotes_are_counted(small: None) -> None:
    rows = [f'{number},"two\n\nlines, ""{number}"""\n' + "\n" * (number % 3 == 0) for number in range(100, 400)]
    other = [*rows]
    other[200] = "300,changed\n"
    found = table("t.csv", ("id,item\n" + "".join(rows)).encode(), ("id,item\n" + "".join(other)).encode())
    assert (found.count_a, found.count_b) == (300, 300)
    assert [(row.key, row.number_a, row.number_b) for row in found.rows] == [("300", 201, 201)]


def test_what_differs_in_a_line_too_long_to_be_held_is_shown(small: None) -> None:
    a = b"first\n" + b"x" * 5000 + b"1" + b"y" * 300 + b"\nlast\n"
    change = compared("t.txt", a, a.replace(b"1", b"2"))
    (hunk,) = change.hunks
    old, new = (line.text for line in hunk.lines if line.op != " ")
    assert "x1y" in old
    assert "x2y" in new
    assert f"{5301 + 1} characters" in old


def test_long_lines_are_bounded_and_told_apart() -> None:
    size = 100_000_000

    def long_side(last: bytes) -> Side:
        parts = [(b"start\n", 1), (b"x", size), (last + b"\nend\n", 1)]
        total = sum(len(part) * times for part, times in parts)

        def read(offset: int, length: int) -> bytes:
            found, at = bytearray(), 0
            for part, times in parts:
                whole = len(part) * times
                low, high = max(offset - at, 0), min(offset + length - at, whole)
                if low < high:
                    found += part * (high - low) if len(part) == 1 else part[low:high]
                at += whole
            return bytes(found)

        return Side(total, read)

    tracemalloc.start()
    change = compare_streams("big.txt", long_side(b"1"), long_side(b"2"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 30_000_000
    assert (change.added, change.removed) == (1, 1)
    (hunk,) = change.hunks
    assert [line.op for line in hunk.lines][:3] == [" ", "-", "+"]
    assert all(len(line.text) < 3000 for line in hunk.lines)


@pytest.mark.parametrize("quoted", [False, True])
def test_a_record_reader_splits_as_a_whole_read_does(small: None, quoted: bool) -> None:
    chance = random.Random(5)
    for _ in range(60):
        content = b"".join(chance.choice([b"a,b\n", b'"q\nq",1\n', b"z\n", b"y" * 700 + b"\n"]) for _ in range(40))
        reader = RecordReader(side(content).read, len(content), rows=Splitter(",", quoted=quoted))
        sizes = []
        while (found := reader.peek(chance.choice([10, 64, 300]))) or found is None:
            if found is None:
                sizes.append(pass_long(reader).length)
                continue
            sizes += [len(record) for record in found]
            reader.skip_records(found)
        assert sum(sizes) == len(content)
        assert reader.number == len(sizes)
        wanted = content.replace(b"q\nq", b"qq" + b"q" * quoted).count(b"\n") if quoted else content.count(b"\n")
        assert len(sizes) == wanted


def test_a_file_that_ends_early_is_no_comparison() -> None:
    content = b"line\n" * 100
    with pytest.raises(EOFError):
        compare_streams("t.txt", side(content), Side(len(content) + 5, side(content).read))


def test_counts_and_columns_come_first() -> None:
    told = schema("t.csv", side(b"id,n\n1,2\n"), side(b"id,m\n1,2\n2,3\n"), (2, 3))
    assert told.table is not None
    assert (told.table.count_a, told.table.count_b, told.table.rows) == (1, 2, ())
    assert [(column.name, column.status) for column in told.table.columns] == [("n", "removed"), ("m", "added")]
    assert schema("t.txt", side(b"x"), side(b"y"), (1, 1)).kind == "text"


def shapes() -> dict[str, tuple[str, bytes, bytes]]:
    """Files that would take all memory, or minutes, if what they multiply were held."""
    unique = b"".join(b'{"k%d": %d}\n' % (number, number) for number in range(60_000))
    wide = b"," * 1_000_000 + b"\n" + b"1\n" * 300_000
    chance = random.Random(1)
    short = "".join(chance.choice("abcdef") + "\n" for _ in range(250_000)).encode()
    ints = b"[" + b",".join(b"%d" % number for number in range(700_000)) + b"]"
    return {
        "unique": ("a.jsonl", unique, unique.replace(b": 500}", b": 7}")),
        "wide": ("a.csv", wide, wide[:-2] + b"2\n"),
        "short": ("a.txt", short, short[::-1]),
        "ints": ("a.json", ints, ints.replace(b",5000,", b",7,")),
    }


@pytest.mark.parametrize("name", ["unique", "wide", "short", "ints"])
def test_what_a_file_multiplies_is_not_held(name: str) -> None:
    path, a, b = shapes()[name]
    tracemalloc.start()
    change = compare_contents(path, a, b)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200_000_000
    assert change is not None
    assert change.hunks or change.cut or change.table
    assert change.notes


def test_a_wide_table_is_still_compared_by_rows() -> None:
    titles = ",".join(f"gene{number}" for number in range(8_000))
    rows = [f"{number},{'0,' * 7_998}{number}\n" for number in range(1200)]
    other = [*rows]
    other[700] = f"700,{'0,' * 7_998}9999\n"
    found = table("x.csv", f"{titles}\n{''.join(rows)}".encode(), f"{titles}\n{''.join(other)}".encode())
    assert (found.count_a, found.changed, found.added) == (1200, 1, 0)
    (row,) = found.rows
    assert (row.key, row.changed) == ("700", (7_999,))


def test_a_record_of_more_lines_than_are_looked_at_is_one(small: None) -> None:
    record = '1,"' + "x\n" * 50 + 'end",z\n'
    reader = RecordReader(side(record.encode() * 3).read, 3 * len(record), rows=Splitter(",", quoted=True))
    reader.most = 2
    assert reader.peek(10_000) == [record, record]
    assert not reader.splitter.unclosed
