"""Compare a champion with a challenger: bytes received over a registry, time and memory of comparing every value.

Both models are $KITTUI_BENCH_MIB (1024) MiB and differ in one tensor of 4 MiB; a dataset row and a Kitfile value differ
too.
"""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.bench.places import KITTUI, fresh
from tests.bench.rows import Row, judged
from tests.demo.pack import File, Packed, pack
from tests.fakes.docker_registry import start_registry

MIB = 1024 * 1024
SIZE = int(os.environ.get("KITTUI_BENCH_MIB", "1024"))
TENSOR = 4 * MIB
CHANGES = 10_000
KITFILE: dict[str, Any] = {
    "manifestVersion": "1.0.0",
    "package": {"name": "bench"},
    "model": {"name": "model", "path": "model/model.safetensors", "parameters": {"learning_rate": 0.001}},
    "datasets": [{"name": "training", "path": "data/train.csv"}],
}


def run() -> Iterator[Row]:
    """The quick comparison over a registry, then all values from a layout on disk."""
    with fresh() as place:
        layout = place.folder / "layout"
        # In a process of its own: what a process is measured at starts with what its parent holds.
        subprocess.run([sys.executable, "-m", "tests.bench.comparing", str(layout)], check=True)
        if shutil.which("docker-registry"):
            yield from _remote(place.folder, place.environment, layout)
        else:
            yield Row("diff over a registry", "-", verdict="not run", note="docker-registry is not installed")
        yield from _values(place.folder, place.environment, layout)
        for what in ("files", "tensors"):
            many = place.folder / what
            _write_layout(many, [_many(what, edited) for edited in (False, True)])
            yield from _changes(place.folder, place.environment, many, what)


def _remote(folder: Path, environment: dict[str, str], layout: Path) -> Iterator[Row]:
    registry = start_registry(folder / "registry", folder / "registry" / "storage")
    try:
        for tag in ("champion", "challenger"):
            _call(environment, "copy", f"oci:{layout}:{tag}", f"remote://{registry.host}/bench/kit:{tag}")
        name = f"remote://{registry.host}/bench/kit"
        start = time.perf_counter()
        found = json.loads(_call(environment, "diff", f"{name}:champion", f"{name}:challenger", "--json"))
        seconds = time.perf_counter() - start
        traffic = found["traffic"]
        told = [file["status"] for file in found["files"]]
        yield judged(
            f"diff of two {SIZE} MiB kits, both remote",
            f"{traffic['bytes'] / 1000:.0f} kB in {traffic['requests']} requests",
            "1 MB",
            traffic["bytes"] < 1_000_000 and "changed" in told,
            f"{seconds:.1f} s",
        )
    finally:
        registry.stop()


def _values(folder: Path, environment: dict[str, str], layout: Path) -> Iterator[Row]:
    if not shutil.which("cmp"):
        yield Row("diff --content", "-", verdict="not run", note="cmp is not installed")
        return
    copies = [folder / "one", folder / "two"]
    big = max((layout / "blobs" / "sha256").iterdir(), key=lambda path: path.stat().st_size)
    for copy in copies:
        shutil.copyfile(big, copy)
    ratios, proved, memory = [], [], 0
    for _ in range(4):
        start = time.perf_counter()
        subprocess.run(["cmp", *map(str, copies)], check=True)
        peer = time.perf_counter() - start
        hashing = _hash_both(copies)
        found, mine, used = _diff(folder, environment, layout)
        memory = max(memory, used)
        ratios.append((peer / mine, mine, peer))
        proved.append(((peer + hashing) / mine, peer + hashing))
    changed = [tensor["name"] for tensor in found["tensors"] if tensor["status"] == "changed"]
    ratio, mine, peer = max(ratios)
    yield judged(
        f"diff --content of two {SIZE} MiB kits",
        f"{mine:.2f} s, {ratio:.2f}x cmp",
        "0.6x cmp",
        ratio >= 0.6 and len(changed) == 1 and found["verified"],
        f"cmp: {peer:.2f} s; with the program's start",
    )
    if _hasher():
        ratio, peer = max(proved)
        yield judged(
            "the same, with the digests of both proved",
            f"{ratio:.2f}x cmp and SHA-256",
            "1x",
            ratio >= 1,
            f"cmp, and {_hasher()[0]} of both side by side: {peer:.2f} s",
        )
    yield judged("memory of that", f"{memory / 1e6:.0f} MB", "250 MB", memory < 250e6)


def _changes(folder: Path, environment: dict[str, str], layout: Path, what: str) -> Iterator[Row]:
    """All values of kits in which every one of CHANGES files or tensors is another."""
    found, seconds, memory = _diff(folder, environment, layout)
    changed = sum(entry["status"] == "changed" for entry in found[what])
    yield judged(
        f"diff --content with {CHANGES:,} changed {what}",
        f"{seconds:.1f} s, {memory / 1e6:.0f} MB",
        "10 s, 250 MB",
        changed == CHANGES and seconds < 10 and memory < 250e6,
    )


def _diff(folder: Path, environment: dict[str, str], layout: Path) -> tuple[Any, float, int]:
    """What `diff --content` finds, the seconds it takes, and the bytes of memory."""
    start = time.perf_counter()
    output = folder / "output.json"
    command = [*KITTUI, "diff", f"oci:{layout}:champion", f"oci:{layout}:challenger", "--content", "--json"]
    with output.open("wb") as file:
        process = subprocess.Popen(command, env=environment, stdout=file)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - start
    return json.loads(output.read_bytes()), seconds, usage.ru_maxrss * 1024


def _hasher() -> list[str]:
    """The quickest program for SHA-256: OpenSSL's uses the processor's instructions for it."""
    for words in (["openssl", "dgst", "-sha256"], ["sha256sum"]):
        if shutil.which(words[0]):
            return words
    return []


def _hash_both(files: list[Path]) -> float:
    """Seconds to hash files side by side."""
    start = time.perf_counter()
    running = [subprocess.Popen([*_hasher(), str(file)], stdout=subprocess.DEVNULL) for file in files if _hasher()]
    for process in running:
        process.wait()
    return time.perf_counter() - start


def _call(environment: dict[str, str], *words: str) -> bytes:
    return subprocess.run([*KITTUI, *words], env=environment, check=True, stdout=subprocess.PIPE).stdout


def _write_layout(folder: Path, kits: Sequence[Packed] = ()) -> None:
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    entries = []
    for number, tag in enumerate(("champion", "challenger")):
        # The large ones are made one after the other: both at once would take twice the memory.
        packed = kits[number] if kits else _kit(edited=bool(number))
        for digest, content in packed.blobs.items():
            (blobs / digest.hex).write_bytes(content)
        described = packed.descriptor
        (blobs / described.digest.hex).write_bytes(packed.manifest)
        entries.append({**described.to_json(), "annotations": {"org.opencontainers.image.ref.name": tag}})
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": entries}))


def _kit(edited: bool) -> Packed:
    count = max(2, SIZE * MIB // TENSOR)
    header = {
        f"layers.{number}.weight": {
            "dtype": "F32",
            "shape": [1024, 1024],
            "data_offsets": [number * TENSOR, (number + 1) * TENSOR],
        }
        for number in range(count)
    }
    raw = json.dumps(header).encode()
    parts = [struct.pack("<Q", len(raw)), raw]
    for number in range(count):
        seed = struct.pack("<f", 0.5 + number / count + (0.25 if edited and number == count // 2 else 0))
        parts.append(seed * (TENSOR // 4))
    rows = [f"T{number:05},{number % 97}.{number % 10},{int(edited and number == 700)}\n" for number in range(5000)]
    kitfile = json.loads(json.dumps(KITFILE))
    if edited:
        kitfile["model"]["parameters"]["learning_rate"] = 0.0005
    tree = {
        "model/model.safetensors": File(b"".join(parts)),
        "data/train.csv": File(("id,amount,fraud\n" + "".join(rows)).encode()),
    }
    return pack(kitfile, tree, version="bench")


def _many(what: str, edited: bool) -> Packed:
    """A kit of CHANGES small files, or of a model of CHANGES small tensors; all of them are edited, or none."""
    mark = b"edited" if edited else b"before"
    if what == "files":
        tree = {f"data/{number % 100}/{number:05}.txt": File(b"line\n" + mark) for number in range(CHANGES)}
        return pack(
            {**KITFILE, "datasets": [{"path": "data"}]}, {**tree, "model/model.safetensors": File(b"")}, version="bench"
        )
    header, at = {}, 0
    for number in range(CHANGES):
        header[f"layers.{number // 8}.t{number % 8}"] = {"dtype": "U8", "shape": [256], "data_offsets": [at, at + 256]}
        at += 256
    raw = json.dumps(header).encode()
    content = struct.pack("<Q", len(raw)) + raw + mark.ljust(256) * CHANGES
    return pack(KITFILE, {"model/model.safetensors": File(content), "data/train.csv": File(b"")}, version="bench")


if __name__ == "__main__":
    _write_layout(Path(sys.argv[1]))
