"""What is cleaned can do nothing to a terminal."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kittui.terminal import MARKS, clean, size_text


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


@pytest.mark.parametrize(
    "character",
    [
        "\u0600", "\u06dd", "\u070f", "\u08e2", "\U000110bd", "\U00013430", "\u00ad", "\u034f",
        "\u115f", "\u1160", "\u3164", "\uffa0", "\u17b4", "\u180b", "\u180e", "\ufe00", "\U000e0100",
        "\U000e0001", "\u200d", "\u2064", "\ufffe", "\u0378", "\U0001d173",
    ],
)  # fmt: skip
def test_what_is_invisible_or_formats_becomes_visible(character: str) -> None:
    cleaned = clean(f"a{character[0]}b")
    assert cleaned.startswith("a\\")
    assert cleaned.endswith("b")
    assert cleaned.isascii()


@pytest.mark.parametrize("mark", ["\u0301", "\u0489", "\u20dd", "\u0e47", "\u0903"])
def test_marks_by_the_hundred_on_one_letter_become_visible(mark: str) -> None:
    cleaned = clean("a" + mark * 100 + "b" + mark)
    assert cleaned == "a" + mark * MARKS + f"\\u{ord(mark):04x}" * (100 - MARKS) + "b" + mark


def test_a_mark_at_the_start_does_not_sit_on_what_is_before_the_text() -> None:
    assert clean("\u0301a") == "\\u0301a"


@pytest.mark.parametrize(
    "text",
    ["é", "e\u0301", "นี้", "हिन्दी", "שָׁלוֹם", "日本語", "한국어", "Việt", "⚠\ufe0f", "🤖", "བསྒྲུབས", "a\u00a0b", "⠀⣿"],
)
def test_what_people_write_stays(text: str) -> None:
    assert clean(text) == text


@given(st.text(st.characters(), max_size=50))
def test_a_cleaned_text_is_clean_and_distinct_texts_stay_distinct_in_length(text: str) -> None:
    cleaned = clean(text, limit=None)
    assert clean(cleaned, limit=None) == cleaned
    assert not set(cleaned) & set("\u115f\u1160\u3164\uffa0")


def test_numbers_and_their_nouns_agree() -> None:
    from kittui.terminal import counted

    assert [counted(number, "file") for number in (0, 1, 2, 3000)] == ["0 files", "1 file", "2 files", "3,000 files"]
    assert [counted(2, noun) for noun in ("repository", "key", "entry")] == ["2 repositories", "2 keys", "2 entries"]
