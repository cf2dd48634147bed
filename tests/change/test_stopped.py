"""A change that is stopped or fails half way says what is done, and undo and history are true of it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from kittui.errors import ConnectionLost, NotFound, Unsupported
from kittui.oci.protocols import Power
from kittui.oci.tag import Tag
from kittui.tui.dialogs.plan import PlanDialog
from kittui.usecases.change import tags
from kittui.usecases.change.ledger import Ledger
from kittui.usecases.change.plan import ChangePlan, TagChange
from kittui.usecases.change.policy import Policy
from kittui.usecases.change.promote import plan_promote
from kittui.usecases.change.tags import apply_changes
from kittui.usecases.change.undo import apply_undo, plan_undo
from tests.change.kits import Kits, on, ready, said
from tests.change.lifecycle import repository_of_three, stages_of
from tests.fakes.memory import MemoryRepository
from tests.tui.waiting import quiet, text_of, until


class Slow:
    """Holds one request of a repository back until it is let go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, method: str, tag: str, *, skip: int = 0) -> None:
        self.left = skip
        self.asked, self.answer = asyncio.Event(), asyncio.Event()
        real: Any = getattr(MemoryRepository, method)

        async def slow(repository: MemoryRepository, *words: Any) -> Any:
            if tag in words and self.left:
                self.left -= 1
            elif tag in words:
                self.asked.set()
                await self.answer.wait()
            return await real(repository, *words)

        monkeypatch.setattr(MemoryRepository, method, slow)


def noted(stopped: BaseException) -> str:
    return " ".join(getattr(stopped, "__notes__", ()))


async def stop(slow: Slow, repository: MemoryRepository, ledger: Ledger) -> str:
    """Promote, stop that while a request waits, and return what was noted."""
    plan = await plan_promote(repository)
    slow.asked.clear()
    task = asyncio.create_task(apply_changes(plan, ledger, Policy()))
    await slow.asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError) as stopped:
        await task
    return noted(stopped.value)


async def test_a_put_that_is_under_way_is_waited_for(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = repository_of_three()
    slow = Slow(monkeypatch, "put_manifest", "champion")
    asyncio.get_running_loop().call_later(0.05, slow.answer.set)
    said = await stop(slow, repository, ledger)
    one, two = repository.tagged["v1.0.0"].short, repository.tagged["v1.1.0"].short
    assert said == f"Done: rollback → {one}, champion → {two}."
    assert [event.tag for event in ledger.history.events()] == ["champion", "rollback"]
    undo = await plan_undo(repository, ledger)
    await apply_undo(undo, ledger, Policy())
    assert stages_of(repository) == {"rollback": "v0.9.0", "champion": "v1.0.0", "challenger": "v1.1.0"}


async def test_a_put_without_an_answer_is_not_said_to_be_done(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tags, "STOPPING", 0.01)
    repository = repository_of_three()
    said = await stop(Slow(monkeypatch, "put_manifest", "champion"), repository, ledger)
    assert said.endswith("may have been done: champion.")
    undo = await plan_undo(repository, ledger)
    assert [change.tag for change in undo.plan.changes] == ["rollback"]


async def test_what_was_not_begun_is_not_done_and_the_same_again_finishes_it(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = repository_of_three()
    slow = Slow(monkeypatch, "resolve", "champion")
    said = await stop(slow, repository, ledger)
    assert said == f"Done: rollback → {repository.tagged['v1.0.0'].short}; not done: champion."
    slow.answer.set()
    await apply_changes(await plan_promote(repository), ledger, Policy())
    assert stages_of(repository) == {"rollback": "v1.0.0", "champion": "v1.1.0", "challenger": "v1.1.0"}
    assert [event.tag for event in ledger.history.events()] == ["champion", "rollback"]


async def test_undo_that_cannot_take_half_a_promotion_back_says_what_is_done(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = repository_of_three()
    del repository.tagged["rollback"]
    repository.source.powers["untag"] = Power("no", "tags stay here")
    slow = Slow(monkeypatch, "resolve", "champion")
    await stop(slow, repository, ledger)
    slow.answer.set()
    with pytest.raises(Unsupported) as caught:
        await plan_undo(repository, ledger)
    assert "can't be undone" in caught.value.message
    done = repository.tagged["v1.0.0"].short
    finish = "kittui promote remote://registry.test/fraud --from challenger --to champion finishes it."
    assert caught.value.hint == f"Done: rollback → {done}; not done: champion. {finish}"


async def removed(repository: MemoryRepository, ledger: Ledger, tag: str) -> None:
    manifest = await repository.manifest(Tag(tag))
    plan = ChangePlan(repository, "remove", (TagChange(Tag(tag), manifest, None),))
    await apply_changes(plan, ledger, Policy())


async def test_undo_passes_over_what_never_took_effect(ledger: Ledger) -> None:
    """The registry is gone before a request of a removal: the removals before it are what there is to take back."""
    repository = repository_of_three()
    await removed(repository, ledger, "v0.9.0")
    await removed(repository, ledger, "v1.0.0")

    def lost(_: MemoryRepository, verb: str, what: str) -> None:
        if verb == "DELETE":
            raise ConnectionLost("the connection broke")

    repository.source.hooks.append(lost)
    with pytest.raises(ConnectionLost):
        await removed(repository, ledger, "v1.1.0")
    repository.source.hooks.clear()
    for tag in ("v1.0.0", "v0.9.0"):
        undo = await plan_undo(repository, ledger)
        assert [step.tag for step in undo.entry.steps] == [tag]
        await apply_undo(undo, ledger, Policy())
        assert tag in repository.tagged
    with pytest.raises(NotFound):
        await plan_undo(repository, ledger)


async def test_escape_in_a_promotion_says_what_is_done_and_which_keys_help(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kits = Kits(tmp_path)
    async with kits.app().run_test(size=(120, 36), notifications=True) as pilot:
        await ready(pilot)
        await pilot.press("c")
        await until(pilot, on(pilot, PlanDialog))
        # Before anything is moved, every tag is looked at once more.
        slow = Slow(monkeypatch, "resolve", "champion", skip=1)
        await pilot.press("enter", "enter")
        await until(pilot, slow.asked.is_set)
        await pilot.press("escape")
        await until(pilot, lambda: "Stopped." in said(pilot))
        slow.answer.set()
        assert f"Done: rollback → {kits.fraud.tagged['v1.0.0'].short}; not done: champion." in said(pilot)
        assert "c again finishes it. z undoes what was done." in said(pilot)
        await quiet(pilot)
        await pilot.press("z")
        await until(pilot, on(pilot, PlanDialog))
        assert "Undo promote" in text_of(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: kits.tags()["rollback"] == "v0.9.0")


async def test_a_hint_names_the_key_in_the_interface(tmp_path: Path) -> None:
    kits = Kits(tmp_path)
    del kits.fraud.tagged["rollback"]
    kits.registry.powers["untag"] = Power("no", "tags stay here")
    async with kits.app().run_test(size=(120, 36), notifications=True) as pilot:
        await ready(pilot)
        await pilot.press("c")
        await until(pilot, on(pilot, PlanDialog))
        assert "instead: R" in text_of(pilot)
        await pilot.press("enter", "enter")
        await until(pilot, lambda: kits.tags()["champion"] == "v1.1.0")
        await quiet(pilot)
        await pilot.press("z")
        await until(pilot, lambda: "can't be undone" in said(pilot))
        assert "R restores the former champion." in said(pilot)
        assert "kittui rollback" not in said(pilot)
