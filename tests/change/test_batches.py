"""Changes of many rows: what they ask, what they notice meanwhile, and what they say where they are stopped."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from kittui.errors import TagMoved, Unreachable
from kittui.oci.protocols import Power
from kittui.oci.tag import Tag
from kittui.tasks import spread_all
from kittui.usecases.change import siblings
from kittui.usecases.change.ledger import Ledger
from kittui.usecases.change.policy import Policy
from kittui.usecases.change.removals import Removals, plan_removals
from kittui.usecases.change.remove import apply_remove, untag_all
from kittui.usecases.change.siblings import TagsOfBatch
from kittui.usecases.change.undo import apply_undo, plan_undo
from tests.change.test_stopped import Slow, noted
from tests.fakes.memory import MemoryRepository, MemorySource

ROWS = 20
NO_UNTAG = Power("no", "it deletes by digest alone")


@pytest.fixture
def fraud() -> MemoryRepository:
    """A ModelKit for each tag, two tags of people, and a registry that untags nothing."""
    repository: MemoryRepository = MemorySource().repository("fraud")
    for number in range(ROWS):
        repository.add_kit(f"kit {number}", f"v{number:02}")
    repository.add_kit("other", "champion", "latest")
    repository.source.powers["untag"] = NO_UNTAG
    return repository


async def plans_of(repository: MemoryRepository, mode: str) -> Removals:
    rows = [(repository, Tag(f"v{number:02}")) for number in range(ROWS)]
    return await plan_removals(rows, mode)  # type: ignore[arg-type]


async def test_deleting_many_reads_the_tags_once(fraud: MemoryRepository, ledger: Ledger) -> None:
    plan = await plans_of(fraud, "delete")
    fraud.source.requests.clear()
    tags = TagsOfBatch(fraud, ["champion"])
    for each in plan.plans:
        await apply_remove(each, ledger, Policy(), tags=tags)
    asked = Counter(verb for verb, _ in fraud.source.requests)
    assert asked == {"GET": ROWS, "DELETE": ROWS, "HEAD": ROWS + 2 + 2 * (ROWS - 1)}
    assert {*fraud.tagged} == {"champion", "latest"}


@pytest.mark.parametrize("joins", ["new", "champion", "latest"])
async def test_a_tag_that_joins_in_the_middle_of_a_batch_saves_its_digest(
    fraud: MemoryRepository, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, joins: str
) -> None:
    """A new one and a stage are seen at once, any other once all tags are read again."""
    if joins == "latest":
        monkeypatch.setattr(siblings, "AGE", -1.0)
    first, second = (await plans_of(fraud, "delete")).plans[:2]
    tags = TagsOfBatch(fraud, ["champion"])
    await apply_remove(first, ledger, Policy(), tags=tags)
    fraud.tagged[joins] = second.manifest.digest
    with pytest.raises(TagMoved, match=joins):
        await apply_remove(second, ledger, Policy(), tags=tags)
    assert second.manifest.digest in fraud.manifests


async def test_many_placeholders_are_one_change_and_one_undo(fraud: MemoryRepository, ledger: Ledger) -> None:
    before = dict(fraud.tagged)
    plan = await plans_of(fraud, "placeholder")
    heard: list[str] = []
    await untag_all(plan.plans, ledger, Policy(), on_moved=heard.append)
    assert {*fraud.tagged} == {"champion", "latest"}
    assert {*fraud.manifests} == {*before.values()}, "every ModelKit stays, and no placeholder"
    assert heard == [fraud.reference(each.tag) for each in plan.plans]
    assert [entry.state for entry in ledger.journal.entries(fraud.reference())] == ["done"]
    await apply_undo(await plan_undo(fraud, ledger), ledger, Policy())
    assert fraud.tagged == before


async def test_placeholders_that_are_stopped_say_what_is_done_and_are_finished_later(
    fraud: MemoryRepository, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = dict(fraud.tagged)
    slow = Slow(monkeypatch, "resolve", "v02", skip=1)  # all tags are looked at before the first goes
    task = asyncio.create_task(untag_all((await plans_of(fraud, "placeholder")).plans, ledger, Policy()))
    await asyncio.wait([task, asyncio.ensure_future(slow.asked.wait())], return_when=asyncio.FIRST_COMPLETED)
    task.cancel()
    with pytest.raises(asyncio.CancelledError) as stopped:
        await task
    rest = ", ".join(f"v{number:02}" for number in range(2, 10))
    assert noted(stopped.value) == f"Done: v00 removed, v01 removed; not done: {rest} and {ROWS - 10} more."
    slow.answer.set()
    await apply_undo(await plan_undo(fraud, ledger), ledger, Policy())
    assert fraud.tagged == before


async def test_undo_takes_away_a_placeholder_that_was_left(fraud: MemoryRepository, ledger: Ledger) -> None:
    """The registry is gone between the placeholder and its removal."""
    before = dict(fraud.tagged)

    def gone(_: MemoryRepository, verb: str, what: str) -> None:
        if fraud.tagged["v00"] != before["v00"]:
            raise Unreachable("registry.test refused the connection")

    plan = await plans_of(fraud, "placeholder")
    fraud.source.hooks.append(gone)
    with pytest.raises(Unreachable):
        await untag_all(plan.plans, ledger, Policy())
    fraud.source.hooks.clear()
    assert fraud.tagged["v00"] != before["v00"]
    await apply_undo(await plan_undo(fraud, ledger), ledger, Policy())
    assert fraud.tagged == before


async def test_a_placeholder_that_was_left_is_removed_by_the_same_again(
    fraud: MemoryRepository, ledger: Ledger
) -> None:
    before = dict(fraud.tagged)

    def gone(_: MemoryRepository, verb: str, what: str) -> None:
        if fraud.tagged["v03"] != before["v03"]:
            raise Unreachable("registry.test refused the connection")

    fraud.source.hooks.append(gone)
    with pytest.raises(Unreachable):
        await untag_all((await plans_of(fraud, "placeholder")).plans, ledger, Policy())
    fraud.source.hooks.clear()
    rows = [(fraud, Tag(f"v{number:02}")) for number in range(3, ROWS)]
    await untag_all((await plan_removals(rows, "placeholder")).plans, ledger, Policy())
    assert {*fraud.tagged} == {"champion", "latest"}
    assert {*fraud.manifests} == {*before.values()}
    await apply_undo(await plan_undo(fraud, ledger), ledger, Policy())
    assert fraud.tagged == before


@pytest.mark.parametrize("answered", [True, False])
async def test_a_delete_that_is_stopped_says_whether_it_was_done(
    fraud: MemoryRepository, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, answered: bool
) -> None:
    from kittui.usecases.change import remove

    if not answered:
        monkeypatch.setattr(remove, "STOPPING", 0.01)
    plan = (await plans_of(fraud, "delete")).plans[0]
    slow = Slow(monkeypatch, "delete", plan.manifest.digest)
    heard: list[str] = []
    task = asyncio.create_task(apply_remove(plan, ledger, Policy(), on_moved=heard.append))
    await slow.asked.wait()
    task.cancel()
    if answered:
        asyncio.get_running_loop().call_soon(slow.answer.set)
    with pytest.raises(asyncio.CancelledError) as stopped:
        await task
    short = plan.manifest.digest.short
    assert noted(stopped.value) == (
        f"Done: {short} deleted." if answered else f"It is unknown whether {short} was deleted."
    )
    assert heard == ([fraud.reference(Tag("v00"))] if answered else [])
    assert (plan.manifest.digest in fraud.manifests) != answered


async def test_a_place_that_is_gone_is_not_asked_for_the_rest_of_its_rows() -> None:
    asked: list[int] = []

    async def ask(row: int) -> int:
        asked.append(row)
        if row % 2:
            raise Unreachable("registry.test refused the connection")
        return row

    rows = list(range(100))
    done, failed = await spread_all(rows, ask, at=lambda row: row % 2, at_once=1)
    assert done == list(range(0, 100, 2))
    assert [row for row, _ in failed] == list(range(1, 100, 2))
    assert asked == [0, 1, *range(2, 100, 2)]
