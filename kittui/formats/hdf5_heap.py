"""Reads HDF5's fractal heaps and version 2 B-trees, in which groups keep many links."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from kittui.budget import Budget
from kittui.errors import Malformed
from kittui.formats.need import Steps

_NODE_PREFIX = 10
"""Bytes of a node's signature, version, type and checksum."""


class Structures(Protocol):
    """Reads the structures of a file."""

    budget: Budget
    wide: int
    long: int

    def block(self, address: int, length: int) -> Steps[bytes]:
        """Read a whole structure."""
        ...

    def number(self, raw: bytes, at: int, width: int) -> int:
        """Decode a number of so many bytes."""
        ...

    def address(self, raw: bytes, at: int) -> int | None:
        """Decode an address; None if it is undefined."""
        ...


@dataclass(frozen=True, slots=True)
class _Heap:
    """A heap's doubling table: rows of `width` blocks, of `first` bytes in the first two and twice as many in each next
    one, direct ones up to `largest` bytes.
    """

    root: int
    rows: int
    width: int
    first: int
    largest: int
    offsets: int
    lengths: int

    @property
    def direct_rows(self) -> int:
        """Rows whose blocks hold objects."""
        return (self.largest // self.first).bit_length() + 1

    def size(self, row: int) -> int:
        """Bytes of a row's blocks."""
        return self.first << max(0, row - 1)


def heap_objects(file: Structures, heap: int, index: int, lead: int = 4) -> Steps[list[bytes]]:
    """Read the objects of a heap that a B-tree lists; its records have so many bytes before the object's key.

    Raises Malformed.
    """
    table = yield from _heap(file, heap)
    blocks: dict[int, bytes] = {}
    found: list[bytes] = []
    for record in (yield from _records(file, index)):
        key = record[lead:]
        if key[0] & 0x30:
            raise Malformed("a group's names are kept in a way that is not known")
        at = file.number(key, 1, table.offsets)
        length = file.number(key, 1 + table.offsets, table.lengths)
        place, start, size = yield from _find(file, table, at)
        if place not in blocks:
            blocks[place] = yield from file.block(place, size)
        found.append(blocks[place][at - start : at - start + length])
    return found


def _heap(file: Structures, address: int) -> Steps[_Heap]:
    wide, long = file.wide, file.long
    raw = yield from file.block(address, 22 + 3 * wide + 12 * long)
    if raw[:4] != b"FRHP":
        raise Malformed("a group's heap is damaged")
    filters, managed = file.number(raw, 7, 2), file.number(raw, 10, 4)
    at = 14 + 10 * long + 2 * wide
    width, first = file.number(raw, at, 2), file.number(raw, at + 2, long)
    largest, bits = file.number(raw, at + 2 + long, long), file.number(raw, at + 2 + 2 * long, 2)
    root = file.address(raw, at + 6 + 2 * long)
    rows = file.number(raw, at + 6 + 2 * long + wide, 2)
    if filters or root is None or not width or not first or largest < first or bits > 64:
        raise Malformed("a group's heap is of a form that is not known")
    return _Heap(root, rows, width, first, largest, -(-bits // 8), min(_bytes(largest), _bytes(managed)))


def _bytes(limit: int) -> int:
    """The number of bytes needed for numbers up to a limit."""
    return (max(1, limit).bit_length() - 1) // 8 + 1


def _find(file: Structures, table: _Heap, at: int) -> Steps[tuple[int, int, int]]:
    """Find the direct block that holds a heap offset: its address, its start in the heap, its bytes."""
    if not table.rows:
        return table.root, 0, table.first
    block, start, rows = table.root, 0, table.rows
    for depth in range(32):
        file.budget.descend(depth)
        row, first = _row(table, at - start, rows)
        size = table.size(row)
        column = (at - start - first) // size
        entry = row * table.width + column
        head = 5 + file.wide + table.offsets
        raw = yield from file.block(block + head, (entry + 1) * file.wide)
        address = file.address(raw, entry * file.wide)
        if address is None:
            break
        start += first + column * size
        if row < table.direct_rows:
            return address, start, size
        block, rows = address, (size // (table.first * table.width)).bit_length()
    raise Malformed("a group's heap is damaged")


def _row(table: _Heap, at: int, rows: int) -> tuple[int, int]:
    """Return the row of an indirect block that holds an offset, and where that row starts."""
    start = 0
    for row in range(rows):
        length = table.size(row) * table.width
        if start <= at < start + length:
            return row, start
        start += length
    raise Malformed("a group's heap is damaged")


def _records(file: Structures, address: int) -> Steps[list[bytes]]:
    """Read every record of a version 2 B-tree."""
    raw = yield from file.block(address, 22 + file.wide + file.long)
    if raw[:4] != b"BTHD":
        raise Malformed("a group's index is damaged")
    node, size, depth = (file.number(raw, at, width) for at, width in ((6, 4), (10, 2), (12, 2)))
    root, count = file.address(raw, 16), file.number(raw, 16 + file.wide, 2)
    if root is None:
        return []
    if size < 5 or node <= _NODE_PREFIX + size or depth > 16:
        raise Malformed("a group's index is damaged")
    widths = _pointers(file.wide, node, size, depth)
    most = _bytes((node - _NODE_PREFIX) // size)
    found: list[bytes] = []
    waiting = [(root, count, depth)]
    while waiting:
        place, count, level = waiting.pop()
        file.budget.spend("items", count + 1)
        raw = yield from file.block(place, node)
        if raw[:4] != (b"BTIN" if level else b"BTLF") or 6 + count * size > node:
            raise Malformed("a group's index is damaged")
        found += [raw[6 + n * size : 6 + (n + 1) * size] for n in range(count)]
        at = 6 + count * size
        for _ in range(count + 1 if level else 0):
            child = file.address(raw, at)
            if child is not None:
                waiting.append((child, file.number(raw, at + file.wide, most), level - 1))
            at += widths[level]
    return found


def _pointers(wide: int, node: int, size: int, depth: int) -> list[int]:
    """Bytes of a pointer to a node, by the level that the pointer is on."""
    leaf = (node - _NODE_PREFIX) // size
    most, total, of_total = _bytes(leaf), leaf, 0
    widths = [0]
    for _ in range(depth):
        width = wide + most + of_total
        widths.append(width)
        held = (node - _NODE_PREFIX - width) // (size + width)
        total = (held + 1) * total + held
        of_total = _bytes(total)
    return widths
