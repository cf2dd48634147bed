"""Reads HDF5 groups in the old form: a B-tree of names stored in a heap."""

from __future__ import annotations

from kittui.errors import Malformed
from kittui.formats.hdf5_heap import Structures
from kittui.formats.need import Steps


def group_members(file: Structures, table: int, heap: int) -> Steps[list[tuple[bytes, int]]]:
    """Read the names and addresses of a group's members, from its B-tree and the heap that holds the names.

    Raises Malformed if they are damaged.
    """
    head = yield from file.block(heap, 8 + 2 * file.long + file.wide)
    place = file.address(head, 8 + 2 * file.long)
    if head[:4] != b"HEAP" or place is None:
        raise Malformed("a group's names are damaged")
    names = yield from file.block(place, file.number(head, 8, file.long))
    nodes, leaves, seen = [table], list[int](), set[int]()
    while nodes:
        node = nodes.pop()
        if node in seen:
            raise Malformed("a group's index leads in a circle")
        seen.add(node)
        start = yield from file.block(node, 8 + 2 * file.wide)
        if start[:4] != b"TREE" or start[4] != 0:
            raise Malformed("a group's index is damaged")
        count = file.number(start, 6, 2)
        step = file.long + file.wide
        raw = yield from file.block(node + 8 + 2 * file.wide, count * step + file.long)
        children = [file.address(raw, file.long + number * step) for number in range(count)]
        file.budget.spend("items", count)
        (nodes if start[5] else leaves).extend(one for one in children if one is not None)
    found: list[tuple[bytes, int]] = []
    for leaf in leaves:
        head = yield from file.block(leaf, 8)
        if head[:4] != b"SNOD":
            raise Malformed("a group's index is damaged")
        step = 2 * file.wide + 24
        raw = yield from file.block(leaf + 8, file.number(head, 6, 2) * step)
        for at in range(0, len(raw), step):
            file.budget.spend("items")
            begin = file.number(raw, at, file.wide)
            name = names[begin : names.find(b"\0", begin)] if 0 <= begin < len(names) else b"?"
            address = file.address(raw, at + file.wide)
            if file.number(raw, at + 2 * file.wide, 4) != 2 and address is not None:
                found.append((name, address))
    return found
