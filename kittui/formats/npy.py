"""NumPy arrays: .npy headers and the .npz zips of them (numpy.lib.format, versions 1 to 3)."""

from __future__ import annotations

import ast
import re
from typing import Any

from kittui.errors import Malformed
from kittui.formats.need import Steps, fetch_exactly
from kittui.formats.weights import Tensor, Weights, bytes_of
from kittui.formats.zip import Member, read_member_starts, read_zip

HEADER_LIMIT = 64 * 1024
"""Bytes of a header read at most."""
ARRAYS_LIMIT = 10_000
"""Arrays of one .npz whose headers are read at most."""
_START = 512
"""Bytes of each array that are read for its header: NumPy's own are 128 or 192 bytes where the shape is short."""
_BATCH = 64
"""Arrays whose headers are read in one step."""
_DTYPES = {"f": "F", "i": "I", "u": "U", "c": "C", "b": "BOOL"}


def header_length(raw: bytes) -> int:
    """Bytes up to where an array's numbers start, by its first bytes; 0 where it is no array."""
    if raw[:6] != b"\x93NUMPY" or len(raw) < 12:
        return 0
    width = 2 if raw[6] == 1 else 4
    return 8 + width + int.from_bytes(raw[8 : 8 + width], "little")


def parse_npy_header(raw: bytes, name: str, start: int, size: int) -> Tensor:
    """The array whose file of `size` bytes begins with `raw` at byte `start`; raises Malformed."""
    length = header_length(raw)
    if not length:
        raise Malformed(f"{name} is no NumPy array")
    if length > min(HEADER_LIMIT, len(raw)):
        raise Malformed(f"{name} has a header of {length} bytes")
    try:
        text = raw[10 if raw[6] == 1 else 12 : length].decode("utf-8" if raw[6] > 2 else "latin-1")
        header: Any = ast.literal_eval(text)
        descr, shape = header["descr"], header["shape"]
    except (ValueError, SyntaxError, RecursionError, MemoryError, KeyError, TypeError):
        raise Malformed(f"{name} has a damaged header") from None
    if not isinstance(shape, tuple) or len(shape) > 64 or not all(_is_size(number) for number in shape):
        raise Malformed(f"{name} has a damaged shape")
    match = re.fullmatch(r"[<>|=]([fiucb])(\d{1,3})", descr) if isinstance(descr, str) else None
    # Columns first: one number behind the other in another order than everywhere else.
    turned = bool(header.get("fortran_order")) and sum(number > 1 for number in shape) > 1
    offset = None if turned else start + length
    if match is None:
        problem = "it holds pickled objects" if "O" in str(descr) else None
        return Tensor(name, str(descr)[:60], shape, offset, None, problem)
    letter = _DTYPES[match[1]]
    dtype = letter if letter == "BOOL" else f"{letter}{int(match[2]) * 8}"
    if descr[0] == ">" and match[2] != "1":
        # Its numbers can't be read like those of the plain type.
        dtype = f">{dtype}"
    nbytes = bytes_of(shape, int(match[2]) * 8)
    problem = "its bytes do not fit its shape" if nbytes is None or length + nbytes != size else None
    return Tensor(name, dtype, shape, offset, nbytes, problem)


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and 0 <= value < 1 << 63


def read_npy(size: int) -> Steps[Weights]:
    """A .npy file of `size` bytes; raises Malformed."""
    raw = yield from fetch_exactly(0, min(size, HEADER_LIMIT), "the NumPy file")
    return Weights("npy", (parse_npy_header(raw, "array", 0, size),))


def read_npz(size: int) -> Steps[Weights]:
    """The arrays of a .npz file of `size` bytes; those that are not compressed with their place in it.

    Raises Malformed.
    """
    members = yield from read_zip(size)
    tensors: list[Tensor] = []
    for first in range(0, min(len(members), ARRAYS_LIMIT), _BATCH):
        part = members[first : min(first + _BATCH, ARRAYS_LIMIT)]
        starts = yield from read_member_starts(part, _START)
        for member, start in zip(part, starts, strict=True):
            if not isinstance(start, Malformed) and _START < (length := header_length(start[1])) <= HEADER_LIMIT:
                (start,) = yield from read_member_starts([member], length)
            tensors.append(_array(member, start))
    problem = f"only the first {ARRAYS_LIMIT} arrays are listed" if len(members) > ARRAYS_LIMIT else None
    return Weights("npz", tuple(tensors), {}, problem)


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
