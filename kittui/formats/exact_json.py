"""JSON with its numbers as they are written, nothing lost to floating point, and a bound on its depth."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from kittui.budget import Budget
from kittui.errors import Malformed
from kittui.formats.long_json import decode_json

DEPTH = 200
"""Levels of maps and lists that are read at most."""
_NESTING = (dict, list)
_DIGITS = 4000
"""Digits of an integer that become a Python int; Python itself refuses somewhat more."""


class Number:
    """A number as it is written; equal to another one of the same value, however that is written."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    @property
    def canonical(self) -> str:
        """The same text for the same value."""
        try:
            sign, digits, exponent = Decimal(self.text).as_tuple()
        except InvalidOperation:
            return self.text
        written = "".join(map(str, digits)).lstrip("0")
        shorter = written.rstrip("0")
        if not isinstance(exponent, int) or not shorter:
            return self.text if not isinstance(exponent, int) else "-0e0" if sign else "0e0"
        return f"{'-' if sign else ''}{shorter}e{exponent + len(written) - len(shorter)}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Number) and (self.text == other.text or self.canonical == other.canonical)

    def __hash__(self) -> int:
        return hash(self.canonical)

    def __float__(self) -> float:
        return float(self.text)

    def __repr__(self) -> str:
        return self.text


def parse_json(text: str, budget: Budget | None = None) -> Any:
    """A document: fractions are Number, integers int, and a map with a key twice has both values.

    Raises Malformed for what is not JSON, and for more than DEPTH levels,
    TooLarge for more values than the budget has.
    """
    try:
        value = decode_json(text.strip(_BLANKS), _DECODER, budget)
    except ValueError as error:
        raise Malformed(f"not valid JSON: {error}") from None
    except RecursionError:
        raise Malformed(f"the JSON is nested deeper than {DEPTH} levels") from None
    if text.count("[") + text.count("{") > DEPTH and is_deep(value):
        raise Malformed(f"the JSON is nested deeper than {DEPTH} levels")
    return value


def _integer(text: str) -> int | Number:
    # "-0" is written so for a reason, and Python's int has only one zero.
    return int(text) if len(text) <= _DIGITS and text != "-0" else Number(text)


def _map(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    names = unique_names([key for key, _ in reversed(pairs)])
    # The last value is the one that programs read: it keeps the name.
    return {name: value for name, (_, value) in zip(reversed(names), pairs, strict=True)}


_BLANKS = " \t\r\n"
_DECODER = json.JSONDecoder(parse_float=Number, parse_int=_integer, object_pairs_hook=_map)


def unique_names(names: Sequence[str]) -> list[str]:
    """The names, a repeated one with a number as pandas has it: `a`, `a.1`, `a.2`."""
    if len(set(names)) == len(names):
        return list(names)
    taken, counts = set(names), dict.fromkeys(names, 0)
    result: list[str] = []
    seen: set[str] = set()
    for name in names:
        own = name
        while own in seen or (own is not name and own in taken):
            counts[name] += 1
            own = f"{name}.{counts[name]}"
        seen.add(own)
        result.append(own)
    return result


def is_deep(value: Any) -> bool:
    """Whether a document is nested more than DEPTH deep, which what goes through it by recursion can't bear."""
    level = [value] if isinstance(value, _NESTING) else []
    for _ in range(DEPTH + 1):
        # Once for each tensor of a header: without a call for each, and with a tuple, it takes half the time.
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, _NESTING)
        ]
        if not level:
            return False
    return True


def json_text(value: Any) -> str:
    """A value that `parse_json` gave as JSON on one line, with its numbers as they were written."""
    try:
        return json.dumps(value, ensure_ascii=False)
    except TypeError:
        pass
    return _written(value)


def _written(value: Any) -> str:
    if isinstance(value, Number):
        return value.text
    if isinstance(value, Mapping):
        return (
            "{"
            + ", ".join(
                f"{json.dumps(str(key), ensure_ascii=False)}: {_written(inner)}" for key, inner in value.items()
            )
            + "}"
        )
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_written, value)) + "]"
    return json.dumps(value, ensure_ascii=False, default=str)


def canonical_json(value: Any) -> str:
    """The same text for the same value, whatever the order of keys and the form of numbers."""
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"))
    except TypeError:  # numbers as they were written: a step of Python for each part
        return _canonical(value)


def _canonical(value: Any) -> str:
    if isinstance(value, Number):
        return value.canonical
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{json.dumps(key)}:{_canonical(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(_canonical, value)) + "]"
    return json.dumps(value)


def indented_json(value: Any, indent: str = "") -> str:
    """A value as JSON, a line for each inner one, with its numbers as they were written."""
    deeper = indent + "  "
    if isinstance(value, Mapping) and value:
        lines = [f"{deeper}{json_text(str(key))}: {indented_json(inner, deeper)}" for key, inner in value.items()]
        return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
    if isinstance(value, list | tuple) and value:
        return "[\n" + ",\n".join(deeper + indented_json(inner, deeper) for inner in value) + f"\n{indent}]"
    return json_text(value)
