"""Costs and safety of changes: bytes of an interrupted pull, requests of a retag and a promotion, killed promotions.

$KITTUI_BENCH_KILLS sets how many promotions are killed (50).
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

from tests.bench.moving import MIB, _push_kit
from tests.bench.places import FIXTURES, KITTUI, Place, fresh
from tests.bench.rows import Row, judged
from tests.fakes.docker_registry import DockerRegistry, start_registry
from tests.fakes.faulty_proxy import Fault, FaultyProxy

KILLS = int(os.environ.get("KITTUI_BENCH_KILLS", "50"))
LAYER = 256
"""MiB of the layer whose pull is interrupted."""
RATE = 40_000_000
"""Bytes per second of a connection while it is."""
BLOBS = r"/blobs/sha256"
CHAMPIONS = ("afd90276678c", "bc0db86d1084")


def run() -> Iterator[Row]:
    """Everything over one registry on loopback."""
    if not shutil.which("docker-registry"):
        yield Row("interrupted pull, retag, promote", "-", verdict="not run", note="docker-registry is not installed")
        return
    with fresh() as place:
        storage = place.folder / "registry" / "storage"
        shutil.copytree(FIXTURES / "registry", storage)
        registry = start_registry(place.folder / "registry", storage)
        try:
            _push_kit(registry, "bench/big", [(LAYER * MIB, 1)])
            yield from asyncio.run(_measure(place, registry))
            yield _killed(place, registry)
        finally:
            registry.stop()


async def _measure(place: Place, registry: DockerRegistry) -> list[Row]:
    return [
        await _interrupted(place, registry, signal.SIGINT),
        await _interrupted(place, registry, signal.SIGKILL),
        await _one_file(place, registry),
        await _retag(place, registry),
        await _promotion(place, registry),
        await _recorded(place, registry),
    ]


@asynccontextmanager
async def _kittui(place: Place, *words: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *KITTUI,
        *words,
        env=place.environment,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _run(place: Place, *words: str) -> int:
    async with _kittui(place, *words) as process:
        return await process.wait()


async def _interrupted(place: Place, registry: DockerRegistry, how: signal.Signals) -> Row:
    """A pull stopped at 30, 60 and 90 % and run again: what crossed the network against the layer's size."""
    store = place.folder / f"store-{how.name}"
    async with FaultyProxy(registry.host) as proxy:
        proxy.add(Fault(times=-1, rate=RATE, path=BLOBS))
        words = ("pull", f"remote://{proxy.host}/bench/big:v1", "--store", str(store))
        for part in (0.3, 0.6, 0.9):
            async with _kittui(place, *words) as process:
                while proxy.body_bytes(BLOBS) < part * LAYER * MIB and process.returncode is None:
                    await asyncio.sleep(0.005)
                process.send_signal(how)
        async with _kittui(place, *words) as process:
            status = await process.wait()
        ratio = proxy.body_bytes(BLOBS) / (LAYER * MIB)
    what = "Ctrl+C" if how == signal.SIGINT else "kill -9"
    note = f"{LAYER} MiB, {what} at 30, 60 and 90 %"
    return judged(f"bytes of a pull with {what}", f"{ratio:.3f}x", "1.05x", status == 0 and ratio <= 1.05, note)


async def _one_file(place: Place, registry: DockerRegistry) -> Row:
    """A file of 1 MB out of a layer with a big one before it."""
    import io
    import tarfile

    layer = place.folder / "mixed"
    with tarfile.open(layer, "w", format=tarfile.USTAR_FORMAT) as archive:
        for name, size in (("weights.bin", LAYER * MIB), ("small.bin", 1_000_000)):
            member = tarfile.TarInfo(name)
            member.size = size
            archive.addfile(member, io.BytesIO(bytes(size)))
    from hashlib import file_digest

    from tests.bench.moving import CONFIG, MANIFEST, _upload

    with layer.open("rb") as file:
        digest = "sha256:" + file_digest(file, "sha256").hexdigest()
    _upload(registry, "bench/mixed", digest, layer)
    entry = {"path": ".", "digest": digest, "diffId": digest}
    config = json.dumps({"manifestVersion": "1.0.0", "package": {}, "model": entry}).encode()
    path = place.folder / "mixed-config"
    path.write_bytes(config)
    with path.open("rb") as file:
        described = "sha256:" + file_digest(file, "sha256").hexdigest()
    _upload(registry, "bench/mixed", described, path)
    kind = "application/vnd.kitops.modelkit.model.v1.tar"
    manifest = {
        "schemaVersion": 2,
        "config": {"mediaType": CONFIG, "digest": described, "size": len(config)},
        "layers": [{"mediaType": kind, "digest": digest, "size": layer.stat().st_size}],
    }
    registry.request("PUT", "/v2/bench/mixed/manifests/v1", json.dumps(manifest).encode(), {"Content-Type": MANIFEST})
    async with FaultyProxy(registry.host) as proxy:
        reference = f"remote://{proxy.host}/bench/mixed:v1"
        async with _kittui(
            place, "unpack", reference, "--file", "small.bin", "-d", str(place.folder / "out")
        ) as process:
            status = await process.wait()
        received = proxy.body_bytes("")
    ok = status == 0 and received < 1_200_000
    return judged("one file of 1 MB out of a big layer", f"{received / 1e6:.2f} MB", "1.2 MB", ok, f"{LAYER} MiB layer")


async def _retag(place: Place, registry: DockerRegistry) -> Row:
    async with FaultyProxy(registry.host) as proxy:
        counts, before = [], 0
        for origin in ("bench/big:v1", "fraud:v1.0.0"):
            repository = origin.partition(":")[0]
            tag = "again" if repository == "bench/big" else "v1.1.0-copy"
            if repository == "fraud":
                await _run(place, "tag", f"remote://{proxy.host}/fraud:v1.1.0", tag, "--yes")
                before = len(proxy.requests)
            status = await _run(place, "tag", f"remote://{proxy.host}/{origin}", tag, "--yes")
            counts.append(len(proxy.requests) - before)
    shown = ", ".join(map(str, counts))
    what = "requests of a retag (one that creates a tag, then others)"
    return judged(what, shown, "5", status == 0 and max(counts) <= 5)


async def _promotion(place: Place, registry: DockerRegistry) -> Row:
    config = place.folder / "local.yaml"
    config.write_text("record: local\n")
    async with FaultyProxy(registry.host) as proxy:
        status = await _run(place, "--config", str(config), "promote", f"remote://{proxy.host}/fraud", "--yes")
        requests = len(proxy.requests)
    _reset(registry)
    return judged("requests of a promotion without records", f"{requests}", "12", status == 0 and requests <= 12)


async def _recorded(place: Place, registry: DockerRegistry) -> Row:
    """The first in a repository, which also sends what every record needs, and the same again."""
    key, config = FIXTURES / "signed" / "keys" / "p256.pem", place.folder / "signed.yaml"
    config.write_text(f"signing_key: {key}\n")
    async with FaultyProxy(registry.host) as proxy:
        counts, statuses = [], []
        for _ in range(2):
            before = len(proxy.requests)
            words = ("--config", str(config), "promote", f"remote://{proxy.host}/fraud", "--yes")
            statuses.append(await _run(place, *words))
            counts.append(len(proxy.requests) - before)
            _reset(registry)
        moved = sum(request.sent + request.received for request in proxy.requests)
    ok = not any(statuses) and max(counts) <= 24 and moved <= 300_000
    shown = f"{counts[0]}, {counts[1]} in {moved / 1e3:.0f} kB"
    return judged("requests of a promotion with signed records (the first, the next)", shown, "24, 300 kB", ok)


def _killed(place: Place, registry: DockerRegistry) -> Row:
    """Promotions killed at random moments and run again, each from the same start: the same end, always a champion."""
    chance = random.Random(5)
    wrong = []
    repository = f"remote://{registry.host}/fraud"
    ends = {"champion": "bc0db86d1084", "rollback": "afd90276678c"}
    for number in range(KILLS):
        _reset(registry)
        state = place.folder / f"state-{number}"
        environment = {**place.environment, "XDG_STATE_HOME": str(state)}
        words = [*KITTUI, "promote", repository, "--yes", "--quiet"]
        quiet = {"env": environment, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        process = subprocess.Popen(words, **quiet)  # type: ignore[call-overload]
        time.sleep(chance.uniform(0.25, 0.9))
        process.kill()
        process.wait()
        if _digest(registry, "champion") not in CHAMPIONS:
            wrong.append(number)
        subprocess.run(words, check=True, **quiet)  # type: ignore[call-overload]
        if any(_digest(registry, tag) != digest for tag, digest in ends.items()):
            wrong.append(number)
        shutil.rmtree(state, ignore_errors=True)
    good = KILLS - len(set(wrong))
    return judged("promotions killed and run again", f"{good} of {KILLS} as they should be", "all", not wrong)


ACCEPT = {"Accept": "application/vnd.oci.image.manifest.v1+json"}


def _digest(registry: DockerRegistry, tag: str) -> str:
    _, headers, _ = registry.request("HEAD", f"/v2/fraud/manifests/{tag}", None, ACCEPT)
    return str(headers.get("Docker-Content-Digest", "")).partition(":")[2][:12]


def _reset(registry: DockerRegistry) -> None:
    """Champion and rollback as the fixtures have them."""
    kind = {"Content-Type": ACCEPT["Accept"]}
    for tag, version in (("champion", "v1.0.0"), ("rollback", "v0.9.0")):
        _, _, raw = registry.request("GET", f"/v2/fraud/manifests/{version}", None, ACCEPT)
        registry.request("PUT", f"/v2/fraud/manifests/{tag}", raw, kind)
