"""The fault lab: random operations through a proxy that misbehaves, signals at random moments, and what must hold.

A round is one seed: kits, tags and a home of its own. Each operation runs with trouble; if it did not succeed it is run
again without; then everything that was promised is checked. The same seed makes the same round.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import random
import shutil
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.fakes.faulty_proxy import FaultyProxy
from tests.fakes.scripted_registry import digest_of
from tests.faults.checks import Broken, check_settled, check_texts, check_touched, check_unpacked, stored_tags
from tests.faults.model import RIGHT, Model, Operation, Tags
from tests.faults.trouble import Interruption, Trouble, trouble
from tests.faults.worker import Order, Outcome, Worker
from tests.field.real import Real

HTPASSWD = "ann:$2b$04$8JzJcTtgNZ91pYf5vDxyGehm.6IU8vg33mBmNhkPHfAT0yp1Rmbve\n"
"""What a server is told of ann and her password."""
STATUSES = {0, 1, 2, 3, 4, 130, -1, -2, -9, -15}
"""What a run may end with: the contract's, and the signals that it was sent."""


@dataclass
class Tally:
    """What was done, in numbers."""

    counts: Counter[str] = field(default_factory=Counter)
    operations: Counter[str] = field(default_factory=Counter)
    points: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)


@dataclass
class Lab:
    """A server, the proxy before it, and the worker that runs kittui. `log` is told of every operation."""

    registry: Real
    proxy: FaultyProxy
    worker: Worker
    second: Worker
    untags: bool
    folder: Path
    tally: Tally = field(default_factory=Tally)
    log: list[str] = field(default_factory=list)

    async def round(self, seed: int, operations: int) -> None:
        """One seed; raises Broken at the first thing that does not hold."""
        self.log.clear()
        home = self.folder / f"r{seed}"
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        model = Model(seed, self.proxy.host, str(home / "layout"), self.untags)
        model.begin()
        for packed in model.kits:
            digest = digest_of(packed.manifest)
            tags = [tag for tag, to in model.remote[model.main].items() if to == digest]
            self.registry.add(model.main, packed, *tags)
        _log_in(home, self.proxy.host)
        chance = random.Random(seed)
        for _ in range(operations):
            operation = model.next(chance)
            planned = trouble(random.Random(chance.random()), operation.name, writes=bool(operation.remote))
            self.log.append(f"{model.number:3} {' '.join(operation.argv) or operation.elsewhere}   [{planned}]")
            await self._one(home, model, operation, planned)
        shutil.rmtree(home)
        self.tally.counts["rounds"] += 1

    async def _one(self, home: Path, model: Model, operation: Operation, planned: Trouble) -> None:
        self.tally.operations[operation.name] += 1
        self.tally.counts["operations"] += 1
        if operation.elsewhere is not None:
            repository, tag, digest = operation.elsewhere
            raw = next(each.manifest for each in model.kits if digest_of(each.manifest) == digest)
            self.registry.retag(repository, raw, tag)
            model.settle(operation)
            return
        if operation.twice:
            await self._twice(home, model, operation)
            return
        undone = journal_states(home)["undone"]
        ran = await self._run(home, operation, planned)
        check_texts(ran, home)
        if ran.status not in STATUSES:
            raise Broken(f"ended with {ran.status}: {ran.err[-600:]}")
        finished = ran.status == operation.status == 0
        remote = check_touched(self.registry, home, model, operation, finished=finished)
        quiet = not planned.faults and not planned.signal
        if ran.status != operation.status and quiet:
            raise Broken(f"without any trouble it ended with {ran.status}: {ran.err[-600:]}")
        if ran.status != operation.status and not self._finished(home, model, operation, undone, remote):
            self.tally.counts["run again"] += 1
            again = await self._run(home, operation, Trouble())
            self.log.append(f"      again: {again.status} {again.err.strip()[-200:]!r}")
            check_texts(again, home)
            if again.status != operation.status:
                raise Broken(f"run again without trouble it ended with {again.status}: {again.err[-600:]}")
            remote = check_touched(self.registry, home, model, operation, finished=operation.status == 0)
        model.settle(operation)
        check_settled(remote, home, model)
        if operation.unpacked is not None:
            check_unpacked(home / operation.unpacked[0], model, operation.unpacked[1])

    async def _twice(self, home: Path, model: Model, operation: Operation) -> None:
        """Two processes at once, without trouble: as if one had done it, who comes second may be refused."""
        self.tally.counts["races"] += 1
        orders = [Order(operation.argv, _environment(home), str(home), str(home / name)) for name in ("io", "io2")]
        with Interruption(self.proxy, Trouble(), lambda _: None):
            async with asyncio.TaskGroup() as group:
                runs = [
                    group.create_task(worker.run(order))
                    for worker, order in zip((self.worker, self.second), orders, strict=True)
                ]
        statuses = [run.result().status for run in runs]
        self.log.append(f"      twice: ended with {statuses}")
        for run in runs:
            check_texts(run.result(), home)
        if 0 not in statuses or not {*statuses} <= {0, 1}:
            raise Broken(f"run twice at once, it ended with {statuses}: {[run.result().err[-300:] for run in runs]}")
        remote = check_touched(self.registry, home, model, operation, finished=True)
        model.settle(operation)
        check_settled(remote, home, model)

    def _finished(
        self, home: Path, model: Model, operation: Operation, undone: int, remote: Mapping[str, Tags]
    ) -> bool:
        """Whether it is done to its last byte though it was cut short: run again, it would do it once more.

        An undo would take back one more change, and what was removed is not found.
        """
        if operation.undone:
            return journal_states(home)["undone"] > undone
        if operation.name.startswith(("remove", "delete")) and not journal_states(home)["open"]:
            gone = all(remote[repository] == goal for repository, goal in operation.remote.items())
            return gone and operation.store in (None, stored_tags(home, model))
        return False

    async def _run(self, home: Path, operation: Operation, planned: Trouble) -> Outcome:
        pids: list[int] = []

        def send(number: int) -> None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pids[0], number)

        order = Order(
            operation.argv,
            _environment(home),
            str(home),
            str(home / "io"),
            operation.stdin,
            planned.point,
            planned.signal or 9,
        )
        started = time.monotonic()
        with Interruption(self.proxy, planned, send) as interruption:
            ran = await self.worker.run(order, pids.append)
        self.tally.counts["faults"] += interruption.hits
        self.tally.counts["signals"] += interruption.sent or bool(ran.reached)
        self.tally.counts["requests"] += interruption.requests
        if ran.reached:
            self.tally.points[ran.reached] += 1
        self.log.append(f"      ended with {ran.status} after {time.monotonic() - started:.1f} s {ran.reached}")
        if ran.status is None:
            raise Broken(f"had not ended after a minute: {ran.err[-600:]}")
        return ran


def journal_states(home: Path) -> Counter[str]:
    """How many changes are open, done, undone."""
    entries = (home / "state/kittui/journal").glob("*.json")
    return Counter(json.loads(path.read_bytes())["state"] for path in entries)


def _environment(home: Path) -> dict[str, str]:
    folders = {
        "HOME": home,
        "KITOPS_HOME": home / "kit",
        "XDG_STATE_HOME": home / "state",
        "XDG_CACHE_HOME": home / "cache",
        "XDG_CONFIG_HOME": home / "config",
        "XDG_RUNTIME_DIR": home / "run",
    }
    return {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **{name: str(path) for name, path in folders.items()}}


def _log_in(home: Path, host: str) -> None:
    auth = base64.b64encode(f"ann:{RIGHT}".encode()).decode()
    path = home / ".docker/config.json"
    path.parent.mkdir(mode=0o700)
    path.write_text(json.dumps({"auths": {host: {"auth": auth}}}))
    path.chmod(0o600)


@contextlib.asynccontextmanager
async def open_lab(host: str, folder: Path, *, untags: bool) -> AsyncIterator[Lab]:
    """A lab before the registry at `host`, which knows ann and her password."""
    worker, second = await Worker.start(), await Worker.start()
    try:
        async with FaultyProxy(host) as proxy:
            registry = Real(host, ("ann", RIGHT))
            with contextlib.closing(registry):
                yield Lab(registry, proxy, worker, second, untags, folder)
    finally:
        await worker.stop()
        await second.stop()
