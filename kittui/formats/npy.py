"""Reads NumPy arrays: .npy headers, and .npz archives of them (numpy.lib.format, versions 1 to 3)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from kittui.budget import Budget
from kittui.errors import Malformed
from kittui.formats.arrays import OBJECTS, array_bytes, from_descr, is_shape
from kittui.formats.need import Steps, fetch_exactly
from kittui.formats.weights import Tensor, Weights
from kittui.formats.zip import Member, read_member_starts, read_zip

HEADER_LIMIT = 64 * 1024
"""Bytes of a header read at most."""
ARRAYS_LIMIT = 10_000
"""Arrays of one .npz whose headers are read at most."""
MAGIC = b"\x93NUMPY"
_START = 512
"""Bytes read of each array for its header: NumPy's own are 128 or 192 bytes if the shape is short."""
_BATCH = 64
"""Arrays whose headers are read in one step."""
_TOKEN = re.compile(r"""\s*(?:([][(){},:])|'([^'\\\n]*)'|"([^"\\\n]*)"|(-?\d{1,19})L?(?![\w.])|(True|False|None)\b)""")
_WORDS = {"True": True, "False": False, "None": None}
_DEPTH = 8


def header_length(raw: bytes) -> int:
    """The offset of an array's numbers, from its first bytes; 0 if it is not an array."""
    if raw[:6] != MAGIC or len(raw) < 12:
        return 0
    width = 2 if raw[6] == 1 else 4
    return 8 + width + int.from_bytes(raw[8 : 8 + width], "little")


def parse_npy_header(raw: bytes, name: str, start: int, size: int) -> Tensor:
    """Read the header of an array whose file of `size` bytes begins with `raw` at byte `start`; raises Malformed."""
    length = header_length(raw)
    if not length:
        raise Malformed(f"{name} is not a NumPy array")
    if length > min(HEADER_LIMIT, len(raw)):
        raise Malformed(f"{name} has a header of {length} bytes")
    try:
        text = raw[10 if raw[6] == 1 else 12 : length].decode("utf-8" if raw[6] > 2 else "latin-1")
        header = _literal(text)
        descr, shape = header["descr"], header["shape"]
    except (ValueError, KeyError, TypeError, StopIteration):
        raise Malformed(f"{name} has a damaged header") from None
    if not is_shape(shape):
        raise Malformed(f"{name} has a damaged shape")
    number = from_descr(descr)
    # Column-major: the numbers are in another order than everywhere else.
    turned = bool(header.get("fortran_order")) and sum(size > 1 for size in shape) > 1
    if number.objects:
        return Tensor(name, number.name, shape, None, None, "it holds pickled objects")
    nbytes = array_bytes(shape, number)
    if nbytes is None and number.width is None:
        return Tensor(name, number.name, shape, None, None, None if turned else "its type is not known")
    problem = "its bytes do not fit its shape" if nbytes is None or length + nbytes != size else None
    return Tensor(name, number.name, shape, None if turned else start + length, nbytes, problem)


def _literal(text: str) -> Any:
    """Evaluate a header's dict, list, tuple, text or number: only what NumPy writes. Raises ValueError for others.

    Python's literal_eval would print warnings and use too much memory.
    """
    tokens = _tokens(text)
    value = _value(next(tokens), tokens, 0)
    if next(tokens, None) is not None:
        raise ValueError("more than one literal")
    return value


def _tokens(text: str) -> Iterator[tuple[int, str]]:
    at, text = 0, text.rstrip("\0 \n")
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or match.lastindex is None:
            raise ValueError("not a literal")
        yield match.lastindex, match[match.lastindex]
        at = match.end()


def _value(token: tuple[int, str], tokens: Iterator[tuple[int, str]], depth: int) -> Any:
    kind, text = token
    if kind > 1:
        return text if kind < 4 else int(text) if kind == 4 else _WORDS[text]
    if text not in "([{" or depth > _DEPTH:
        raise ValueError("not a literal")
    end = ")]}"["([{".index(text)]
    items: list[Any] = []
    keys: list[Any] = []
    comma = False
    while (token := next(tokens)) != (1, end):
        if items and not comma:
            raise ValueError("no comma")
        value = _value(token, tokens, depth + 1)
        if text == "{":
            if next(tokens) != (1, ":") or not isinstance(value, str):
                raise ValueError("not a dict")
            keys.append(value)
            value = _value(next(tokens), tokens, depth + 1)
        items.append(value)
        token = next(tokens)
        comma = token == (1, ",")
        if token == (1, end):
            break
        if not comma:
            raise ValueError("no comma")
    if text == "{":
        return dict(zip(keys, items, strict=True))
    return items[0] if text == "(" and len(items) == 1 and not comma else tuple(items) if text == "(" else items


def read_npy(size: int) -> Steps[Weights]:
    """Read a .npy file of `size` bytes; raises Malformed."""
    raw = yield from fetch_exactly(0, min(size, HEADER_LIMIT), "the NumPy file")
    tensor = parse_npy_header(raw, "array", 0, size)
    return Weights("npy", (tensor,), problem=None if tensor.dtype == OBJECTS else tensor.problem)


def read_npz(size: int, budget: Budget) -> Steps[Weights]:
    """Read the arrays of a .npz file of `size` bytes; uncompressed ones get their place in it.

    skops keeps its arrays in the same way, beside a description. Raises Malformed.
    """
    members = yield from read_zip(size, budget)
    described = any(member.path == "schema.json" for member in members)
    if described:
        members = tuple(member for member in members if member.path.endswith(".npy"))
    tensors: list[Tensor] = []
    for first in range(0, min(len(members), ARRAYS_LIMIT), _BATCH):
        part = members[first : min(first + _BATCH, ARRAYS_LIMIT)]
        starts = yield from read_member_starts(part, _START)
        for member, start in zip(part, starts, strict=True):
            if not isinstance(start, Malformed) and _START < (length := header_length(start[1])) <= HEADER_LIMIT:
                (start,) = yield from read_member_starts([member], length)
            budget.spend("tensors")
            tensors.append(_array(member, start))
    problem = f"only the first {ARRAYS_LIMIT} arrays are listed" if len(members) > ARRAYS_LIMIT else None
    return Weights("skops" if described else "npz", tuple(tensors), {}, problem)


def _array(member: Member, start: tuple[int, bytes] | Malformed) -> Tensor:
    name = member.path.removesuffix(".npy")
    try:
        if isinstance(start, Malformed):
            raise start
        offset, raw = start
        tensor = parse_npy_header(raw, name, offset, member.size)
    except Malformed as error:
        return Tensor(name, "?", (), None, member.size, error.message, member=member.path)
    return tensor._replace(offset=tensor.offset if member.method == 0 else None, member=member.path)
