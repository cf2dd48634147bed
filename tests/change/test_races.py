"""Tags that others move at the same time, and an undo that is cut short."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from kittui.crashpoints import crashing
from kittui.errors import TagMoved
from kittui.oci.digest import Digest
from kittui.oci.tag import Tag
from kittui.usecases.change import readings
from kittui.usecases.change.ledger import Ledger
from kittui.usecases.change.plan import Answers
from kittui.usecases.change.policy import Policy
from kittui.usecases.change.promote import plan_promote
from kittui.usecases.change.retag import apply_retag, plan_retag
from kittui.usecases.change.tags import apply_changes
from kittui.usecases.change.undo import apply_undo, plan_undo
from tests.change.lifecycle import last_change, repository_of_three, stages_of
from tests.fakes.memory import MemoryRepository


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readings, "LAG", (0.0,) * 4)


@pytest.fixture
def fraud() -> MemoryRepository:
    return repository_of_three()


async def test_somebody_who_moved_a_tag_right_after_us_is_noticed_and_our_move_is_recorded(
    fraud: MemoryRepository, ledger: Ledger
) -> None:
    other = fraud.add_kit("other", "v2.0.0")

    def theirs(repository: MemoryRepository, _verb: str, what: str) -> None:
        if what == "champion":
            repository.tagged["champion"] = other.digest

    fraud.source.after_put.append(theirs)
    with pytest.raises(TagMoved, match="champion"):
        await apply_changes(await plan_promote(fraud), ledger, Policy())
    assert [event.tag for event in ledger.history.events()] == ["champion", "rollback"]
    assert [entry.state for entry in ledger.journal.entries()] == ["done"]


@pytest.mark.parametrize("moved", ["champion", "challenger", "rollback"])
async def test_a_tag_that_moved_while_a_person_read_the_plan_is_noticed_at_once(
    fraud: MemoryRepository, ledger: Ledger, moved: str
) -> None:
    plan = await plan_promote(fraud)
    fraud.add_kit("other", moved)
    with pytest.raises(TagMoved, match=moved):
        await apply_changes(plan, ledger, Policy(), Answers(asked=True))
    assert not [verb for verb, _ in fraud.source.requests if verb == "PUT"]


async def test_a_look_and_the_put_after_it_have_nothing_between_them(fraud: MemoryRepository, ledger: Ledger) -> None:
    """A write to the disk there would be time for somebody else to move the tag."""
    plan = await plan_promote(fraud)
    fraud.source.requests.clear()
    done: list[str] = []
    fraud.source.hooks.append(lambda _repository, verb, what: done.append(f"{verb} {what.rpartition('/')[2]}"))
    with crashing("journal.before-fsync", lambda: done.append("disk")), crashing(
        "history.before-fsync", lambda: done.append("disk")
    ):  # fmt: skip
        await apply_changes(plan, ledger, Policy())
    for tag in ("rollback", "champion"):
        at = done.index(f"PUT {tag}")
        assert done[at - 1] == f"HEAD {tag}"
        assert done[at - 2] == "disk"


async def test_many_who_promote_at_once_do_it_once(fraud: MemoryRepository, ledger: Ledger) -> None:
    plans = [await plan_promote(fraud) for _ in range(8)]
    done = [await apply_changes(plan, ledger, Policy()) for plan in plans]
    assert [len(each.changes) for each in done] == [2, *[0] * 7]
    assert [event.tag for event in ledger.history.events()] == ["champion", "rollback"]
    assert sorted(entry.state for entry in ledger.journal.entries()) == ["abandoned"] * 7 + ["done"]
    await apply_undo(await plan_undo(fraud, ledger), ledger, Policy())
    assert stages_of(fraud)["champion"] == "v1.0.0"
    assert last_change(ledger) is None


OUTSIDE_THE_GAP = [
    *("journal.before-fsync", "journal.after-fsync", "history.before-fsync"),
    "tags.after-put",
]


@pytest.mark.parametrize("point", OUTSIDE_THE_GAP)
async def test_two_operators_end_in_a_state_that_some_order_gives_or_one_of_them_is_told(
    tmp_path: Path, point: str
) -> None:
    """The other one, on another machine, promotes another challenger at any moment but between a look and its PUT."""
    for nth in itertools.count(1):
        fraud = repository_of_three()
        fraud.add_kit("three", "v2.0.0")
        left, noticed = [nth], False

        def theirs(left: list[int] = left, tagged: dict[str, Digest] = fraud.tagged) -> None:
            left[0] -= 1
            if not left[0]:
                tagged["rollback"], tagged["champion"] = tagged["champion"], tagged["v2.0.0"]

        with crashing(point, theirs):
            try:
                await apply_changes(await plan_promote(fraud), Ledger.open(tmp_path / str(nth)), Policy())
            except TagMoved:
                noticed = True
        ended = {tag: at for tag, at in stages_of(fraud).items() if tag != "challenger"}
        if left[0] > 0:
            break
        one_then_other = ({"champion": "v2.0.0", "rollback": "v1.1.0"}, {"champion": "v1.1.0", "rollback": "v2.0.0"})
        assert noticed or ended in one_then_other
    assert nth > 1


class Killed(BaseException):
    """The death of the process."""


POINTS = ["journal.before-fsync", "journal.before-rename", "journal.after-rename", "journal.after-fsync",
          "tags.before-put", "tags.after-put", "history.before-fsync"]  # fmt: skip


@pytest.mark.parametrize("point", POINTS)
async def test_an_undo_that_was_killed_takes_one_change_back_however_often_it_is_run(
    fraud: MemoryRepository, tmp_path: Path, point: str
) -> None:
    for nth in itertools.count(1):
        ledger = Ledger.open(tmp_path / str(nth), "tester@here")
        fraud = repository_of_three()
        await apply_retag(await plan_retag(fraud, Tag("v0.9.0"), [(fraud, Tag("kept"))]), ledger, Policy())
        await apply_changes(await plan_promote(fraud), ledger, Policy())
        left = [nth]

        def once(left: list[int] = left) -> None:
            left[0] -= 1
            if not left[0]:
                raise Killed

        killed = True
        with crashing(point, once):
            try:
                await apply_undo(await plan_undo(fraud, ledger), ledger, Policy())
                killed = False
            except Killed:
                pass
        if not killed:
            break
        await apply_undo(await plan_undo(fraud, ledger), ledger, Policy())
        expected = {"rollback": "v0.9.0", "champion": "v1.0.0", "challenger": "v1.1.0", "kept": "v0.9.0"}
        assert stages_of(fraud) == expected, (point, nth)
        assert [event.action for event in ledger.history.events()] == ["undo", "undo", "promote", "promote", "tag"]
    assert nth > 1
    await apply_undo(await plan_undo(fraud, ledger), ledger, Policy())
    assert "kept" not in stages_of(fraud)


async def test_a_newer_change_is_taken_back_before_one_whose_undo_was_cut_short(
    fraud: MemoryRepository, ledger: Ledger
) -> None:
    await apply_changes(await plan_promote(fraud), ledger, Policy())
    undo = await plan_undo(fraud, ledger)
    ledger.journal.begin_undo(undo.entry)
    await apply_retag(await plan_retag(fraud, Tag("v0.9.0"), [(fraud, Tag("kept"))]), ledger, Policy())
    assert (await plan_undo(fraud, ledger)).entry.action == "tag"
