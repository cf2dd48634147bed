"""Parses GGUF headers: metadata and tensor list of llama.cpp's models (ggml/docs/gguf.md, versions 1 to 3)."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Collection
from math import prod
from typing import Any

from kittui.budget import Budget
from kittui.errors import ContentError, Malformed, TooLarge
from kittui.formats.need import Cursor, Steps
from kittui.formats.weights import Tensor, Weights

KEYS_LIMIT = 100_000
"""Metadata keys read at most."""
STRING_LIMIT = 16 * 1024 * 1024
"""Bytes of one string at most."""
SHOWN = 32
"""Elements of an array that are kept; a tokenizer has a hundred thousand."""
PIECE = 256 * 1024
"""Bytes of a number array hashed per step."""
DEPTH = 4
"""Maximum depth of nested arrays."""

QUANTISATIONS: dict[int, tuple[str, int, int]] = {
    0: ("F32", 1, 4), 1: ("F16", 1, 2), 2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20), 6: ("Q5_0", 32, 22),
    7: ("Q5_1", 32, 24), 8: ("Q8_0", 32, 34), 9: ("Q8_1", 32, 40), 10: ("Q2_K", 256, 84), 11: ("Q3_K", 256, 110),
    12: ("Q4_K", 256, 144), 13: ("Q5_K", 256, 176), 14: ("Q6_K", 256, 210), 15: ("Q8_K", 256, 292),
    16: ("IQ2_XXS", 256, 66), 17: ("IQ2_XS", 256, 74), 18: ("IQ3_XXS", 256, 98), 19: ("IQ1_S", 256, 50),
    20: ("IQ4_NL", 32, 18), 21: ("IQ3_S", 256, 110), 22: ("IQ2_S", 256, 82), 23: ("IQ4_XS", 256, 136),
    24: ("I8", 1, 1), 25: ("I16", 1, 2), 26: ("I32", 1, 4), 27: ("I64", 1, 8), 28: ("F64", 1, 8),
    29: ("IQ1_M", 256, 56), 30: ("BF16", 1, 2), 34: ("TQ1_0", 256, 54), 35: ("TQ2_0", 256, 66), 39: ("MXFP4", 32, 17),
    40: ("NVFP4", 64, 36), 41: ("Q1_0", 128, 18),
}  # fmt: skip
"""Tensor types by number: name, numbers in a block, bytes of a block (ggml.h, GGML_TYPE_*)."""

FILE_TYPES = {
    0: "ALL_F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K", 11: "Q3_K_S",
    12: "Q3_K_M", 13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K", 19: "IQ2_XXS",
    20: "IQ2_XS", 21: "Q2_K_S", 22: "IQ3_XS", 23: "IQ3_XXS", 24: "IQ1_S", 25: "IQ4_NL", 26: "IQ3_S", 27: "IQ3_M",
    28: "IQ2_S", 29: "IQ2_M", 30: "IQ4_XS", 31: "IQ1_M", 32: "BF16", 36: "TQ1_0", 37: "TQ2_0", 38: "MXFP4_MOE",
    39: "NVFP4", 40: "Q1_0", 1024: "GUESSED",
}  # fmt: skip
"""general.file_type in words (llama.h, LLAMA_FTYPE_*)."""

_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_NAMES = {0: "uint8", 1: "int8", 2: "uint16", 3: "int16", 4: "uint32", 5: "int32", 6: "float32", 7: "bool", 8: "string",
          9: "array", 10: "uint64", 11: "int64", 12: "float64"}  # fmt: skip
_STRING, _ARRAY = 8, 9


class _Reader:
    def __init__(self, size: int, budget: Budget, whole: Collection[str]) -> None:
        self.cursor = Cursor(size, "the GGUF file", budget)
        self.budget = budget
        self.order = "<"
        self.wide = True
        self.whole = whole
        self.notes: list[str] = []

    def number(self, form: str) -> Steps[Any]:
        raw = yield from self.cursor.take(struct.calcsize(form))
        return struct.unpack(self.order + form, raw)[0]

    def count(self) -> Steps[int]:
        value: int = yield from self.number("Q" if self.wide else "I")
        return value

    def text(self) -> Steps[str]:
        length = yield from self.count()
        if length > STRING_LIMIT:
            raise Malformed(f"the GGUF file has a string of {length} bytes")
        self.budget.spend("names", length)
        raw = yield from self.cursor.take(length)
        return raw.decode("utf-8", "replace")

    def value(self, kind: int, depth: int = 0, *, whole: bool = False) -> Steps[Any]:
        self.budget.spend("items")
        if kind in _SCALARS:
            if kind == 7:
                return bool((yield from self.number("B")))
            return (yield from self.number(_SCALARS[kind]))
        if kind == _STRING:
            return (yield from self.text())
        if kind == _ARRAY and depth < DEPTH:
            return (yield from self.array(depth, whole))
        raise Malformed(f"the GGUF file has a value of unknown type {kind} at byte {self.cursor.position}")

    def array(self, depth: int, whole: bool) -> Steps[Any]:
        """Read an array: a short one as a list, a long one as type, count, first values, and a digest of the others."""
        kind: int = yield from self.number("I")
        count = yield from self.count()
        smallest = struct.calcsize(_SCALARS[kind]) if kind in _SCALARS else 8 if self.wide else 4
        if kind not in _NAMES or count * smallest > self.cursor.left:
            raise Malformed(f"the GGUF file has an array of {count} values of type {kind}, which can't be in it")
        first: list[Any] = []
        for _ in range(count if whole else min(count, SHOWN)):
            first.append((yield from self.value(kind, depth + 1)))  # noqa: PERF401
        rest = count - len(first)
        if not rest:
            return first
        hasher = hashlib.sha256(repr(first).encode())
        if kind in _SCALARS:
            yield from self.pass_numbers(rest * smallest, hasher)
        elif kind == _STRING:
            yield from self.pass_strings(rest, hasher)
        else:
            for _ in range(rest):
                hasher.update(repr((yield from self.value(kind, depth + 1))).encode())
        return {"type": _NAMES[kind], "count": count, "first": first, "sha256": hasher.hexdigest()}

    def pass_numbers(self, nbytes: int, hasher: hashlib._Hash) -> Steps[None]:
        while nbytes:
            piece = min(nbytes, PIECE)
            hasher.update((yield from self.cursor.take(piece)))
            nbytes -= piece

    def pass_strings(self, count: int, hasher: hashlib._Hash) -> Steps[None]:
        """Hash strings in as few reads as possible; their lengths lie between them, so all bytes are read."""
        cursor, width = self.cursor, 8 if self.wide else 4
        order = "little" if self.order == "<" else "big"
        self.budget.spend("items", count)
        mark = cursor.position
        for _ in range(count):
            if not cursor.held(width):
                hasher.update(cursor.since(mark))
                yield from cursor.fill(width)
                mark = cursor.position
            length = int.from_bytes(cursor.grab(width), order)  # type: ignore[arg-type]
            if length > STRING_LIMIT:
                raise Malformed(f"the GGUF file has a string of {length} bytes")
            if not cursor.held(length):
                hasher.update(cursor.since(mark))
                yield from cursor.fill(length)
                mark = cursor.position
            cursor.position += length
        hasher.update(cursor.since(mark))


def is_summary(value: Any) -> bool:
    """Whether a metadata value is the summary of a long array."""
    return isinstance(value, dict) and value.keys() == {"type", "count", "first", "sha256"}


def read_gguf(size: int, budget: Budget, *, whole: Collection[str] = ()) -> Steps[Weights]:
    """Read the header of a file of `size` bytes. Raises Malformed if it is not GGUF; what precedes a fault is kept.

    `whole`: keys of arrays that are wanted with all their values.
    """
    reader = _Reader(size, budget, whole)
    magic = yield from reader.cursor.take(8)
    version = int.from_bytes(magic[4:], "little")
    if magic[:4] != b"GGUF":
        raise Malformed("not a GGUF file")
    if version & 0xFFFF == 0 and version:
        reader.order, version = ">", int.from_bytes(magic[4:], "big")
    if not 1 <= version <= 3:
        raise Malformed(f"GGUF version {version} is not known")
    reader.wide = version > 1
    metadata: dict[str, Any] = {}
    tensors: list[Tensor] = []
    problem = None
    try:
        yield from _header(reader, size, metadata, tensors)
    except ContentError as error:
        problem = error.message
    file_type = metadata.get("general.file_type")
    if isinstance(file_type, int) and file_type in FILE_TYPES:
        reader.notes.append(f"quantisation: {FILE_TYPES[file_type]}")
    if reader.order == ">":
        reader.notes.append("its numbers are big-endian")
    tokens = metadata.get("tokenizer.ggml.tokens")
    if isinstance(tokens, dict):
        reader.notes.append(f"tokenizer: {metadata.get('tokenizer.ggml.model', '?')}, {tokens['count']} tokens")
    return Weights("gguf", tuple(tensors), metadata, problem, tuple(reader.notes))


def _header(reader: _Reader, size: int, metadata: dict[str, Any], tensors: list[Tensor]) -> Steps[None]:
    tensor_count, key_count = (yield from reader.count()), (yield from reader.count())
    if key_count > KEYS_LIMIT or key_count * 12 + tensor_count * 24 > size:
        raise Malformed(f"the GGUF file says it has {tensor_count} tensors and {key_count} keys, which can't be")
    for _ in range(key_count):
        key = yield from reader.text()
        kind: int = yield from reader.number("I")
        metadata[key] = yield from reader.value(kind, whole=key in reader.whole)
    listed: list[tuple[str, str, tuple[int, ...], int, int | None, str | None]] = []
    exhausted = None
    try:
        for _ in range(tensor_count):
            reader.budget.spend("tensors")
            name = yield from reader.text()
            dimensions: int = yield from reader.number("I")
            if dimensions > 8:
                raise Malformed(f"the tensor {name[:100]} has {dimensions} dimensions")
            shape: list[int] = []
            for _ in range(dimensions):
                shape.append((yield from reader.count()))  # noqa: PERF401
            kind = yield from reader.number("I")
            offset: int = yield from reader.number("Q")
            dtype, block, width = QUANTISATIONS.get(kind, (f"type {kind}", 0, 0))
            problem = None if block else "its type is not known"
            nbytes = None
            if block:
                numbers = prod(shape)
                nbytes = numbers // block * width
                if nbytes >= 1 << 63:
                    nbytes, problem = None, "its shape is one that no file can hold"
                elif numbers % block:
                    problem = f"its shape does not fit blocks of {block}"
            if reader.order == ">" and width > 1:
                dtype = f">{dtype}"
            listed.append((name, dtype, tuple(shape), offset, nbytes, problem))
    except TooLarge as error:
        exhausted = error
    alignment = metadata.get("general.alignment", 32)
    if not isinstance(alignment, int) or not 1 <= alignment <= 1 << 20:
        raise Malformed("the GGUF file has an impossible alignment")
    base = -(-reader.cursor.position // alignment) * alignment
    for name, dtype, dims, offset, nbytes, problem in listed:
        if nbytes is not None and base + offset + nbytes > size:
            problem = problem or "its bytes lie outside of the file"
        tensors.append(Tensor(name, dtype, dims, base + offset, nbytes, problem))
    if exhausted is not None:
        raise exhausted
    if any(tensor.problem for tensor in tensors):
        raise Malformed("the header does not fit the file: some tensors are marked")
