"""Content that is hostile by its shape: names times children, keys that collide, depth. It ends in a sentence, soon."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
import zlib

import pytest

from kittui.budget import Budget
from kittui.errors import KittuiError, Malformed
from kittui.formats.need import run_bytes
from kittui.formats.pytorch import read_pytorch
from kittui.formats.safetensors import load_object
from kittui.formats.weights import Weights
from kittui.formats.zip import read_zip
from tests.fakes.pickles import follow
from tests.formats.test_checkpoints import Saved, legacy, saved

TENSOR = (
    b"ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000"
    b"X\x03\x00\x00\x00cpuK\x04tQK\x00K\x04\x85K\x01\x85\x89NtR"
)


def text(raw: bytes) -> bytes:
    return b"X" + struct.pack("<I", len(raw)) + raw


def zipped(body: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a/data.pkl", body)
        archive.writestr("a/data/0", bytes(16))
    return out.getvalue()


def listed(body: bytes, budget: Budget | None = None) -> Weights:
    content = zipped(body)
    return run_bytes(read_pytorch(len(content), budget or Budget("the checkpoint")), content)


def test_a_long_name_with_many_children_is_told_and_not_built() -> None:
    body = b"\x80\x02}" + text(b"n" * 1_000_000) + b"](" + TENSOR + b"q\x01" + b"h\x01" * 200_000 + b"es."
    weights = listed(body, Budget("the checkpoint", names=4_000_000))
    assert "too large to show: more than 4,000,000 characters of names in the checkpoint" in (weights.problem or "")
    assert [len(tensor.name) for tensor in weights.tensors] == [1_000_002] * 3


@pytest.mark.parametrize("step", [2**61 - 1, (2**61 - 1) << 7, -(2**61 - 1)])
def test_keys_that_collide_cost_no_more_than_others(step: int) -> None:
    count = 20_000
    keys = b"".join(pickle.dumps(n * step, 2)[2:-1] + b"N" for n in range(count))
    program = follow(b"\x80\x02}(" + keys + b"u.")
    assert program.problem is None
    assert len(list(program.value.items())) == count
    # The memo of the old text protocol takes any number, too.
    memo = follow(b"".join(b"Np%d\n0" % (n * step) for n in range(1, count)) + b"N.")
    assert memo.problem is None


def test_a_shared_container_is_gone_into_wherever_it_is_and_not_without_end() -> None:
    shared = b"\x80\x02]" + TENSOR + b"aq\x01" + b"0](h\x01h\x01e."
    assert [tensor.name for tensor in listed(shared).tensors] == ["0.0", "1.0"]
    doubled = b"\x80\x02]" + TENSOR + b"aq\x00" + b"".join(b"](h%ch%ceq%c" % (n, n, n + 1) for n in range(60)) + b"."
    weights = listed(doubled, Budget("the checkpoint", items=5_000))
    assert "too large to show" in (weights.problem or "")
    looped = b"\x80\x02]q\x00(" + TENSOR + b"h\x00e."
    assert [tensor.name for tensor in listed(looped).tensors] == ["0"]


def test_deep_nesting_without_anything_in_it_is_nothing_to_tell() -> None:
    weights = listed(b"\x80\x02" + b"](" * 20_000 + b"e" * 20_000 + b".")
    assert (weights.tensors, weights.problem) == ((), None)


def test_a_tensor_at_any_depth_has_its_name() -> None:
    weights = listed(b"\x80\x02" + b"](" * 500 + TENSOR + b"e" * 500 + b".")
    assert [tensor.name for tensor in weights.tensors] == [".".join(["0"] * 500)]


def test_keys_that_are_no_text_are_told_apart() -> None:
    numbers = pickle.dumps(2**4000, 2)[2:-1]
    body = b"\x80\x02}(K\x01" + TENSOR + b"K\x02K\x03\x86" + TENSOR + numbers + TENSOR + b"G?\xf8\0\0\0\0\0\0" + TENSOR
    weights = listed(body + b"}" + TENSOR + text(b"1") + TENSOR + b"u.")
    assert [tensor.name for tensor in weights.tensors] == ["1", "(2, 3)", "…", "1.5", "…#2", "1#2"]


def test_a_directory_of_many_long_names_ends_with_the_budget() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for n in range(50):
            archive.writestr(f"{n:02}" + "n" * 60_000, b"")
    content = out.getvalue()
    with pytest.raises(KittuiError, match="more than 1,000,000 characters of names"):
        run_bytes(read_zip(len(content), Budget("the archive", names=1_000_000)), content)


@pytest.mark.parametrize("depth", [300, 985, 5000, 200_000])
def test_deep_json_is_refused_and_never_a_fault(depth: int) -> None:
    assert load_object(b'{"a":' + b"[" * 99 + b"]" * 99 + b"}", "the header", Budget("it"))
    with pytest.raises(Malformed, match=r"nested more than 200 deep|not valid JSON"):
        load_object(b'{"a":' + b"[" * depth + b"]" * depth + b"}", "the header", Budget("it"))


def test_a_record_of_64_bits_in_a_small_archive_is_what_torch_writes() -> None:
    content = saved([Saved("w", "Float", "0", 4, (2, 2), (2, 1))], {"0": bytes(16)})
    end = content.rindex(b"PK\5\6")
    count, size, offset = struct.unpack_from("<HII", content, end + 10)
    record = b"PK\6\6" + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, count, count, size, offset)
    wide = content[:end] + record + b"PK\6\7" + struct.pack("<IQI", 0, end, 1) + content[end:]
    for before in (b"", b"x" * 77):
        whole = before + wide
        members = run_bytes(read_zip(len(whole), Budget("it")), whole)
        assert [member.path for member in members] == ["m/data.pkl", "m/byteorder", "m/data/0", "m/version"]
        assert all(whole[member.header : member.header + 4] == b"PK\3\4" for member in members)
    weights = run_bytes(read_pytorch(len(wide), Budget("it")), wide)
    assert [(tensor.name, tensor.problem) for tensor in weights.tensors] == [("w", None)]


def test_big_endian_checkpoints_say_so_in_their_types() -> None:
    content = saved([Saved("w", "Float", "0", 4, (4,), (1,)), Saved("b", "Byte", "0", 9, (9,), (1,))], {"0": bytes(16)})
    turned = content.replace(b"little", b"big   ", 1)
    turned = turned.replace(struct.pack("<I", zlib.crc32(b"little")), struct.pack("<I", zlib.crc32(b"big   ")))
    weights = run_bytes(read_pytorch(len(turned), Budget("it")), turned)
    assert [tensor.dtype for tensor in weights.tensors] == [">F32", "U8"]


def test_one_unknown_storage_leaves_the_others_their_places() -> None:
    tensors = [
        Saved("a", "Float", "0", 4, (4,), (1,)),
        Saved("x", "Weird", "1", 6, (6,), (1,)),
        Saved("z", "Long", "2", 3, (3,), (1,)),
    ]
    storages = {"0": b"a" * 16, "2": b"z" * 24}
    whole = legacy([tensors[0], tensors[2]], storages)
    odd = legacy(tensors, {**storages, "1": b"x" * 30}, widths={"Weird": 5})
    assert len(odd) > len(whole)
    weights = run_bytes(read_pytorch(len(odd), Budget("it")), odd)
    found = {tensor.name: tensor for tensor in weights.tensors}
    for name, letter in (("a", b"a"), ("z", b"z")):
        tensor = found[name]
        assert tensor.offset is not None
        assert odd[tensor.offset : tensor.offset + (tensor.nbytes or 0)] == letter * (tensor.nbytes or 0)
    assert (found["x"].dtype, found["x"].offset) == ("WeirdStorage", None)


def test_pairs_of_python_2_are_a_dict() -> None:
    body = b"\x80\x02ccollections\nOrderedDict\n](](" + text(b"w") + TENSOR + b"ee\x85R."
    assert [tensor.name for tensor in listed(body).tensors] == ["w"]


def test_what_is_rebuilt_by_a_call_that_is_not_known_is_marked_and_counted() -> None:
    storage = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x04tQ"
    body = b"\x80\x02}(" + text(b"odd") + b"cmine\n_rebuild_it\n(" + storage + b"K\x01tR" + text(b"w") + TENSOR + b"u."
    weights = listed(body)
    assert weights.problem == "1 tensors are not understood and are marked"
    odd, plain = weights.tensors
    assert (odd.name, odd.dtype, odd.shape, odd.offset) == ("odd", "F32", (4,), None)
    assert odd.problem == "not understood: it is rebuilt by mine._rebuild_it"
    assert plain.problem is None


def test_a_storage_by_itself_is_its_numbers_in_a_row() -> None:
    storage = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x04tQ"
    [alone] = listed(b"\x80\x02}" + text(b"s") + storage + b"s.").tensors
    assert (alone.name, alone.dtype, alone.shape, alone.nbytes, alone.problem) == ("s", "F32", (4,), 16, None)
    assert alone.offset is not None
