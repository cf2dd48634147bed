"""Pull, push and unpack against kit, skopeo and curl, whichever are installed, and a real docker-registry.

$KITTUI_BENCH_MIB sets the size of the one big layer (1024).
"""

from __future__ import annotations

import asyncio
import hashlib
import http.client
import io
import json
import os
import random
import shlex
import shutil
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

from tests.bench.places import KITTUI, fresh
from tests.bench.rows import Row, judged
from tests.fakes.docker_registry import DockerRegistry, start_registry
from tests.fakes.faulty_proxy import Fault, FaultyProxy

MIB = 1024 * 1024
SIZE = int(os.environ.get("KITTUI_BENCH_MIB", "1024"))
RUNS = 3
SMALL_LAYERS = 1000
_TOUCH = "import mmap, sys; mmap.mmap(-1, int(sys.argv[1]), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x8000)"
"""Touches and frees memory; 0x8000 is Linux' MAP_POPULATE."""
SLOW = 20_000_000
"""Bytes per second of one connection behind the slow proxy."""
CONFIG = "application/vnd.kitops.modelkit.config.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


@dataclass(frozen=True, slots=True)
class Cost:
    """What a program took: seconds of wall time and the most memory in bytes."""

    seconds: float
    memory: int


class Bench:
    """A registry, a folder for everything, and the programs to compare."""

    def __init__(self, folder: Path, environment: dict[str, str], registry: DockerRegistry) -> None:
        self.folder, self.environment, self.registry = folder, environment, registry
        self.peers = {name: version for name in ("kit", "skopeo", "curl") if (version := _version(name))}
        self.number = 0

    def new(self) -> Path:
        """A new empty folder."""
        self.number += 1
        folder = self.folder / f"run-{self.number}"
        folder.mkdir()
        return folder

    def run(self, command: Sequence[str], store: Path | None = None) -> Cost:
        """Run a program to its end in the bench's environment; raises CalledProcessError if it fails."""
        environment = dict(self.environment)
        if store is not None:
            (store / "disable-update-notifications").touch()
            environment["KITOPS_HOME"] = str(store)
        os.sync()
        _have_memory()
        start = time.perf_counter()
        with (self.folder / "output").open("w+b") as output:
            process = subprocess.Popen(command, env=environment, stdout=output, stderr=output, stdin=subprocess.DEVNULL)
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - start
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode:
                output.seek(0)
                raise subprocess.CalledProcessError(process.returncode, command, output.read()[-2000:])
        return Cost(seconds, usage.ru_maxrss * 1024)

    def compare(self, once: dict[str, Callable[[], Cost]], runs: int = RUNS) -> dict[str, Cost]:
        """Run all in turns, and give each one's median time and greatest memory."""
        costs: dict[str, list[Cost]] = {name: [] for name in once}
        for _ in range(runs):
            for name, measure in once.items():
                costs[name].append(measure())
        return {
            name: Cost(median(cost.seconds for cost in found), max(cost.memory for cost in found))
            for name, found in costs.items()
        }

    def versions(self, names: Sequence[str]) -> str:
        """Peers with their versions."""
        return ", ".join(f"{name} {self.peers[name]}" for name in names if name in self.peers)


def run() -> Iterator[Row]:
    """Everything over one registry on loopback."""
    if not shutil.which("docker-registry"):
        yield Row("pull, push, unpack", "-", verdict="not run", note="docker-registry is not installed")
        return
    with fresh() as place:
        registry = start_registry(place.folder / "registry", place.folder / "registry" / "storage")
        try:
            bench = Bench(place.folder, place.environment, registry)
            _push_kit(registry, "bench/big", [(SIZE * MIB, 1)])
            yield from _pull(bench)
            yield from _transport(bench)
            yield from _slow_pull(bench)
            yield from _push(bench)
            yield from _unpack(bench)
            _push_kit(registry, "bench/small", [(2000 + number, number) for number in range(SMALL_LAYERS)])
            yield from _small(bench)
        finally:
            registry.stop()


def _pull(bench: Bench) -> Iterator[Row]:
    name = f"{bench.registry.host}/bench/big:v1"
    costs = bench.compare(_pulls(bench, bench.registry.host, "bench/big:v1", curl=True))
    yield from _pulled(f"pull {SIZE} MiB", costs, bench)
    yield judged(
        "memory of that pull", f"{costs['kittui'].memory / 1e6:.0f} MB", "150 MB", costs["kittui"].memory < 150e6, name
    )


def _transport(bench: Bench) -> Iterator[Row]:
    """The same pull and push by the transport for blobs and by httpcore."""
    programs = {"own": KITTUI, "httpcore": (sys.executable, "-m", "tests.bench.transport")}
    name = f"{bench.registry.host}/bench/big:v1"
    store = bench.new()
    bench.run([*KITTUI, "pull", f"remote://{name}"], store)

    def pull(program: Sequence[str]) -> Cost:
        return bench.run([*program, "pull", f"remote://{name}"], bench.new())

    def push(program: Sequence[str]) -> Cost:
        bench.number += 1
        to = f"remote://{bench.registry.host}/bench/pushed-{bench.number}:v1"
        return bench.run([*program, "push", f"local://{name}", to], store)

    for what, once in (("pull", pull), ("push", push)):
        costs = bench.compare({key: partial(once, program) for key, program in programs.items()})
        own, other = costs["own"].seconds, costs["httpcore"].seconds
        yield judged(
            f"{what} {SIZE} MiB without the transport for blobs",
            f"{other:.2f} s, {other / own:.2f}x",
            f"slower than with it, {own:.2f} s",
            other > own,
        )


def _slow_pull(bench: Bench) -> Iterator[Row]:
    if "kit" not in bench.peers:
        return
    with _slow_proxy(bench.registry.host) as host:
        pulls = {
            key: value for key, value in _pulls(bench, host, "bench/big:v1", durable=False).items() if key != "skopeo"
        }
        costs = bench.compare(pulls, runs=1)
    ratio = costs["kit"].seconds / costs["kittui"].seconds
    note = f"kit {bench.peers['kit']}: {costs['kit'].seconds:.1f} s"
    yield judged(
        "pull, 20 MB/s a connection", f"{costs['kittui'].seconds:.1f} s, {ratio:.1f}x", "3x kit", ratio >= 3, note
    )


def _push(bench: Bench) -> Iterator[Row]:
    store = bench.new()
    bench.run([*KITTUI, "pull", f"remote://{bench.registry.host}/bench/big:v1"], store)
    local = f"{bench.registry.host}/bench/big:v1"
    layout = bench.new()

    def ours() -> Cost:
        bench.number += 1
        to = f"remote://{bench.registry.host}/bench/pushed-{bench.number}:v1"
        return bench.run([*KITTUI, "push", f"local://{local}", to], store)

    def kit() -> Cost:
        bench.number += 1
        to = f"{bench.registry.host}/bench/pushed-{bench.number}:v1"
        return bench.run(["kit", "push", local, to, "--plain-http"], store)

    def skopeo() -> Cost:
        bench.number += 1
        to = f"docker://{bench.registry.host}/bench/pushed-{bench.number}:v1"
        return bench.run([*SKOPEO, "--dest-tls-verify=false", f"oci:{layout}:v1", to])

    measured = {"kittui": ours}
    if "kit" in bench.peers:
        measured["kit"] = kit
    if "skopeo" in bench.peers:
        bench.run([*SKOPEO, "--src-tls-verify=false", f"docker://{local}", f"oci:{layout}:v1"])
        measured["skopeo"] = skopeo
    yield _against(f"push {SIZE} MiB", bench.compare(measured), "kit", bench)


def _unpack(bench: Bench) -> Iterator[Row]:
    store = bench.new()
    bench.run([*KITTUI, "pull", f"remote://{bench.registry.host}/bench/big:v1"], store)
    reference = f"{bench.registry.host}/bench/big:v1"

    def unpacked(command: Sequence[str]) -> Callable[[], Cost]:
        def once() -> Cost:
            folder = bench.new()
            cost = bench.run([*command, "-d", str(folder)], store)
            shutil.rmtree(folder)
            return cost

        return once

    measured = {"kittui": unpacked([*KITTUI, "unpack", f"local://{reference}"])}
    if "kit" in bench.peers:
        measured["kit"] = unpacked(["kit", "unpack", reference])
    yield _against(
        f"unpack {SIZE} MiB from the store", bench.compare(measured), "kit", bench, "kittui verifies, kit does not"
    )


def _small(bench: Bench) -> Iterator[Row]:
    costs = bench.compare(_pulls(bench, bench.registry.host, "bench/small:v1"))
    yield from _pulled(f"pull {SMALL_LAYERS:,} small layers", costs, bench)


def _pulled(what: str, costs: dict[str, Cost], bench: Bench) -> Iterator[Row]:
    """Against kit as it is, and against kit with its store brought to the disk, as kittui leaves its own."""
    durable = costs.pop(DURABLE_KIT, None)
    yield _against(what, costs, "kit", bench)
    if durable is not None:
        ours = costs["kittui"].seconds
        reached = ours <= durable.seconds * 1.02
        note = f"kit {bench.peers['kit']}, then sync -f: {durable.seconds:.2f} s"
        yield judged(f"{what}, durable", f"{ours:.2f} s", "kit's time, then sync -f", reached, note)


DURABLE_KIT = "kit, then sync -f"
SKOPEO = ("skopeo", "--insecure-policy", "copy", "--quiet")


def _pulls(
    bench: Bench, host: str, name: str, *, curl: bool = False, durable: bool = True
) -> dict[str, Callable[[], Cost]]:
    """The same ModelKit pulled by each program into a new place, which goes away again."""

    def into(make: Callable[[Path], tuple[Sequence[str], Path | None]]) -> Callable[[], Cost]:
        def once() -> Cost:
            folder = bench.new()
            command, store = make(folder)
            cost = bench.run(command, store)
            shutil.rmtree(folder)
            return cost

        return once

    pulls = {"kittui": into(lambda folder: ([*KITTUI, "pull", f"remote://{host}/{name}"], folder))}
    if "kit" in bench.peers:
        pull = ["kit", "pull", f"{host}/{name}", "--plain-http"]
        pulls["kit"] = into(lambda folder: (pull, folder))
        if durable:
            script = f'{shlex.join(pull)} && exec sync -f "$KITOPS_HOME"'
            pulls[DURABLE_KIT] = into(lambda folder: (["sh", "-c", script], folder))
    if "skopeo" in bench.peers:
        source = f"docker://{host}/{name}"
        pulls["skopeo"] = into(
            lambda folder: ([*SKOPEO, "--src-tls-verify=false", source, f"oci:{folder}/copy:v1"], None)
        )
    if curl and "curl" in bench.peers:
        manifest = json.loads(
            bench.registry.request("GET", "/v2/bench/big/manifests/v1", None, {"Accept": MANIFEST})[2]
        )
        url = f"http://{host}/v2/bench/big/blobs/{manifest['layers'][0]['digest']}"
        pulls["curl"] = into(lambda folder: (["curl", "-sS", "-L", "-o", f"{folder}/layer", url], None))
    return pulls


def _against(what: str, costs: dict[str, Cost], peer: str, bench: Bench, note: str = "") -> Row:
    """A row that is held against one peer, with the others in the note."""
    ours = costs["kittui"].seconds
    others = ", ".join(f"{name} {bench.peers[name]}: {costs[name].seconds:.2f} s" for name in costs if name != "kittui")
    note = f"{others}; {note}" if note else others
    if peer not in costs:
        return Row(what, f"{ours:.2f} s", f"{peer}'s time", "not run", note)
    return judged(what, f"{ours:.2f} s", f"{peer}'s time", ours <= costs[peer].seconds * 1.02, note)


def _have_memory() -> None:
    """Touch as much memory as the next run may fill with pages of files, and free it again.

    A virtual machine may give freed memory back to its host at once; getting 1 GiB again then takes several times as
    long as copying into it, and whoever runs first pays for it.
    """
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
    # In a process of its own: a child's peak is counted from what its parent held.
    subprocess.run([sys.executable, "-c", _TOUCH, str(min(4 * SIZE * MIB, memory // 2))], check=True)


def _version(name: str) -> str | None:
    """A program's version in a word; None where it is not installed."""
    if not shutil.which(name):
        return None
    asked = [name, "version"] if name == "kit" else [name, "--version"]
    told = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.split()
    return next((word for word in told if word[:1].isdigit() or word[:2] == "v1"), "(own build)")


def _push_kit(registry: DockerRegistry, repository: str, layers: Sequence[tuple[int, int]]) -> None:
    """Put a ModelKit of random files there, each (size, seed) a layer, by plain HTTP."""
    entries, described = [], []
    for size, seed in layers:
        path = registry.storage.parent / f"layer-{seed}"
        with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
            member = tarfile.TarInfo(f"weights-{seed:04d}.bin")
            member.size = size
            archive.addfile(member, _Random(size, seed))
        with path.open("rb") as file:
            digest = "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()
        _upload(registry, repository, digest, path)
        size = path.stat().st_size
        kind = "dataset" if len(layers) > 1 else "model"
        described.append(
            {"mediaType": f"application/vnd.kitops.modelkit.{kind}.v1.tar", "digest": digest, "size": size}
        )
        entries.append({"path": member.name, "digest": digest, "diffId": digest})
        path.unlink()
    body = {"model": entries[0]} if len(layers) == 1 else {"datasets": entries}
    config = json.dumps({"manifestVersion": "1.0.0", "package": {}, **body}).encode()
    path = registry.storage.parent / "config"
    path.write_bytes(config)
    digest = "sha256:" + hashlib.sha256(config).hexdigest()
    _upload(registry, repository, digest, path)
    manifest = {
        "schemaVersion": 2,
        "config": {"mediaType": CONFIG, "digest": digest, "size": len(config)},
        "layers": described,
    }
    answer = registry.request(
        "PUT", f"/v2/{repository}/manifests/v1", json.dumps(manifest).encode(), {"Content-Type": MANIFEST}
    )
    if answer[0] != 201:
        raise RuntimeError(answer)


class _Random(io.RawIOBase):
    """So many bytes that do not compress, the same for a seed."""

    def __init__(self, size: int, seed: int) -> None:
        self._left, self._random = size, random.Random(seed)

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        count = self._left if size < 0 else min(size, self._left)
        self._left -= count
        return self._random.randbytes(count)


def _upload(registry: DockerRegistry, repository: str, digest: str, path: Path) -> None:
    _, headers, _ = registry.request("POST", f"/v2/{repository}/blobs/uploads/", b"")
    place = urlsplit(headers["Location"])
    connection = http.client.HTTPConnection("127.0.0.1", registry.port, timeout=300)
    try:
        with path.open("rb") as file:
            length = {"Content-Length": str(path.stat().st_size)}
            connection.request("PUT", f"{place.path}?{place.query}&digest={digest}", file, length)
            if connection.getresponse().status != 201:
                raise RuntimeError(f"{repository}: upload refused")
    finally:
        connection.close()


@contextmanager
def _slow_proxy(upstream: str) -> Iterator[str]:
    """A proxy in a thread of its own that limits every connection; gives its HOST:PORT."""
    hosts: list[str] = []
    ready, stop = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        async with FaultyProxy(upstream) as proxy:
            proxy.add(Fault(times=-1, rate=SLOW, path="/blobs/"))
            hosts.append(proxy.host)
            ready.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    ready.wait(10)
    try:
        yield hosts[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
