"""Shapes that multiply: names by children, cells by rows, depth, entries, pages. Each look ends, in bounds.

Two sizes are drawn for each kind of file and multiplied, up to a few megabytes. A look may refuse; it may not take more
memory or processor time than an interface can spare, and it may raise nothing but what it says it does.
"""

from __future__ import annotations

import asyncio
import io
import json
import resource
import signal
import struct
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kittui.compare.contents import compare_contents
from kittui.errors import KittuiError
from kittui.formats.loading import examine
from kittui.formats.model_file import header_budget, read_weights
from kittui.formats.need import run_bytes
from kittui.formats.tar import DISK, TarWalk
from kittui.usecases.inspect.viewers.registry import show
from kittui.usecases.inspect.viewers.shown import OpenFile
from kittui.usecases.inspect.views import BytesView
from tests.fakes.hostile_files import safe
from tests.fakes.pickles import follow

MOST = 500_000
"""Bytes of a file that is made."""
MEMORY = 600 * 1024 * 1024
"""Bytes of address space that a look may add to what the tests have."""
SECONDS = 15
"""Seconds of the processor for one look: what takes so long takes hours at ten times the size."""
SIZES = st.sampled_from((1, 2, 9, 60, 400, 3_000, 20_000, 150_000))


class TooSlow(BaseException):
    """A look took too much of the processor."""


@contextmanager
def bounded() -> Iterator[None]:
    """Run under a bound on memory and on processor time."""
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)

    def late(*_: object) -> None:
        raise TooSlow

    former = signal.signal(signal.SIGVTALRM, late)
    resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY, before[1]))
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        resource.setrlimit(resource.RLIMIT_AS, before)
        signal.signal(signal.SIGVTALRM, former)


def cut(piece: bytes, count: int) -> bytes:
    """A piece so often that it stays within what is made."""
    return piece * max(1, min(count, MOST // max(1, len(piece))))


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


@given(SIZES, SIZES)
@settings(max_examples=4, suppress_health_check=[HealthCheck.too_slow])
def test_a_walk_over_an_archive_that_multiplies_ends(a: int, b: int) -> None:
    content = archive(a, b)
    with bounded():
        walk = TarWalk(len(content), DISK)
        run_bytes(walk.steps(), content)
    assert walk.complete or walk.problem
