"""Files that are hostile by their shape, some megabytes each: what was found once, and what was thought up since.

`SIEGE` has a function for each by its file's name; `LAYERS` has whole layers, with their media type's ending.
"""

from __future__ import annotations

import functools
import gzip
import io
import json
import pickle
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable

from tests.fakes.hostile_files import safe, tar_header

Make = Callable[[], bytes]

TENSOR = (
    b"ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000"
    b"X\x03\x00\x00\x00cpuK\x04tQK\x00K\x04\x85K\x01\x85\x89NtR"
)
_TENSORS = 900_000


def _text(raw: bytes) -> bytes:
    return b"X" + struct.pack("<I", len(raw)) + raw


def _zip(members: list[tuple[str, bytes]], method: int = zipfile.ZIP_STORED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, body in members:
            archive.writestr(zipfile.ZipInfo(name), body)
    return out.getvalue()


def _checkpoint(body: bytes) -> bytes:
    return _zip([("a/data.pkl", body), ("a/data/0", bytes(16)), ("a/byteorder", b"little")])


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _png(across: int, down: int, *chunks: bytes, depth: int = 8, colour: int = 2) -> bytes:
    head = _chunk(b"IHDR", struct.pack(">IIBBBBB", across, down, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunks) + _chunk(b"IEND", b"")


def _flat_png() -> bytes:
    rows = zlib.compressobj(9)
    data = b"".join(rows.compress(bytes(1 + 9_000 // 8) * 100) for _ in range(90)) + rows.flush()
    return _png(9_000, 9_000, _chunk(b"IDAT", data), depth=1, colour=0)


def _text_chunks() -> bytes:
    notes = _chunk(b"tEXt", b"k\0v") * 200_000
    return _png(1, 1, notes, _chunk(b"IDAT", zlib.compress(bytes(4))))


def _gif() -> bytes:
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    return b"GIF89a" + struct.pack("<HHBBB", 3000, 3000, 0x80, 0, 0) + bytes(6) + frame * 400_000 + b";"


def _tiff() -> bytes:
    count = 60_000
    entries = b"".join(struct.pack("<HHII", 256 + n % 60_000, 4, 1, 1) for n in range(count))
    return b"II*\0" + struct.pack("<IH", 8, count) + entries + struct.pack("<I", 8)


def _header(count: int = _TENSORS) -> bytes:
    entries = b",".join(b'"t%06d":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}' % n for n in range(count))
    return safe(b"{" + entries + b"}", bytes(4))


def _header_of_values() -> bytes:
    shape = b"[" + b"1," * 3_900_000 + b"1]"
    return safe(b'{"t":{"dtype":"F32","shape":' + shape + b',"data_offsets":[0,4]}}', bytes(4))


def _header_of_metadata() -> bytes:
    pairs = b",".join(b'"k%07d":"v"' % n for n in range(3_000_000))
    return safe(b'{"__metadata__":{' + pairs + b"}}")


def _gguf(tensors: list[bytes] | bytes, count: int, keys: int = 0, metadata: bytes = b"") -> bytes:
    return b"GGUF" + struct.pack("<IQQ", 3, count, keys) + metadata + b"".join(tensors) + bytes(64)  # type: ignore[arg-type]


def _gguf_tensors() -> bytes:
    listed = [struct.pack("<Q", 7) + b"t%06d" % n + struct.pack("<IQIQ", 1, 1, 0, 0) for n in range(_TENSORS)]
    return _gguf(listed, _TENSORS)


def _gguf_tokens() -> bytes:
    key = b"tokenizer.ggml.tokens"
    head = struct.pack("<Q", len(key)) + key + struct.pack("<IIQ", 9, 8, 3_000_000)
    return _gguf([], 0, 1, head + (struct.pack("<Q", 1) + b"x") * 3_000_000)


def _npz() -> bytes:
    return _zip([(f"{n}.npy", b"x") for n in range(65_000)])


def _storages() -> bytes:
    body = b"\x80\x02]("
    for n in range(30_000):
        body += TENSOR.replace(b"X\x01\x00\x00\x000", _text(b"%d" % n))
    members = [("a/data.pkl", body + b"e."), ("a/byteorder", b"little")]
    return _zip(members + [(f"a/data/{n}", bytes(16)) for n in range(30_000)])


def _joblib() -> bytes:
    array = (
        b"cjoblib.numpy_pickle\nNumpyArrayWrapper\n)\x81}(X\x05\x00\x00\x00shapeK\x01\x85X\x05\x00\x00\x00dtype"
        b"cnumpy\ndtype\n(X\x02\x00\x00\x00f4K\x00K\x01tRub" + bytes(4)
    )
    return b"\x80\x02](" + array * 200_000 + b"e."


def _onnx() -> bytes:
    def field(number: int, body: bytes) -> bytes:
        length, head = len(body), bytes([number << 3 | 2])
        while length > 127:
            head, length = head + bytes([length & 127 | 128]), length >> 7
        return head + bytes([length]) + body

    tensor = field(5, b"\x08\x01\x10\x01" + field(8, b"t") + field(9, bytes(4)))
    return field(2, b"maker") + field(7, field(2, b"g") + tensor * 900_000)


def _parquet() -> bytes:
    import pyarrow
    from pyarrow import parquet

    out = io.BytesIO()
    columns = {f"column{n}": [1] for n in range(20_000)}
    parquet.write_table(pyarrow.table(columns), out)
    return out.getvalue()


def _tar(names: list[tuple[str, bytes, str]]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, kind, link in names:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, link
            tar.addfile(member)
    return out.getvalue()


def _deep_tar(depth: int) -> bytes:
    return _tar([("d/" * depth + "f", tarfile.REGTYPE, ""), ("after", tarfile.REGTYPE, "")])


def _extensions() -> bytes:
    body = b"".join(b"%d k%07d=1\n" % (14, n) for n in range(70_000))
    one = tar_header(kind=b"x", size=b"%011o\0" % len(body)) + body + bytes(-len(body) % 512)
    return (one * 15 + tar_header(b"f", b"00000000000\0")) * 2 + bytes(1024)


def _gzip_of(count: int) -> bytes:
    """A gzip stream of an archive with one file of so many bytes, written a piece at a time."""
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", mtime=0) as file:
        file.write(tar_header(b"zeros", b"%011o\0" % count))
        for _ in range(count >> 20):
            file.write(bytes(1 << 20))
        file.write(bytes(1024))
    return out.getvalue()


def _cells(rows: int, columns: int) -> bytes:
    row = b"|" + b" a |" * columns + b"\n"
    return row + b"|" + b"-|" * columns + b"\n" + row * rows


FOUND: dict[str, Make] = {
    "name.pt": lambda: _checkpoint(
        b"\x80\x02}" + _text(b"n" * 1_000_000) + b"](" + TENSOR + b"q\x01" + b"h\x01" * 200_000 + b"es."
    ),
    "collide.pkl": lambda: (
        b"\x80\x02}(" + b"".join(pickle.dumps(n * (2**61 - 1), 2)[2:-1] + b"N" for n in range(60_000)) + b"u."
    ),
    "pixels.png": lambda: _png(30_000, 30_000)[:57],
    "small.md": lambda: _cells(20, 100),
    "large.md": lambda: _cells(3_000, 50),
    "nested.jsonl": lambda: (b'{"a":' + b"[" * 985 + b"]" * 985 + b"}\n") * 40,
    "odd.npy": lambda: b"\x93NUMPY\x01\x00" + struct.pack("<H", 40) + b"{'descr':'<f4','shape':(3if 1else 2,)}  ",
    "marks.txt": lambda: ("a" + "\u0301" * 400 + "\u3164\uffa0\u115f\u0600\u200b\u202e\n").encode() * 400,
    "tensors.safetensors": _header,
    "tensors.gguf": _gguf_tensors,
    "lists.ipynb": lambda: b'{"cells":[' + b"[]," * 9_900_000 + b"0]}",
    "many.joblib": _joblib,
    "deep.jsonl": lambda: (b'{"a":' + b"[" * 190 + b"]" * 190 + b"}\n") * 20_000,
}
"""Those that were found."""

INVENTED: dict[str, Make] = {
    "name.safetensors": lambda: safe(
        b'{"' + b"n" * 60_000_000 + b'":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', bytes(4)
    ),
    "shape.safetensors": _header_of_values,
    "metadata.safetensors": _header_of_metadata,
    "model.safetensors.index.json": lambda: json.dumps(
        {"weight_map": {f"t{n}": f"{n % 9_000}.safetensors" for n in range(900_000)}}
    ).encode(),
    "line.txt": lambda: b"word " * 12_000_000,
    "line.json": lambda: json.dumps({f"token{n}": n for n in range(1_500_000)}).encode(),
    "returns.txt": lambda: b"a\r" * 8_000_000,
    "wide.csv": lambda: (b"1," * 300_000 + b"1\n") * 12,
    "keys.jsonl": lambda: b"".join(
        json.dumps({f"k{line}_{n}": n for n in range(100)}).encode() + b"\n" for line in range(8_000)
    ),
    "quotes.csv": lambda: b'a,b\n"' + b'x""\n' * 6_000_000,
    "reduce.pkl": lambda: b"\x80\x02cbuiltins\nlist\n" + b")R" * 2_000_000 + b".",
    "memo.pkl": lambda: b"\x80\x04]" + b"]\x94a" * 1_600_000 + b".",
    "imports.pkl": lambda: b"\x80\x02" + b"".join(b"cm%d\nf\n0" % n for n in range(900_000)) + b"N.",
    "members.npz": _npz,
    "storages.pt": _storages,
    "tensors.onnx": _onnx,
    "tokens.gguf": _gguf_tokens,
    "flat.png": _flat_png,
    "chunks.png": _text_chunks,
    "frames.gif": _gif,
    "tags.tiff": _tiff,
    "columns.parquet": _parquet,
    "links.md": lambda: b"[a](b) " * 60_000,
    "stars.md": lambda: b"*" * 140_000 + b"a\n",
    "indent.md": lambda: b"".join(b" " * (2 * n) + b"- a\n" for n in range(600)),
    "outputs.ipynb": lambda: json.dumps(
        {"cells": [{"cell_type": "code", "source": "\n" * 9, "outputs": [{"text": "x\n" * 9}] * 99}] * 2_000}
    ).encode(),
    "aliases.yaml": lambda: (
        b"a: &a [x,x,x,x,x,x,x,x,x]\n"
        + b"".join(b"%c: &%c [" % (n + 1, n + 1) + b",".join([b"*%c" % n] * 9) + b"]\n" for n in range(97, 121))
    ),
    "zeros.bin": lambda: bytes(63_000_000),
    "keras.keras": lambda: _zip([("metadata.json", b"{}"), ("config.json", b'{"a":' + b"[]," * 0 + b"[" * 90_000)]),
    "doubled.json": lambda: b"{" + b",".join(b'"a":1' for _ in range(5_000_000)) + b"}",
}
"""Those that were thought up without a look at the tests."""

SIEGE = FOUND | INVENTED

LAYERS: dict[str, tuple[str, Make]] = {
    "deep": ("tar", lambda: _deep_tar(1_000)),
    "deeper": ("tar", lambda: _deep_tar(400_000)),
    "marker": ("tar", lambda: _tar([(".kittui-unpack/lock", tarfile.REGTYPE, ""), ("f", tarfile.REGTYPE, "")])),
    "extensions": ("tar", _extensions),
    "entries": (
        "tar",
        lambda: b"".join(tar_header(b"f%07d" % n, b"00000000000\0") for n in range(250_000)) + bytes(1024),
    ),
    "twins": ("tar", lambda: tar_header(b"f", b"00000000000\0") * 250_000 + bytes(1024)),
    "folders": ("tar", lambda: _tar([(f"{n}/" * 1 + "d/" * 40 + "f", tarfile.REGTYPE, "") for n in range(4_000)])),
    "links": ("tar", lambda: _tar([(f"l{n}", tarfile.SYMTYPE, f"l{n + 1}") for n in range(30_000)])),
    "bomb": ("tar+gzip", functools.partial(_gzip_of, 4 << 30)),
    "members": ("tar+gzip", lambda: gzip.compress(_deep_tar(3), mtime=0) + gzip.compress(b"", mtime=0) * 200_000),
}
"""Whole layers by name."""


def _kitfile(**parts: object) -> bytes:
    return json.dumps({"manifestVersion": "1.0.0", "package": {"name": "n"}, "code": [{"path": "."}], **parts}).encode()


ARTIFACTS: dict[str, Callable[[], tuple[bytes, dict[str, object]]]] = {
    "datasets": lambda: (_kitfile(datasets=[{"path": f"d{n}", "name": "n"} for n in range(60_000)]), {}),
    "parameters": lambda: (_kitfile(model={"path": "m", "parameters": {f"k{n}": [n] for n in range(150_000)}}), {}),
    "deep parameters": lambda: (
        b'{"manifestVersion":"1.0.0","package":{},"model":{"path":"m","parameters":' + b"[" * 900 + b"]" * 900
        + b'},"code":[{"path":"."}]}',
        {},
    ),
    "annotations": lambda: (_kitfile(), {"annotations": {f"a{n}": "v" for n in range(200_000)}}),
    "description": lambda: (_kitfile(package={"name": "n", "description": "line\n" * 600_000}), {}),
}  # fmt: skip
"""Configs, and fields of manifests beside them, by name."""
