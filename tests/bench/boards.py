"""The board of 200 repositories with 20 tags each, and a history of 10,000 events: how soon, and at what cost.

$KITTUI_BENCH_REPOSITORIES sets how many repositories there are (200).
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from kittui.oci.digest import Digest
from tests.bench.places import KITTUI, Place, fresh
from tests.bench.rows import Row, judged
from tests.bench.terminal import Terminal
from tests.fakes.docker_registry import DockerRegistry, start_registry
from tests.fakes.faulty_proxy import FaultyProxy
from tests.trust.attacker import Attacker

REPOSITORIES = int(os.environ.get("KITTUI_BENCH_REPOSITORIES", "200"))
TAGS = 20
STAGES = ("champion", "challenger", "rollback")
EVENTS = 10_000
REST = 20


def run() -> Iterator[Row]:
    """All of it with a real docker-registry on loopback."""
    if not shutil.which("docker-registry"):
        yield Row("board, history", "-", verdict="not run", note="docker-registry is not installed")
        return
    with fresh() as place:
        registry = start_registry(place.folder / "registry", place.folder / "registry" / "storage")
        try:
            _fill(registry)
            yield from _board(place, registry)
            yield from _history(place, registry)
        finally:
            registry.stop()


def _fill(registry: DockerRegistry) -> None:
    def one(number: int) -> None:
        attacker = Attacker(registry, f"m{number:03}")
        config = attacker.blob(json.dumps({"manifestVersion": "1.0.0", "package": {"name": f"m{number}"}}).encode())
        for tag in range(TAGS):
            names = (f"v{tag}", *STAGES[tag : tag + 1])
            attacker.bare_kit(config, {"version": str(tag)}, *names)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, range(REPOSITORIES)))


@contextmanager
def counted(registry: DockerRegistry) -> Iterator[FaultyProxy]:
    """A proxy that counts what is asked, in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    proxy = FaultyProxy(registry.host)
    asyncio.run_coroutine_threadsafe(proxy.__aenter__(), loop).result(10)
    try:
        yield proxy
    finally:
        asyncio.run_coroutine_threadsafe(proxy.__aexit__(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


def _open(terminal: Terminal) -> float:
    """Open the board from the panes; the seconds until every name and stage is there."""
    terminal.wait_for(b"m000", timeout=120)
    terminal.settle(1)
    pressed = time.perf_counter()
    terminal.send(b"b")
    terminal.wait_for(f"{REPOSITORIES} of {REPOSITORIES} repositories".encode(), timeout=300)
    return time.perf_counter() - pressed


def _board(place: Place, registry: DockerRegistry) -> Iterator[Row]:
    environment = place.environment
    with Terminal([*KITTUI, f"remote://{registry.host}"], environment) as terminal:
        before = terminal.processor()
        seconds = _open(terminal)
        spent = terminal.processor() - before
    what = f"board of {REPOSITORIES} repositories, {TAGS} tags each: names and stages"
    yield judged(what, f"{seconds:.2f} s ({spent:.2f} s of the processor)", "3 s", seconds <= 3)
    with counted(registry) as proxy:
        for attempt in ("the first time", "the next time"):
            start = len(proxy.requests)
            with Terminal([*KITTUI, f"remote://{proxy.host}"], environment) as terminal:
                began = time.perf_counter()
                _open(terminal)
                while terminal.settle(3):
                    pass
                took = time.perf_counter() - began
                at_rest = len(proxy.requests)
                terminal.settle(REST, timeout=REST)
                rest = len(proxy.requests) - at_rest
            kinds = Counter(_kind(seen.method, seen.path) for seen in proxy.requests[start:at_rest])
            told = ", ".join(f"{number} {kind}" for kind, number in sorted(kinds.items()))
            cached = attempt == "the first time" or not kinds["configs"]
            yield judged(f"requests for all its details, {attempt}", told, "configs once", cached, f"{took:.0f} s")
            yield judged(f"requests at rest, {attempt}", f"{rest} in {REST} s", "0", not rest)


def _kind(method: str, path: str) -> str:
    if "/blobs/" in path:
        return "configs"
    if "/manifests/" in path:
        return "HEAD" if method == "HEAD" else "manifests"
    return "lists"


def _history(place: Place, registry: DockerRegistry) -> Iterator[Row]:
    attacker = Attacker(registry, "m000")
    kits = [attacker.manifest(tag).digest for tag in ("v0", "v1")]
    folder = place.folder / "state"
    environment = {**place.environment, "XDG_STATE_HOME": str(folder)}
    reference = f"remote://{registry.host}/m000"
    (folder / "kittui").mkdir(parents=True)
    (folder / "kittui" / "history.jsonl").write_text(_events(reference, kits), encoding="utf-8")
    began = time.perf_counter()
    told = subprocess.run([*KITTUI, "history", reference, "champion"], env=environment, capture_output=True, check=True)
    seconds = time.perf_counter() - began
    lines = told.stdout.count(b"\n")
    yield judged(f"`history` of {EVENTS:,} events", f"{seconds:.2f} s", "2 s", seconds <= 2 and lines > EVENTS)
    with Terminal([*KITTUI, f"{reference}:champion"], environment) as terminal:
        terminal.wait_for(b"champion", timeout=60)
        terminal.settle(1)
        pressed = time.perf_counter()
        terminal.send(b"H")
        terminal.wait_for(f"release {EVENTS - 1}".encode(), timeout=60)
        seconds = time.perf_counter() - pressed
        terminal.wait_for(b"moves, newest first", timeout=60)
        terminal.settle(1)
        down, _ = terminal.press(b"\x1b[B")
        end, _ = terminal.press(b"\x1b[F")
    yield judged(f"`H` with {EVENTS:,} events", f"{seconds:.2f} s", "1 s", seconds <= 1)
    worst = max(down, end)
    yield judged("key press to paint there", f"{worst * 1000:.0f} ms", "50 ms", worst <= 0.05)


def _events(reference: str, kits: list[Digest]) -> str:
    start = datetime.now(UTC) - timedelta(days=100)
    return "".join(
        json.dumps(
            {
                "id": f"{number:08}",
                "time": f"{start + timedelta(minutes=10 * number):%Y-%m-%dT%H:%M:%SZ}",
                "actor": "ops@host",
                "action": "promote",
                "repository": reference,
                "tag": "champion",
                "before": kits[(number + 1) % 2],
                "after": kits[number % 2],
                "reason": f"release {number}",
            }
        )
        + "\n"
        for number in range(EVENTS)
    )
