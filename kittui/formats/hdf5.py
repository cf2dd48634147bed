"""Reads HDF5 files: datasets as tensors, attributes as metadata (HDF5 File Format Specification, version 3).

It reads the superblock, object headers, and groups of every form. What it doesn't understand becomes a marked row.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any, Final, NamedTuple

from kittui.budget import Budget
from kittui.errors import ContentError, Malformed
from kittui.formats.hdf5_attributes import read_attribute
from kittui.formats.hdf5_heap import heap_objects
from kittui.formats.hdf5_symbols import group_members
from kittui.formats.hdf5_types import DataType, dataspace, datatype
from kittui.formats.need import Need, Steps, fetch, fetch_exactly
from kittui.formats.weights import Tensor, Weights

MAGIC: Final = b"\x89HDF\r\n\x1a\n"
_NOWHERE = b"\xff" * 8
_AHEAD = 1024
"""Bytes read at first of an object header; most are shorter."""
_BATCH = 64
"""Number of objects whose headers are read in one step."""
_BLOCK_LIMIT = 16 * 1024 * 1024
"""Bytes of a header's block, a heap or an attribute at most."""
_ATTRIBUTES = 2_000
_MESSAGES = 65_536
_SPACE, _LINKS, _TYPE, _LINK, _EXTERNAL, _LAYOUT, _FILTERS, _ATTRIBUTE, _CONTINUED, _TABLE, _ATTRIBUTES_ASIDE = (
    1, 2, 3, 6, 7, 8, 11, 12, 16, 17, 21,
)  # fmt: skip


class _Message(NamedTuple):
    kind: int
    shared: bool
    data: bytes


class _Place(NamedTuple):
    """An object that a link points to."""

    path: str
    address: int


@dataclass(slots=True)
class _Reader:
    """Reads one file once; addresses count from `base`."""

    size: int
    budget: Budget
    base: int = 0
    wide: int = 8
    """Bytes of an address."""
    long: int = 8
    """Bytes of a length."""
    tensors: list[Tensor] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)
    notes: dict[str, None] = field(default_factory=dict)

    def number(self, raw: bytes, at: int, width: int) -> int:
        if at + width > len(raw):
            raise Malformed("the HDF5 file is damaged: a structure ends early")
        return int.from_bytes(raw[at : at + width], "little")

    def address(self, raw: bytes, at: int) -> int | None:
        """Decode an address in the file; None if it is undefined."""
        found = self.number(raw, at, self.wide)
        return None if found == int.from_bytes(_NOWHERE[: self.wide], "little") else found

    def block(self, address: int, length: int) -> Steps[bytes]:
        """Read a whole structure. Raises Malformed if it is not within the file."""
        if length > _BLOCK_LIMIT or address + self.base + length > self.size:
            raise Malformed("the HDF5 file is damaged: a structure lies outside of it")
        self.budget.spend("input", length)
        return (yield from fetch_exactly(self.base + address, length, "the HDF5 file"))

    def root(self) -> Steps[int]:
        """Read the superblock, and return the root group's place."""
        start = 0
        while (raw := (yield from fetch(start, 128)))[:8] != MAGIC:
            start = start * 2 or 512
            if start >= min(self.size, 1 << 20):
                raise Malformed("not an HDF5 file")
        version = self.number(raw, 8, 1)
        if version > 3:
            raise Malformed(f"HDF5's superblock of version {version} is not known")
        at = 9 if version > 1 else 13
        self.wide, self.long = self.number(raw, at, 1), self.number(raw, at + 1, 1)
        if self.wide not in (2, 4, 8) or self.long not in (2, 4, 8):
            raise Malformed("the HDF5 file is damaged: its addresses have an odd width")
        at = 12 if version > 1 else 24 + 4 * version
        base = self.number(raw, at, self.wide)
        self.base = base or (start if version < 2 else 0)
        found = self.address(raw, at + 3 * self.wide if version > 1 else at + 5 * self.wide)
        if found is None:
            raise Malformed("the HDF5 file has no root group")
        return found

    def walk(self, root: int) -> Steps[None]:
        """Read every object that can be reached, level by level."""
        level, seen = [_Place("", root)], {root}
        depth = 0
        while level:
            self.budget.descend(depth)
            depth += 1
            below: list[_Place] = []
            for start in range(0, len(level), _BATCH):
                places = level[start : start + _BATCH]
                inside = [one for one in places if 0 <= one.address < self.size - self.base]
                self.budget.spend("input", _AHEAD * len(inside))
                heads = yield tuple(Need(self.base + one.address, _AHEAD) for one in inside)
                for place, head in zip(inside, heads, strict=True):
                    try:
                        found = yield from self.object(place, head)
                    except Malformed as error:
                        self.mark(place.path, error.message)
                        continue
                    below += [one for one in found if one.address not in seen]
                    seen.update(one.address for one in found)
                for place in places:
                    if place not in inside:
                        self.mark(place.path, "it lies outside of the file")
            level = below

    def mark(self, path: str, reason: str) -> None:
        self.add(Tensor(path or "/", "?", (), None, None, f"not understood: {reason}"))

    def add(self, tensor: Tensor) -> None:
        self.budget.spend("tensors")
        self.budget.spend("names", len(tensor.name))
        self.tensors.append(tensor)

    def object(self, place: _Place, head: bytes) -> Steps[list[_Place]]:
        """Read one object: a dataset becomes a tensor; a group's links are returned."""
        messages = yield from self.messages(place.address, head)
        kinds = {one.kind: one for one in messages}
        yield from self.attributes(place.path, messages)
        if _LAYOUT in kinds:
            self.dataset(place.path, kinds)
            return []
        found: list[_Place] = []
        for one in messages:
            if one.kind == _LINK:
                found += self.link(place.path, one.data)
            elif one.kind == _TABLE:
                table, heap = self.address(one.data, 0), self.address(one.data, self.wide)
                if table is not None and heap is not None:
                    members = yield from group_members(self, table, heap)
                    found += (_Place(_below(place.path, name), address) for name, address in members)
            elif one.kind == _LINKS:
                at = 2 + (8 if one.data[1:2] and one.data[1] & 1 else 0)
                heap, index = self.address(one.data, at), self.address(one.data, at + self.wide)
                if heap is not None and index is not None:
                    for link in (yield from heap_objects(self, heap, index)):
                        found += self.link(place.path, link)
        return sorted(found)

    def messages(self, address: int, head: bytes) -> Steps[list[_Message]]:
        """Read the messages in all blocks of an object's header."""
        if head[:4] == b"OHDR":
            flags = self.number(head, 5, 1)
            at = 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
            width = 1 << (flags & 3)
            length = self.number(head, at, width)
            at += width
            ordered, new = bool(flags & 4), True
        elif head[:1] == b"\x01":
            length, at, ordered, new = self.number(head, 8, 4), 16, False, False
        else:
            raise Malformed("an object's header is of a form that is not known")
        raw = head[at : at + length] if at + length <= len(head) else (yield from self.block(address + at, length))
        found: list[_Message] = []
        blocks = [raw]
        while blocks:
            for one in self.parse(blocks.pop(0), new=new, ordered=ordered):
                self.budget.spend("items")
                if one.kind != _CONTINUED:
                    found.append(one)
                    continue
                place, size = self.address(one.data, 0), self.number(one.data, self.wide, self.long)
                if place is None or len(found) > _MESSAGES:
                    raise Malformed("an object's header is damaged")
                block = yield from self.block(place, size)
                blocks.append(block[4:-4] if new else block)
        return found

    def parse(self, raw: bytes, *, new: bool, ordered: bool) -> Iterator[_Message]:
        at, lead = 0, (6 if ordered else 4) if new else 8
        while at + lead <= len(raw):
            kind, size, flags = struct.unpack_from("<BHB" if new else "<HHB", raw, at)
            at += lead
            if at + size > len(raw):
                raise Malformed("an object's header is damaged")
            yield _Message(kind, bool(flags & 2), raw[at : at + size])
            at += size

    def link(self, path: str, raw: bytes) -> Iterator[_Place]:
        """Return the target of a link message, if it is in this file."""
        flags = self.number(raw, 1, 1)
        at = 2
        kind = raw[at] if flags & 8 and len(raw) > at else 0
        at += (1 if flags & 8 else 0) + (8 if flags & 4 else 0) + (1 if flags & 16 else 0)
        width = 1 << (flags & 3)
        length = self.number(raw, at, width)
        name = raw[at + width : at + width + length]
        if kind == 0 and (address := self.address(raw, at + width + length)) is not None:
            yield _Place(_below(path, name), address)
        elif kind == 64:
            self.mark(_below(path, name), "it is in another file")

    def dataset(self, path: str, kinds: dict[int, _Message]) -> None:
        """Turn a dataset into a tensor, with its place in the file if its numbers are contiguous."""
        kind, space, layout = kinds.get(_TYPE), kinds.get(_SPACE), kinds[_LAYOUT].data
        if kind is None or space is None:
            raise Malformed("a dataset has no type or no shape")
        shape = dataspace(space.data, self.long)
        found = DataType("?", None, "its type is stored elsewhere") if kind.shared else datatype(kind.data)
        if shape is None:
            self.add(Tensor(path, found.name, (0,), None, 0, found.problem))
            return
        nbytes = None if found.width is None else prod(shape) * found.width
        offset: int | None = None
        if _FILTERS not in kinds and _EXTERNAL not in kinds and layout[:1] and layout[0] >= 3 and layout[1:2] == b"\1":
            address = self.address(layout, 2)
            stored = self.number(layout, 2 + self.wide, self.long)
            if address is not None and nbytes == stored and self.base + address + stored <= self.size:
                offset = self.base + address
        if nbytes is not None and nbytes >= 1 << 63:
            raise Malformed("a dataset has a shape that no file can hold")
        plain = found.numeric and offset is not None
        self.add(Tensor(path, found.name, shape, offset if plain else None, nbytes, found.problem))

    def attributes(self, path: str, messages: Sequence[_Message]) -> Steps[None]:
        """Read an object's attributes; one that can't be read becomes a note."""
        held = [one.data for one in messages if one.kind == _ATTRIBUTE]
        try:
            for one in messages:
                at = 2 + (2 if one.data[1:2] and one.data[1] & 1 else 0)
                if one.kind == _ATTRIBUTES_ASIDE and (heap := self.address(one.data, at)) is not None:
                    index = self.address(one.data, at + self.wide)
                    held += (yield from heap_objects(self, heap, index, lead=0)) if index is not None else ()
        except Malformed as error:
            self.notes.setdefault(f"attributes of {path or '/'} are left out: {error.message}")
        for raw in held:
            if len(self.metadata) >= _ATTRIBUTES:
                self.notes.setdefault(f"more than {_ATTRIBUTES} attributes")
                return
            try:
                name, value = yield from read_attribute(self, raw)
            except Malformed as error:
                self.notes.setdefault(f"an attribute of {path or '/'} is left out: {error.message}")
                continue
            if value is not None:
                self.metadata[_below(path, name.encode("utf-8", "surrogateescape"))] = value


def _below(path: str, name: bytes) -> str:
    text = name.decode("utf-8", "surrogateescape")
    return f"{path}/{text}" if path else text


def read_hdf5(size: int, budget: Budget) -> Steps[Weights]:
    """The datasets of an HDF5 file. Raises Malformed for any other file."""
    reader = _Reader(size, budget)
    root = yield from reader.root()
    problem = None
    try:
        yield from reader.walk(root)
    except ContentError as error:
        if not reader.tensors:
            raise
        problem = error.message
    return Weights("hdf5", tuple(reader.tensors), reader.metadata, problem, tuple(reader.notes))
