"""Texts: hunks rebuild the new version from the old, words are marked, odd bytes are told."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kittui.compare.changes import Hunk
from kittui.compare.contents import compare_contents
from kittui.compare.excerpts import differences, excerpt
from kittui.compare.lines import increasing, matching_blocks
from kittui.compare.notebooks import compare_notebooks
from kittui.compare.text import changed_words, compare_lines, compare_texts, split


def patched(a: list[str], hunks: list[Hunk]) -> list[str]:
    """Apply hunks, checking what they say of a."""
    result: list[str] = []
    at = 0
    for hunk in hunks:
        start = hunk.a_start - 1 if hunk.a_count else hunk.a_start
        result += a[at:start]
        old = [line.text for line in hunk.lines if line.op in " -"]
        assert [text.removesuffix("\n").removesuffix("\r") for text in a[start : start + hunk.a_count]] == old
        for line in hunk.lines:
            if line.op in " +":
                end = "" if "no newline" in line.note else "\r\n" if "CRLF" in line.note else "\n"
                result.append(line.text + end)
        at = start + hunk.a_count
    return result + a[at:]


LINES = st.lists(st.sampled_from(["a", "b", "c", "x = 1", "x = 2", "", "long line of words"]), max_size=30)


@given(LINES, LINES, st.booleans(), st.booleans())
def test_hunks_are_exact(a: list[str], b: list[str], end_a: bool, end_b: bool) -> None:
    old = split("\n".join(a) + ("\n" if end_a else ""))
    new = split("\n".join(b) + ("\n" if end_b else ""))
    hunks = compare_lines(old, new)
    # A blank context line at the very edge may be kept either way; the text must be the same.
    assert "".join(patched(old, hunks)) == "".join(new)
    assert bool(hunks) == (old != new)
    for hunk in hunks:
        assert hunk.a_count == sum(line.op in " -" for line in hunk.lines)
        assert hunk.b_count == sum(line.op in " +" for line in hunk.lines)


@given(st.lists(st.integers(0, 6), max_size=40), st.lists(st.integers(0, 6), max_size=40))
def test_matching_blocks_match_and_rise(a: list[int], b: list[int]) -> None:
    end_a = end_b = 0
    for start_a, start_b, size in matching_blocks(a, b):
        assert size > 0
        assert start_a >= end_a
        assert start_b >= end_b
        assert a[start_a : start_a + size] == b[start_b : start_b + size]
        end_a, end_b = start_a + size, start_b + size


def test_increasing_finds_the_longest_run() -> None:
    assert increasing([(0, 5), (1, 0), (2, 1), (3, 9), (4, 2)]) == [(1, 0), (2, 1), (4, 2)]
    assert increasing([]) == []


def test_words_that_differ_are_marked() -> None:
    a, b = changed_words("learning_rate = 0.005  # base", "learning_rate = 0.003  # base")
    assert a == b == ((18, 21),)
    assert changed_words("alpha beta", "something else") == ((), ())


def test_line_ends_and_missing_newlines_are_said() -> None:
    only_ends = compare_texts("x", b"a\r\nb\r\n", b"a\nb\n")
    assert only_ends.hunks == ()
    assert only_ends.notes == ("only line ends differ: CRLF → LF",)
    (hunk,) = compare_texts("x", b"a\nb", b"a\nb\n").hunks
    assert [(line.op, line.text, line.note) for line in hunk.lines] == [
        (" ", "a", ""),
        ("-", "b", "no newline at the end"),
        ("+", "b", ""),
    ]
    assert "byte order mark" in compare_texts("x", b"\xef\xbb\xbfa\n", b"a\n").notes[0]


def test_what_is_no_utf8_is_read_as_latin_1_and_said() -> None:
    change = compare_texts("x", b"caf\xe9 one\n", b"caf\xe9 two\n")
    assert change.hunks[0].lines[0].text == "café one"
    assert change.notes == ("read as Latin-1 (a guess: not UTF-8)",)
    start = b"x" * 10_000 + b"\n"
    change = compare_texts("x", start + b"caf\xe9 one\n", start + b"caf\xe9 two\n")
    assert change.hunks[0].lines[1].text == "caf\udce9 one"
    assert change.notes == ("not all of it is UTF-8",)
    change = compare_texts("x", "café\n".encode("latin-1"), "café\n".encode("utf-16"))
    assert (change.hunks, change.notes) == ((), ("encoding: Latin-1 (a guess: not UTF-8) → UTF-16",))


def test_lone_carriage_returns_end_lines() -> None:
    (hunk,) = compare_texts("x", b"a\rb\rc", b"a\rx\rc").hunks
    assert [(line.op, line.text, line.note) for line in hunk.lines] == [
        (" ", "a", "CR"),
        ("-", "b", "CR"),
        ("+", "x", "CR"),
        (" ", "c", "no newline at the end"),
    ]
    assert compare_texts("x", b"a\rb\r", b"a\nb\n").notes == ("only line ends differ: CR → LF",)


def test_a_long_line_is_cut_to_what_differs() -> None:
    line = "{%- for m in messages %}" + "{{ m.role }}: {{ m.content }} " * 150 + "{{ bos }}{%- endfor %}\n"
    other = line.replace("bos", "eos").replace("for m in", "for mm in", 1)
    (hunk,) = compare_texts("x.jinja", line.encode(), other.encode()).hunks
    for one, words in zip(hunk.lines, (("m", "bos"), ("mm", "eos")), strict=True):
        assert tuple(one.text[low:high] for low, high in one.words) == words
        assert "…" in one.text
        assert len(one.text) < 500
        assert one.note == f"of {len(line if one.op == '-' else other) - 1} characters"
    assert "{%- endfor %}" in hunk.lines[1].text


@given(st.text("ab \n", max_size=60), st.text("ab \n", max_size=60), st.integers(4, 40))
def test_an_excerpt_of_two_texts_shows_that_they_differ(a: str, b: str, room: int) -> None:
    cut = excerpt("x" * 500 + a + "y" * 500, "x" * 500 + b + "y" * 500, room)
    assert (cut.a == cut.b) == (a == b)
    assert max(len(cut.a), len(cut.b)) <= 6 * room + 2 * len("…") + max(len(a), len(b))


@given(LINES, LINES)
def test_differences_are_all_of_them(a: list[str], b: list[str]) -> None:
    one, other = " ".join(a), " ".join(b)
    gaps = differences(one, other)
    built, at = "", 0
    for a_from, a_to, b_from, b_to in gaps:
        built += one[at:a_from] + other[b_from:b_to]
        at = a_to
    assert built + one[at:] == other
    assert bool(gaps) == (one != other)


def test_binaries_have_their_first_difference() -> None:
    change = compare_texts("x", b"\0\1\2\3", b"\0\1\2\4\5")
    assert (change.kind, change.hunks) == ("binary", ())
    assert change.notes == ("binary, differs from byte 3, 4 → 5 bytes",)
    assert compare_texts("x", b"text\n", b"\0").kind == "binary"


def test_a_line_of_a_hundred_megabytes_is_told_and_not_aligned() -> None:
    a = b"x" * 100_000_000
    b = bytearray(a)
    b[77_000_000] = 121
    change = compare_texts("x", a, bytes(b))
    assert change.hunks == ()
    assert "byte 77000000" in change.notes[0]
    long_lines = compare_texts("x", b"x" * 5_000_000, b"y" + b"x" * 5_000_000)
    assert [len(line.text) < 200 for line in long_lines.hunks[0].lines] == [True, True]
    assert long_lines.hunks[0].lines[1].text.startswith("yxx")
    assert "of 5000001 characters" in long_lines.hunks[0].lines[1].note


def test_large_and_repetitive_texts_stay_bounded() -> None:
    chance = random.Random(4)
    a = [chance.choice("abcdef") + "\n" for _ in range(60_000)]
    b = [chance.choice("abcdef") + "\n" for _ in range(60_000)]
    hunks = compare_lines(a, b)
    assert "".join(patched(a, hunks)) == "".join(b)


NOTEBOOK = b"""{"nbformat": 4, "nbformat_minor": 5, "metadata": {"kernel": "a"}, "cells": [
 {"cell_type": "markdown", "id": "m1", "source": ["# Title\\n", "text"]},
 {"cell_type": "code", "id": "c1", "source": "x = 1\\ny = 2", "outputs": [], "execution_count": 1},
 {"cell_type": "code", "id": "c2", "source": "z = 3", "outputs": [], "execution_count": 2}]}"""


def test_notebooks_are_compared_by_cell() -> None:
    new = (
        NOTEBOOK.replace(b"y = 2", b"y = 5")
        .replace(b'"kernel": "a"', b'"kernel": "b"')
        .replace(b'count": 2', b'count": 9')
    )
    change = compare_notebooks("n.ipynb", NOTEBOOK, new)
    assert change is not None
    (hunk,) = change.hunks
    assert hunk.section == "cell 2 (code), changed"
    assert [(line.op, line.text) for line in hunk.lines] == [(" ", "x = 1"), ("-", "y = 2"), ("+", "y = 5")]
    assert change.notes == ()
    assert [value.path for value in change.values] == ["metadata.kernel"]
    assert compare_notebooks("n.ipynb", b"{}", NOTEBOOK) is None
    assert compare_notebooks("n.ipynb", b"\xff[", NOTEBOOK) is None


def test_cells_without_ids_are_found_again_behind_a_new_one() -> None:
    def notebook(*sources: str) -> bytes:
        import json

        return json.dumps({"cells": [{"cell_type": "code", "source": text} for text in sources]}).encode()

    change = compare_notebooks("n", notebook("a", "b", "c"), notebook("new", "a", "b!", "c"))
    assert change is not None
    assert [hunk.section for hunk in change.hunks] == ["cell 1 (code), added", "cell 3 (code), changed"]


def notebook(*cells: tuple[str, str, list[str], int]) -> bytes:
    """Cells of (id, source, outputs, execution count)."""
    return json.dumps(
        {
            "nbformat": 4,
            "cells": [
                {
                    "cell_type": "code",
                    **({"id": name} if name else {}),
                    "source": source,
                    "execution_count": count,
                    "outputs": [
                        {"output_type": "execute_result", "execution_count": count, "data": {"text/plain": text}}
                        for text in said
                    ],
                }
                for name, source, said, count in cells
            ],
        }
    ).encode()


@pytest.mark.parametrize("named", [True, False], ids=["ids", "no ids"])
def test_cells_are_added_removed_moved_and_changed_and_outputs_stand_apart(named: bool) -> None:
    def cell(name: str, source: str, said: str, count: int) -> tuple[str, str, list[str], int]:
        return (name if named else "", source, [said], count)

    old = notebook(
        cell("a", "load()", "1", 1),
        cell("b", "train()", "0.9", 2),
        cell("c", "plot()", "p", 3),
        cell("d", "old()", "", 4),
    )
    new = notebook(
        cell("c", "plot()", "p", 7),
        cell("a", "load()", "1", 8),
        cell("b", "train()", "0.8", 9),
        cell("e", "new()", "", 1),
    )
    change = compare_notebooks("n.ipynb", old, new)
    assert change is not None
    found = [(hunk.section, hunk.output) for hunk in change.hunks]
    assert found[:2] == [("cell 1 (code), moved from 3", False), ("cell 3 (output), changed", True)]
    if named:
        assert found[2:] == [("cell 4 (code), removed", False), ("cell 4 (code), added", False)]
    else:
        assert found[2:] == [("cell 4 (code), changed", False)]
    assert change.notes == ("outputs of 1 cell differ",)
    assert change.values == ()


def test_a_notebook_of_one_side_is_told_by_cell_with_its_outputs_apart() -> None:
    content = notebook(("a", "load()\nrun()", ["1"], 1), ("b", "plot()", [], 2))
    for sides, what, op in (((content, None), "removed", "-"), ((None, content), "added", "+")):
        change = compare_contents("N.ipynb", *sides)
        assert change is not None
        assert (change.kind, change.values, change.notes) == ("notebook", (), ())
        assert [(hunk.section, hunk.output) for hunk in change.hunks] == [
            (f"cell 1 (code), {what}", False),
            (f"cell 1 (output), {what}", True),
            (f"cell 2 (code), {what}", False),
        ]
        assert [(line.op, line.text) for hunk in change.hunks for line in hunk.lines] == [
            (op, "load()"),
            (op, "run()"),
            (op, "1"),
            (op, "plot()"),
        ]
        assert not any(line.note for hunk in change.hunks for line in hunk.lines), "no cell ends in a line feed"
    broken = compare_contents("n.ipynb", content[:-9], None)
    assert broken is not None
    assert broken.kind == "text", "what is not a notebook is shown as the text that it is"


def test_what_an_added_cell_printed_is_told() -> None:
    old, new = (notebook(("a", "x", ["1"], 1), *more) for more in ((), (("b", "y", ["2"], 2),)))
    change = compare_contents("n.ipynb", old, new)
    assert change is not None
    assert [(hunk.section, hunk.output) for hunk in change.hunks] == [
        ("cell 2 (code), added", False),
        ("cell 2 (output), added", True),
    ]


def test_ids_and_execution_counts_are_not_changes() -> None:
    old = notebook(("a", "x", ["1"], 1), ("b", "y", [], 2))
    for names in ("cd", "ad", "cb"):
        new = notebook((names[0], "x", ["1"], 5), (names[1], "y", [], 6))
        change = compare_contents("n.ipynb", old, new)
        assert change is not None
        assert (change.kind, change.hunks, change.values) == ("notebook", (), ())
        assert change.notes == (
            "the same cells: at most their ids, execution counts or the way they are written differ",
        )
