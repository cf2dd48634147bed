"""A change that ends half way, however it does: tags, journal and what is said agree, and what follows is right."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kittui.errors import Denied, DiskFull, KittuiError, StorageError, Unauthorized, Unsupported
from kittui.oci.protocols import YES, Power
from kittui.oci.tag import Tag
from kittui.state.history import Event, History
from kittui.state.journal import Entry
from kittui.tui.app import PARTS
from kittui.tui.frame.keymap import KeyNames
from kittui.tui.frame.ways import with_keys
from kittui.usecases.change import tags
from kittui.usecases.change.ledger import Ledger
from kittui.usecases.change.plan import ChangePlan, TagChange
from kittui.usecases.change.policy import Policy
from kittui.usecases.change.promote import plan_promote
from kittui.usecases.change.redo import apply_redo, plan_redo
from kittui.usecases.change.tags import apply_changes
from kittui.usecases.change.undo import apply_undo, plan_undo
from tests.change.lifecycle import repository_of_three, stages_of
from tests.fakes.memory import MemoryRepository

BEFORE = {"rollback": "v0.9.0", "champion": "v1.0.0", "challenger": "v1.1.0"}
HALF = {"rollback": "v1.0.0", "champion": "v1.0.0", "challenger": "v1.1.0"}
PROMOTED = {"rollback": "v1.0.0", "champion": "v1.1.0", "challenger": "v1.1.0"}


@pytest.fixture
def fraud() -> MemoryRepository:
    return repository_of_three()


class Held:
    """Holds the first request to a tag back, whose answer is a result or an error."""

    def __init__(self, repository: MemoryRepository, method: str, tag: str, error: KittuiError | None = None) -> None:
        self.asked, self.answer = asyncio.Event(), asyncio.Event()
        real: Callable[..., Awaitable[Any]] = getattr(repository, method)

        async def held(*words: Any) -> Any:
            if tag in words and not self.asked.is_set():
                self.asked.set()
                await self.answer.wait()
                if error is not None:
                    raise error
            return await real(*words)

        setattr(repository, method, held)


class Recorder:
    """Sends records to a registry that does not answer."""

    def __init__(self) -> None:
        self.asked, self.answer = asyncio.Event(), asyncio.Event()

    async def prepare(self, *_: object) -> None:
        pass

    async def moved(self, *_: object) -> None:
        pass

    async def deliver(self, _: object) -> None:
        self.asked.set()
        await self.answer.wait()


async def stopped(work: Coroutine[Any, Any, object], at: Held | Recorder, *, presses: int = 1) -> list[str]:
    """Stop work where it waits, and return what was noted."""
    task = asyncio.create_task(work)
    await at.asked.wait()
    for _ in range(presses):
        task.cancel()
        for _ in range(5):
            await asyncio.sleep(0)
    if presses == 1:
        at.answer.set()
    with pytest.raises(asyncio.CancelledError) as caught:
        await task
    return [*getattr(caught.value, "__notes__", ())]


def states(entry: Entry) -> dict[str, str]:
    return {"": entry.state} | {step.tag: step.state for step in entry.steps}


def newest(ledger: Ledger) -> Entry:
    return ledger.journal.entries()[0]


async def promote(fraud: MemoryRepository, ledger: Ledger) -> None:
    # As read now: no tag is looked at twice before it is moved.
    plan = replace(await plan_promote(fraud), read_at=time.monotonic() + 60)
    await apply_changes(plan, ledger, Policy())


@pytest.mark.parametrize("error", [Unauthorized, Denied, StorageError, DiskFull])
async def test_whatever_fails_half_way_says_what_is_done(
    fraud: MemoryRepository, ledger: Ledger, error: type[KittuiError]
) -> None:
    def refuse(_: MemoryRepository, verb: str, what: str) -> None:
        if (verb, what) == ("PUT", "champion"):
            raise error("no", hint="Ask for it.")

    fraud.source.hooks.append(refuse)
    with pytest.raises(error) as caught:
        await promote(fraud, ledger)
    assert caught.value.hint == f"Done: rollback → {fraud.tagged['v1.0.0'].short}; not done: champion. Ask for it."
    assert stages_of(fraud) == HALF
    assert states(newest(ledger)) == {"": "done", "rollback": "done", "champion": "planned"}
    fraud.source.hooks.clear()
    await apply_undo(await plan_undo(fraud, ledger), ledger, Policy())
    assert stages_of(fraud) == BEFORE


async def test_a_move_that_can_not_be_written_down_is_said_to_be_done(
    fraud: MemoryRepository, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = History.append

    def full(history: History, event: Event) -> None:
        if event.tag == "champion":
            raise DiskFull("no room for the history")
        real(history, event)

    monkeypatch.setattr(History, "append", full)
    with pytest.raises(DiskFull) as caught:
        await promote(fraud, ledger)
    one, two = fraud.tagged["v1.0.0"].short, fraud.tagged["v1.1.0"].short
    assert caught.value.hint == f"Done: rollback → {one}, champion → {two}."
    assert stages_of(fraud) == PROMOTED
    assert states(newest(ledger)) == {"": "open", "rollback": "done", "champion": "started"}
    monkeypatch.setattr(History, "append", real)
    await promote(fraud, ledger)
    assert [event.tag for event in ledger.history.events()] == ["champion", "rollback"]
    assert states(newest(ledger)) == {"": "done", "rollback": "done", "champion": "done"}


async def test_a_stop_while_records_are_sent_says_what_is_done(fraud: MemoryRepository, ledger: Ledger) -> None:
    recorder = Recorder()
    notes = await stopped(promote(fraud, replace(ledger, recorder=recorder)), recorder)
    one, two = fraud.tagged["v1.0.0"].short, fraud.tagged["v1.1.0"].short
    assert notes == [f"Done: rollback → {one}, champion → {two}."]
    assert stages_of(fraud) == PROMOTED
    assert states(newest(ledger)) == {"": "done", "rollback": "done", "champion": "done"}


async def test_no_request_is_under_way_after_a_second_stop(
    fraud: MemoryRepository, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tags, "STOPPING", 0.05)
    held = Held(fraud, "put_manifest", "champion")
    notes = await stopped(promote(fraud, ledger), held, presses=2)
    done = fraud.tagged["v1.0.0"].short
    assert notes == [f"Done: rollback → {done}; may have been done: champion."]
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert stages_of(fraud) == HALF
    assert states(newest(ledger)) == {"": "open", "rollback": "done", "champion": "started"}


async def test_a_refusal_that_comes_while_it_stops_is_said(fraud: MemoryRepository, ledger: Ledger) -> None:
    held = Held(fraud, "put_manifest", "champion", Denied("champion is immutable"))
    notes = await stopped(promote(fraud, ledger), held)
    assert notes == [
        f"Done: rollback → {fraud.tagged['v1.0.0'].short}; not done: champion.",
        "champion is immutable.",
    ]
    assert stages_of(fraud) == HALF
    assert states(newest(ledger)) == {"": "done", "rollback": "done", "champion": "planned"}


@pytest.mark.parametrize("fails", [True, False])
async def test_a_step_before_the_first_move_is_not_begun(fraud: MemoryRepository, ledger: Ledger, fails: bool) -> None:
    held = Held(fraud, "resolve", "champion", Denied("no") if fails else None)
    if fails:
        held.answer.set()
        with pytest.raises(Denied) as caught:
            await promote(fraud, ledger)
        said = caught.value.hint
    else:
        (said,) = await stopped(promote(fraud, ledger), held)
    assert said == f"Done: rollback → {fraud.tagged['v1.0.0'].short}; not done: champion."
    assert states(newest(ledger)) == {"": "open", "rollback": "done", "champion": "planned"}


async def test_a_stop_after_a_step_that_an_earlier_run_has_done_unheard(
    fraud: MemoryRepository, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tags, "STOPPING", 0.0)
    held = Held(fraud, "put_manifest", "rollback")
    notes = await stopped(promote(fraud, ledger), held, presses=2)
    assert notes == ["May have been done: rollback; not done: champion."]
    plan = replace(await plan_promote(fraud), read_at=time.monotonic() + 60)
    fraud.tagged["rollback"] = fraud.tagged["v1.0.0"]
    at_champion = Held(fraud, "resolve", "champion")
    notes = await stopped(apply_changes(plan, ledger, Policy()), at_champion)
    assert notes == [f"Done: rollback → {fraud.tagged['v1.0.0'].short}; not done: champion."]
    assert states(newest(ledger)) == {"": "open", "rollback": "done", "champion": "planned"}
    assert [event.tag for event in ledger.history.events()] == ["rollback"]


async def test_an_undo_that_is_stopped_when_all_is_back_is_done(fraud: MemoryRepository, ledger: Ledger) -> None:
    await promote(fraud, ledger)
    recorder = Recorder()
    recording = replace(ledger, recorder=recorder)
    await stopped(apply_undo(await plan_undo(fraud, ledger), recording, Policy()), recorder)
    assert stages_of(fraud) == BEFORE
    assert [(entry.action, entry.state) for entry in ledger.journal.entries()] == [
        ("undo", "done"),
        ("promote", "undone"),
    ]
    await apply_redo(await plan_redo(fraud, ledger), ledger, Policy())
    assert stages_of(fraud) == PROMOTED


@pytest.mark.parametrize(("method", "tag", "moved"), [("resolve", "rollback", False), ("resolve", "champion", True)])
async def test_a_redo_that_is_stopped_is_done_only_where_a_tag_moved(
    fraud: MemoryRepository, ledger: Ledger, method: str, tag: str, moved: bool
) -> None:
    await promote(fraud, ledger)
    await apply_undo(await plan_undo(fraud, ledger), ledger, Policy())
    redo = await plan_redo(fraud, ledger)
    redo = replace(redo, plan=replace(redo.plan, read_at=time.monotonic() + 60))
    await stopped(apply_redo(redo, ledger, Policy()), Held(fraud, method, tag))
    promotion = ledger.journal.entries()[-1]
    assert (promotion.action, promotion.state) == ("promote", "done" if moved else "undone")
    await apply_redo(await plan_redo(fraud, ledger), ledger, Policy())
    assert stages_of(fraud) == PROMOTED
    await apply_undo(await plan_undo(fraud, ledger), ledger, Policy())
    assert stages_of(fraud) == BEFORE


async def test_a_redo_that_is_refused_half_way_can_be_undone(fraud: MemoryRepository, ledger: Ledger) -> None:
    await promote(fraud, ledger)
    await apply_undo(await plan_undo(fraud, ledger), ledger, Policy())

    def refuse(_: MemoryRepository, verb: str, what: str) -> None:
        if (verb, what) == ("PUT", "champion"):
            raise Denied("no")

    fraud.source.hooks.append(refuse)
    with pytest.raises(Denied):
        await apply_redo(await plan_redo(fraud, ledger), ledger, Policy())
    assert stages_of(fraud) == HALF
    await apply_undo(await plan_undo(fraud, ledger), ledger, Policy())
    assert stages_of(fraud) == BEFORE


async def test_what_finishes_a_promotion_is_said_only_while_it_is_open(fraud: MemoryRepository, ledger: Ledger) -> None:
    """Somebody else has moved the champion where it was to go: nothing is left to finish."""
    del fraud.tagged["rollback"]
    fraud.source.powers["untag"] = Power("no", "tags stay here")

    def somebody(_: MemoryRepository, verb: str, what: str) -> None:
        if (verb, what) == ("PUT", "rollback"):
            fraud.tagged["champion"] = fraud.tagged["v1.1.0"]

    fraud.source.hooks.append(somebody)
    await promote(fraud, ledger)
    assert states(newest(ledger)) == {"": "done", "rollback": "done", "champion": "planned"}
    with pytest.raises(Unsupported) as caught:
        await plan_undo(fraud, ledger)
    assert caught.value.hint == "kittui rollback remote://registry.test/fraud restores the former champion."


async def test_what_finishes_a_promotion_names_its_tags(fraud: MemoryRepository, ledger: Ledger) -> None:
    del fraud.tagged["rollback"]
    fraud.source.powers["untag"] = Power("no", "tags stay here")
    plan = replace(await plan_promote(fraud, Tag("v1.1.0"), Tag("v1.0.0")), read_at=time.monotonic() + 60)
    await stopped(apply_changes(plan, ledger, Policy()), Held(fraud, "resolve", "v1.0.0"))
    with pytest.raises(Unsupported) as caught:
        await plan_undo(fraud, ledger)
    hint = caught.value.hint or ""
    assert hint.endswith("kittui promote remote://registry.test/fraud --from v1.1.0 --to v1.0.0 finishes it.")
    keys = KeyNames([command.binding for part in PARTS for command in part.commands])
    assert with_keys(hint, keys).endswith("; not done: v1.0.0. c finishes it.")


async def test_undo_asks_once_whether_a_tag_can_go(fraud: MemoryRepository, tmp_path: Path) -> None:
    ledger = Ledger.open(tmp_path / "state", "tester@here")
    manifest = await fraud.manifest(Tag("v1.0.0"))
    new = tuple(TagChange(Tag(f"new{number}"), None, manifest) for number in range(20))
    await apply_changes(ChangePlan(fraud, "tag", new), ledger, Policy())
    fraud.source.powers["untag"] = Power("unknown", "")
    asked = 0

    async def probe() -> Power:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0)
        fraud.source.powers["untag"] = YES
        return YES

    fraud.probe_untag = probe  # type: ignore[attr-defined]
    undo = await plan_undo(fraud, ledger)
    assert len(undo.plan.changes) == 20
    assert asked == 1
