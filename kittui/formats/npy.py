"""NumPy arrays: .npy headers and the .npz zips of them (numpy.lib.format, versions 1 to 3)."""

from __future__ import annotations

import ast
import re
from math import prod
from typing import Any

from kittui.errors import Malformed
from kittui.formats.need import Steps, fetch_exactly
from kittui.formats.weights import Tensor, Weights
from kittui.formats.zip import read_member_start, read_zip

HEADER_LIMIT = 64 * 1024
"""Bytes of a header read at most."""
ARRAYS_LIMIT = 10_000
"""Arrays of one .npz whose headers are read at most."""
_DTYPES = {"f": "F", "i": "I", "u": "U", "c": "C", "b": "BOOL"}


def parse_npy_header(raw: bytes, name: str, start: int, size: int) -> Tensor:
    """The array whose file of `size` bytes begins with `raw` at byte `start`; raises Malformed."""
    if raw[:6] != b"\x93NUMPY" or len(raw) < 12:
        raise Malformed(f"{name} is no NumPy array")
    width = 2 if raw[6] == 1 else 4
    length = int.from_bytes(raw[8 : 8 + width], "little")
    if length > HEADER_LIMIT or 8 + width + length > len(raw):
        raise Malformed(f"{name} has a header of {length} bytes")
    try:
        header: Any = ast.literal_eval(raw[8 + width : 8 + width + length].decode("utf-8" if raw[6] > 2 else "latin-1"))
        descr, shape = header["descr"], header["shape"]
    except (ValueError, SyntaxError, RecursionError, MemoryError, KeyError, TypeError):
        raise Malformed(f"{name} has a damaged header") from None
    if not isinstance(shape, tuple) or not all(isinstance(number, int) and number >= 0 for number in shape):
        raise Malformed(f"{name} has a damaged shape")
    match = re.fullmatch(r"[<>|=]([fiucb])(\d{1,3})", descr) if isinstance(descr, str) else None
    offset = start + 8 + width + length
    if match is None:
        problem = "it holds pickled objects" if "O" in str(descr) else None
        return Tensor(name, str(descr)[:60], shape, offset, None, problem)
    letter = _DTYPES[match[1]]
    dtype = letter if letter == "BOOL" else f"{letter}{int(match[2]) * 8}"
    nbytes = prod(shape) * int(match[2])
    problem = "its bytes do not fit its shape" if 8 + width + length + nbytes != size else None
    return Tensor(name, dtype, shape, offset, nbytes, problem)


def read_npy(size: int) -> Steps[Weights]:
    """A .npy file of `size` bytes; raises Malformed."""
    raw = yield from fetch_exactly(0, min(size, HEADER_LIMIT), "the NumPy file")
    return Weights("npy", (parse_npy_header(raw, "array", 0, size),))


def read_npz(size: int) -> Steps[Weights]:
    """The arrays of a .npz file of `size` bytes; raises Malformed."""
    members = yield from read_zip(size)
    tensors: list[Tensor] = []
    for member in members[:ARRAYS_LIMIT]:
        name = member.path.removesuffix(".npy")
        try:
            raw = yield from read_member_start(member, 4096)
            tensor = parse_npy_header(raw, name, 0, member.size)
            tensors.append(tensor._replace(offset=None, file=member.path))
        except Malformed as error:
            tensors.append(Tensor(name, "?", (), None, member.size, error.message))
    problem = f"only the first {ARRAYS_LIMIT} arrays are listed" if len(members) > ARRAYS_LIMIT else None
    return Weights("npz", tuple(tensors), {}, problem)
