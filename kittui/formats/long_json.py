"""JSON of any length, parsed without holding Python's lock for long.

json's parser is C, and no other thread runs until it returns: the interface would stand still for a long document. It
is handed a stretch at a time here; maps and lists longer than that are gone through in Python.
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
"""Characters that are handed to the C parser at once; a shorter document is parsed in one go."""
_BLANKS = re.compile(r"[ \t\r\n]*")
_PARTS = re.compile(r'["\[\]{}]')
_AFTER = frozenset(",:]} \t\r\n")
"""What may follow a value: after anything else a number could continue past the stretch."""


_PLAIN = JSONDecoder()
_IN_VAIN = 1000
"""Values that looking for the end of one that is not in the stretch counts for."""
_ROWS = 1000


def decode_json(text: str, decoder: JSONDecoder = _PLAIN, budget: Budget | None = None) -> Any:
    """What `decoder.decode` gives. Raises ValueError, RecursionError, and TooLarge beyond the budget."""
    if len(text) > STRETCH:
        return _Reader(text, decoder, budget).document()
    if budget is not None:
        budget.spend("items", count_values(text, 0, len(text)))
    return decoder.decode(text)


def decode_map(text: str, decoder: JSONDecoder, budget: Budget) -> Iterator[tuple[str, Any]]:
    """The names and values of a document that is a map, one after the other, and as decode_json.

    A hook of the decoder has to refuse maps that name something twice: it may get many of the pairs as one map.
    """
    reader = _Reader(text, decoder, budget)
    at = reader.blanks(0)
    if text[at : at + 1] != "{":
        raise JSONDecodeError("Expecting an object", text, at)
    end = yield from reader.pairs(at + 1, at_once=decoder.object_pairs_hook is not None)
    if reader.blanks(end) != len(text):
        raise JSONDecodeError("Extra data", text, end)


def count_values(text: str, start: int, end: int) -> int:
    """How many values a stretch of a document has at most, by its commas and brackets."""
    return text.count(",", start, end) + text.count("[", start, end) + text.count("{", start, end) + 1


def encode_json(parts: Sequence[Any]) -> bytes:
    """A list as JSON; those of its parts that are sequences are encoded a stretch at a time."""
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
        """A value, and where it ends."""
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
        """A value that ends in the stretch; None where it does not, or is damaged."""
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
        """The names and values of a map, then where it ends."""
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
        """What comes next in a map, up to the last map in it that ends in a stretch: in one go, as with numbers.

        Such an end may be that of a map further down, or in a string: the stretch is not a whole map then, and
        nothing is given.
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
        """What comes next in a list, as far as nothing in it has parts: in one go, where one by one takes ten times."""
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
