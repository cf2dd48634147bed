"""Model files: the same tensors as the formats' own libraries read, and a reason for whatever is malformed."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from pathlib import Path

import gguf
import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st

from kittui.budget import Budget
from kittui.errors import Malformed, TooLarge
from kittui.formats.gguf import QUANTISATIONS, read_gguf
from kittui.formats.model_file import read_weights
from kittui.formats.need import run_bytes
from kittui.formats.npy import read_npy, read_npz
from kittui.formats.onnx import read_onnx
from kittui.formats.pytorch import read_pytorch
from kittui.formats.safetensors import read_safetensors
from kittui.formats.weights import Weights
from kittui.formats.zip import read_member, read_zip
from tests.fakes.pickles import follow, plain

NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=30).filter(
    lambda name: name != "__metadata__"
)
ARRAYS = st.sampled_from(["f4", "f2", "f8", "i8", "i4", "i2", "i1", "u1", "?"]).flatmap(
    lambda kind: st.lists(st.integers(0, 4), max_size=3).map(lambda shape: np.zeros(shape, kind))
)


def tensors(weights: Weights) -> dict[str, tuple[tuple[int, ...], int | None]]:
    return {tensor.name: (tensor.shape, tensor.nbytes) for tensor in weights.tensors}


@given(st.dictionaries(NAMES, ARRAYS, max_size=5))
@settings(max_examples=60)
def test_safetensors_parity(arrays: dict[str, np.ndarray]) -> None:
    content = safetensors.numpy.save(arrays, {"format": "np"})
    weights = run_bytes(read_safetensors(len(content), Budget("it")), content)
    assert weights.problem is None
    assert weights.metadata == {"format": "np"}
    assert tensors(weights) == {name: (array.shape, array.nbytes) for name, array in arrays.items()}
    for tensor in weights.tensors:
        assert tensor.offset is not None
        assert content[tensor.offset :][: tensor.nbytes] == arrays[tensor.name].tobytes()
    assert Weights.load(weights.dump()) == weights


def safe(header: bytes, body: bytes = b"") -> bytes:
    return struct.pack("<Q", len(header)) + header + body


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "too short"),
        (struct.pack("<Q", 1 << 63) + b"{}", "can't be"),
        (struct.pack("<Q", 99) + b"{}", "can't be"),
        (safe(b"[]"), "not a JSON object"),
        (safe(b"{"), "not valid JSON"),
        (safe(b"[" * 100_000), "not a JSON object"),
        (safe(b'{"a":1,"a":2}'), "twice"),
    ],
)
def test_safetensors_headers_that_are_refused(content: bytes, reason: str) -> None:
    with pytest.raises(Malformed, match=reason):
        run_bytes(read_safetensors(len(content), Budget("it")), content)


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (b'{"dtype":"F32","shape":[1],"data_offsets":[0,8]}', "do not fit"),
        (b'{"dtype":"F32","shape":[2],"data_offsets":[4,12]}', "outside"),
        (b'{"dtype":"F32","shape":[-1],"data_offsets":[0,8]}', "counts"),
        (b'{"dtype":"F32","shape":[99999999999999999999999],"data_offsets":[0,8]}', "counts"),
        (b'{"dtype":"X","shape":[2],"data_offsets":[0,8]}', "not known"),
        (b'{"dtype":"F32","shape":[2],"data_offsets":[8,0]}', "outside"),
        (b"7", "not an object"),
    ],
)
def test_safetensors_that_lie_are_marked(entry: bytes, reason: str) -> None:
    content = safe(b'{"a":' + entry + b"}", bytes(8))
    weights = run_bytes(read_safetensors(len(content), Budget("it")), content)
    assert reason in (weights.tensors[0].problem or "")
    assert weights.problem
    both = b'{"dtype":"F32","shape":[2],"data_offsets":[0,8]}'
    content = safe(b'{"a":' + both + b',"b":' + both + b"}", bytes(8))
    assert "overlap" in (run_bytes(read_safetensors(len(content), Budget("it")), content).tensors[1].problem or "")


def gguf_file(folder: Path) -> Path:
    path = folder / "x.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_uint8("u8", 255)
    writer.add_int8("i8", -5)
    writer.add_uint16("u16", 65535)
    writer.add_int16("i16", -300)
    writer.add_uint32("u32", 1 << 31)
    writer.add_int32("i32", -70000)
    writer.add_uint64("u64", 1 << 63)
    writer.add_int64("i64", -(1 << 40))
    writer.add_float32("f32", 0.5)
    writer.add_float64("f64", 0.1)
    writer.add_bool("bool", True)
    writer.add_string("string", "grün\x1b[0m")
    writer.add_array("numbers", list(range(1000)))
    writer.add_array("words", [f"w{n}" for n in range(40)])
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list([f"token{n}" * (n % 7) for n in range(50_000)])
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q4_K_M)
    writer.add_tensor("weight", np.arange(12, dtype="f4").reshape(3, 4))
    writer.add_tensor("half", np.zeros((2, 2, 2), "f2"))
    writer.add_tensor("quant", np.zeros((4, 34), np.uint8), raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_gguf_parity(tmp_path: Path) -> None:
    path = gguf_file(tmp_path)
    content = path.read_bytes()
    weights = run_bytes(read_gguf(len(content), Budget("it")), content)
    reader = gguf.GGUFReader(path)
    assert weights.problem is None
    assert [(t.name, t.shape, t.nbytes, t.offset, t.dtype) for t in weights.tensors] == [
        (t.name, tuple(int(n) for n in t.shape), t.n_bytes, t.data_offset, t.tensor_type.name) for t in reader.tensors
    ]
    for key, value in weights.metadata.items():
        expected = reader.fields[key].contents()
        if isinstance(value, dict):
            assert (value["count"], value["first"]) == (len(expected), expected[:32])
        else:
            assert value == expected, key
    assert "tokenizer: gpt2, 50000 tokens" in weights.notes
    assert "quantisation: Q4_K_M" in weights.notes
    assert {kind.value for kind in gguf.GGML_QUANT_SIZES} <= set(QUANTISATIONS)


def test_gguf_that_lies_is_refused_or_marked(tmp_path: Path) -> None:
    content = gguf_file(tmp_path).read_bytes()
    for size in (7, 16, 30, 200, 5000, len(content) - 100):
        cut = content[:size]
        try:
            weights = run_bytes(read_gguf(len(cut), Budget("it")), cut)
        except Malformed:
            assert size < 24
        else:
            assert weights.problem
    absurd = b"GGUF" + struct.pack("<IQQ", 3, 1 << 62, 1 << 62)
    assert "can't be" in (run_bytes(read_gguf(len(absurd), Budget("it")), absurd).problem or "")
    array = b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 1) + b"a" + struct.pack("<IIQ", 9, 8, 1 << 60) + bytes(64)
    assert "can't be in it" in (run_bytes(read_gguf(len(array), Budget("it")), array).problem or "")
    nested = b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, 1) + b"a" + struct.pack("<I", 9) + struct.pack("<IQ", 9, 1) * 50
    assert "unknown type 9" in (run_bytes(read_gguf(len(nested), Budget("it")), nested).problem or "")


def varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def field(number: int, value: int | bytes | str) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    raw = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(raw)) + raw


def onnx_file() -> bytes:
    packed = field(1, varint(2) + varint(3))
    first = packed + field(2, 1) + field(8, "w") + field(9, bytes(24))
    second = field(1, 4) + field(2, 7) + field(8, "far") + field(14, 1)
    second += field(13, field(1, "location") + field(2, "w.bin")) + field(13, field(1, "offset") + field(2, "64"))
    graph = field(1, field(1, "x") + field(4, "MatMul")) + field(1, field(4, "Relu")) + field(2, "main")
    graph += field(5, first) + field(5, second) + field(11, field(1, "x")) + field(11, field(1, "w"))
    graph += field(12, field(1, "y"))
    return field(1, 8) + field(2, "pytorch") + field(7, graph) + field(8, field(1, "") + field(2, 17))


def test_onnx_headers() -> None:
    content = onnx_file()
    weights = run_bytes(read_onnx(len(content), Budget("it")), content)
    assert weights.problem is None
    assert tensors(weights) == {"w": ((2, 3), 24), "far": ((4,), 32)}
    assert weights.tensors[1].file == "w.bin"
    assert weights.metadata["operators"] == {"MatMul": 1, "Relu": 1}
    assert (weights.metadata["inputs"], weights.metadata["outputs"]) == (["x"], ["y"])
    assert weights.metadata["opset ai.onnx"] == 17


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        import os

        return os.system, ("exit 1",)


def checkpoint() -> bytes:
    """What torch.save writes, by hand: a pickle with persistent ids, and the storages."""
    body = b"\x80\x02}q\x00("
    for name, key, count, shape in (("layer.weight", "0", 6, (2, 3)), ("layer.bias", "1", 3, (3,))):
        raw = name.encode()
        body += b"X" + struct.pack("<I", len(raw)) + raw
        body += b"ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x00"
        body += key.encode() + b"X\x03\x00\x00\x00cpuK" + bytes([count]) + b"tQK\x00("
        body += b"".join(b"K" + bytes([n]) for n in shape) + b"t(K\x03K\x01t\x89ccollections\nOrderedDict\n)RtR"
    body += b"u."
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("m/data.pkl", body)
        archive.writestr("m/data/0", bytes(24))
        archive.writestr("m/data/1", bytes(8))
    return out.getvalue()


def test_pytorch_checkpoints_without_unpickling() -> None:
    content = checkpoint()
    weights = run_bytes(read_pytorch(len(content), Budget("it")), content)
    assert weights.format == "pytorch"
    assert {t.name: (t.dtype, t.shape, t.problem) for t in weights.tensors} == {
        "layer.weight": ("F32", (2, 3), None),
        "layer.bias": ("F32", (3,), "its storage is too small for its shape"),
    }
    assert set(weights.metadata["imports"]) == {
        "torch._utils._rebuild_tensor_v2",
        "torch.FloatStorage",
        "collections.OrderedDict",
    }


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickles_imports_are_listed_and_nothing_is_called(protocol: int) -> None:
    program = follow(pickle.dumps({"a": [Evil(), {1, 2}, (1, 2, 3), "x" * 300, 1.5, None]}, protocol))
    assert program.problem is None
    assert {"posix.system", "nt.system"} & {str(found) for found in program.imports}


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=20)
    | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=15,
)


@given(VALUES, st.integers(0, 5))
@settings(max_examples=80)
def test_plain_pickles_are_followed_exactly(value: object, protocol: int) -> None:
    program = follow(pickle.dumps(value, protocol))
    assert program.problem is None
    if not program.imports:
        assert plain(program.value) == value


@given(st.binary(max_size=400))
@settings(max_examples=150)
def test_no_bytes_break_a_parser(noise: bytes) -> None:
    for path in ("x.safetensors", "x.gguf", "x.onnx", "x.npy", "x.npz", "x.pt", "x.pkl"):
        for content in (noise, b"GGUF\3\0\0\0" + noise, b"PK\3\4" + noise, b"\x93NUMPY\1\0" + noise, b"\x80\4" + noise):
            try:
                run_bytes(read_weights(path, len(content), Budget("it")), content)
            except Malformed:
                continue


@given(st.integers(0, 5000), st.integers(0, 255))
@settings(max_examples=150)
def test_a_flipped_byte_breaks_no_parser(place: int, value: int) -> None:
    for path, whole in (("x.pt", checkpoint()), ("x.onnx", onnx_file())):
        content = bytearray(whole)
        content[place % len(content)] = value
        try:
            run_bytes(read_weights(path, len(content), Budget("it")), bytes(content))
        except Malformed:
            continue


@given(
    st.dictionaries(st.text("abc/é", min_size=1, max_size=8), st.binary(max_size=3000), max_size=5),
    st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]),
    # zipfile itself takes an end record of 64 bits from what lies before an empty archive.
    st.binary(max_size=50).filter(lambda before: b"PK" not in before),
)
@settings(max_examples=60)
def test_zip_parity(files: dict[str, bytes], method: int, before: bytes) -> None:
    out = io.BytesIO()
    out.write(before)
    with zipfile.ZipFile(out, "a" if before else "w", method) as archive:
        for name, body in files.items():
            archive.writestr(name, body)
    content = out.getvalue()
    members = run_bytes(read_zip(len(content), Budget("it")), content)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        infos = archive.infolist()
        assert [(m.path, m.size, m.compressed, m.crc) for m in members] == [
            (i.filename, i.file_size, i.compress_size, i.CRC) for i in infos
        ]
        for member, info in zip(members, infos, strict=True):
            assert run_bytes(read_member(member, Budget("it")), content) == archive.read(info)


def test_zip_bombs_and_damage_are_refused() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb", bytes(50_000_000))
    content = out.getvalue()
    (member,) = run_bytes(read_zip(len(content), Budget("it")), content)
    with pytest.raises(TooLarge):
        run_bytes(read_member(member, Budget("it", output=1_000_000)), content)
    with pytest.raises(Malformed):
        run_bytes(read_member(member._replace(size=1000), Budget("it")), content)
    for size in range(0, len(content), 997):
        with pytest.raises(Malformed):
            run_bytes(read_zip(size, Budget("it")), content[:size])


@given(ARRAYS)
@settings(max_examples=40)
def test_numpy_parity(array: np.ndarray) -> None:
    out = io.BytesIO()
    np.save(out, array)
    content = out.getvalue()
    (tensor,) = run_bytes(read_npy(len(content)), content).tensors
    assert (tensor.shape, tensor.nbytes, tensor.problem) == (array.shape, array.nbytes, None)
    assert content[tensor.offset :] == array.tobytes()
    out = io.BytesIO()
    np.savez_compressed(out, a=array)
    content = out.getvalue()
    (tensor,) = run_bytes(read_npz(len(content), Budget("it")), content).tensors
    assert (tensor.name, tensor.shape, tensor.nbytes) == ("a", array.shape, array.nbytes)
