"""Operators on machines of their own who change one repository in the same instant, and what has to hold afterwards.

Each is a process that has kittui loaded and starts at a sign, so that only milliseconds lie between them.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kittui.oci.media_types import OCI_MANIFEST
from tests.fakes.docker_registry import DockerRegistry
from tests.trust.attacker import Attacker, People

NAMES = ("ann", "ben")
_MEET = "tags.before-put"
"""Where those who are to cross wait for each other: each has read the tag, and none has moved it."""
_WORKER = f"""
import sys
from kittui.cli.app import main
from kittui.crashpoints import crashing
def wait():
    sys.stderr.write("here\\n")
    sys.stderr.flush()
    sys.stdin.readline()
wait()
meet, *words = sys.argv[1:]
with crashing("{_MEET}" if meet == "cross" else "nowhere", wait):
    sys.exit(main(words))
"""


@dataclass
class Ended:
    """How a command ended."""

    status: int
    out: str
    err: str


@dataclass
class Tally:
    """What came of all rounds: how often each outcome was seen, and what was not true."""

    seen: dict[str, int] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)

    def count(self, what: str) -> None:
        self.seen[what] = self.seen.get(what, 0) + 1


@dataclass
class Operators:
    """People with keys and homes of their own at a registry; `looker` is a third machine that trusts both."""

    folder: Path
    server: DockerRegistry
    tally: Tally = field(default_factory=Tally)

    def __post_init__(self) -> None:
        self.people = People(self.folder, NAMES, "")
        trust = (self.folder / "home" / "CONFIG" / "kittui" / "config.yaml").read_text()
        for home in (*NAMES, "looker"):
            where = self.folder / home / "kittui"
            where.mkdir(parents=True)
            signing = f"signing_key: {self.people.file(home)}\n" if home in NAMES else ""
            (where / "config.yaml").write_text(trust + signing)

    def environment(self, home: str) -> dict[str, str]:
        """Where a person's kittui keeps everything."""
        folder = str(self.folder / home)
        names = ("HOME", "KITOPS_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")
        return {**dict.fromkeys(names, folder), "LANG": "C.UTF-8", "PYTHONPATH": ":".join(filter(None, sys.path))}

    async def at_once(self, commands: Mapping[str, Sequence[str]], *, cross: bool = False) -> dict[str, Ended]:
        """Run a command for each person, all from the same moment.

        `cross`: each waits until all others have read the tag too, right before it moves it.
        """
        pipe = asyncio.subprocess.PIPE
        meet = "cross" if cross else "run"
        processes = {
            home: await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", _WORKER, meet, *words),
                stdin=pipe, stdout=pipe, stderr=pipe, env=self.environment(home),
            )
            for home, words in commands.items()
        }  # fmt: skip
        said = dict.fromkeys(processes, "")
        waiting = dict(processes)
        while waiting:
            for home, process in list(waiting.items()):
                said[home] += await _until_here(process)
                if process.stderr is None or process.stderr.at_eof():
                    del waiting[home]
            for process in waiting.values():
                assert process.stdin is not None
                process.stdin.write(b"\n")
        ended = {}
        for home, process in processes.items():
            out, _ = await process.communicate()
            ended[home] = Ended(process.returncode or 0, out.decode(), said[home])
        return ended

    async def run(self, home: str, *words: str) -> Ended:
        """Run one command alone."""
        return (await self.at_once({home: words}))[home]

    async def history(self, repository: str) -> tuple[list[dict[str, Any]], list[str]]:
        """The moves of champion as a third machine sees them, oldest first, and what else it says."""
        ran = await self.run("looker", "history", repository, "champion", "--json")
        found = json.loads(ran.out)
        return list(reversed(found["events"])), found["notes"]

    async def promote_round(self, name: str, *, cross: bool = False) -> None:
        """Both promote a ModelKit of their own to champion."""
        attacker = Attacker(self.server, name)
        repository = f"{self.server.host}/{name}"
        first = attacker.kit("1", "champion").digest
        digests = {who: attacker.kit(who, who).digest for who in NAMES}
        watching = asyncio.create_task(asyncio.to_thread(self._watch, attacker.repository, stop := _Stop()))
        words = {who: ("promote", repository, "--from", who, "--yes", "--reason", who) for who in NAMES}
        ended = await self.at_once(words, cross=cross)
        stop.now = True
        missed = await watching
        problems = [f"champion did not resolve {missed} times"] if missed else []
        last = attacker.manifest("champion").digest
        events, notes = await self.history(repository)
        problems += self._untrue(ended, digests, events, notes, first, last)
        self.tally.count(self._outcome(ended, notes))
        for who in [who for who, one in ended.items() if one.status]:
            again = await self.run(who, *words[who])
            last = attacker.manifest("champion").digest
            if again.status or last != digests[who]:
                problems.append(f"{who} ran it again: {again.status} {again.err}")
            problems += self._chain(*await self.history(repository), first, last)
        if problems:
            said = "; ".join(f"{who}: {one.status} {one.err}" for who, one in ended.items())
            self.tally.broken.append(f"{name}: {'; '.join(problems)} ({said}) {json.dumps(events)}")

    def _watch(self, repository: str, stop: _Stop) -> int:
        """How often champion did not resolve while they worked."""
        missed = 0
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        with suppress(OSError):
            while not stop.now:
                connection.request("HEAD", f"/v2/{repository}/manifests/champion", headers={"Accept": OCI_MANIFEST})
                response = connection.getresponse()
                response.read()
                # Distribution 2.8 answers 500 while it writes a tag; whoever asks again gets it.
                missed += response.status not in (200, 500)
        connection.close()
        return missed

    def _outcome(self, ended: dict[str, Ended], notes: Sequence[str]) -> str:
        fine = sum(one.status == 0 for one in ended.values())
        if notes:
            return f"promoting: both moved it in the same moment, {fine} with exit status 0"
        return "promoting: " + ("one after the other" if fine == len(ended) else "one was told that the tag had moved")

    def _untrue(
        self,
        ended: dict[str, Ended],
        digests: dict[str, Any],
        events: Sequence[dict[str, Any]],
        notes: Sequence[str],
        first: str,
        last: str,
    ) -> list[str]:
        problems = self._chain(events, notes, first, last)
        for name, one in ended.items():
            moved = [event for event in events if event["after"] == digests[name] and event["signer"] == name]
            if one.status == 0 and len(moved) != 1:
                problems.append(f"{name} was told that it is done, and {len(moved)} records say so")
            if one.status != 0 and bool(moved) != ("moved as planned" in one.err):
                problems.append(f"{name} was told that it failed, and {len(moved)} records say that it was done")
            if one.status != 0 and last == digests[name]:
                problems.append(f"{name} was told that it failed, and champion is there")
            if (one.status != 0 and "moved" not in one.err) or "Traceback" in one.err:
                problems.append(f"{name} was told something else")
        return problems

    def _chain(self, events: Sequence[dict[str, Any]], notes: Sequence[str], first: str, last: str) -> list[str]:
        """Whether the moves lead from one to the next, or are said to have crossed, and none was made outside."""
        at, problems = first, []
        for event in events:
            if event["source"] == "none":
                problems.append(f"a move from {event['before']} to {event['after']} is said to have been made outside")
            if event["before"] != at and not any(event["after"].partition(":")[2][:12] in note for note in notes):
                problems.append(f"a move begins at {event['before']} while the tag was at {at}")
            at = event["after"]
        return problems if at == last else [*problems, f"the history ends at {at}, the tag is at {last}"]

    async def sign_round(self, name: str) -> None:
        """Both sign the same ModelKit: both entries are there, or who lost one is told."""
        Attacker(self.server, name).kit("1", "v1")
        reference = f"{self.server.host}/{name}:v1"
        ended = await self.at_once({who: ("sign", reference, "--key", self.people.file(who)) for who in NAMES})
        ran = await self.run("looker", "verify", reference, "--json")
        signers = set(json.loads(ran.out)["signers"])
        self.tally.count("signing: both are listed" if len(signers) == len(NAMES) else "signing: one is listed")
        wrong = [who for who, one in ended.items() if (one.status == 0) != (who in signers)]
        if wrong:
            said = "; ".join(f"{who}: {one.status} {one.err}" for who, one in ended.items())
            self.tally.broken.append(f"{name}: {wrong} ({said})")


async def _until_here(process: asyncio.subprocess.Process) -> str:
    """What a process says until it waits, or ends."""
    said = ""
    assert process.stderr is not None
    while line := await process.stderr.readline():
        if line == b"here\n":
            break
        said += line.decode()
    return said


@dataclass
class _Stop:
    now: bool = False
