"""Steps of one change that do not hang on each other are done side by side, and what is said and kept stays true."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kittui import crashpoints
from kittui.errors import ConnectionLost, Denied, KittuiError, RegistryError, StorageError, TagMoved
from kittui.oci.manifest import Manifest
from kittui.oci.media_types import OCI_INDEX
from kittui.oci.protocols import Power
from kittui.oci.reference import Place
from kittui.oci.tag import Tag
from kittui.registry import RegistrySource
from kittui.state.history import Event, History
from kittui.usecases.change import tags
from kittui.usecases.change.ledger import Ledger
from kittui.usecases.change.placeholder import is_placeholder
from kittui.usecases.change.plan import Answers, new_batch
from kittui.usecases.change.policy import Policy
from kittui.usecases.change.promote import plan_promote
from kittui.usecases.change.removal import plan_remove
from kittui.usecases.change.removals import plan_removals
from kittui.usecases.change.remove import apply_remove, untag_all
from kittui.usecases.change.retag import RetagPlan, apply_retag, plan_retag
from kittui.usecases.change.tags import apply_changes
from kittui.usecases.change.undo import apply_undo, plan_undo
from tests.change.lifecycle import repository_of_three
from tests.fakes.docker_registry import DockerRegistry
from tests.fakes.memory import MemoryRepository

NEW = [Tag(f"n{number:02}") for number in range(12)]
AT_ONCE = 4


class Gate:
    """Before a method of a repository: lets so many calls through, and counts how many are there at once."""

    def __init__(self, repository: MemoryRepository, name: str) -> None:
        self.open = asyncio.Semaphore(0)
        self.now = self.most = 0
        real = getattr(repository, name)

        async def call(*words: Any) -> Any:
            self.now += 1
            self.most = max(self.most, self.now)
            try:
                await self.open.acquire()
                return await real(*words)
            finally:
                self.now -= 1

        setattr(repository, name, call)

    async def reached(self, number: int) -> None:
        async with asyncio.timeout(20):
            while self.now < number:
                await asyncio.sleep(0.001)

    def let(self, number: int) -> None:
        for _ in range(number):
            self.open.release()


@pytest.fixture
def fraud() -> MemoryRepository:
    repository = repository_of_three()
    repository.source.at_once = AT_ONCE
    return repository


async def plan_new(repository: MemoryRepository) -> RetagPlan:
    return await plan_retag(repository, Tag("v1.0.0"), [(repository, tag) for tag in NEW])


def moved(repository: MemoryRepository) -> set[str]:
    return {tag for tag in NEW if tag in repository.tagged}


def refuse(repository: MemoryRepository, tag: str, error: KittuiError) -> None:
    def refused(_: MemoryRepository, verb: str, what: str) -> None:
        if verb == "PUT" and what == tag:
            raise error.at(repository.reference(Tag(tag)))

    repository.source.hooks.append(refused)


async def test_as_many_steps_as_are_configured_are_done_at_once(fraud: MemoryRepository, ledger: Ledger) -> None:
    heard: list[str] = []
    gate = Gate(fraud, "put_manifest")
    work = asyncio.ensure_future(apply_retag(await plan_new(fraud), ledger, Policy(), on_moved=heard.append))
    await gate.reached(AT_ONCE)
    gate.let(100)
    done = await work
    assert gate.most == AT_ONCE
    assert [change.tag for change in done.done[0].changes] == NEW
    assert sorted(heard) == [fraud.reference(tag) for tag in NEW]
    assert sorted(event.tag for event in ledger.history.events()) == NEW
    (entry,) = ledger.journal.entries()
    assert (entry.state, {step.state for step in entry.steps}) == ("done", {"done"})


async def test_steps_that_hang_on_each_other_keep_their_order(fraud: MemoryRepository, ledger: Ledger) -> None:
    gate = Gate(fraud, "put_manifest")
    gate.let(100)
    plan = await plan_promote(fraud)
    assert plan.ordered
    await apply_changes(plan, ledger, Policy())
    assert gate.most == 1
    assert [event.tag for event in ledger.history.events()] == ["champion", "rollback"]


@pytest.mark.parametrize("deleted", [("all", "v1.0.0"), ("v1.0.0", "all")])
async def test_an_index_comes_back_after_what_it_lists(
    fraud: MemoryRepository, ledger: Ledger, deleted: tuple[str, str]
) -> None:
    listed = await fraud.manifest(Tag("v1.0.0"))
    entries = [{"mediaType": listed.media_type, "digest": listed.digest, "size": len(listed.raw)}]
    raw = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}).encode()
    await fraud.put_manifest(raw, OCI_INDEX, Tag("all"))
    before, answers = dict(fraud.tagged), Answers(batch=new_batch())
    for name in deleted:
        await apply_remove(await plan_remove(fraud, Tag(name), "delete"), ledger, Policy(), answers)

    def as_distribution(repository: MemoryRepository, verb: str, what: str) -> None:
        if (verb, what) == ("PUT", "all") and listed.digest not in repository.manifests:
            raise RegistryError("manifest blob unknown", status=404)

    fraud.source.hooks.append(as_distribution)
    undo = await plan_undo(fraud, ledger)
    assert undo.plan.ordered
    await apply_undo(undo, ledger, Policy())
    assert fraud.tagged == before
    assert next(event.tag for event in ledger.history.events()) == "all"


async def test_placeholders_are_deleted_one_after_the_other(fraud: MemoryRepository, ledger: Ledger) -> None:
    fraud.source.powers["untag"] = Power("no", "tags stay")
    await apply_retag(await plan_new(fraud), ledger, Policy())
    plans = await plan_removals([(fraud, tag) for tag in NEW])
    gate = Gate(fraud, "put_manifest")
    gate.let(100)
    await untag_all(plans.plans, ledger, Policy())
    assert (gate.most, moved(fraud)) == (1, set())


async def test_a_source_on_this_machine_is_changed_step_by_step(fraud: MemoryRepository, ledger: Ledger) -> None:
    fraud.source.place = Place("oci", directory="/layout")
    gate = Gate(fraud, "put_manifest")
    gate.let(100)
    await apply_retag(await plan_new(fraud), ledger, Policy())
    assert (gate.most, moved(fraud)) == (1, {*NEW})


async def test_after_a_refusal_what_has_begun_is_done_and_nothing_else_begins(
    fraud: MemoryRepository, ledger: Ledger
) -> None:
    refuse(fraud, "n01", Denied("n01 is immutable"))
    gate = Gate(fraud, "put_manifest")
    work = asyncio.ensure_future(apply_retag(await plan_new(fraud), ledger, Policy()))
    await gate.reached(AT_ONCE)
    gate.let(100)
    with pytest.raises(Denied, match="n01 is immutable") as raised:
        await work
    done = moved(fraud)
    assert "n01" not in done
    assert {"n00", "n02", "n03"} <= done < {*NEW}
    assert {event.tag for event in ledger.history.events()} == done
    (entry,) = ledger.journal.entries()
    assert entry.state == "done"
    assert {step.tag for step in entry.steps if step.state == "done"} == done
    assert {step.state for step in entry.steps} == {"done", "planned"}
    assert "not done: n01" in str(raised.value.hint)
    undo = await plan_undo(fraud, ledger)
    await apply_undo(undo, ledger, Policy())
    assert not moved(fraud)


async def test_an_answer_that_was_lost_beside_a_refusal_stays_open_until_it_is_known(
    fraud: MemoryRepository, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(fraud, "n01", Denied("n01 is immutable"))
    refuse(fraud, "n02", ConnectionLost("the connection was lost"))
    monkeypatch.setattr("kittui.usecases.change.readings.LAG", ())
    with pytest.raises(KittuiError) as raised:
        await apply_retag(await plan_new(fraud), ledger, Policy())
    assert "may have been done: n02" in str(raised.value.hint)
    (entry,) = ledger.journal.entries()
    assert (entry.state, entry.steps[2].state, entry.steps[1].state) == ("open", "started", "planned")
    # It took effect after all, late: the next change puts it into the history.
    fraud.source.hooks.clear()
    fraud.tagged["n02"] = fraud.tagged["v1.0.0"]
    await apply_retag(await plan_retag(fraud, Tag("v1.0.0"), [(fraud, Tag("other"))]), ledger, Policy())
    assert [event.tag for event in ledger.history.events()].count("n02") == 1
    assert [entry.state for entry in ledger.journal.entries()] == ["done", "done"]


async def test_every_tag_that_somebody_else_moved_is_left_alone(fraud: MemoryRepository, ledger: Ledger) -> None:
    plan = await plan_new(fraud)
    fraud.tagged["n03"] = fraud.tagged["v0.9.0"]
    with pytest.raises(TagMoved, match="n03 moved"):
        await apply_retag(plan, ledger, Policy(), Answers(asked=True))
    assert moved(fraud) == {"n03"}
    assert fraud.tagged["n03"] == fraud.tagged["v0.9.0"]


async def test_what_is_stopped_says_what_is_done_what_is_not_and_what_is_not_known(
    fraud: MemoryRepository, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tags, "STOPPING", 0.01)
    gate = Gate(fraud, "put_manifest")
    task = asyncio.create_task(apply_retag(await plan_new(fraud), ledger, Policy()))
    await gate.reached(AT_ONCE)
    gate.let(2)
    async with asyncio.timeout(20):
        while len(ledger.history.events()) < 2 or gate.now < AT_ONCE:
            await asyncio.sleep(0.001)
    task.cancel()
    with pytest.raises(asyncio.CancelledError) as stopped:
        await task
    (note,) = stopped.value.__notes__
    assert "Done: n00 →" in note
    assert "n01 →" in note
    assert "may have been done: n02, n03, n04, n05" in note
    assert "not done: n06, n07" in note
    (entry,) = ledger.journal.entries()
    states = [step.state for step in entry.steps]
    assert states == ["done"] * 2 + ["started"] * 4 + ["planned"] * 6
    gate.let(100)
    await apply_retag(await plan_new(fraud), ledger, Policy())
    assert moved(fraud) == {*NEW}
    assert sorted(event.tag for event in ledger.history.events()) == NEW


async def test_a_failure_before_the_stop_is_said_with_it(fraud: MemoryRepository, ledger: Ledger) -> None:
    refuse(fraud, "n00", Denied("n00 is immutable"))
    gate = Gate(fraud, "put_manifest")
    task = asyncio.create_task(apply_retag(await plan_new(fraud), ledger, Policy()))
    await gate.reached(AT_ONCE)
    gate.let(1)
    async with asyncio.timeout(20):
        while gate.now == AT_ONCE:
            await asyncio.sleep(0.001)
    task.cancel()
    await asyncio.sleep(0)
    gate.let(100)
    with pytest.raises(asyncio.CancelledError) as stopped:
        await task
    assert "n00 is immutable." in stopped.value.__notes__


async def test_nothing_is_done_on_disk_that_the_history_does_not_have(
    fraud: MemoryRepository, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = History.append

    def fail(history: History, event: Event) -> None:
        if event.tag == "n01":
            raise StorageError("the disk is full")
        append(history, event)

    monkeypatch.setattr(History, "append", fail)
    with pytest.raises(StorageError):
        await apply_retag(await plan_new(fraud), ledger, Policy())
    (entry,) = ledger.journal.entries()
    kept = {step.tag: step.state for step in entry.steps}
    assert (entry.state, kept[Tag("n01")]) == ("open", "started")
    assert {tag for tag, state in kept.items() if state == "done"} == {event.tag for event in ledger.history.events()}
    monkeypatch.undo()
    await apply_retag(await plan_new(fraud), ledger, Policy())
    assert sorted(event.tag for event in ledger.history.events()) == NEW


SCRIPT = """
import asyncio, sys
from pathlib import Path
from kittui.oci.tag import Tag
from kittui.registry import RegistrySource
from kittui.usecases.change.ledger import Ledger
from kittui.usecases.change.policy import Policy
from kittui.usecases.change.removals import plan_removals
from kittui.usecases.change.remove import untag_all
from kittui.usecases.change.retag import apply_retag, plan_retag

async def run(host, folder, what, *names):
    ledger, tags = Ledger.open(Path(folder)), [Tag(name) for name in names]
    async with RegistrySource(host) as source:
        fraud = source.repository("fraud")
        if what == "tag":
            plan = await plan_retag(fraud, Tag("v1.0.0"), [(fraud, tag) for tag in tags])
            await apply_retag(plan, ledger, Policy())
        else:
            plans = await plan_removals([(fraud, tag) for tag in tags])
            await untag_all(plans.plans, ledger, Policy())

asyncio.run(run(*sys.argv[1:]))
"""
POINTS = [
    ("tag", "tags.before-put:3"),
    ("tag", "tags.after-put:1"),
    ("tag", "tags.after-put:7"),
    ("tag", "history.before-fsync:5"),
    ("tag", "journal.before-rename:9"),
    ("tag", "journal.after-rename:14"),
    ("untag", "remove.before-placeholder:2"),
    ("untag", "remove.after-placeholder:4"),
    ("untag", "remove.after-placeholder-delete:3"),
    ("untag", "tags.after-put:5"),
]


@pytest.mark.real
@pytest.mark.parametrize(("what", "point"), POINTS)
async def test_a_batch_that_was_killed_anywhere_is_finished_by_running_it_again(
    what: str, point: str, kit_registry: DockerRegistry, tmp_path: Path
) -> None:
    ledger = Ledger.open(tmp_path)
    names = [*NEW]
    host = kit_registry.host

    async def run(at: str, *words: str) -> int:
        environ = {**os.environ, crashpoints.VARIABLE: at}
        command = [sys.executable, "-c", SCRIPT, host, str(tmp_path), *words]
        return (await asyncio.to_thread(subprocess.run, command, env=environ, capture_output=True)).returncode

    if what == "untag":
        assert await run("none", "tag", *names) == 0
    assert await run(point, what, *names) == crashpoints.STATUS
    async with RegistrySource(host) as source:
        fraud = source.repository("fraud")
        if what == "untag":
            left = {entry.name async for page in fraud.tags() for entry in page}
            names = [name for name in names if name in left]
        assert not names or await run("none", what, *names) == 0
        there = {entry.name async for page in fraud.tags() for entry in page if entry.name}
        wanted: Manifest = await fraud.manifest(Tag("v1.0.0"))
        found = [await fraud.manifest(tag) for tag in sorted(there & {*NEW})]
        assert not any(is_placeholder(one) for one in found)
        assert [one.digest for one in found] == [wanted.digest] * (len(NEW) if what == "tag" else 0)
    events = [event for event in ledger.history.events() if event.action == ("tag" if what == "tag" else "remove")]
    assert sorted(event.tag for event in events) == NEW
    assert all(entry.state != "open" for entry in ledger.journal.entries())
