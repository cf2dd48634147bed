"""Looking inside without pulling: bytes and requests of trees, tensors and files; time of long listings and passes.

The model is $KITTUI_BENCH_MIB (1024) MiB, sparse, in a docker-registry behind a proxy that counts.
"""

from __future__ import annotations

import asyncio
import gzip
import os
import random
import resource
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from kittui.oci.tag import Tag
from tests.bench.places import KITTUI, Place, fresh
from tests.bench.rows import Row, judged
from tests.fakes.docker_registry import DockerRegistry, start_registry
from tests.fakes.faulty_proxy import Fault, FaultyProxy
from tests.fakes.layouts import one_layer_layout
from tests.fakes.sparse_kits import CODE, SMALL, SparseKits, tar_header, tar_of

MIB = 1024 * 1024
SIZE = int(os.environ.get("KITTUI_BENCH_MIB", "1024")) * MIB
DELAY = 0.05
FILES = 100_000
ROUNDS = 5


def run() -> Iterator[Row]:
    """The costs over a registry, then the times on this machine."""
    with fresh() as place:
        if shutil.which("docker-registry"):
            registry = start_registry(place.folder / "registry", place.folder / "registry" / "storage")
            try:
                kits = SparseKits(registry, SIZE)
                kits.put_all()
                yield from asyncio.run(_rows(place, registry, kits))
            finally:
                registry.stop()
        else:
            yield Row("costs of looking inside", "-", verdict="not run", note="docker-registry is not installed")
        yield from _many_files(place)
        yield from _gzip_pass(place)


async def _rows(place: Place, registry: DockerRegistry, kits: SparseKits) -> list[Row]:
    return [row async for row in _costs(place, registry, kits)]


async def _costs(place: Place, registry: DockerRegistry, kits: SparseKits) -> AsyncIterator[Row]:
    note = f"{SIZE // MIB} MiB model, 200 files below 512 B"
    async with FaultyProxy(registry.host) as proxy:
        name = f"remote://{proxy.host}/big"
        for tag, small in (("two-layers", len(tar_of(SMALL))), ("one-layer", 2 * len(tar_of(SMALL)))):
            cost = await _cost(place, proxy, "tree", f"{name}:{tag}", "--json")
            limit = small + 100_000
            fine = cost.bytes <= limit and cost.requests < 30
            told = f"{cost.bytes / 1000:.0f} kB, {cost.requests} requests"
            target = f"{limit / 1000:.0f} kB, 30"
            yield judged(f"tree of a ModelKit, {tag.replace('-', ' ')}", told, target, fine, note)
        again = await _cost(place, proxy, "tree", f"{name}:two-layers", "--json")
        yield judged("the same again, by tag", f"{again.requests} request", "1 HEAD", again.requests == 1)
        tensors = await _cost(
            place, proxy, "cat", f"{name}:two-layers", "model/model.safetensors", "--tensors", "--json"
        )
        most = len(kits.header) + 64 * 1024
        told = f"{tensors.bytes / 1000:.0f} kB, {tensors.requests} requests"
        yield judged("tensors of that model", told, f"{most / 1000:.0f} kB", tensors.bytes <= most)
        file = await _cost(place, proxy, "cat", f"{name}:two-layers", "model/config.json")
        told = f"{file.bytes} B, {file.requests} requests"
        yield judged("cat of a file of 300 B", told, f"{300 + 64 * 1024} B", file.bytes <= 300 + 64 * 1024)
        proxy.add(Fault(delay=DELAY, times=-1))
        for tag in ("two-layers", "one-layer"):
            # Other homes: nothing is remembered of these.
            with fresh() as other:
                cost = await _cost(other, proxy, "tree", f"{name}:{tag}", "--json")
            what = f"tree over {DELAY * 1000:.0f} ms, {tag.replace('-', ' ')}"
            note = f"{cost.requests} requests, with the program's start"
            yield judged(what, f"{cost.seconds:.2f} s", "1.5 s", cost.seconds <= 1.5, note)


class _Cost:
    def __init__(self, seconds: float, size: int, requests: int) -> None:
        self.seconds = seconds
        self.bytes = size
        self.requests = requests


async def _cost(place: Place, proxy: FaultyProxy, *words: str) -> _Cost:
    """What a command takes, as the proxy saw it."""
    before, requests = proxy.body_bytes(), proxy.count()
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        *KITTUI, *words, env=place.environment, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
    )
    _, said = await process.communicate()
    seconds = time.perf_counter() - began
    if process.returncode:
        raise RuntimeError(said.decode(errors="replace"))
    return _Cost(seconds, proxy.body_bytes() - before, proxy.count() - requests)


def _many_files(place: Place) -> Iterator[Row]:
    """A listing of 100,000 small files on disk, each program in a process of its own; the best of some rounds."""
    layer = place.folder / "many.tar"
    with layer.open("wb") as file:
        for number in range(FILES):
            body = b"%06d\n" % number * (number % 60)
            file.write(tar_header(f"data/{number // 1000:03}/{number:06}.txt", len(body)) + body)
            file.write(bytes(-len(body) % 512))
        file.write(bytes(1024))
    layout = one_layer_layout(place.folder / "many", CODE, layer)
    ours, theirs, memory = [], [], 0
    for _ in range(ROUNDS):
        seconds, peak = _child("list", str(layout))
        ours.append(seconds)
        memory = max(memory, peak)
        theirs.append(_child("tarfile", str(layer))[0])
    ratio = min(ours) / min(theirs)
    told = f"{min(ours):.2f} s, {ratio:.2f}x"
    yield judged(f"{FILES:,} small files listed", told, "0.6x tarfile", ratio <= 0.6, "on disk, in one layer")
    yield judged("memory of that listing", f"{memory} MB", "200 MB", memory < 200)


def _gzip_pass(place: Place) -> Iterator[Row]:
    """The pass that lists, verifies and indexes a gzip layer, against `gzip -t`; the best of some rounds."""
    if not shutil.which("gzip"):
        yield Row("gzip pass", "-", verdict="not run", note="gzip is not installed")
        return
    chance = random.Random(7)
    rows = b"".join(b"T%06d,%d,DE,%d\n" % (n, n * 7 % 1000, chance.randrange(10_000)) for n in range(4_000_000))
    noise = chance.randbytes(64 * MIB)
    layer = place.folder / "packed.tar.gz"
    with gzip.open(layer, "wb", 6) as file:
        for name, body in (("data/rows.csv", rows), ("model/noise.bin", noise)):
            file.write(tar_header(name, len(body)) + body + bytes(-len(body) % 512))
        file.write(bytes(1024))
    layout = one_layer_layout(place.folder / "packed", CODE + "+gzip", layer)
    ours, theirs = [], []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        subprocess.run(["gzip", "-t", layer], check=True)
        theirs.append(time.perf_counter() - began)
        ours.append(_child("list", str(layout))[0])
    ratio = min(ours) / min(theirs)
    size = layer.stat().st_size // MIB
    note = f"{size} MiB, listed, verified and indexed"
    yield judged("gzip layer read once", f"{min(ours):.2f} s, {ratio:.2f}x", "1.5x gzip -t", ratio <= 1.5, note)


def _child(what: str, path: str) -> tuple[float, int]:
    """Seconds of the work alone, and MB of memory at most, of a process of its own."""
    command = [sys.executable, "-m", "tests.bench.looking", what, path]
    answer = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds, memory = answer.stdout.split()
    return float(seconds), int(memory)


def _list(path: str) -> None:
    from kittui.layout import LayoutSource
    from kittui.state.indexes import IndexCache
    from kittui.usecases.browse.modelkits import ModelKits
    from kittui.usecases.inspect.inspector import Inspector

    async def listing() -> None:
        repository = LayoutSource(Path(path)).repository(".")
        kit = await ModelKits().open(repository, Tag("v1"))
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            found = await Inspector(IndexCache(Path(folder))).listing(repository, kit.layers[0])
            _report(time.perf_counter() - began)
        if not found.complete:
            raise RuntimeError(found.problem)

    asyncio.run(listing())


def _tarfile(path: str) -> None:
    began = time.perf_counter()
    with tarfile.open(path) as archive:
        archive.getmembers()
    _report(time.perf_counter() - began)


def _report(seconds: float) -> None:
    print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)


if __name__ == "__main__":
    {"list": _list, "tarfile": _tarfile}[sys.argv[1]](sys.argv[2])
