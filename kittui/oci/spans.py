"""Reads and edits JSON texts in place: whatever a change does not touch keeps its bytes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from json.decoder import scanstring  # type: ignore[attr-defined]

from kittui.errors import Malformed

_DECODER = json.JSONDecoder(parse_float=str, parse_int=str)
_BLANKS = re.compile(r"[ \t\r\n]*")
_STRING_OR_BLANKS = re.compile(r'("(?:\\.|[^"\\])*")|[ \t\r\n]+')


@dataclass(frozen=True, slots=True)
class Span:
    """A value in a text; for an object's member, also its `key` and where the member `begins`."""

    start: int
    end: int
    key: str = ""
    begins: int = 0


def text_of(raw: bytes, what: str) -> str:
    """Decode a JSON document that was parsed before. Raises Malformed if it is not UTF-8."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise Malformed(f"{what} is not UTF-8") from None


def compact(text: str) -> str:
    """Write a JSON value without spaces between its tokens, keeping its strings and numbers as written."""
    return _STRING_OR_BLANKS.sub(lambda match: match[1] or "", text)


def top(text: str) -> Span:
    """Return the document's top-level value. Raises Malformed."""
    with _wellformed():
        start = _after_blanks(text, 0)
        return Span(start, _DECODER.raw_decode(text, start)[1])


def members(text: str, of: Span) -> list[Span]:
    """Return the members of an object; raises Malformed if it is not one."""
    found = []
    with _wellformed():
        at = _inside(text, of, "{")
        while text[at] != "}":
            key, end = scanstring(text, at + 1, False)
            start = _after_blanks(text, _after_blanks(text, end) + 1)
            _, stop = _DECODER.raw_decode(text, start)
            found.append(Span(start, stop, key, at))
            at = _next(text, stop)
    return found


def member(text: str, of: Span, key: str) -> Span | None:
    """Return the member of that name; of several the last, as parsers do."""
    return next((one for one in reversed(members(text, of)) if one.key == key), None)


def elements(text: str, of: Span) -> list[Span]:
    """Return the elements of a list; raises Malformed if it is not one."""
    found = []
    with _wellformed():
        at = _inside(text, of, "[")
        while text[at] != "]":
            _, stop = _DECODER.raw_decode(text, at)
            found.append(Span(at, stop, begins=at))
            at = _next(text, stop)
    return found


def put_member(text: str, of: Span, key: str, value: str) -> str:
    """Replace a member's value in the text, or append the member."""
    known = member(text, of, key)
    if known is not None:
        return text[: known.start] + value + text[known.end :]
    return _append(text, of, members(text, of), f"{json.dumps(key, ensure_ascii=False)}:{value}")


def put_element(text: str, of: Span, value: str) -> str:
    """Append a value to a list in the text."""
    return _append(text, of, elements(text, of), value)


def drop(text: str, siblings: list[Span], number: int) -> str:
    """Drop one of an object's members or a list's elements, with its comma, from the text."""
    one = siblings[number]
    if number + 1 < len(siblings):
        return text[: one.begins] + text[siblings[number + 1].begins :]
    start = siblings[number - 1].end if number else one.begins
    return text[:start] + text[one.end :]


def _append(text: str, of: Span, siblings: list[Span], value: str) -> str:
    if siblings:
        at = siblings[-1].end
        # If the others have lines of their own, so does this one.
        before = text[siblings[-2].end : siblings[-1].begins] if len(siblings) > 1 else ","
        return text[:at] + before + value + text[at:]
    return text[: of.start + 1] + value + text[of.start + 1 :]


def _inside(text: str, of: Span, opening: str) -> int:
    if text[of.start] != opening:
        raise ValueError(opening)
    return _after_blanks(text, of.start + 1)


def _next(text: str, at: int) -> int:
    at = _after_blanks(text, at)
    return _after_blanks(text, at + 1) if text[at] == "," else at


def _after_blanks(text: str, at: int) -> int:
    match = _BLANKS.match(text, at)
    return match.end() if match else at


@contextmanager
def _wellformed() -> Iterator[None]:
    try:
        yield
    except (ValueError, IndexError, RecursionError):
        raise Malformed("an index has not the form that it should have") from None
