"""Computes difference statistics of two stretches of tensor bytes, with numpy.

Types are named as in safetensors (https://github.com/huggingface/safetensors#format) and GGUF
(https://github.com/ggml-org/ggml/blob/master/docs/gguf.md). Values are little-endian; a > in front says otherwise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from operator import ne
from types import ModuleType
from typing import Any

from kittui.compare.changes import Figures

_NUMPY_TYPES = {
    "F64": "f8", "F32": "f4", "F16": "f2", "I64": "i8", "I32": "i4", "I16": "i2", "I8": "i1",
    "U64": "u8", "U32": "u4", "U16": "u2", "U8": "u1", "BOOL": "u1",
}  # fmt: skip
_ALIASES = {
    "FLOAT64": "F64", "FLOAT32": "F32", "FLOAT16": "F16", "BFLOAT16": "BF16", "DOUBLE": "F64", "FLOAT": "F32",
    "HALF": "F16", "INT64": "I64", "INT32": "I32", "INT16": "I16", "INT8": "I8", "UINT64": "U64", "UINT32": "U32",
    "UINT16": "U16", "UINT8": "U8", "LONG": "I64", "INT": "I32", "SHORT": "I16", "CHAR": "I8", "BYTE": "U8",
    "F8_E4M3FN": "F8_E4M3", "FLOAT8_E4M3FN": "F8_E4M3", "FLOAT8_E5M2": "F8_E5M2", "F8_E8M0FNU": "F8_E8M0",
    "FLOAT8_E8M0FNU": "F8_E8M0", "INT4": "I4", "UINT4": "U4", "FLOAT4_E2M1": "F4", "F4_E2M1": "F4",
}  # fmt: skip
_TABLES_8 = {"F8_E4M3", "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"}
_NIBBLES = {"F4", "I4", "U4"}
PIECE = 1024 * 1024
"""Bytes processed at once: small enough for the processor's cache."""


@cache
def block(dtype: str) -> int:
    """Bytes per block of GGUF's packed types, whose blocks are compared instead of values; 0 for other types."""
    from kittui.formats.gguf import QUANTISATIONS

    name = _plain(dtype)
    return next((size for found, numbers, size in QUANTISATIONS.values() if found == name and numbers > 1), 0)


def canonical(dtype: str) -> str:
    """The name that this module knows a type by, with a > in front where it is big-endian."""
    name = _plain(dtype)
    return f">{name}" if dtype.startswith(">") else name


def _plain(dtype: str) -> str:
    """The name without its byte order."""
    name = dtype.upper().removeprefix(">").removeprefix("TORCH.")
    return _ALIASES.get(name, name)


def width(dtype: str) -> int:
    """Bytes of the smallest piece of a type that can be decoded alone: an element, a pair of nibbles, a block."""
    name = _plain(dtype)
    if name in _NUMPY_TYPES:
        return int(_NUMPY_TYPES[name][-1])
    return 2 if name == "BF16" else block(name) or 1


def decodes(dtype: str) -> bool:
    """Whether values of this type can be read as numbers."""
    name = _plain(dtype)
    return name in _NUMPY_TYPES or name == "BF16" or name in _TABLES_8 or name in _NIBBLES


def per_width(dtype: str) -> int:
    """Elements in `width` bytes: two for 4-bit types, else one (a block counts as one)."""
    return 2 if _plain(dtype) in _NIBBLES else 1


@cache
def find_numpy() -> ModuleType:
    """Import numpy on first use: its import takes longer than comparing a small model."""
    import numpy

    return numpy


@dataclass(slots=True)
class Meter:
    """Adds up the figures of one pair of tensors, stretch by stretch.

    Both sides' stretches must hold the same elements: multiples of `width(dtype)` bytes each.
    """

    dtype_a: str
    dtype_b: str

    count: int = 0
    changed: int = 0
    finite: int = 0
    max_abs: float = 0.0
    sum_abs: float = 0.0
    squares_diff: float = 0.0
    squares_a: float = 0.0
    nonfinite_a: int = 0
    nonfinite_b: int = 0

    @property
    def numeric(self) -> bool:
        """Whether values are decoded, so that more than the changed share can be reported."""
        return decodes(self.dtype_a) and decodes(self.dtype_b)

    def feed(self, a: memoryview, b: memoryview) -> None:
        """Take the next stretch of both sides; raises ValueError when they don't hold the same elements."""
        unit_a, unit_b = width(self.dtype_a), width(self.dtype_b)
        elements = len(a) // unit_a * per_width(self.dtype_a)
        if len(a) % unit_a or len(b) % unit_b or elements != len(b) // unit_b * per_width(self.dtype_b):
            raise ValueError("the stretches do not hold the same elements")
        step = PIECE // 8
        for start in range(0, elements, step):
            stop = min(elements, start + step)
            part_a = _cut(a, start, stop, unit_a, per_width(self.dtype_a))
            part_b = _cut(b, start, stop, unit_b, per_width(self.dtype_b))
            if not self.numeric:
                self.count += stop - start
                self.changed += _blocks_changed(part_a, part_b, unit_a)
            else:
                numpy = find_numpy()
                # Signalling NaNs and overflowing sums need no warning here.
                with numpy.errstate(over="ignore", invalid="ignore"):
                    self._feed(numpy, part_a, part_b)

    def feed_equal(self, side: memoryview) -> None:
        """Take the next stretch of a if b holds the same bytes: cheaper than `feed`."""
        unit, each = width(self.dtype_a), per_width(self.dtype_a)
        elements = len(side) // unit * each
        self.count += elements
        if not self.numeric:
            return
        numpy, step = find_numpy(), PIECE // 8
        for start in range(0, elements, step):
            part = _cut(side, start, min(elements, start + step), unit, each)
            with numpy.errstate(over="ignore", invalid="ignore"):
                values = _values(numpy, self.dtype_a, part)
                squares = float(numpy.dot(values, values))
            if not math.isfinite(squares):
                values = values[numpy.isfinite(values)]
                squares = float(numpy.dot(values, values))
            total = len(part) // unit * each
            self.finite += len(values)
            self.nonfinite_a += total - len(values)
            self.nonfinite_b += total - len(values)
            self.squares_a += squares

    def figures(self) -> Figures:
        """The figures of what was fed so far."""
        if not self.numeric:
            unit = "blocks" if block(canonical(self.dtype_a)) else "bytes"
            return Figures(self.count, self.changed, unit=unit)
        return Figures(
            self.count, self.changed, self.finite, self.max_abs, self.sum_abs, self.squares_diff, self.squares_a,
            self.nonfinite_a, self.nonfinite_b,
        )  # fmt: skip

    def _feed(self, numpy: ModuleType, a: memoryview, b: memoryview) -> None:
        x, y = _values(numpy, self.dtype_a, a), _values(numpy, self.dtype_b, b)
        self.count += len(x)
        if canonical(self.dtype_a) == canonical(self.dtype_b):
            bits_a, bits_b = _bits(numpy, self.dtype_a, a), _bits(numpy, self.dtype_b, b)
            self.changed += int(numpy.count_nonzero(bits_a != bits_b))
        else:
            self.changed += int(numpy.count_nonzero((x != y) & ~(numpy.isnan(x) & numpy.isnan(y))))
        finite_a, finite_b = numpy.isfinite(x), numpy.isfinite(y)
        both = finite_a & finite_b
        whole = int(numpy.count_nonzero(both))
        if whole < len(x):
            self.nonfinite_a += len(x) - int(numpy.count_nonzero(finite_a))
            self.nonfinite_b += len(x) - int(numpy.count_nonzero(finite_b))
            x, y = x[both], y[both]
        self.finite += whole
        if not whole:
            return
        self.squares_a += float(numpy.dot(x, x))
        difference = numpy.abs(y - x)
        self.max_abs = max(self.max_abs, float(difference.max()))
        self.sum_abs += float(difference.sum())
        self.squares_diff += float(numpy.dot(difference, difference))


def _cut(side: memoryview, start: int, stop: int, unit: int, each: int) -> memoryview:
    return side[start // each * unit : -(-stop // each) * unit]


def _blocks_changed(a: memoryview, b: memoryview, unit: int) -> int:
    if bytes(a) == bytes(b):
        return 0
    if unit == 1:
        return sum(map(ne, bytes(a), bytes(b)))
    return sum(1 for at in range(0, len(a), unit) if bytes(a[at : at + unit]) != bytes(b[at : at + unit]))


@cache
def _table(name: str) -> tuple[float, ...]:
    """All values of a type of 8 bits, by their bits."""
    return tuple(_small_float(name, bits) for bits in range(256))


def _small_float(name: str, bits: int) -> float:
    """A value of 8 bits (OCP 8-bit Floating Point Specification 1.0; E8M0: Microscaling Formats 1.0; FNUZ: ONNX)."""
    if name == "F8_E8M0":
        return math.nan if bits == 255 else math.ldexp(1.0, bits - 127)
    mantissa_bits, bias = (3, 7) if "E4M3" in name else (2, 15)
    if name.endswith("FNUZ"):
        bias += 1
        if bits == 0x80:
            return math.nan
    sign = -1.0 if bits & 0x80 else 1.0
    exponent = (bits & 0x7F) >> mantissa_bits
    mantissa = bits & ((1 << mantissa_bits) - 1)
    if name == "F8_E4M3" and bits & 0x7F == 0x7F:
        return math.nan
    if name == "F8_E5M2" and exponent == 31:
        return math.nan if mantissa else sign * math.inf
    if exponent == 0:
        return sign * math.ldexp(mantissa, 1 - bias - mantissa_bits)
    return sign * math.ldexp((1 << mantissa_bits) + mantissa, exponent - bias - mantissa_bits)


@cache
def _nibbles(name: str) -> tuple[float, ...]:
    """The sixteen values of a type of 4 bits (E2M1: Microscaling Formats 1.0)."""
    if name == "F4":
        positive = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
        return (*positive, *(-value for value in positive))
    return tuple(float(bits - 16 if name == "I4" and bits > 7 else bits) for bits in range(16))


def _values(numpy: ModuleType, dtype: str, side: memoryview) -> Any:
    name = _plain(dtype)
    if name in _NUMPY_TYPES:
        return numpy.frombuffer(side, _order(dtype) + _NUMPY_TYPES[name]).astype(numpy.float64)
    if name == "BF16":
        bits = numpy.frombuffer(side, _order(dtype) + "u2").astype(numpy.uint32) << 16
        return bits.view(numpy.float32).astype(numpy.float64)
    if name in _TABLES_8:
        return numpy.array(_table(name))[numpy.frombuffer(side, numpy.uint8)]
    return numpy.array(_nibbles(name))[_bits(numpy, dtype, side)]


def _bits(numpy: ModuleType, dtype: str, side: memoryview) -> Any:
    if _plain(dtype) in _NIBBLES:
        packed = numpy.frombuffer(side, numpy.uint8)
        halves = numpy.empty(len(packed) * 2, numpy.uint8)
        halves[0::2], halves[1::2] = packed & 15, packed >> 4
        return halves
    return numpy.frombuffer(side, f"<u{width(dtype)}")


def _order(dtype: str) -> str:
    return ">" if dtype.startswith(">") else "<"
