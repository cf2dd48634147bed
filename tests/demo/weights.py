"""Small model files: safetensors and GGUF writers, and numbers that come out the same on every machine."""

from __future__ import annotations

import json
import math
import random
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Dtype = Literal["F32", "F16", "I8", "Q8_0", "Q4_0"]

GGUF_ALIGNMENT = 32
_GGUF_TYPES: Mapping[Dtype, int] = {"F32": 0, "F16": 1, "Q4_0": 2, "Q8_0": 8}
_Q8_BLOCK = 32


@dataclass(frozen=True, slots=True)
class Tensor:
    """Values in row-major order, of a shape, to be stored as `dtype`."""

    shape: tuple[int, ...]
    values: Sequence[float]
    dtype: Dtype = "F32"

    def __post_init__(self) -> None:
        if len(self.values) != math.prod(self.shape):
            raise ValueError(f"{len(self.values)} values do not fill {self.shape}")

    @property
    def content(self) -> bytes:
        """The values as stored, little-endian."""
        if self.dtype == "Q8_0":
            return b"".join(_q8_blocks(self.values))
        if self.dtype == "Q4_0":
            return b"".join(_q4_blocks(self.values))
        if self.dtype == "I8":
            return struct.pack(f"<{len(self.values)}b", *(max(-127, min(127, round(v * 127))) for v in self.values))
        return struct.pack(f"<{len(self.values)}{'f' if self.dtype == 'F32' else 'e'}", *self.values)


def noise(seed: str, count: int, scale: float = 1.0) -> list[float]:
    """Bell-shaped numbers around 0, from sums of uniform ones: no function whose last digit differs by platform."""
    source = random.Random(seed)
    return [(sum(source.random() for _ in range(6)) - 3.0) * scale for _ in range(count)]


def tensor(seed: str, *shape: int, dtype: Dtype = "F32", scale: float = 0.2) -> Tensor:
    """A tensor of noise."""
    return Tensor(shape, noise(seed, math.prod(shape), scale), dtype)


def safetensors(tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> bytes:
    """A safetensors file: header length, JSON header padded to 8 bytes, content (safetensors format, README)."""
    header: dict[str, object] = {"__metadata__": dict(metadata)} if metadata else {}
    content = bytearray()
    for name, item in tensors.items():
        start = len(content)
        content += item.content
        header[name] = {"dtype": item.dtype, "shape": list(item.shape), "data_offsets": [start, len(content)]}
    encoded = json.dumps(header, separators=(",", ":")).encode()
    encoded += b" " * (-len(encoded) % 8)
    return struct.pack("<Q", len(encoded)) + encoded + bytes(content)


GgufValue = str | int | float | bool | Sequence[str] | Sequence[float]


def gguf(metadata: Mapping[str, GgufValue], tensors: Mapping[str, Tensor]) -> bytes:
    """A GGUF version 3 file (ggml docs/gguf.md): strings, uint32, float32, bool and arrays of strings and float32."""
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata))
    for key, value in metadata.items():
        head += _gguf_string(key) + _gguf_value(value)
    content = bytearray()
    for name, item in tensors.items():
        head += _gguf_string(name) + struct.pack("<I", len(item.shape))
        head += struct.pack(f"<{len(item.shape)}Q", *reversed(item.shape))
        head += struct.pack("<IQ", _GGUF_TYPES[item.dtype], len(content))
        content += item.content
        content += bytes(-len(content) % GGUF_ALIGNMENT)
    return head + bytes(-len(head) % GGUF_ALIGNMENT) + bytes(content)


def _gguf_string(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack("<Q", len(encoded)) + encoded


def _gguf_value(value: GgufValue) -> bytes:
    match value:
        case bool():
            return struct.pack("<I?", 7, value)
        case int():
            return struct.pack("<II", 4, value)
        case float():
            return struct.pack("<If", 6, value)
        case str():
            return struct.pack("<I", 8) + _gguf_string(value)
    if isinstance(value[0], str):
        return struct.pack("<IIQ", 9, 8, len(value)) + b"".join(_gguf_string(str(text)) for text in value)
    return struct.pack("<IIQ", 9, 6, len(value)) + struct.pack(f"<{len(value)}f", *map(float, value))


def _q4_blocks(values: Sequence[float]) -> Iterator[bytes]:
    """Blocks of 32: a 16-bit scale, then two values a byte, the first half of the block in the low bits (ggml)."""
    for start in range(0, len(values), _Q8_BLOCK):
        block = values[start : start + _Q8_BLOCK]
        scale = max(block, key=abs) / -8 or 1.0
        steps = [max(0, min(15, math.floor(value / scale + 8.5))) for value in block]
        pairs = zip(steps[: _Q8_BLOCK // 2], steps[_Q8_BLOCK // 2 :], strict=True)
        yield struct.pack("<e16B", scale, *(low | high << 4 for low, high in pairs))


def _q8_blocks(values: Sequence[float]) -> Iterator[bytes]:
    """Blocks of 32 values: a float16 scale, then 32 signed bytes."""
    for start in range(0, len(values), _Q8_BLOCK):
        block = values[start : start + _Q8_BLOCK]
        scale = struct.unpack("<e", struct.pack("<e", max(map(abs, block)) / 127))[0] or 1.0
        yield struct.pack("<e32b", scale, *(max(-127, min(127, round(value / scale))) for value in block))
