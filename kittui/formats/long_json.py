"""Parses JSON of any length without holding Python's lock for long.

json's parser is C, and no other thread runs until it returns, so a long document would freeze the interface. It gets
one stretch at a time here; longer maps and lists are walked in Python.
"""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Iterator, Sequence
from json import JSONDecodeError, JSONDecoder
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any

from kittui.budget import Budget

STRETCH = 128 * 1024
"""Characters passed to the C parser at once; a shorter document is parsed in one go."""
_BLANKS = re.compile(r"[ \t\r\n]*")
_PARTS = re.compile(r'["\[\]{}]')
_AFTER = frozenset(",:]} \t\r\n")
"""Characters that may follow a value: before anything else, a number could continue past the stretch."""


_PLAIN = JSONDecoder()
_IN_VAIN = 1000
"""How many values it counts as to search for the end of one that exceeds the stretch."""
_ROWS = 1000


def decode_json(text: str, decoder: JSONDecoder = _PLAIN, budget: Budget | None = None) -> Any:
    """Return what `decoder.decode` would. Raises ValueError, RecursionError, and TooLarge beyond the budget."""
    if len(text) > STRETCH:
        return _Reader(text, decoder, budget).document()
    if budget is not None:
        budget.spend("items", count_values(text, 0, len(text)))
    return decoder.decode(text)


def decode_map(text: str, decoder: JSONDecoder, budget: Budget) -> Iterator[tuple[str, Any]]:
    """Yield the names and values of a document that is a map, as decode_json would.

    The decoder's hook must refuse maps with duplicate names: it may get many of the pairs as one map.
    """
    reader = _Reader(text, decoder, budget)
    at = reader.blanks(0)
    if text[at : at + 1] != "{":
        raise JSONDecodeError("Expecting an object", text, at)
    end = yield from reader.pairs(at + 1, at_once=decoder.object_pairs_hook is not None)
    if reader.blanks(end) != len(text):
        raise JSONDecodeError("Extra data", text, end)


def count_values(text: str, start: int, end: int) -> int:
    """An upper bound for the number of values in a stretch, by its commas and brackets."""
    return text.count(",", start, end) + text.count("[", start, end) + text.count("{", start, end) + 1


def encode_json(parts: Sequence[Any]) -> bytes:
    """Encode a list as JSON; its parts that are sequences are encoded a stretch at a time."""
    return f"[{','.join(map(_encoded, parts))}]".encode()


def _encoded(part: Any) -> str:
    if not isinstance(part, list | tuple) or len(part) <= _ROWS:
        return json.dumps(part)
    return f"[{','.join(json.dumps(part[at : at + _ROWS])[1:-1] for at in range(0, len(part), _ROWS))}]"


class _Reader:
    def __init__(self, text: str, decoder: JSONDecoder, budget: Budget | None) -> None:
        self.text = text
        self.decoder = decoder
        self.budget = budget
        self.start = 0
        self.stretch = text[:STRETCH]

    def document(self) -> Any:
        value, end = self.value(self.blanks(0))
        if self.blanks(end) != len(self.text):
            raise JSONDecodeError("Extra data", self.text, end)
        return value

    def blanks(self, at: int) -> int:
        found = _BLANKS.match(self.text, at)
        return found.end() if found is not None else at

    def value(self, at: int) -> tuple[Any, int]:
        """Decode a value; return it and where it ends."""
        found = self.short(at)
        if found is None and at != self.start:
            self.start, self.stretch = at, self.text[at : at + STRETCH]
            found = self.short(at)
        if found is not None:
            self.spend(count_values(self.text, at, found[1]))
            return found
        self.spend(_IN_VAIN)
        match self.text[at : at + 1]:
            case '"':
                return scanstring(self.text, at + 1, self.decoder.strict)  # type: ignore[no-any-return]
            case "{":
                return self.read_map(at + 1)
            case "[":
                return self.read_list(at + 1)
        return self.decoder.raw_decode(self.text, at)

    def short(self, at: int) -> tuple[Any, int] | None:
        """Decode a value that ends in the stretch; None if it does not, or is damaged."""
        place = at - self.start
        if not 0 <= place < len(self.stretch):
            return None
        try:
            value, end = self.decoder.raw_decode(self.stretch, place)
        except (JSONDecodeError, RecursionError):
            return None
        ended = end < len(self.stretch) and self.stretch[end] in _AFTER
        return (value, self.start + end) if ended or self.start + end == len(self.text) else None

    def spend(self, count: int) -> None:
        if self.budget is not None:
            self.budget.spend("items", count)

    def read_map(self, at: int) -> tuple[Any, int]:
        pairs: list[tuple[str, Any]] = []
        found = self.pairs(at)
        while True:
            try:
                pairs.append(next(found))
            except StopIteration as stop:
                hook = self.decoder.object_pairs_hook
                return (hook(pairs) if hook is not None else dict(pairs)), stop.value

    def pairs(self, at: int, *, at_once: bool = False) -> Generator[tuple[str, Any], None, int]:
        """Yield the names and values of a map, and return where it ends."""
        at, first = self.blanks(at), True
        again = 0
        while self.text[at : at + 1] != "}":
            if not first:
                at = self.blanks(self.expect(",", at))
            first = False
            if at_once and at >= again:
                again = at + STRETCH
                members, end = self.members(at)
                if members:
                    yield from members
                    at = self.blanks(end)
                    continue
            if self.text[at : at + 1] != '"':
                raise JSONDecodeError("Expecting property name enclosed in double quotes", self.text, at)
            key, at = scanstring(self.text, at + 1, self.decoder.strict)
            value, at = self.value(self.blanks(self.expect(":", self.blanks(at))))
            yield key, value
            at = self.blanks(at)
        return at + 1

    def members(self, at: int) -> tuple[list[tuple[str, Any]], int]:
        """Decode what comes next in a map, up to the last inner map that ends in the stretch, in one go.

        That end may belong to a deeper map or a string: then the stretch does not decode, and nothing is returned.
        """
        stretch = self.text[at : at + STRETCH]
        end = stretch.rfind("},") + 1
        if not end:
            return [], at
        try:
            found = self.decoder.decode(f"{{{stretch[:end]}}}")
        except (JSONDecodeError, RecursionError):
            return [], at
        self.spend(count_values(stretch, 0, end))
        return list(found.items()), at + end

    def read_list(self, at: int) -> tuple[list[Any], int]:
        values: list[Any] = []
        at = self.blanks(at)
        again = 0
        while self.text[at : at + 1] != "]":
            if values:
                at = self.blanks(self.expect(",", at))
            if at >= again:
                again = at + STRETCH
                numbers, at = self.numbers(at)
                values += numbers
            value, at = self.value(at)
            values.append(value)
            at = self.blanks(at)
        return values, at + 1

    def numbers(self, at: int) -> tuple[list[Any], int]:
        """Decode the next plain values of a list in one go, which is ten times faster than one by one."""
        stretch = self.text[at : at + STRETCH]
        end = stretch.rfind(",")
        if end < 0 or _PARTS.search(stretch, 0, end) is not None:
            return [], at
        self.spend(count_values(stretch, 0, end))
        return self.decoder.decode(f"[{stretch[:end]}]"), self.blanks(at + end + 1)

    def expect(self, mark: str, at: int) -> int:
        if self.text[at : at + 1] != mark:
            raise JSONDecodeError(f"Expecting {mark!r} delimiter", self.text, at)
        return at + 1
