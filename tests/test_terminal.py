"""What is cleaned can do nothing to a terminal."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kittui.terminal import clean, size_text


@pytest.mark.parametrize(
    "text",
    ["\x1b]52;c;aGk=\x07", "\x9b31m", "\x1b[2J", "a\u202eb", "\u2066x\u2069", "\ufeff", "\u200b", "\x00", "\x7f"],
)
def test_controls_become_visible(text: str) -> None:
    cleaned = clean(text)
    assert cleaned.isprintable()
    assert cleaned != text


def test_one_text_is_one_line_of_bounded_length() -> None:
    assert clean("a\nb\r\tc\u2028d") == "a b  c d"
    assert len(clean("x" * 10_000)) == 4000
    assert len(clean("x" * 10_000, limit=None)) == 10_000
    assert clean("Grüße 日本 [bold]") == "Grüße 日本 [bold]"


@given(st.text(st.characters(), max_size=50))
def test_nothing_that_steers_is_left(text: str) -> None:
    for character in clean(text):
        assert unicodedata.category(character) not in ("Cc", "Cs", "Zl", "Zp")
        assert unicodedata.bidirectional(character) not in (
            "LRE",
            "RLE",
            "PDF",
            "LRO",
            "RLO",
            "LRI",
            "RLI",
            "FSI",
            "PDI",
        )


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (None, ""),
        (0, "0 B"),
        (1, "1 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (99_949, "99.9 kB"),
        (99_950, "100 kB"),
        (999_900, "1000 kB"),
        (999_950, "1000 kB"),
        (1_000_000, "1.0 MB"),
        (123_456_789, "123 MB"),
        (10**20, "100 EB"),
    ],
)
def test_sizes_have_at_most_seven_cells(size: int | None, text: str) -> None:
    assert size_text(size) == text
    assert len(size_text(size)) <= 7
