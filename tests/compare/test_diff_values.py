"""Planted edits in random models are all found, none invented, and their figures are numpy's on the same values."""

from __future__ import annotations

import math
import random
import struct
from dataclasses import dataclass
from typing import Any

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kittui.compare.changes import Figures, TensorChange
from kittui.compare.comparison import Comparison
from kittui.oci.tag import Tag
from kittui.usecases.diff.compare import Depth, DiffUseCase, Side
from kittui.usecases.inspect.inspector import Inspector
from tests.compare.kits import opened, safetensors, two
from tests.demo.pack import File

Array = numpy.ndarray[Any, Any]

DTYPES = {
    "F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1, "F4": 1, "I64": 8, "I32": 4, "I16": 2,
    "I8": 1, "U64": 8, "U32": 4, "U16": 2, "U8": 1, "BOOL": 1,
}  # fmt: skip
"""Types of safetensors, and bytes of an element (of two for F4)."""
PACKED = {2: ("Q4_0", 32, 18), 8: ("Q8_0", 32, 34), 12: ("Q4_K", 256, 144), 14: ("Q6_K", 256, 210)}
NUMPY = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1", "U64": "<u8",
    "U32": "<u4", "U16": "<u2", "U8": "u1", "BOOL": "u1",
}  # fmt: skip


def decoded(dtype: str, raw: bytes) -> Array:
    """The values by a way of their own: from the definitions of the types."""
    if dtype in NUMPY:
        with numpy.errstate(invalid="ignore"):
            return numpy.frombuffer(raw, NUMPY[dtype]).astype("f8")
    if dtype == "BF16":
        return decoded("F32", b"".join(b"\0\0" + raw[at : at + 2] for at in range(0, len(raw), 2)))
    if dtype == "F8_E5M2":
        return decoded("F16", b"".join(bytes([0, byte]) for byte in raw))
    if dtype == "F8_E4M3":
        return numpy.array([e4m3(byte) for byte in raw])
    table = [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0]
    halves = [half for byte in raw for half in (byte & 15, byte >> 4)]
    return numpy.array([table[half & 7] * (-1 if half & 8 else 1) for half in halves])


def e4m3(byte: int) -> float:
    sign = -1 if byte & 128 else 1
    exponent, fraction = byte >> 3 & 15, byte & 7
    if exponent == 15 and fraction == 7:
        return math.nan
    return sign * (2**-6 * fraction / 8 if exponent == 0 else 2 ** (exponent - 7) * (1 + fraction / 8))


def bits(dtype: str, raw: bytes) -> Array:
    if dtype == "F4":
        return numpy.array([half for byte in raw for half in (byte & 15, byte >> 4)])
    return numpy.frombuffer(raw, f"<u{DTYPES[dtype]}")


def check_figures(figures: Figures | None, dtype: str, a: bytes, b: bytes) -> None:
    """As numpy has them."""
    assert figures is not None
    x, y = decoded(dtype, a), decoded(dtype, b)
    finite = numpy.isfinite(x) & numpy.isfinite(y)
    changed = int(numpy.count_nonzero(bits(dtype, a) != bits(dtype, b)))
    assert (figures.count, figures.changed, figures.finite) == (len(x), changed, int(finite.sum()))
    assert figures.nonfinite_a == numpy.count_nonzero(~numpy.isfinite(x))
    assert figures.nonfinite_b == numpy.count_nonzero(~numpy.isfinite(y))
    x, y = x[finite], y[finite]
    with numpy.errstate(over="ignore"):
        difference = numpy.abs(y - x)
    assert figures.max_abs == (difference.max() if len(x) else 0.0)
    if len(x) and max(numpy.abs(x).max(), difference.max()) > 1e150:
        return  # squares and sums of such doubles overflow
    assert figures.mean_abs == pytest.approx(difference.mean() if len(x) else 0.0, rel=1e-9)
    if norm := numpy.linalg.norm(x):
        assert figures.relative_norm == pytest.approx(numpy.linalg.norm(difference) / norm, rel=1e-9)


@dataclass
class Planted:
    """What is to be found."""

    statuses: dict[str, str]
    values: dict[str, tuple[str, bytes, bytes]]


def random_bytes(chance: random.Random, dtype: str, count: int) -> bytes:
    """Any bits for most types, so that NaN and infinities come up; doubles are kept where sums don't overflow."""
    if dtype == "F64":
        numbers = [chance.choice([chance.gauss(0, 1), 0.0, -0.0, math.inf, math.nan]) for _ in range(count)]
        return struct.pack(f"<{count}d", *numbers)
    if dtype == "BOOL":
        return bytes(chance.randrange(2) for _ in range(count))
    return chance.randbytes(count * DTYPES[dtype])


def plant(chance: random.Random) -> tuple[dict[str, Any], dict[str, Any], Planted]:
    """Two random models, by tensor name (dtype, shape, bytes), and how they differ."""
    a: dict[str, Any] = {}
    for number in range(chance.randint(1, 12)):
        dtype = chance.choice(sorted(DTYPES))
        count = chance.choice([0, 1, 7, 64, 1000, 5000])
        shape = [count * 2] if dtype == "F4" else [count]
        a[f"block.{number % 3}.t{number}"] = (dtype, shape, random_bytes(chance, dtype, count))
    b = dict(a)
    planted = Planted({}, {})
    for name in chance.sample(sorted(a), chance.randint(0, len(a))):
        dtype, shape, raw = a[name]
        edit = chance.choice(["one", "all", "removed", "recast", "reshaped", "moved"])
        if edit == "moved":
            value = b.pop(name)
            b[name] = value
        elif edit == "removed":
            del b[name]
            planted.statuses[name] = "removed"
        elif edit == "reshaped":
            b[name] = (dtype, [1, *shape], raw)
            planted.statuses[name] = "changed"
        elif not raw:
            continue
        elif edit == "recast" and dtype == "F32":
            with numpy.errstate(over="ignore", invalid="ignore"):
                b[name] = ("F16", shape, numpy.frombuffer(raw, "<f4").astype("<f2").tobytes())
            planted.statuses[name] = "changed"
        elif edit in ("one", "all"):
            new = bytearray(raw)
            for at in [chance.randrange(len(raw))] if edit == "one" else range(len(raw)):
                new[at] = 1 - new[at] if dtype == "BOOL" else new[at] ^ chance.randrange(1, 256)
            b[name] = (dtype, shape, bytes(new))
            planted.statuses[name] = "changed"
            planted.values[name] = (dtype, raw, bytes(new))
    if chance.random() < 0.4:
        b["added"] = ("U8", [3], b"abc")
        planted.statuses["added"] = "added"
    return a, b, planted


async def diff(a: dict[str, File], b: dict[str, File], packing: tuple[str, str], **depth: Any) -> Comparison:
    # The layers differ whether or not the models do.
    repository = two({**a, "model/z.txt": File(b"a")}, {**b, "model/z.txt": File(b"b")}, packing)
    return await DiffUseCase(opened, Inspector()).compare(
        Side(repository, Tag("a")), Side(repository, Tag("b")), Depth(**depth)
    )


def found(comparison: Comparison) -> dict[str, str]:
    return {tensor.name: tensor.status for tensor in comparison.tensors if tensor.status != "same"}


def tensor_of(comparison: Comparison, name: str) -> TensorChange:
    return next(tensor for tensor in comparison.tensors if tensor.name == name)


@settings(max_examples=60)
@given(st.integers(0, 1 << 40), st.sampled_from([("none", "none"), ("gzip", "none"), ("gzip", "gzip")]), st.booleans())
async def test_planted_edits_of_tensors_are_all_found_and_none_invented(
    seed: int, packing: tuple[str, str], unasked: bool
) -> None:
    chance = random.Random(seed)
    a, b, planted = plant(chance)
    comparison = await diff(
        {"model/m.safetensors": File(safetensors(a))},
        {"model/m.safetensors": File(safetensors(b))},
        packing,
        content=True,
        remote_budget=10_000_000 if unasked else 0,
    )
    assert comparison.problems == ()
    assert found(comparison) == planted.statuses
    for name, (dtype, old, new) in planted.values.items():
        check_figures(tensor_of(comparison, name).figures, dtype, old, new)
    for tensor in comparison.tensors:
        if tensor.status == "same" and tensor.a is not None and tensor.a.size:
            assert tensor.figures is not None
            assert tensor.figures.changed == 0
    quick = await diff(
        {"model/m.safetensors": File(safetensors(a))},
        {"model/m.safetensors": File(safetensors(b))},
        packing,
        remote_budget=0,
    )
    for name, status in found(quick).items():
        assert status in (planted.statuses.get(name), "not_compared")
    assert all(planted.statuses.get(tensor.name) != "changed" for tensor in quick.tensors if tensor.status == "same")


def gguf(tensors: dict[str, tuple[int, list[int], bytes]]) -> bytes:
    """A GGUF file of (type number, shape, bytes) by name."""
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), 0)
    content = b""
    for name, (kind, shape, raw) in tensors.items():
        head += struct.pack("<Q", len(name)) + name.encode() + struct.pack("<I", len(shape))
        head += struct.pack(f"<{len(shape)}Q", *reversed(shape)) + struct.pack("<IQ", kind, len(content))
        content += raw + bytes(-len(raw) % 32)
    return head + bytes(-len(head) % 32) + content


@settings(max_examples=25)
@given(st.integers(0, 1 << 40))
async def test_blocks_of_quantised_models_are_counted(seed: int) -> None:
    chance = random.Random(seed)
    a, b, expected = {}, {}, {}
    for number in range(chance.randint(1, 6)):
        kind = chance.choice(sorted(PACKED))
        _, numbers, size = PACKED[kind]
        blocks = chance.randint(1, 40)
        raw = chance.randbytes(size * blocks)
        new = bytearray(raw)
        edited = chance.sample(range(blocks), chance.randint(0, blocks))
        for at in edited:
            new[at * size + chance.randrange(size)] ^= 1
        name = f"blk.{number}.weight"
        a[name], b[name] = (kind, [blocks * numbers], raw), (kind, [blocks * numbers], bytes(new))
        expected[name] = (blocks, len(edited))
    comparison = await diff(
        {"model/m.gguf": File(gguf(a))}, {"model/m.gguf": File(gguf(b))}, ("none", "none"), content=True
    )
    for name, (blocks, edited_count) in expected.items():
        tensor = tensor_of(comparison, name)
        assert tensor.status == ("changed" if edited_count else "same")
        assert tensor.figures is not None
        assert (tensor.figures.count, tensor.figures.changed, tensor.figures.unit) == (blocks, edited_count, "blocks")
        assert tensor.figures.max_abs is None


@settings(max_examples=25)
@given(st.integers(0, 1 << 40), st.integers(1, 6))
async def test_a_sampled_answer_is_a_proof_or_a_bound_and_never_same(seed: int, windows: int) -> None:
    chance = random.Random(seed)
    names = [f"t{number}" for number in range(4)]
    a = {name: ("U8", [40_000], chance.randbytes(40_000)) for name in names}
    b = dict(a)
    edited = chance.sample(names, chance.randint(0, 2))
    for name in edited:
        raw = bytearray(a[name][2])
        for at in range(chance.randrange(40_000), 40_000):
            raw[at] ^= 1
        b[name] = ("U8", [40_000], bytes(raw))
    comparison = await diff(
        {"model/m.safetensors": File(safetensors(a)), "model/w.dat": File(b"x" * 90_000)},
        {"model/m.safetensors": File(safetensors(b)), "model/w.dat": File(b"x" * 90_000)},
        ("none", "none"),
        sample=windows,
        remote_budget=0,
    )
    assert all(tensor.status != "same" for tensor in comparison.tensors)
    assert {name for name, status in found(comparison).items() if status == "changed"} <= set(edited)
    for tensor in comparison.tensors:
        assert tensor.note
        if tensor.status == "not_compared":
            assert "not proven the same" in tensor.note
    (other,) = [file for file in comparison.files if file.path == "model/w.dat"]
    assert other.status == "not_compared"
    assert "95 % confidence" in other.note
    assert "%" in other.note.partition("less than")[2]
