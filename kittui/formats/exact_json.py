"""Reads JSON with its numbers exactly as written, without loss to floating point, and with a bound on its depth."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from kittui.budget import Budget
from kittui.errors import Malformed
from kittui.formats.long_json import decode_json

DEPTH = 200
"""Maximum depth of nested maps and lists."""
_NESTING = (dict, list)
_DIGITS = 4000
"""Maximum digits of an integer that becomes a Python int; Python's own limit is slightly higher."""


class Number:
    """A number as written; numbers of the same value are equal, however they are written."""

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
    # Keep "-0": Python's int has only one zero.
    return int(text) if len(text) <= _DIGITS and text != "-0" else Number(text)


def _map(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    names = unique_names([key for key, _ in reversed(pairs)])
    # Programs read the last value, so it keeps the name.
    return {name: value for name, (_, value) in zip(reversed(names), pairs, strict=True)}


_BLANKS = " \t\r\n"
_DECODER = json.JSONDecoder(parse_float=Number, parse_int=_integer, object_pairs_hook=_map)


def unique_names(names: Sequence[str]) -> list[str]:
    """Number repeated names as pandas does: `a`, `a.1`, `a.2`."""
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
    """Whether a document is nested more than DEPTH deep, which is too deep for recursive functions."""
    level = [value] if isinstance(value, _NESTING) else []
    for _ in range(DEPTH + 1):
        # This runs once for each tensor of a header: a tuple and no further calls halve the time.
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
    """Write a value from `parse_json` as JSON on one line, with its numbers as they were written."""
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
    """Write a value as JSON that is the same for equal values, whatever the order of keys and form of numbers."""
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
    """Write a value as JSON with a line for each inner value, and with its numbers as they were written."""
    deeper = indent + "  "
    if isinstance(value, Mapping) and value:
        lines = [f"{deeper}{json_text(str(key))}: {indented_json(inner, deeper)}" for key, inner in value.items()]
        return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
    if isinstance(value, list | tuple) and value:
        return "[\n" + ",\n".join(deeper + indented_json(inner, deeper) for inner in value) + f"\n{indent}]"
    return json_text(value)
