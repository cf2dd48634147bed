"""NumPy's types of numbers, as .npy headers and pickles describe them (numpy.lib.format; numpy.dtype.__reduce__)."""

from __future__ import annotations

import re
from math import prod
from typing import Any, NamedTuple

from kittui.formats.pickled import Call
from kittui.formats.weights import bytes_of

OBJECTS = "OBJECT"
"""The name of the type of pickled objects."""
_LETTERS = {"f": "F", "i": "I", "u": "U", "c": "C", "b": "BOOL"}
_PLAIN = re.compile(r"([<>|=]?)([fiucb])(\d{1,3})\Z")
_FIXED = re.compile(r"[<>|=]?([USVaMm])(\d{0,9})(\[[^]]{1,20}\])?\Z")
_FIELDS = 1000
_DEPTH = 8


class NumberType(NamedTuple):
    """An array's type: `name` as tensors have it (F32, >I16) or NumPy's own; `width` is in bytes, None if unknown.

    `objects`: it holds pickled objects instead of numbers.
    """

    name: str
    width: int | None
    objects: bool = False


def from_descr(descr: Any, depth: int = 0) -> NumberType:
    """Read the type from a .npy header's `descr`: a text, or a list of fields."""
    if isinstance(descr, list) and len(descr) <= _FIELDS and depth < _DEPTH:
        return _structure(descr, depth)
    text = descr if isinstance(descr, str) else "?"
    if (plain := _PLAIN.match(text)) is not None:
        letter, width = _LETTERS[plain[2]], int(plain[3])
        # A big-endian number has a type of its own: its bytes can't be read like little-endian ones.
        order = ">" if plain[1] == ">" and width > 1 else ""
        return NumberType(f"{order}{letter}" if letter == "BOOL" else f"{order}{letter}{width * 8}", width)
    if re.match(r"[<>|=]?O\d?\Z", text):
        return NumberType(OBJECTS, None, objects=True)
    fixed = _FIXED.match(text)
    if fixed is None:
        return NumberType(text[:60], None)
    width = 8 if fixed[1] in "Mm" else int(fixed[2] or 0) * (4 if fixed[1] == "U" else 1)
    return NumberType(text[:60], width)


def _structure(fields: list[Any], depth: int) -> NumberType:
    width: int | None = 0
    objects = False
    for field in fields:
        if not isinstance(field, tuple) or not 2 <= len(field) <= 3:
            return NumberType("?", None)
        inner = from_descr(field[1], depth + 1)
        shape = field[2] if len(field) == 3 else ()
        count = prod(shape) if is_shape(shape) else None
        objects = objects or inner.objects
        width = None if width is None or inner.width is None or count is None else width + inner.width * count
    return NumberType(f"{len(fields)} fields", width, objects)


def from_call(value: Any) -> NumberType:
    """Read the type from a pickled numpy.dtype."""
    if not isinstance(value, Call) or value.name.rpartition(".")[2] != "dtype":
        return NumberType(value.name[:60] if isinstance(value, Call) else "?", None)
    text, state = value.argument(0), value.state if isinstance(value.state, tuple) else ()
    text = text.decode("latin-1") if isinstance(text, bytes) else text
    if not isinstance(text, str):
        return NumberType("?", None)
    order = state[1] if len(state) > 1 and isinstance(state[1], str) else ""
    found = from_descr(f"{order}{text}")
    flags = state[7] if len(state) > 7 else 0
    if isinstance(flags, int) and flags & 1:
        return NumberType(OBJECTS, None, objects=True)
    if len(state) > 5 and isinstance(state[5], int) and state[5] >= 0:
        return found._replace(width=state[5])
    return found


def is_shape(value: Any) -> bool:
    """Whether something is the shape of an array."""
    return isinstance(value, tuple) and len(value) <= 64 and all(is_size(size) for size in value)


def is_size(value: Any) -> bool:
    """Whether something is a count small enough for a file."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 63


def array_bytes(shape: tuple[int, ...], number: NumberType) -> int | None:
    """Bytes of an array, None if unknown."""
    return bytes_of(shape, number.width * 8) if number.width is not None else None
