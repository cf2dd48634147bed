"""Reads HDF5's types and shapes from its messages."""

from __future__ import annotations

import struct
from math import prod
from typing import Any, NamedTuple

from kittui.errors import Malformed

_CLASSES = ("", "", "time", "STR", "BITS", "opaque", "compound", "reference", "enum", "VLEN", "array")
_PLAIN = 2
_DEPTH = 4
_FLOATS = {(2, 5): "F16", (2, 8): "BF16", (4, 8): "F32", (8, 11): "F64", (1, 5): "F8_E5M2", (1, 4): "F8_E4M3"}
"""Names of float types, by their bytes and exponent bits."""
_LETTERS = {"F16": "e", "F32": "f", "F64": "d", "I8": "b", "I16": "h", "I32": "i", "I64": "q", "U8": "B", "U16": "H",
            "U32": "I", "U64": "Q", "BOOL": "?"}  # fmt: skip


class DataType(NamedTuple):
    """A type: `width` in bytes, None if not understood. `numeric`: plain contiguous numbers."""

    name: str
    width: int | None
    problem: str | None = None
    numeric: bool = False


def datatype(raw: bytes, depth: int = 0) -> DataType:
    """Read a datatype message. Raises Malformed."""
    if len(raw) < 8 or depth > _DEPTH:
        raise Malformed("a type is damaged")
    kind, version = raw[0] & 15, raw[0] >> 4
    bits, width = raw[1], int.from_bytes(raw[4:8], "little")
    order = ">" if bits & 1 and width > 1 else ""
    if kind == 0:
        return DataType(f"{order}{'I' if bits & 8 else 'U'}{width * 8}", width, numeric=True)
    if kind == 1 and len(raw) >= 14:
        name = _FLOATS.get((width, raw[13]), f"F{width * 8}")
        return DataType(f"{order}{name}", width, numeric=True)
    if kind == 3:
        return DataType(f"STR{width}", width)
    if kind == 8:
        return _enum(raw, width, depth)
    if kind == 9:
        return DataType("VLEN STR" if bits & 15 == 1 else "VLEN", 16)
    if kind == 6 and version and _is_complex(raw, width):
        return DataType(f"C{width * 8}", width, numeric=True)
    if kind == 10 and version >= _PLAIN:
        return DataType("array", width, "not understood: arrays within a dataset")
    name = _CLASSES[kind] if kind < len(_CLASSES) else "?"
    return DataType(name or "?", width, f"not understood: numbers of the class {name or kind}")


def _enum(raw: bytes, width: int, depth: int) -> DataType:
    inner = datatype(raw[8:], depth + 1)
    if inner.width == 1 and b"FALSE\0" in raw and b"TRUE\0" in raw and raw[1:3] == b"\2\0":
        return DataType("BOOL", 1, numeric=True)
    return DataType(f"enum {inner.name}", width, numeric=inner.numeric)


def _is_complex(raw: bytes, width: int) -> bool:
    """Whether a compound type is a complex number as h5py writes it: two floats `r` and `i`."""
    return raw[1:3] == b"\2\0" and width in (8, 16) and b"r\0" in raw[8:] and b"i\0" in raw[8:]


def dataspace(raw: bytes, long: int) -> tuple[int, ...] | None:
    """Read a dataspace message: a shape, None for nothing at all. Raises Malformed."""
    if len(raw) < 4 or raw[0] not in (1, 2):
        raise Malformed("a shape is of a form that is not known")
    if raw[0] == 2 and raw[3] == 2:
        return None
    rank, at = raw[1], 8 if raw[0] == 1 else 4
    if rank > 32 or at + rank * long > len(raw):
        raise Malformed("a shape is damaged")
    return tuple(int.from_bytes(raw[at + n * long : at + (n + 1) * long], "little") for n in range(rank))


def elements(kind: DataType, raw: bytes, shape: tuple[int, ...]) -> Any:
    """Decode the values of an attribute: numbers and fixed-length texts; None for others."""
    count, width = prod(shape), kind.width or 0
    if not width or len(raw) < count * width:
        return None
    found: list[Any]
    if kind.name.startswith("STR"):
        pieces = (raw[n * width : (n + 1) * width] for n in range(count))
        found = [piece.split(b"\0")[0].decode("utf-8", "surrogateescape") for piece in pieces]
    elif (letter := _LETTERS.get(kind.name.removeprefix(">"))) is not None:
        order = ">" if kind.name.startswith(">") else "<"
        found = [_finite(value) for value in struct.unpack_from(f"{order}{count}{letter}", raw)]
    else:
        return None
    return found[0] if shape == () and found else found


def _finite(value: Any) -> Any:
    return str(value) if isinstance(value, float) and (value != value or abs(value) == float("inf")) else value
