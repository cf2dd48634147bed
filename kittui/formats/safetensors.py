"""Parses safetensors headers: 8 bytes of length, then JSON (huggingface/safetensors, README, "Format")."""

from __future__ import annotations

from collections.abc import Iterator
from json import JSONDecoder
from math import prod
from typing import Any

from kittui.budget import Budget
from kittui.errors import Malformed, TooLarge
from kittui.formats.exact_json import DEPTH, is_deep
from kittui.formats.long_json import decode_map
from kittui.formats.need import Steps, fetch_exactly
from kittui.formats.weights import Tensor, Weights

HEADER_LIMIT = 100_000_000
"""Maximum bytes of a header, as in the safetensors library."""
FIRST = 32 * 1024
"""Bytes of the first read: most headers are shorter."""

BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8,
    "U16": 16, "I16": 16, "F16": 16, "BF16": 16, "U32": 32, "I32": 32, "F32": 32, "U64": 64, "I64": 64, "F64": 64,
    "C64": 64, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6,
}  # fmt: skip
"""Bits of one number of each dtype."""


def read_safetensors(size: int, budget: Budget) -> Steps[Weights]:
    """Read the header of a file of `size` bytes; raises Malformed.

    Tensors with a false place are marked, not dropped. If the header exceeds the budget, the tensors up to there are
    returned.
    """
    first = yield from fetch_exactly(0, min(size, FIRST), "the safetensors file")
    if len(first) < 8:
        raise Malformed("the safetensors file is too short for a header")
    length = int.from_bytes(first[:8], "little")
    if length > HEADER_LIMIT or length > size - 8:
        raise Malformed(f"the safetensors header says it has {length} bytes, which can't be in a file of {size}")
    raw = first[8 : 8 + length]
    if len(raw) < length:
        raw += yield from fetch_exactly(8 + len(raw), length - len(raw), "the safetensors header")
    return parse_header(raw, size, budget)


def parse_header(raw: bytes, size: int, budget: Budget) -> Weights:
    """Parse the JSON of a header; `size` is the whole file's length in bytes. Raises Malformed and TooLarge."""
    base = 8 + len(raw)
    tensors: list[Tensor] = []
    metadata: dict[str, Any] = {}
    spans: list[tuple[int, int, int]] = []
    exhausted = None
    try:
        for name, value in _entries(raw, "the safetensors header", budget):
            if name == "__metadata__":
                metadata = value if isinstance(value, dict) else {"__metadata__": value}
                continue
            budget.spend("tensors")
            tensor = _tensor(name, value, base, size)
            if tensor.offset is not None and tensor.nbytes:
                spans.append((tensor.offset, tensor.offset + tensor.nbytes, len(tensors)))
            tensors.append(tensor)
    except TooLarge as error:
        if not tensors:
            raise
        exhausted = error.message
    end, holes = base, False
    for start, stop, number in sorted(spans):
        if start < end and tensors[number].problem is None:
            tensors[number] = tensors[number]._replace(problem="its bytes overlap those of another tensor")
        holes = holes or start > end
        end = max(end, stop)
    problem = exhausted
    if exhausted is None and any(tensor.problem for tensor in tensors):
        problem = "the header does not fit the file: some tensors are marked"
    elif exhausted is None and (holes or end != size):
        problem = "the header leaves bytes of the file unaccounted for"
    order = sorted(range(len(tensors)), key=lambda number: (tensors[number].offset or 0, tensors[number].name))
    return Weights("safetensors", tuple(tensors[number] for number in order), metadata, problem)


def load_object(raw: bytes, what: str, budget: Budget) -> dict[str, Any]:
    """Parse a JSON object without duplicate keys; numbers of over 20 digits become -1.

    Raises Malformed naming `what`.
    """
    return dict(_entries(raw, what, budget))


def _entries(raw: bytes, what: str, budget: Budget) -> Iterator[tuple[str, Any]]:
    """Yield the entries of such an object."""

    def distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise Malformed(f"{what} names something twice")
        return found

    if raw.lstrip(b" \t\r\n")[:1] == b"[":
        raise Malformed(f"{what} is not a JSON object")
    seen: set[str] = set()
    try:
        decoder = JSONDecoder(object_pairs_hook=distinct, parse_int=_integer)
        for name, value in decode_map(raw.decode("utf-8"), decoder, budget):
            if name in seen:
                raise Malformed(f"{what} names something twice")
            if is_deep([value]):
                raise Malformed(f"{what} is nested more than {DEPTH} deep")
            seen.add(name)
            budget.spend("names", len(name))
            yield name, value
    except (ValueError, RecursionError):
        raise Malformed(f"{what} is not valid JSON") from None


def _integer(digits: str) -> int:
    return int(digits) if len(digits) <= 20 else -1


def _tensor(name: str, value: Any, base: int, size: int) -> Tensor:
    if not isinstance(value, dict):
        return Tensor(name, "?", (), problem="its entry is not an object")
    dtype, shape, offsets = value.get("dtype"), value.get("shape"), value.get("data_offsets")
    dtype = dtype if isinstance(dtype, str) else "?"
    if not isinstance(shape, list) or len(shape) > 64 or not _are_counts(shape):
        return Tensor(name, dtype, (), problem="its shape is not a list of counts")
    if not isinstance(offsets, list) or len(offsets) != 2 or not _are_counts(offsets):
        return Tensor(name, dtype, tuple(shape), problem="its offsets are not two counts")
    begin, end = offsets
    problem = None
    if begin > end or base + end > size:
        problem = "its bytes lie outside of the file"
    elif dtype not in BITS:
        problem = f"its dtype {dtype[:40]} is not known"
    elif prod(shape) * BITS[dtype] != (end - begin) * 8:
        problem = "its bytes do not fit its shape"
    return Tensor(name, dtype, tuple(shape), base + begin, max(0, end - begin), problem)


def _are_counts(values: list[Any]) -> bool:
    return not values or (set(map(type, values)) == {int} and min(values) >= 0 and max(values) < 1 << 63)
