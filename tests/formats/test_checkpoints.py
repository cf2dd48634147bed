"""PyTorch checkpoints and .npz, without unpickling: each tensor's bytes are where zipfile and numpy find them."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kittui.budget import Budget
from kittui.errors import Malformed, TooLarge
from kittui.formats.need import Need, run_bytes, run_on
from kittui.formats.npy import HEADER_LIMIT, read_npy, read_npz
from kittui.formats.pytorch import LEGACY_MAGIC, read_pytorch
from kittui.formats.weights import LOOKUPS, Weights
from kittui.formats.zip import member_offsets, read_zip

KINDS = {"Float": "<f4", "Double": "<f8", "Half": "<f2", "Long": "<i8", "Int": "<i4", "Char": "<i1", "Byte": "<u1"}
WORDS = {"Float": "F32", "Double": "F64", "Half": "F16", "Long": "I64", "Int": "I32", "Char": "I8", "Byte": "U8"}


class Saved(NamedTuple):
    """A tensor as torch.save describes it."""

    name: str
    kind: str
    key: str
    numbers: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    first: int = 0


def text(value: str) -> bytes:
    raw = value.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def number(value: int) -> bytes:
    return b"\x8a\x09" + struct.pack("<q", value) + b"\0"


def numbers(values: tuple[int, ...]) -> bytes:
    return b"(" + b"".join(map(number, values)) + b"t"


def state(tensors: list[Saved]) -> bytes:
    """The pickle of a state dict, instruction by instruction."""
    body = b"\x80\x02ccollections\nOrderedDict\n)R("
    for one in tensors:
        body += text(one.name) + b"ctorch._utils\n_rebuild_tensor_v2\n(("
        body += text("storage") + f"ctorch\n{one.kind}Storage\n".encode() + text(one.key) + text("cpu")
        body += number(one.numbers) + b"tQ" + number(one.first) + numbers(one.shape) + numbers(one.strides)
        body += b"\x89ccollections\nOrderedDict\n)RtR"
    return body + b"u."


def saved(tensors: list[Saved], storages: dict[str, bytes], *, aligned: bool = True, deflated: bool = False) -> bytes:
    """The zip of torch.save: storages are not compressed and begin at multiples of 64 bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("m/data.pkl", state(tensors))
        archive.writestr("m/byteorder", "little")
        for key, content in storages.items():
            info = zipfile.ZipInfo(f"m/data/{key}")
            if aligned:
                pad = -(out.tell() + 30 + len(info.filename) + 4) % 64
                info.extra = b"FB" + struct.pack("<H", pad) + b"Z" * pad
            archive.writestr(info, content, zipfile.ZIP_DEFLATED if deflated else zipfile.ZIP_STORED)
        archive.writestr("m/version", "3\n")
    return out.getvalue()


def strides_of(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(int(np.prod(shape[n + 1 :], dtype=int)) for n in range(len(shape)))


SHAPES = st.lists(st.integers(0, 4), max_size=3).map(tuple)


@given(
    st.lists(st.tuples(st.sampled_from(sorted(KINDS)), SHAPES, st.integers(0, 5)), max_size=6),
    st.booleans(),
    st.integers(0, 2**32 - 1),
)
@settings(max_examples=60)
def test_a_tensors_bytes_are_where_they_are_said_to_be(
    parts: list[tuple[str, tuple[int, ...], int]], aligned: bool, seed: int
) -> None:
    chance = np.random.default_rng(seed)
    tensors, storages = [], {}
    for n, (kind, shape, first) in enumerate(parts):
        count = first + int(np.prod(shape, dtype=int))
        tensors.append(Saved(f"layer.{n}", kind, str(n), count, shape, strides_of(shape), first))
        storages[str(n)] = chance.bytes(count * np.dtype(KINDS[kind]).itemsize)
    content = saved(tensors, storages, aligned=aligned)
    weights = run_bytes(read_pytorch(len(content), Budget("it")), content)
    assert weights.problem is None
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for tensor, one in zip(weights.tensors, tensors, strict=True):
            width = np.dtype(KINDS[one.kind]).itemsize
            assert (tensor.name, tensor.dtype, tensor.shape) == (one.name, WORDS[one.kind], one.shape)
            assert tensor.member == f"m/data/{one.key}"
            assert tensor.file is None
            assert tensor.offset is not None
            assert tensor.nbytes == int(np.prod(one.shape, dtype=int)) * width
            there = archive.read(tensor.member)[one.first * width :][: tensor.nbytes]
            assert content[tensor.offset : tensor.offset + tensor.nbytes] == there


def test_tensors_that_share_a_storage_or_lie_turned() -> None:
    body = np.arange(12, dtype="<f4").tobytes()
    content = saved(
        [
            Saved("whole", "Float", "0", 12, (3, 4), (4, 1)),
            Saved("row", "Float", "0", 12, (4,), (1,), 4),
            Saved("turned", "Float", "0", 12, (4, 3), (1, 4)),
            Saved("one", "Float", "0", 12, (1, 1), (99, 7), 11),
            Saved("beyond", "Float", "0", 12, (4,), (1,), 9),
            Saved("nowhere", "Float", "7", 12, (4,), (1,)),
            Saved("strange", "Weird", "0", 12, (4,), (1,)),
        ],
        {"0": body},
    )
    weights = run_bytes(read_pytorch(len(content), Budget("it")), content)
    found = {tensor.name: tensor for tensor in weights.tensors}
    start = found["whole"].offset
    assert start is not None
    assert start % 64 == 0
    assert content[start : start + 48] == body
    assert found["row"].offset == start + 16
    assert found["one"].offset == start + 44
    assert (found["turned"].offset, found["turned"].nbytes, found["turned"].problem) == (None, 48, None)
    assert (found["beyond"].offset, found["beyond"].problem) == (None, "its storage is too small for its shape")
    assert found["nowhere"].problem == "its storage is missing"
    assert (found["strange"].nbytes, found["strange"].offset) == (None, None)


def test_compressed_storages_have_no_place() -> None:
    content = saved([Saved("a", "Float", "0", 100, (100,), (1,))], {"0": bytes(400)}, deflated=True)
    weights = run_bytes(read_pytorch(len(content), Budget("it")), content)
    assert (weights.tensors[0].offset, weights.tensors[0].nbytes, weights.problem) == (None, 400, None)


def test_the_places_of_many_storages_are_looked_up_where_asked_for() -> None:
    count = LOOKUPS + 1
    tensors = [Saved(f"t{n}", "Byte", str(n), 9, (9,), (1,)) for n in range(count)]
    content = saved(tensors, {str(n): bytes([n]) * 9 for n in range(count)})
    asked: list[int] = []

    def read(offset: int, length: int) -> bytes:
        asked.append(length)
        return content[offset : offset + length]

    weights = run_on(read_pytorch(len(content), Budget("it")), read)
    assert weights.notes == (f"where the bytes of its {count} storages start was not looked up",)
    assert all(tensor.offset is None and tensor.nbytes == 9 for tensor in weights.tensors)
    assert len(asked) < 8
    weights = run_on(read_pytorch(len(content), Budget("it"), lookups=count), read)
    for n, tensor in enumerate(weights.tensors):
        assert tensor.offset is not None
        assert content[tensor.offset : tensor.offset + 9] == bytes([n]) * 9


def test_a_local_header_that_is_none_leaves_the_place_open() -> None:
    content = bytearray(saved([Saved("a", "Byte", "0", 9, (9,), (1,))], {"0": bytes(9)}))
    at = content.find(b"m/data/0") - 30
    content[at : at + 4] = b"none"
    weights = run_bytes(read_pytorch(len(content), Budget("it")), bytes(content))
    assert (weights.tensors[0].offset, weights.tensors[0].nbytes) == (None, 9)


def legacy(tensors: list[Saved], storages: dict[str, bytes], widths: Mapping[str, int] = MappingProxyType({})) -> bytes:
    """What torch.save wrote before 1.6: five pickles, then each storage behind its count.

    `widths`: bytes of a number of kinds that there are not.
    """
    import pickle

    head = pickle.dumps(LEGACY_MAGIC, 2) + pickle.dumps(1001, 2) + pickle.dumps({"little_endian": True}, 2)
    keys = sorted(storages)
    content = head + state(tensors) + pickle.dumps(keys, 2)
    for key in keys:
        kind = next(one.kind for one in tensors if one.key == key)
        width = widths.get(kind) or np.dtype(KINDS[kind]).itemsize
        content += struct.pack("<q", len(storages[key]) // width) + storages[key]
    return content


def test_old_checkpoints_have_places_too() -> None:
    storages = {"94": np.arange(6, dtype="<f4").tobytes(), "31": np.arange(5, dtype="<i8").tobytes()}
    content = legacy(
        [Saved("w", "Float", "94", 6, (2, 3), (3, 1)), Saved("n", "Long", "31", 5, (3,), (1,), 2)], storages
    )
    weights = run_bytes(read_pytorch(len(content), Budget("it")), content)
    for tensor, expected in zip(weights.tensors, (storages["94"], storages["31"][16:]), strict=True):
        assert tensor.offset is not None
        assert content[tensor.offset :][: tensor.nbytes] == expected
    cut = content[:-1]
    weights = run_bytes(read_pytorch(len(cut), Budget("it")), cut)
    assert [tensor.offset for tensor in weights.tensors] == [None, None]


DTYPES = ["<f4", "<f2", "<f8", "<i8", "<i4", "<i2", "i1", "u1", "?", "<c8"]


@given(
    st.dictionaries(
        st.text("abcé/", min_size=1, max_size=9).filter(lambda name: name.strip("/") == name),
        st.tuples(st.sampled_from(DTYPES), SHAPES),
        max_size=6,
    ),
    st.booleans(),
)
@settings(max_examples=60)
def test_npz_parity(parts: dict[str, tuple[str, tuple[int, ...]]], compressed: bool) -> None:
    arrays = {
        name: np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(kind) for name, (kind, shape) in parts.items()
    }
    out = io.BytesIO()
    save: Any = np.savez_compressed if compressed else np.savez
    save(out, **arrays)
    content = out.getvalue()
    weights = run_bytes(read_npz(len(content), Budget("it")), content)
    assert {tensor.name for tensor in weights.tensors} == set(arrays)
    for tensor in weights.tensors:
        array = arrays[tensor.name]
        assert (tensor.shape, tensor.nbytes, tensor.problem) == (array.shape, array.nbytes, None)
        assert tensor.member == f"{tensor.name}.npy"
        if compressed:
            assert tensor.offset is None
        else:
            assert tensor.offset is not None
            assert content[tensor.offset :][: tensor.nbytes] == array.tobytes()


def test_npz_headers_are_asked_for_together_and_long_ones_once_more() -> None:
    arrays: dict[str, np.ndarray] = {f"a{n}": np.zeros(500, "<f4") for n in range(150)}
    arrays["fields"] = np.zeros(2, [(f"field number {n}", "<f4") for n in range(60)])
    out = io.BytesIO()
    np.savez(out, **arrays)  # type: ignore[arg-type]
    content = out.getvalue()
    steps = read_npz(len(content), Budget("it"))
    rounds, needs = 0, next(steps)
    try:
        while True:
            rounds += 1
            needs = steps.send(tuple(content[need.offset : need.offset + need.length] for need in needs))
    except StopIteration as stop:
        weights: Weights = stop.value
    assert len(weights.tensors) == 151
    assert rounds <= 6
    fields = weights.tensors[-1]
    assert (fields.name, fields.shape) == ("fields", (2,))
    assert needs


def test_arrays_in_another_order_have_no_plain_place() -> None:
    out = io.BytesIO()
    np.savez(out, turned=np.asfortranarray(np.arange(6.0).reshape(2, 3)), big=np.arange(3, dtype=">f4"))
    content = out.getvalue()
    turned, big = run_bytes(read_npz(len(content), Budget("it")), content).tensors
    assert (turned.offset, turned.nbytes) == (None, 48)
    assert big.dtype == ">F32"


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (b"", "not a NumPy array"),
        (b"\x93NUMPY\x01\x00\xff\xff{}", "a header of 65545 bytes"),
        (b"\x93NUMPY\x02\x00" + struct.pack("<I", 1 << 31), "a header of"),
        (b"\x93NUMPY\x01\x00\x03\x00{}\n", "damaged header"),
        (b"\x93NUMPY\x01\x00" + struct.pack("<H", 60_000) + b"[" * 60_000, "damaged header"),
        (b"\x93NUMPY\x01\x00\x28\x00{'descr':'<f4','shape':(-1,)}".ljust(50), "damaged shape"),
        (b"\x93NUMPY\x01\x00\x28\x00{'descr':'<f4','shape':7}".ljust(50), "damaged shape"),
        (b"\x93NUMPY\x01\x00\x28\x00[1, 2]".ljust(50), "damaged header"),
    ],
)
def test_damaged_arrays_are_refused_or_marked(header: bytes, reason: str) -> None:
    if header:
        with pytest.raises(Malformed, match=reason):
            run_bytes(read_npy(len(header)), header)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("x.npy", header)
        archive.writestr("good.npy", b"\x93NUMPY\x01\x00\x28\x00{'descr':'<f4','shape':(1,)}".ljust(50) + bytes(4))
    content = out.getvalue()
    bad, good = run_bytes(read_npz(len(content), Budget("it")), content).tensors
    assert reason in (bad.problem or "")
    assert (good.shape, good.problem) == ((1,), None)
    assert HEADER_LIMIT < 100_000


@given(st.binary(max_size=60), st.integers(0, 3000), st.integers(0, 255))
@settings(max_examples=150)
def test_noise_in_an_archive_breaks_nothing(noise: bytes, place: int, value: int) -> None:
    out = io.BytesIO()
    np.savez(out, a=np.arange(20), b=np.arange(3.0))
    for whole in (out.getvalue(), saved([Saved("a", "Float", "0", 4, (2, 2), (2, 1))], {"0": bytes(16)})):
        for content in (
            whole[:place] + noise + whole[place + len(noise) :],
            whole[:place] + bytes([value]) + whole[place + 1 :],
        ):
            for steps in (read_npz(len(content), Budget("it")), read_pytorch(len(content), Budget("it"))):
                try:
                    run_bytes(steps, content)
                except (Malformed, TooLarge):
                    continue


def test_member_offsets_are_asked_for_in_batches() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for n in range(600):
            archive.writestr(f"{n}", b"%d" % n)
    content = out.getvalue()
    members = run_bytes(read_zip(len(content), Budget("it")), content)
    steps = member_offsets(members)
    rounds: list[tuple[Need, ...]] = [next(steps)]
    try:
        while True:
            rounds.append(steps.send(tuple(content[need.offset : need.offset + need.length] for need in rounds[-1])))
    except StopIteration as stop:
        offsets = stop.value
    assert len(rounds) == 3
    for n, (member, offset) in enumerate(zip(members, offsets, strict=True)):
        assert content[offset : offset + member.size] == b"%d" % n
