"""Text pages: what is shown is what was read."""

from __future__ import annotations

import json
from itertools import accumulate
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from kittui.tui.widgets.cutting import fit
from kittui.tui.widgets.documents import json_page
from kittui.tui.widgets.highlight import LIMIT, highlight, highlight_json, highlight_yaml
from kittui.tui.widgets.lines import Lines
from kittui.tui.widgets.text_lines import between, wrap
from tests.fakes.layers import archive
from tests.inspect.kits import kit_world
from tests.inspect.test_viewer import START, read, viewed
from tests.tui.waiting import text_of

TEXTS = st.text(alphabet=st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), max_size=40)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


def squeezed(text: str) -> str:
    """Without the blanks between tokens."""
    result, inside, escaped = [], False, False
    for character in text:
        if inside:
            inside = escaped or character != '"'
            escaped = character == "\\" and not escaped
        elif character == '"':
            inside = True
        elif character.isspace():
            continue
        result.append(character)
    return "".join(result)


@given(st.dictionaries(TEXTS, VALUES, max_size=5))
def test_json_keeps_every_token(document: dict[str, object]) -> None:
    raw = json.dumps(document, separators=(",", ":"))
    shown = "".join(line if isinstance(line, str) else "" for line in json_page(raw.encode()).lines)
    assert squeezed(shown) == raw


def test_json_keeps_forms_that_parsing_would_lose() -> None:
    raw = b'{"a":1.10,"a":1e5,"\\u0041":[],"b":{},"n":12345678901234567890}'
    page = json_page(raw)
    assert squeezed("".join(str(line) for line in page.lines)) == raw.decode()
    assert page.raw == raw.decode()


def test_json_that_came_in_lines_stays_as_it_is() -> None:
    raw = b'{\n   "a":   1,\n\n "b" : 2\n}'
    assert list(json_page(raw).lines) == raw.decode().splitlines()


def test_broken_json_is_shown_too() -> None:
    assert json_page(b'{"a": [1, 2, "unended').lines


@given(st.text(max_size=60))
def test_highlighting_changes_no_character(line: str) -> None:
    line = line.replace("\n", " ")
    assert "".join(text for text, _ in highlight_json(line)) == line
    assert "".join(text for text, _ in highlight_yaml(line)) == line


@pytest.mark.parametrize("path", ["a.py", "a.md", "Dockerfile", "a.toml", "a.html", "a.unknown", "Kitfile", "a.json"])
@given(st.lists(st.text(alphabet=st.characters(exclude_characters="\n"), max_size=30), max_size=6))
def test_highlighting_keeps_the_lines_of_a_text(path: str, lines: list[str]) -> None:
    assert ["".join(text for text, _ in spans) for spans in highlight(path, lines)] == lines


def test_a_program_is_coloured_and_a_huge_one_stays_plain() -> None:
    assert highlight("x/train.py", ["def f():", "    return 1  # one"]) == [
        [("def", "special"), (" ", "text"), ("f", "accent"), ("(", "text"), (")", "text"), (":", "text")],
        [("    ", "text"), ("return", "special"), (" ", "text"), ("1", "number"), ("  ", "text"), ("# one", "faint")],
    ]
    assert highlight("train.py", ["1" * LIMIT, "x"]) == [(("1" * LIMIT, "text"),), (("x", "text"),)]


@given(st.text(alphabet="ab c\u6a21-", max_size=80), st.integers(8, 40))
def test_wrapped_lines_fit_and_lose_only_blanks(text: str, width: int) -> None:
    from rich.cells import cell_len

    pieces = wrap(text, width)
    assert all(cell_len(text[start:end]) + indent <= width for start, end, indent in pieces)
    joined = "".join(text[start:end] for start, end, _ in pieces)
    assert joined.replace(" ", "") == text.replace(" ", "")


@given(st.lists(st.tuples(st.text(alphabet="ab模 ", max_size=12), st.just("text")), max_size=4), st.integers(1, 20))
def test_a_cell_is_exactly_as_wide_as_its_column(spans: list[tuple[str, str]], room: int) -> None:
    from rich.cells import cell_len

    assert sum(cell_len(text) for text, _ in fit(spans, room, "right")) == room


@given(st.lists(st.tuples(TEXTS, st.sampled_from("abc")), max_size=8), st.integers(0, 80), st.integers(0, 80))
def test_the_part_of_a_line_has_its_characters_and_their_roles(spans: list[tuple[str, str]], a: int, b: int) -> None:
    characters = [(character, role) for text, role in spans for character in text]
    start, end = sorted((min(a, len(characters)), min(b, len(characters))))
    places = [0, *accumulate(len(text) for text, _ in spans)]
    found = between(spans, start, end, places)
    assert [(character, role) for text, role in found for character in text] == characters[start:end]


async def test_of_a_line_that_is_a_whole_file_only_what_is_in_view_is_drawn() -> None:
    made, _ = kit_world({"m": archive({"a.txt": b"x" * 300_000})})
    async with made.app(START).run_test(size=(100, 30)) as pilot:
        await viewed(pilot, "a.txt")
        await read(pilot)
        lines = pilot.app.screen.query_one(Lines)
        await pilot.pause()
        drawn = lines._drawn[0]
        assert drawn.count > 1000
        assert 0 < len(drawn.strips) <= 30
        await pilot.press("G")
        await pilot.pause()
        assert drawn.count - 1 in drawn.strips
        assert len(drawn.strips) <= 60


async def test_of_a_title_of_a_million_characters_few_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[int] = []

    def measuring(text: str) -> int:
        measured.append(len(text))
        return cell_len(text)

    monkeypatch.setattr("kittui.tui.widgets.cutting.cell_len", measuring)
    content = b'a,"b' + "\u00e9".encode() * 200_000 + b'"\n1,2\n'
    made, _ = kit_world({"m": archive({"a.csv": content})})
    async with made.app(START).run_test(size=(100, 30)) as pilot:
        await viewed(pilot, "a.csv")
        await read(pilot)
        await pilot.pause()
        assert "\u00e9\u00e9" in text_of(pilot)
    assert max(measured) < 5_000


def test_a_line_without_blanks_is_searched_once_and_not_for_each_of_its_screen_lines() -> None:
    class Searched(str):
        far = 0

        def find(self, *asked: Any) -> int:
            Searched.far += (asked[2] if len(asked) > 2 else len(self)) - asked[1]
            return super().find(*asked)

    text = Searched("x" * 50_000 + "\u00e9")
    assert len(wrap(text, 80)) > 600
    assert Searched.far < 2 * len(text)
