"""Reads HDF5 attributes: numbers, and texts of any length."""

from __future__ import annotations

from math import prod
from typing import Any

from kittui.errors import Malformed
from kittui.formats.hdf5_heap import Structures
from kittui.formats.hdf5_types import dataspace, datatype, elements
from kittui.formats.need import Steps


def read_attribute(file: Structures, raw: bytes) -> Steps[tuple[str, Any]]:
    """Read an attribute's name and value: numbers and texts; None for other types."""
    version = file.number(raw, 0, 1)
    sizes = [file.number(raw, at, 2) for at in (2, 4, 6)]
    at = 9 if version == 3 else 8
    parts = []
    for size in sizes:
        parts.append(raw[at : at + size])
        at += -(-size // 8) * 8 if version == 1 else size
    name = parts[0].split(b"\0")[0].decode("utf-8", "surrogateescape")
    if version > 1 and raw[1] & 3:
        return name, None
    kind, shape = datatype(parts[1]), dataspace(parts[2], file.long)
    if shape is None or kind.width is None or prod(shape) > 10_000:
        return name, None
    count = prod(shape)
    if kind.name != "VLEN STR":
        return name, elements(kind, raw[at:], shape)
    step = 8 + file.wide
    texts = []
    for number in range(count):
        place = at + number * step
        texts.append((yield from _text(file, raw, place)))
    return name, texts[0] if shape == () and texts else texts


def _text(file: Structures, raw: bytes, at: int) -> Steps[str]:
    """Read a variable-length text from a global heap."""
    length, heap = file.number(raw, at, 4), file.address(raw, at + 4)
    index = file.number(raw, at + 4 + file.wide, 4)
    if not length or not heap:
        return ""
    head = yield from file.block(heap, 8 + file.long)
    if head[:4] != b"GCOL":
        raise Malformed("a text is damaged")
    whole = yield from file.block(heap, file.number(head, 8, file.long))
    at = 8 + file.long
    while at + 8 + file.long <= len(whole):
        file.budget.spend("items")
        size = file.number(whole, at + 8, file.long)
        begin = at + 8 + file.long
        if file.number(whole, at, 2) == index:
            return whole[begin : begin + min(size, length)].decode("utf-8", "surrogateescape")
        at = begin + -(-size // 8) * 8
    raise Malformed("a text is damaged")
