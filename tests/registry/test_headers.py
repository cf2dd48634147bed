"""Header fields: what servers write is understood, what nobody should write gives nothing and never an exception."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kittui.registry.headers import (
    Challenge,
    ContentRange,
    next_link,
    parse_challenges,
    parse_content_range,
    parse_retry_after,
    parse_upload_range,
    parse_warnings,
)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (['Basic realm="x"'], [Challenge("basic", {"realm": "x"})]),
        (
            ['BEARER Realm="https://a/t",service="s",scope="repository:x:pull,push"'],
            [Challenge("bearer", {"realm": "https://a/t", "service": "s", "scope": "repository:x:pull,push"})],
        ),
        (
            ['Negotiate, Basic realm="a, b", Bearer realm = "c" , service=d'],
            [
                Challenge("negotiate"),
                Challenge("basic", {"realm": "a, b"}),
                Challenge("bearer", {"realm": "c", "service": "d"}),
            ],
        ),
        (
            ["Negotiate YWJj==", 'Basic realm="q\\"uote"'],
            [Challenge("negotiate"), Challenge("basic", {"realm": 'q"uote'})],
        ),
        (["", ",,", "Basic"], [Challenge("basic")]),
        (['Bearer realm="unclosed'], [Challenge("bearer", {"realm": "unclosed"})]),
    ],
)
def test_challenges(values: list[str], expected: list[Challenge]) -> None:
    found = parse_challenges(values)
    assert [(each.scheme, dict(each.parameters)) for each in found] == [
        (each.scheme, dict(each.parameters)) for each in expected
    ]


TOKEN = st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,10}", fullmatch=True)
TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30)


@given(
    st.lists(
        st.tuples(TOKEN, st.dictionaries(TOKEN.map(str.lower), TEXT, min_size=1, max_size=4)), min_size=1, max_size=3
    ),
    st.booleans(),
)
def test_written_challenges_come_back(challenges: list[tuple[str, dict[str, str]]], together: bool) -> None:
    def quote(text: str) -> str:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    written = [
        f"{scheme} " + ", ".join(f"{key}={quote(value)}" for key, value in fields.items())
        for scheme, fields in challenges
    ]
    found = parse_challenges([", ".join(written)] if together else written)
    assert [(each.scheme, dict(each.parameters)) for each in found] == [
        (scheme.lower(), fields) for scheme, fields in challenges
    ]


@given(st.lists(st.text(max_size=200), max_size=3))
def test_no_header_raises(values: list[str]) -> None:
    parse_challenges(values)
    next_link(values)
    parse_warnings(values)
    for value in values:
        parse_content_range(value)
        parse_retry_after(value)
        parse_upload_range(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ('</v2/x/tags/list?last=b&n=2>; rel="next"', "/v2/x/tags/list?last=b&n=2"),
        ("</v2/x?last=a>; rel=next", "/v2/x?last=a"),
        ('<a>; rel="prev", <b>; title="x, y; rel=next"; rel="last next"', "b"),
        ('<a,b;c>;REL="NEXT"', "a,b;c"),
        ("<a>; rel=prev", None),
        ("a; rel=next", None),
        ("<a", None),
    ],
)
def test_next_link(value: str, expected: str | None) -> None:
    assert next_link([value]) == expected


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="<>"), min_size=1, max_size=60))
def test_link_targets_stay_as_written(target: str) -> None:
    assert next_link([f'<x>; rel="first", <{target}>; rel="next"']) == target


@given(st.integers(0, 2**62), st.integers(0, 2**40), st.integers(1, 2**40) | st.none())
def test_content_ranges(start: int, more: int, beyond: int | None) -> None:
    end = start + more
    total = None if beyond is None else end + beyond
    assert parse_content_range(f"bytes {start}-{end}/{'*' if total is None else total}") == ContentRange(
        start, end, total
    )
    assert parse_content_range(f"bytes {end + 1}-{start}/*") is None
    assert parse_content_range(f"bytes {start}-{end}/{end}") is None


@pytest.mark.parametrize("value", [None, "", "bytes */10", "items 0-1/2", "bytes 1-2", "bytes -1-2/3", "bytes 0-1/1e3"])
def test_unusable_content_ranges(value: str | None) -> None:
    assert parse_content_range(value) is None


@given(st.integers(0, 10**6))
def test_retry_after_in_seconds_and_as_a_date(seconds: int) -> None:
    now = datetime(2026, 11, 23, tzinfo=UTC)
    assert parse_retry_after(str(seconds), now) == seconds
    assert parse_retry_after(format_datetime(now + timedelta(seconds=seconds), usegmt=True), now) == seconds
    assert parse_retry_after(format_datetime(now - timedelta(seconds=seconds + 1), usegmt=True), now) == 0


@pytest.mark.parametrize(
    ("value", "expected"), [("0-99", 100), ("bytes=0-99", 100), ("0-0", 1), ("5-9", None), ("", None), (None, None)]
)
def test_upload_range(value: str | None, expected: int | None) -> None:
    assert parse_upload_range(value) == expected


def test_warnings_are_read_once() -> None:
    values = ['299 - "old \\"tag\\"", 299 - "b"', '299 - "b"', '199 - "other"']
    assert parse_warnings(values) == ('old "tag"', "b")
