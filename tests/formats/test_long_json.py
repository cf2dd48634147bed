"""Long JSON is parsed a stretch at a time, and gives what json gives."""

from __future__ import annotations

import json
from json import JSONDecoder
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kittui.budget import Budget
from kittui.errors import TooLarge
from kittui.formats import long_json
from kittui.formats.long_json import decode_json, decode_map, encode_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=9) | st.dictionaries(st.text(max_size=9), inner, max_size=9),
    max_leaves=60,
)


@pytest.fixture(autouse=True)
def short_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(long_json, "STRETCH", 40)
    monkeypatch.setattr(long_json, "_ROWS", 2)


def outcome(decode: Any, text: str) -> Any:
    try:
        return repr(decode(text))
    except ValueError:
        return "refused"


@given(VALUES, st.sampled_from([None, 1]), st.booleans())
@settings(max_examples=150)
def test_a_long_document_is_what_json_makes_of_it(value: Any, indent: int | None, ascii_only: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    assert decode_json(text) == json.loads(text)


@given(VALUES, st.data(), st.sampled_from(["", ",", "]", "}", ":", '"', "1", "e", ".", "-", "\\"]))
@settings(max_examples=150)
def test_what_json_refuses_is_refused(value: Any, where: st.DataObject, noise: str) -> None:
    text = json.dumps(value)
    at = where.draw(st.integers(0, len(text)))
    for damaged in (text[:at] + noise + text[at:], text[:at] + noise + text[at + 1 :]):
        assert outcome(decode_json, damaged) == outcome(json.loads, damaged)


@given(st.lists(st.integers() | st.floats(allow_nan=False), max_size=60), VALUES)
def test_lists_are_encoded_a_stretch_at_a_time(numbers: list[float], value: Any) -> None:
    assert json.loads(encode_json([value, numbers, "word"])) == [value, numbers, "word"]


@given(st.dictionaries(st.text(max_size=9), VALUES, max_size=4))
def test_a_map_is_given_pair_by_pair(value: dict[str, Any]) -> None:
    assert dict(decode_map(json.dumps(value), JSONDecoder(), Budget("it"))) == value


@pytest.mark.parametrize(
    "text", ["[" + "1," * 2000 + "1]", "[" + "[]," * 2000 + "1]", "[" * 90 + '"' + "a" * 99 + '"' + "]" * 90]
)
def test_values_are_counted(text: str) -> None:
    with pytest.raises(TooLarge, match="more than 1,000 values in the list"):
        decode_json(text, budget=Budget("the list", items=1000))


def test_nothing_long_is_handed_to_the_parser_in_c() -> None:
    handed: list[int] = []

    class Watched(JSONDecoder):
        def decode(self, s: str, *args: Any) -> Any:
            handed.append(len(s))
            return super().decode(s, *args)

        def raw_decode(self, s: str, idx: int = 0) -> tuple[Any, int]:
            handed.append(len(s))
            return super().raw_decode(s, idx)

    value = {"names": [f"name {n}" for n in range(500)], "numbers": list(range(500)), "deep": [[[{"a": [1, 2]}] * 30]]}
    assert decode_json(json.dumps(value), Watched()) == value
    assert max(handed) <= 42


@given(
    st.dictionaries(
        st.text(st.sampled_from('ab},"\\ {[')),
        st.recursive(
            st.none() | st.integers(0, 9) | st.text(st.sampled_from('x},"\\{[')),
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("k},", max_size=2), inner, max_size=3),
            max_leaves=8,
        ),
        max_size=12,
    ),
    st.integers(3, 60),
    st.sampled_from([None, 1]),
)
def test_a_map_is_the_same_however_much_of_it_is_read_at_once(value: dict[str, Any], stretch: int, indent: Any) -> None:
    def distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len(dict(pairs)) == len(pairs)
        return dict(pairs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kittui.formats.long_json.STRETCH", stretch)
        decoder = JSONDecoder(object_pairs_hook=distinct)
        assert dict(decode_map(json.dumps(value, indent=indent), decoder, Budget("it"))) == value
        for broken in (json.dumps(value) + "}", json.dumps(value)[:-1], json.dumps({"k": {}})[:-1] + ",}"):
            with pytest.raises(ValueError, match=r"."):
                list(decode_map(broken, decoder, Budget("it")))
