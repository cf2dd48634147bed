"""Reads TensorFlow checkpoints, including SavedModels': an index of tensors stored in data files beside it.

The index is a table of sorted blocks as in LevelDB (table_format.md); its values are messages of
tensor_bundle.proto.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import Any, Final

from kittui.budget import Budget
from kittui.errors import ContentError, Malformed
from kittui.formats.need import Steps, fetch_exactly
from kittui.formats.weights import Tensor, Weights, bytes_of

_NAMED: Final = re.compile(r"(?:variables|ckpt|[-.]\d+)\.index\Z")
_FOOTER = 48
_MAGIC = 0xDB4775248B80FB57
_BLOCK_LIMIT = 64 * 1024 * 1024
_DTYPES: Final = {
    1: ("F32", 32), 2: ("F64", 64), 3: ("I32", 32), 4: ("U8", 8), 5: ("I16", 16), 6: ("I8", 8), 8: ("C64", 64),
    9: ("I64", 64), 10: ("BOOL", 8), 14: ("BF16", 16), 17: ("U16", 16), 18: ("C128", 128), 19: ("F16", 16),
    22: ("U32", 32), 23: ("U64", 64), 24: ("F8_E5M2", 8), 25: ("F8_E4M3", 8),
}  # fmt: skip
_STRING = 7


def is_bundle_index(path: str) -> bool:
    """Whether a file's name is that of a checkpoint index."""
    return _NAMED.search(path.lower()) is not None


def read_bundle(path: str, size: int, budget: Budget) -> Steps[Weights]:
    """Read the tensors of a checkpoint from its index. Raises Malformed for any other file."""
    if size < _FOOTER:
        raise Malformed("not a TensorFlow checkpoint's index")
    footer = yield from fetch_exactly(size - _FOOTER, _FOOTER, "the index")
    if struct.unpack_from("<Q", footer, 40)[0] != _MAGIC:
        raise Malformed("not a TensorFlow checkpoint's index")
    handles = _varints(footer[:40], 4)
    index = yield from _block(handles[2], handles[3], size, budget)
    stem = path.rpartition("/")[2].removesuffix(".index")
    tensors: list[Tensor] = []
    metadata: dict[str, Any] = {}
    problem = None
    try:
        for _, handle in list(_entries(index, budget)):
            offset, length = _varints(handle, 2)
            block = yield from _block(offset, length, size, budget)
            for key, value in _entries(block, budget):
                if not key:
                    header = dict(_fields(value))
                    metadata["shards"] = _number(header.get(1, 1))
                    if header.get(2):
                        raise Malformed("its numbers are big-endian, which is not read")
                else:
                    tensors.append(_tensor(key, value, stem, metadata.get("shards", 1)))
    except ContentError as error:
        if not tensors:
            raise
        problem = error.message
    return Weights("tensorflow", tuple(tensors), metadata, problem)


def _tensor(key: bytes, value: bytes, stem: str, shards: int) -> Tensor:
    fields = list(_fields(value))
    entry = dict(fields)
    name = key.decode("utf-8", "surrogateescape")
    shape = _shape(entry.get(2, b""))
    shard, offset, size = (_number(entry.get(number, 0)) for number in (3, 4, 5))
    file = f"{stem}.data-{shard:05d}-of-{shards:05d}"
    kind = _number(entry.get(1, 0))
    if kind == _STRING:
        return Tensor(name, "STRING", shape, None, size, file=file)
    dtype, bits = _DTYPES.get(kind, ("?", 0))
    if not bits:
        return Tensor(name, "?", shape, None, size, f"not understood: numbers of the type {kind}", file)
    if 7 in entry:
        return Tensor(name, dtype, shape, None, bytes_of(shape, bits), "it lies in several slices", file)
    if bytes_of(shape, bits) != size:
        return Tensor(name, dtype, shape, None, size, "its bytes do not fit its shape", file)
    return Tensor(name, dtype, shape, offset, size, file=file)


def _shape(raw: Any) -> tuple[int, ...]:
    if not isinstance(raw, bytes):
        raise Malformed("the index is damaged")
    sizes = (_number(dict(_fields(value)).get(1, 0)) for number, value in _fields(raw) if isinstance(value, bytes))
    shape = tuple(sizes)
    if len(shape) > 64 or any(size >= 1 << 63 for size in shape):
        raise Malformed("a tensor has a shape that no file can hold")
    return shape


def _number(value: Any) -> int:
    if not isinstance(value, int):
        raise Malformed("the index is damaged")
    return value


def _block(offset: int, length: int, size: int, budget: Budget) -> Steps[bytes]:
    """Read a block without the list of restarts at its end."""
    if length > _BLOCK_LIMIT or offset + length + 5 > size:
        raise Malformed("the index is damaged: a block lies outside of it")
    budget.spend("input", length)
    raw = yield from fetch_exactly(offset, length + 5, "the index")
    if raw[length]:
        raise Malformed("the index is compressed, which is not read")
    if length < 4 or (restarts := int.from_bytes(raw[length - 4 : length], "little")) * 4 + 4 > length:
        raise Malformed("the index is damaged")
    return raw[: length - 4 - restarts * 4]


def _entries(block: bytes, budget: Budget) -> Iterator[tuple[bytes, bytes]]:
    """Yield keys and values; a key shares its prefix with the one before."""
    at, key = 0, b""
    while at < len(block):
        budget.spend("items")
        shared, at = _varint(block, at)
        own, at = _varint(block, at)
        length, at = _varint(block, at)
        if shared > len(key) or at + own + length > len(block):
            raise Malformed("the index is damaged")
        key = key[:shared] + block[at : at + own]
        budget.spend("names", len(key))
        yield key, block[at + own : at + own + length]
        at += own + length


def _fields(raw: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield the fields of a message: numbers and length-delimited values."""
    at = 0
    while at < len(raw):
        tag, at = _varint(raw, at)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            value, at = _varint(raw, at)
            yield number, value
        elif wire == 2:
            length, at = _varint(raw, at)
            if at + length > len(raw):
                raise Malformed("the index is damaged")
            yield number, raw[at : at + length]
            at += length
        elif wire in (1, 5):
            at += 8 if wire == 1 else 4
        else:
            raise Malformed("the index is damaged")


def _varints(raw: bytes, count: int) -> list[int]:
    found, at = [], 0
    for _ in range(count):
        value, at = _varint(raw, at)
        found.append(value)
    return found


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    for byte in raw[at : at + 10]:
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 128:
            return value & (1 << 64) - 1, at
        shift += 7
    raise Malformed("the index is damaged")
