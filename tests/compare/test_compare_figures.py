"""Figures on tensors: numpy's own, with numpy and without."""

from __future__ import annotations

import math
import random
import struct

import numpy
import pytest

from kittui.compare.changes import Figures, TensorChange, TensorSide
from kittui.compare.figures import Meter, canonical, decodes, width
from kittui.compare.tensors import compare_tensors, random_windows, sampled_words, sum_modules, undetected_share

PLAIN = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1",
    "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1",
}  # fmt: skip


def measure(a: bytes, b: bytes, dtype_a: str, dtype_b: str) -> Figures:
    meter = Meter(dtype_a, dtype_b)
    cut_a, cut_b = len(a) // 3 // width(dtype_a) * width(dtype_a), 0
    cut_b = cut_a // width(dtype_a) * width(dtype_b)
    if dtype_a == dtype_b and a[:cut_a] == b[:cut_b]:
        meter.feed_equal(memoryview(a)[:cut_a])
    else:
        meter.feed(memoryview(a)[:cut_a], memoryview(b)[:cut_b])
    meter.feed(memoryview(a)[cut_a:], memoryview(b)[cut_b:])
    return meter.figures()


@pytest.mark.parametrize("dtype", PLAIN)
def test_figures_are_numpys(dtype: str) -> None:
    chance = numpy.random.default_rng(7)
    a = (chance.normal(size=5000) * 50).astype(PLAIN[dtype])
    b = a.copy()
    places = chance.choice(5000, 700, replace=False)
    b[places] = (chance.normal(size=700) * 50).astype(PLAIN[dtype])
    found = measure(a.tobytes(), b.tobytes(), dtype, dtype)
    x, y = a.astype(numpy.float64), b.astype(numpy.float64)
    assert found.count == 5000
    assert found.fraction == (a != b).mean()
    assert found.max_abs == numpy.abs(y - x).max()
    assert found.mean_abs == pytest.approx(numpy.abs(y - x).mean(), rel=1e-12)
    assert found.relative_norm == pytest.approx(numpy.linalg.norm(y - x) / numpy.linalg.norm(x), rel=1e-12)


def test_equal_stretches_count_like_others() -> None:
    a = struct.pack("<9f", *range(6), math.inf, math.nan, 8)
    b = a[:-4] + struct.pack("<f", 9)
    in_one = Meter("F32", "F32")
    in_one.feed(memoryview(a), memoryview(b))
    in_two = Meter("F32", "F32")
    in_two.feed_equal(memoryview(a)[:32])
    in_two.feed(memoryview(a)[32:], memoryview(b)[32:])
    assert in_one.figures() == in_two.figures()


def test_bfloat16_and_casts() -> None:
    values = numpy.linspace(-3, 3, 999, dtype=numpy.float32)
    short = (values.view(numpy.uint32) >> 16).astype(numpy.uint16)
    back = (short.astype(numpy.uint32) << 16).view(numpy.float32).astype(numpy.float64)
    found = measure(values.tobytes(), short.tobytes(), "F32", "BF16")
    assert found.changed == numpy.count_nonzero(values.astype(numpy.float64) != back)
    assert found.max_abs == numpy.abs(back - values).max()


def test_nan_and_infinities_are_counted_and_kept_out_of_the_sums() -> None:
    a = struct.pack("<6f", 1, math.nan, math.inf, 2, 3, -0.0)
    b = struct.pack("<6f", 1, math.nan, 5, math.nan, 4, 0.0)
    found = measure(a, b, "F32", "F32")
    assert (found.count, found.changed, found.finite) == (6, 4, 3)
    assert (found.nonfinite_a, found.nonfinite_b) == (2, 2)
    assert found.max_abs == 1.0
    assert found.mean_abs == pytest.approx(1 / 3)


def test_numbers_the_other_way_round_have_the_same_values() -> None:
    values = numpy.linspace(-3, 3, 999)
    for kind, name in (("f8", "F64"), ("f4", "F32"), ("f2", "F16")):
        plain, turned = values.astype("<" + kind).tobytes(), values.astype(">" + kind).tobytes()
        found = measure(plain, turned, name, f">{name}")
        assert (found.changed, found.max_abs) == (0, 0.0)
        other = measure(turned, (values + 1).astype(">" + kind).tobytes(), f">{name}", f">{name}")
        assert other.changed == 999
        assert other.mean_abs == pytest.approx(1.0, abs=0.01)
    packed = measure(bytes(36), bytes(18) + b"\1" + bytes(17), ">Q4_0", ">Q4_0")
    assert (packed.count, packed.changed, packed.unit) == (2, 1, "blocks")


SMALL = {
    "F8_E4M3": {0x00: 0.0, 0x01: 2**-9, 0x38: 1.0, 0x7E: 448.0, 0xB8: -1.0, 0x7F: math.nan},
    "F8_E5M2": {0x01: 2**-16, 0x3C: 1.0, 0x7B: 57344.0, 0x7C: math.inf, 0xFC: -math.inf, 0x7D: math.nan},
    "F8_E8M0": {127: 1.0, 128: 2.0, 0: 2**-127, 255: math.nan},
}


@pytest.mark.parametrize("dtype", SMALL)
def test_floats_of_8_bits_have_the_standards_values(dtype: str) -> None:
    for bits, value in SMALL[dtype].items():
        found = measure(struct.pack("<3f", 0, 0, 0), bytes([bits] * 3), "F32", dtype)
        if math.isfinite(value):
            assert found.max_abs == abs(value)
        else:
            assert found.nonfinite_b == 3


def test_four_bits_hold_two_values_a_byte() -> None:
    found = measure(bytes([0x21, 0x43, 0x65]), bytes([0x31, 0x43, 0x66]), "F4", "F4")
    assert (found.count, found.changed, found.max_abs) == (6, 2, 1.0)
    signed = measure(bytes([0x0F] * 3), bytes([0x07] * 3), "I4", "I4")
    assert (signed.changed, signed.max_abs) == (3, 8.0)


def test_packed_and_unknown_types_count_what_they_can() -> None:
    a = bytearray(18 * 30)
    b = bytearray(a)
    b[18], b[20], b[100] = 1, 1, 1
    packed = measure(bytes(a), bytes(b), "Q4_0", "Q4_0")
    assert (packed.count, packed.changed, packed.unit, packed.max_abs) == (30, 2, "blocks", None)
    unknown = measure(bytes(a), bytes(b), "C64", "C64")
    assert (unknown.count, unknown.changed, unknown.unit) == (540, 3, "bytes")
    assert not decodes("Q4_0")
    assert canonical("torch.float8_e4m3fn") == "F8_E4M3"


def test_empty_tensors_and_stretches_that_do_not_fit() -> None:
    assert measure(b"", b"", "F32", "F32").fraction == 0.0
    assert measure(b"", b"", "F32", "F32").relative_norm == 0.0
    with pytest.raises(ValueError, match="same elements"):
        Meter("F32", "F32").feed(memoryview(b"1234"), memoryview(b"12345678"))


def test_from_all_zeros_there_is_no_relative_norm() -> None:
    found = measure(bytes(24), struct.pack("<6f", *[1] * 6), "F32", "F32")
    assert found.relative_norm is None
    assert found.mean_abs == 1.0


def side(name: str, dtype: str = "F32", shape: tuple[int, ...] = (2, 2), size: int = 16) -> TensorSide:
    return TensorSide(name, dtype, shape, 0, size)


def test_headers_alone_never_say_same() -> None:
    changes = compare_tensors(
        "m",
        [side("kept"), side("gone"), side("shape"), side("type"), side("empty", shape=(0,), size=0)],
        [side("kept"), side("new"), side("shape", shape=(4, 1)), side("type", "F16", size=8),
         side("empty", shape=(0,), size=0)],
    )  # fmt: skip
    assert {change.name: (change.status, change.nature) for change in changes} == {
        "gone": ("removed", ""),
        "kept": ("not_compared", ""),
        "new": ("added", ""),
        "shape": ("changed", "reshaped"),
        "type": ("changed", "recast"),
        "empty": ("same", ""),
    }


def test_modules_add_up_and_the_hottest_comes_first() -> None:
    def tensor(name: str, changed: int, squares: float) -> TensorChange:
        figures = Figures(100, changed, 100, squares, squares, squares, 4.0)
        return TensorChange("m", name, "changed", None, None, "values", figures)

    modules = sum_modules([tensor("enc.0.w", 0, 0.0), tensor("enc.1.w", 100, 1.0), tensor("head.w", 50, 0.8)])
    assert [module.name for module in modules] == ["enc.1", "head", "", "enc", "enc.0"]
    whole = next(module for module in modules if module.name == "")
    assert (whole.tensors, whole.changed, whole.figures.fraction) == (3, 2, 0.5)
    assert whole.figures.relative_norm == pytest.approx((1.8 / 12) ** 0.5)


def test_sampling_states_a_bound_that_holds() -> None:
    chance = random.Random(1)
    size, width_, count = 4096 * 400, 4096, 60
    share = undetected_share(count, size, width_)
    assert share == pytest.approx(1 - 0.05 ** (1 / 60))
    changed = set(range(int(share * 400) + 1))
    missed = 0
    for _ in range(600):
        windows = random_windows(size, count, chance, width_)
        assert len({offset for offset, _ in windows}) == count
        missed += not any(offset // width_ in changed for offset, _ in windows)
    assert missed / 600 < 0.07
    assert undetected_share(400, size, width_) == 0.0
    assert "not proven the same" in sampled_words(count, size)
