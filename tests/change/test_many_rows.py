"""Plans and changes of many marked rows: how far they are, what is true where they break or are stopped."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from kittui.errors import Denied, Unreachable
from kittui.oci.digest import Digest
from kittui.oci.protocols import Power
from kittui.oci.tag import Tag
from kittui.tui.dialogs.confirm import ConfirmDialog
from kittui.tui.dialogs.plan import PlanDialog
from kittui.tui.dialogs.prompt import InputDialog
from kittui.tui.frame.changes import Batch
from tests.change.kits import Kits, on, ready, said
from tests.fakes.memory import MemoryRepository
from tests.tui.waiting import LARGE, browse, quiet, text_of, until

ROWS = 20
NO_UNTAG = Power("no", "this registry can't remove a tag alone", "Move it instead.")


@pytest.fixture
def kits(tmp_path: Path) -> Kits:
    """A repository of twenty tags besides the stages."""
    found = Kits(tmp_path)
    found.fraud.tagged.clear()
    found.fraud.manifests.clear()
    for number in range(ROWS):
        found.fraud.add_kit(f"n{number}", f"v{number:02}")
    return found


class Gate:
    """Put before a method of a repository: lets a few calls through, and counts how many wait or run at once."""

    def __init__(self, repository: MemoryRepository, name: str, counts: Callable[..., bool] = lambda *_: True) -> None:
        self._method, self._counts = getattr(repository, name), counts
        setattr(repository, name, self)
        self.open = asyncio.Semaphore(0)
        self.now = self.most = 0

    async def __call__(self, *arguments: Any) -> Any:
        if not self._counts(*arguments):
            return await self._method(*arguments)
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await self.open.acquire()
            return await self._method(*arguments)
        finally:
            self.now -= 1

    def let(self, number: int) -> None:
        for _ in range(number):
            self.open.release()


async def mark_all(pilot: Pilot[Any]) -> None:
    await ready(pilot, "v00")
    await pilot.press("asterisk")
    await until(pilot, lambda: len(browse(pilot).marks) == ROWS)


async def name_them(pilot: Pilot[Any], text: str = "{tag}-ok") -> None:
    """Ask for a retag of all marks."""
    await mark_all(pilot)
    await pilot.press("t")
    await until(pilot, on(pilot, InputDialog))
    pilot.app.screen.query_one(Input).value = text
    await pilot.press("enter")


async def agree_to_retag(pilot: Pilot[Any]) -> None:
    await name_them(pilot)
    await until(pilot, on(pilot, PlanDialog))
    await pilot.press("enter", "enter")


def marks_of(pilot: Pilot[Any]) -> list[str]:
    return sorted(mark.target for mark in browse(pilot).marks)


def moved(kits: Kits) -> set[str]:
    """The tags that got their second name."""
    return {tag.removesuffix("-ok") for tag in kits.fraud.tagged if tag.endswith("-ok")}


def history(kits: Kits) -> set[str]:
    """The tags whose move is in the history."""
    return {event.tag.removesuffix("-ok") for event in kits.ledger.history.since("", kits.fraud.reference())}


async def undo_until(pilot: Pilot[Any], kits: Kits, before: dict[str, Digest]) -> None:
    """Undo once: the tags are as they were."""
    await quiet(pilot)
    await pilot.press("z")
    await until(pilot, on(pilot, PlanDialog))
    await pilot.press("enter")
    await until(pilot, lambda: kits.fraud.tagged == before)


async def test_a_plan_of_many_rows_says_how_far_it_is_and_reads_as_many_at_once_as_configured(kits: Kits) -> None:
    before = dict(kits.fraud.tagged)
    async with kits.app().run_test(size=LARGE, notifications=True) as pilot:
        await mark_all(pilot)
        gate = Gate(kits.fraud, "manifest", lambda target: target in before)
        await name_them(pilot)
        await until(pilot, lambda: gate.now == kits.world.settings.concurrency)
        gate.let(12)
        await until(pilot, lambda: f"Retag: 12 of {ROWS} read; Esc stops" in text_of(pilot))
        assert gate.most == kits.world.settings.concurrency
        await pilot.press("escape")
        await until(pilot, lambda: "Stopped." in said(pilot))
        await until(pilot, lambda: not gate.now)
        assert len(marks_of(pilot)) == ROWS
        assert kits.fraud.tagged == before
        assert not history(kits)


async def test_a_batch_that_breaks_counts_what_moved_and_says_the_reason_once(kits: Kits) -> None:
    before = dict(kits.fraud.tagged)

    def break_after_five(repository: MemoryRepository, verb: str, _: str) -> None:
        if gone or (verb == "PUT" and len(moved(kits)) == 5):
            gone.append(verb)
            raise Unreachable("registry.test can't be reached", hint="Look at the network.")

    gone: list[str] = []
    async with kits.app().run_test(size=LARGE, notifications=True) as pilot:
        await mark_all(pilot)
        kits.registry.hooks.append(break_after_five)
        await agree_to_retag(pilot)
        await until(pilot, lambda: "failed" in said(pilot))
        done = moved(kits)
        assert len(done) == 5
        assert f"{ROWS - 5} of {ROWS} failed" in said(pilot)
        assert "5 tags set" in said(pilot)
        assert said(pilot).count("registry.test can't be reached") == 1
        assert f"and {ROWS - 5 - 8} more: registry.test can't be reached" in said(pilot)
        assert marks_of(pilot) == sorted({*before} - done)
        assert history(kits) == done
        kits.registry.hooks.clear()
        await undo_until(pilot, kits, before)


@pytest.mark.parametrize("at_once", [1, 4])
async def test_esc_in_the_middle_of_a_batch_leaves_marks_history_and_undo_true(kits: Kits, at_once: int) -> None:
    before = dict(kits.fraud.tagged)
    kits.registry.at_once = at_once
    async with kits.app().run_test(size=LARGE, notifications=True) as pilot:
        await mark_all(pilot)
        gate = Gate(kits.fraud, "put_manifest")
        await agree_to_retag(pilot)
        await until(pilot, lambda: gate.now == at_once)
        gate.let(6)
        await until(pilot, lambda: f"Retag: 6 of {ROWS} set; Esc stops" in text_of(pilot))
        await pilot.press("escape")
        await until(pilot, lambda: "6 tags set" in said(pilot))
        done = moved(kits)
        assert len(done) == 6
        assert marks_of(pilot) == sorted({*before} - done)
        assert history(kits) == done
        gate.let(100)
        await undo_until(pilot, kits, before)


def refuse(kits: Kits, tag: str) -> None:
    """Have the registry refuse to set a tag."""

    def refused(_: MemoryRepository, verb: str, what: str) -> None:
        if (verb, what) == ("PUT", tag):
            raise Denied(f"{tag} is immutable", reference=kits.fraud.reference(Tag(tag)))

    kits.registry.hooks.append(refused)


async def test_a_row_that_is_refused_does_not_split_the_rest_into_single_changes(kits: Kits) -> None:
    refuse(kits, "v07-ok")
    async with kits.app().run_test(size=LARGE, notifications=True) as pilot:
        await mark_all(pilot)
        await agree_to_retag(pilot)
        await until(pilot, lambda: "v07-ok is immutable" in said(pilot))
        assert len(moved(kits)) == ROWS - 1
        assert marks_of(pilot) == ["v07"]
        changes = [entry for entry in kits.ledger.journal.entries(kits.fraud.reference()) if entry.state == "done"]
        assert len(changes) == 2


async def test_a_retag_that_is_stopped_says_what_had_failed_by_then(kits: Kits) -> None:
    kits.registry.at_once = 1
    refuse(kits, "v17-ok")
    async with kits.app().run_test(size=LARGE, notifications=True) as pilot:
        await mark_all(pilot)
        gate = Gate(kits.fraud, "put_manifest")
        await agree_to_retag(pilot)
        await until(pilot, lambda: gate.now == 1)
        gate.let(6)
        await until(pilot, lambda: f"Retag: 5 of {ROWS} set; Esc stops" in text_of(pilot))
        await pilot.press("escape")
        # The request that is under way is waited for.
        gate.let(1)
        await until(pilot, lambda: "Stopped." in said(pilot))
        assert "v17-ok is immutable" in said(pilot)


async def test_a_delete_that_is_stopped_says_what_had_failed_by_then(kits: Kits) -> None:
    second = kits.fraud.tagged["v18"]

    def refuse(_: MemoryRepository, verb: str, what: str) -> None:
        if verb == "DELETE" and second in what:
            raise Denied("v18 is held")

    kits.registry.hooks.append(refuse)
    async with kits.app().run_test(size=LARGE, notifications=True) as pilot:
        await mark_all(pilot)
        gate = Gate(kits.fraud, "delete")
        await pilot.press("x")
        await until(pilot, on(pilot, PlanDialog))
        await pilot.press("enter", "down", "enter")
        await until(pilot, on(pilot, ConfirmDialog))
        await pilot.press("down", "enter")
        await until(pilot, lambda: gate.now == 1)
        gate.let(3)
        await until(pilot, lambda: f"Remove: 2 of {ROWS} removed; Esc stops" in text_of(pilot))
        await pilot.press("escape")
        gate.let(1)
        await until(pilot, lambda: "Stopped." in said(pilot))
        assert "v18 is held" in said(pilot)


@pytest.mark.parametrize("fails", [False, True])
async def test_a_large_group_costs_a_few_steps_for_each_row(kits: Kits, fails: bool) -> None:
    numbers = {object(): number for number in range(1000)}

    async def work(group: Sequence[object], tell: Callable[[str], None]) -> None:
        if fails:
            raise Denied("it is immutable")

    context: Any = SimpleNamespace(progress=lambda _: None)
    batch: Batch[object] = Batch(context, "set", len(numbers), lambda row: (kits.fraud, Tag(f"v{numbers[row]}")))
    steps = 0

    def step(*_: object) -> None:
        nonlocal steps
        steps += 1

    sys.setprofile(step)
    try:
        await batch.run([list(numbers)], work)
    finally:
        sys.setprofile(None)
    assert (len(batch.failed), len(batch.done)) == ((len(numbers), 0) if fails else (0, 1))
    assert steps < 100 * len(numbers)


async def test_what_undo_cannot_take_back_is_said_once_for_all_rows(kits: Kits) -> None:
    kits.registry.powers["untag"] = NO_UNTAG
    async with kits.app().run_test(size=LARGE) as pilot:
        await name_them(pilot)
        await until(pilot, on(pilot, PlanDialog))
        words = " ".join(text_of(pilot).split())
        assert words.count("Undo will not be possible") == 1
        assert f"and {ROWS - 8} more are new" in words.replace(" │", "").replace("│ ", "")


@pytest.mark.parametrize("rows", [1, ROWS])
async def test_a_removal_reads_the_tags_once_for_its_plan(kits: Kits, rows: int) -> None:
    kits.registry.powers["untag"] = NO_UNTAG
    async with kits.app().run_test(size=LARGE) as pilot:
        await ready(pilot, "v00")
        if rows > 1:
            await mark_all(pilot)
        kits.registry.requests.clear()
        await pilot.press("x")
        await until(pilot, on(pilot, PlanDialog))
        assert kits.registry.requests.count(("GET", "fraud/tags")) == 1
        heads = [what for verb, what in kits.registry.requests if verb == "HEAD"]
        assert len(heads) == len(set(heads)) <= ROWS
        assert "Untag with a placeholder" in text_of(pilot)


@pytest.mark.parametrize("at_once", [1, 4])
async def test_a_removal_that_is_stopped_forgets_the_marks_of_what_is_gone(kits: Kits, at_once: int) -> None:
    before = dict(kits.fraud.tagged)
    kits.registry.at_once = at_once
    async with kits.app().run_test(size=LARGE, notifications=True) as pilot:
        await mark_all(pilot)
        gate = Gate(kits.fraud, "untag")
        await pilot.press("x")
        await until(pilot, on(pilot, PlanDialog))
        await pilot.press("enter", "up", "enter")
        await until(pilot, lambda: gate.now == at_once)
        gate.let(4)
        await until(pilot, lambda: f"Remove: 4 of {ROWS} removed; Esc stops" in text_of(pilot))
        await pilot.press("escape")
        await until(pilot, lambda: "4 tags removed" in said(pilot))
        assert marks_of(pilot) == sorted(kits.fraud.tagged)
        assert len(kits.fraud.tagged) == ROWS - 4
        gate.let(100)
        await undo_until(pilot, kits, before)


async def test_a_delete_that_breaks_keeps_the_marks_of_what_is_left(kits: Kits) -> None:
    def break_after_three(repository: MemoryRepository, verb: str, _: str) -> None:
        if len(kits.fraud.manifests) == ROWS - 3:
            raise Unreachable("registry.test can't be reached")

    async with kits.app().run_test(size=LARGE, notifications=True) as pilot:
        await mark_all(pilot)
        kits.registry.hooks.append(break_after_three)
        await pilot.press("x")
        await until(pilot, on(pilot, PlanDialog))
        await pilot.press("enter", "down", "enter")
        await until(pilot, on(pilot, ConfirmDialog))
        await pilot.press("up", "enter")
        await until(pilot, lambda: "failed" in said(pilot))
        assert f"{ROWS - 3} of {ROWS} failed" in said(pilot)
        assert said(pilot).count("can't be reached") == 1
        assert marks_of(pilot) == sorted(kits.fraud.tagged)
        assert len(marks_of(pilot)) == ROWS - 3
