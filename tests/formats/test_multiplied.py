"""Shapes that multiply: names by children, cells by rows, depth, entries, pages. Each look ends, in bounds.

Two sizes are drawn for each kind of file and multiplied, up to a few megabytes. A look may refuse; it may not take more
memory or processor time than an interface can spare, and it may raise nothing but what it says it does.
"""

from __future__ import annotations

import asyncio
import io
import json
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from kittui.compare.contents import compare_contents
from kittui.errors import KittuiError
from kittui.formats.loading import examine
from kittui.formats.model_file import header_budget, read_weights
from kittui.formats.need import run_bytes
from kittui.formats.tar import DISK, TarWalk
from kittui.usecases.inspect.viewers.registry import show
from kittui.usecases.inspect.viewers.shown import OpenFile
from kittui.usecases.inspect.views import BytesView
from tests.fakes.bounds import MOST, SIZES, bounded, cut
from tests.fakes.hostile_files import safe, tar_header
from tests.fakes.pickles import follow


def table(delimiter: bytes) -> Callable[[int, int], bytes]:
    return lambda a, b: (
        delimiter.join(b"c%d" % n for n in range(min(a, 100_000))) + b"\n" + cut(delimiter * a + b"\n", b)
    )


def gguf(a: int, b: int) -> bytes:
    text = struct.pack("<Q", min(a, MOST)) + b"k" * min(a, MOST)
    value = struct.pack("<IIQ", 9, 8, min(b, MOST // 9)) + cut(struct.pack("<Q", 1) + b"x", b)
    return b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + text + value


def zipped(a: int, b: int, body: bytes = b"x") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(min(b, 2_000)):
            archive.writestr(f"{number}" + "n" * min(a, 60_000, MOST // min(b, 2_000)) + ".npy", body)
    return out.getvalue()


def field(number: int, body: bytes) -> bytes:
    length, head = len(body), bytes([number << 3 | 2])
    while length > 127:
        head, length = head + bytes([length & 127 | 128]), length >> 7
    return head + bytes([length]) + body


def graph(a: int, b: int) -> bytes:
    inside = cut(field(5, field(8, b"n" * min(a, MOST)) + field(9, bytes(4))), b)
    for _ in range(min(a, 300)):
        inside = field(1, field(5, field(6, inside)))
    return field(2, b"maker") + field(7, inside)


def kinds(a: int, b: int) -> bytes:
    """Entries of every kind, behind chains of extension headers."""
    record = b"%d path=" + b"n" * min(a, 60_000) + b"\n"
    length = len(record) - 2
    while len(record % length) != length:
        length += 1
    body = record % length
    chain = (tar_header(kind=b"x", size=b"%011o\0" % len(body)) + body + bytes(-len(body) % 512)) * min(b, 14)
    one = b"".join(chain + tar_header(b"f", b"00000000000\0", bytes([kind])) for kind in b"0123456xgLKS")
    return cut(one, b) + bytes(1024)


def archive(a: int, b: int) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for number in range(min(b, MOST // (1500 + min(a, 100_000)))):
            tar.addfile(tarfile.TarInfo("d/" * (min(a, 100_000) // 2) + str(number)))
    return out.getvalue()


def header(a: int, b: int) -> bytes:
    count = min(b, max(1, MOST // (60 + min(a, MOST))))
    entry: dict[str, Any] = {"dtype": "F32", "shape": [1] * min(a, 100), "data_offsets": [0, 4]}
    return safe(json.dumps({"n" * min(a, MOST // count) + str(n): entry for n in range(count)}).encode(), bytes(4))


def notebook(a: int, b: int) -> bytes:
    cell = json.dumps(
        {"cell_type": "code", "source": "\n" * min(a, 100_000), "outputs": [{"text": "\n"}] * min(a, 500)}
    )
    return b'{"cells":[' + cut(cell.encode() + b",", b) + b"{}]}"


def named(a: int, b: int) -> bytes:
    name = b"n" * min(a, MOST)
    return b"\x80\x02}X" + struct.pack("<I", len(name)) + name + b"](" + cut(b"N", b) + b"es."


def shards(a: int, b: int) -> bytes:
    name = "n" * min(a, 90_000)
    names = {f"{name}{n}": f"{n}.safetensors" for n in range(min(b, MOST // (30 + len(name))))}
    return json.dumps({"weight_map": names}).encode()


def png(a: int, b: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", a, b, 1, 0, 0, 0, 0))
    notes = cut(chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(min(a, 20_000) * 50))), b)
    return b"\x89PNG\r\n\x1a\n" + head + notes + chunk(b"IDAT", zlib.compress(bytes(MOST))) + chunk(b"IEND", b"")


def gif(a: int, b: int) -> bytes:
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    side = min(a, 65_535)
    return b"GIF89a" + struct.pack("<HHBBB", side, side, 0x80, 0, 0) + bytes(6) + cut(frame, b) + b";"


def parquet(a: int, b: int) -> bytes:
    import pyarrow
    from pyarrow import parquet as files

    rows, columns, out = min(b, 500), min(a, 100), io.BytesIO()
    kind, nested = pyarrow.int64(), pyarrow.array(range(rows))
    for _ in range(min(a, 60)):
        kind = pyarrow.struct([("n", kind)])
        nested = pyarrow.StructArray.from_arrays([nested], fields=[kind.field(0)])
    # A name is in the footer for each group of rows, and in Arrow's own schema beside it.
    named = {f"{n}" + "n" * min(b, MOST // columns // 20): pyarrow.array(range(rows)) for n in range(columns)}
    files.write_table(pyarrow.table({**named, "nested": nested}), out, row_group_size=max(1, rows // 9))
    return out.getvalue()


def hdf5(a: int, b: int) -> bytes:
    """A group whose links lead to the group itself, and attributes of as many names."""
    name = b"n" * min(a, 60_000)

    def message(kind: int, body: bytes) -> bytes:
        return struct.pack("<BHB", kind, len(body), 0) + body

    def link(number: int) -> bytes:
        own = b"%d" % number + name
        return message(6, struct.pack("<BBH", 1, 1, len(own)) + own + struct.pack("<Q", 48))

    note = message(
        12, struct.pack("<BBHHHB", 3, 0, 2, 8, 4, 0) + b"a\0" + b"\x10\x08\0\0\x08\0\0\0\x01\0\0\0" + bytes(12)
    )
    links = b"".join(link(n) for n in range(min(b, MOST // (20 + len(name)))))
    body = links + cut(note, a)
    root = b"OHDR\2\2" + struct.pack("<I", len(body)) + body + bytes(4)
    start = b"\x89HDF\r\n\x1a\n\2\x08\x08\0" + struct.pack("<QQQQ", 0, (1 << 64) - 1, 48 + len(root), 48) + bytes(4)
    return start + root


def memo(a: int, b: int) -> bytes:
    """A text that is kept once and asked for again, in lists that hold each other."""
    text = b"X" + struct.pack("<I", min(a, MOST)) + b"n" * min(a, MOST) + b"\x94"
    doubled = b"".join(b"](" + b"h%c" % n * 9 + b"e\x94" for n in range(1, min(b, 200)))
    return b"\x80\x04" + text + b"]" + b"\x94" + doubled + cut(b"h\x00", b) + b"."


MADE: dict[str, Callable[[int, int], bytes]] = {
    "a.csv": table(b","),
    "quoted.csv": lambda a, b: b"a,b\n" + cut(b'"' + cut(b'x""\n', a) + b'",1\n', b),
    "open.csv": lambda a, b: b'a,"' + cut(cut(b",", a) + b"\r", b),
    "a.tsv": table(b"\t"),
    "a.jsonl": lambda a, b: cut(json.dumps({f"k{n}": n for n in range(min(a, 20_000))}).encode() + b"\n", b),
    "deep.jsonl": lambda a, b: cut(b'{"a":' + b"[" * min(a, 100_000) + b"]" * min(a, 100_000) + b"}\n", b),
    "numbers.jsonl": lambda a, b: cut(b'{"a":' + b"9" * min(a, MOST // 2) + b"." + b"1" * min(a, 9_000) + b"}\n", b),
    "a.ipynb": notebook,
    "lists.ipynb": lambda a, b: b'{"cells":[' + cut(b"[" * min(a, 190) + b"]" * min(a, 190) + b",", b) + b"0]}",
    "a.md": lambda a, b: cut(b"|" + b" a |" * a + b"\n|" + b"-|" * a + b"\n" + b"|" * a + b"\n\n", b),
    "quotes.md": lambda a, b: cut(b">" * min(a, 60_000) + b" " + b"- " * min(b, 300) + b"a\n", b),
    "marks.md": lambda a, b: cut(b"*" * a + b"[a](" + b"`" * min(b, 999), b),
    "a.txt": lambda a, b: cut(b"a" * min(a, MOST) + b"\n", b),
    "marks.txt": lambda a, b: cut(b"a" + "\u0301".encode() * min(a, MOST // 2) + b"\t", b),
    "a.json": lambda a, b: cut(b'{"' + b"k" * min(a, MOST // 2) + b'":', b),
    "a.safetensors": header,
    "a.gguf": gguf,
    "a.npz": zipped,
    "a.keras": lambda a, b: zipped(1, 1, b"[" * a),
    "a.onnx": graph,
    "a.pkl": named,
    "deep.pkl": lambda a, b: b"\x80\x02" + cut(b"](" * min(a, 9_000) + b"e" * min(a, 9_000) + b"0", b) + b"N.",
    "model.safetensors.index.json": shards,
    "a.png": png,
    "a.gif": gif,
    "a.parquet": parquet,
    "a.h5": hdf5,
    "memo.pkl": memo,
    "reduce.pkl": lambda a, b: b"\x80\x02cm\n" + b"f" * min(a, MOST) + b"\n" + cut(b")R", b) + b".",
    "call.pkl": lambda a, b: b"\x80\x02" + cut(b"cm\nf\n(" + b"N" * min(a, MOST) + b"tR0", b) + b"N.",
    "keys.pkl": lambda a, b: b"\x80\x02}(" + b"".join(
        b"X" + struct.pack("<I", 9 + a % 99) + b"%09d" % n + b"k" * (a % 99) + b"N" for n in range(min(b, 3_000))
    ) + b"u.",
    "a.html": lambda a, b: cut(b"<table>" + b"<td>" * min(a, 9_000) + b"</table>", b),
    "html.md": lambda a, b: cut(b"<div>" * min(a, 900) + b"\n\n# a\n", b),
    "a.yaml": lambda a, b: b"a: &a [" + b"x," * min(a, 9_000) + b"]\n" + cut(b"- *a\n", b),
    "deflated.npz": lambda a, b: zipped(a, min(b, 50), bytes(min(b, 20_000) * 100)),
}  # fmt: skip


@pytest.mark.parametrize("path", MADE)
@given(SIZES, SIZES)
@settings(max_examples=3, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_a_look_at_what_multiplies_ends(path: str, a: int, b: int) -> None:
    content = MADE[path](a, b)
    assert len(content) < 4 * MOST
    other = content[: len(content) // 2] + b"x" + content[len(content) // 2 + 1 :]

    def view() -> object:
        return asyncio.run(show(OpenFile(path, BytesView(content, verified=False))))

    def weigh() -> object:
        return run_bytes(read_weights(path, len(content), header_budget()), content)

    def assess() -> object:
        return run_bytes(examine(path, len(content), header_budget()), content)

    looks: list[Callable[[], object]] = [view, lambda: compare_contents(path, content, other), weigh, assess]
    if path.endswith(".pkl"):
        looks.append(lambda: follow(content))
    for look in looks:
        with bounded():
            try:
                look()
            except KittuiError as error:
                assert error.message  # noqa: PT017 - whatever it refuses, it says so


@pytest.mark.parametrize("make", [archive, kinds])
@given(SIZES, SIZES)
@settings(max_examples=4, suppress_health_check=[HealthCheck.too_slow])
def test_a_walk_over_an_archive_that_multiplies_ends(make: Callable[[int, int], bytes], a: int, b: int) -> None:
    content = make(a, b)
    with bounded():
        walk = TarWalk(len(content), DISK)
        run_bytes(walk.steps(), content)
    assert walk.complete or walk.problem
