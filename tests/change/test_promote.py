"""Promote and roll back on the dict-backed source."""

from __future__ import annotations

import contextlib
from collections import Counter
from functools import partial

import pytest

from kittui.crashpoints import crashing
from kittui.errors import (
    ConnectionLost,
    NotFound,
    ReadOnly,
    Refused,
    TagMoved,
    TagProtected,
    Unreachable,
    Unsupported,
    UsageError,
)
from kittui.modelkit.stages import LifecycleTags, Stage, lifecycle_of
from kittui.oci.protocols import YES, Power
from kittui.oci.tag import Tag
from kittui.oci.target import parse_target
from kittui.oci.traffic import metered
from kittui.usecases.change import tags as tag_changes
from kittui.usecases.change.ledger import Ledger
from kittui.usecases.change.plan import Answers
from kittui.usecases.change.policy import Policy
from kittui.usecases.change.promote import plan_promote, plan_rollback
from kittui.usecases.change.redo import apply_redo, plan_redo
from kittui.usecases.change.removal import plan_remove
from kittui.usecases.change.remove import apply_remove
from kittui.usecases.change.retag import apply_retag, plan_retag
from kittui.usecases.change.tags import apply_changes
from kittui.usecases.change.undo import apply_undo, can_undo, plan_undo
from tests.change.lifecycle import last_change, repository_of_three, stages_of
from tests.fakes.memory import MemoryRepository
from tests.fakes.rules import Never


class Killed(BaseException):
    """Stands for the death of the process."""


def die() -> None:
    raise Killed


@pytest.fixture
def fraud() -> MemoryRepository:
    return repository_of_three()


async def test_promote_moves_champion_to_rollback_first(fraud: MemoryRepository, ledger: Ledger) -> None:
    plan = await plan_promote(fraud)
    assert [change.tag for change in plan.changes] == ["rollback", "champion"]
    with metered() as traffic:
        done = await apply_changes(plan, ledger, Policy(), Answers("better recall"))
    assert stages_of(fraud) == {"rollback": "v1.0.0", "champion": "v1.1.0", "challenger": "v1.1.0"}
    puts = [what for verb, what in fraud.source.requests if verb == "PUT"]
    assert puts == ["fraud/rollback", "fraud/champion"]
    assert traffic.requests == 6
    assert [change["tag"] for change in done.to_json()["changes"]] == ["rollback", "champion"]
    events = ledger.history.events(fraud.reference())
    assert [(event.tag, event.action, event.reason) for event in events] == [
        ("champion", "promote", "better recall"),
        ("rollback", "promote", "better recall"),
    ]


async def test_the_whole_promotion_takes_at_most_12_requests(fraud: MemoryRepository, ledger: Ledger) -> None:
    await apply_changes(await plan_promote(fraud), ledger, Policy())
    assert len(fraud.source.requests) <= 12


async def test_again_changes_nothing(fraud: MemoryRepository, ledger: Ledger) -> None:
    await apply_changes(await plan_promote(fraud), ledger, Policy())
    fraud.source.requests.clear()
    done = await apply_changes(await plan_promote(fraud), ledger, Policy())
    assert done.to_json()["changes"] == []
    assert not [verb for verb, _ in fraud.source.requests if verb == "PUT"]


async def test_without_champion_rollback_is_left_alone(fraud: MemoryRepository, ledger: Ledger) -> None:
    del fraud.tagged["champion"]
    await apply_changes(await plan_promote(fraud), ledger, Policy())
    assert stages_of(fraud) == {"rollback": "v0.9.0", "champion": "v1.1.0", "challenger": "v1.1.0"}


async def test_earlier_stages_do_not_touch_rollback(fraud: MemoryRepository, ledger: Ledger) -> None:
    fraud.tagged["tuned"] = fraud.tagged["v0.9.0"]
    await apply_changes(await plan_promote(fraud, Tag("tuned"), Tag("challenger")), ledger, Policy())
    assert stages_of(fraud)["challenger"] == "v0.9.0"
    assert stages_of(fraud)["rollback"] == "v0.9.0"
    assert stages_of(fraud)["champion"] == "v1.0.0"


async def test_stages_may_have_other_names(fraud: MemoryRepository, ledger: Ledger) -> None:
    stages = LifecycleTags(Tag("candidate"), Tag("live"), Tag("previous"), Tag("old"))
    one, two, nine = (fraud.tagged[tag] for tag in ("v1.0.0", "v1.1.0", "v0.9.0"))
    fraud.tagged = {"live": one, "candidate": two, "previous": nine}
    plan = await plan_promote(fraud, stages=stages, retire=True)
    await apply_changes(plan, ledger, Policy())
    assert fraud.tagged == {"live": two, "candidate": two, "previous": one, "old": nine}
    await apply_changes(await plan_rollback(fraud, stages=stages), ledger, Policy())
    assert fraud.tagged["live"] == one
    await apply_changes(await plan_promote(fraud, Tag("live"), Tag("candidate"), stages=stages), ledger, Policy())
    assert fraud.tagged["previous"] == one


async def test_two_stages_of_one_name_are_refused(fraud: MemoryRepository) -> None:
    with pytest.raises(UsageError):
        await plan_rollback(fraud, stages=LifecycleTags(champion=Tag("rollback")))
    with pytest.raises(UsageError):
        await plan_promote(fraud, stages=LifecycleTags(challenger=Tag("champion")))
    with pytest.raises(UsageError):
        await plan_promote(fraud, stages=LifecycleTags(retired=Tag("champion")), retire=True)


async def test_rollback_goes_back_and_again_is_nothing(fraud: MemoryRepository, ledger: Ledger) -> None:
    await apply_changes(await plan_promote(fraud), ledger, Policy())
    await apply_changes(await plan_rollback(fraud), ledger, Policy())
    assert stages_of(fraud) == {"rollback": "v1.0.0", "champion": "v1.0.0", "challenger": "v1.1.0"}
    assert (await plan_rollback(fraud)).changes == ()


async def test_no_challenger_is_not_found(fraud: MemoryRepository) -> None:
    del fraud.tagged["challenger"]
    with pytest.raises(NotFound, match="challenger"):
        await plan_promote(fraud)
    with pytest.raises(UsageError):
        await plan_promote(fraud, Tag("rollback"))


async def test_a_digest_that_loses_its_last_tag_is_said_and_can_be_retired(
    fraud: MemoryRepository, ledger: Ledger
) -> None:
    lost = fraud.tagged.pop("v0.9.0")
    plan = await plan_promote(fraud, lookups=9)
    assert plan.orphans == (lost,)
    plan = await plan_promote(fraud, retire=True, lookups=9)
    assert plan.orphans == ()
    await apply_changes(plan, ledger, Policy())
    assert fraud.tagged["retired"] == lost


async def test_a_kept_tag_is_no_orphan(fraud: MemoryRepository) -> None:
    plan = await plan_promote(fraud)
    assert plan.orphans == ()
    assert plan.notes == ()


@pytest.mark.parametrize("moved", ["champion", "challenger", "rollback"])
async def test_check_38_a_tag_that_moved_after_the_preview_is_refused_without_a_put(
    fraud: MemoryRepository, ledger: Ledger, moved: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = await plan_promote(fraud)
    fraud.add_kit("other", moved)
    monkeypatch.setattr(tag_changes, "FRESH", -1.0)
    with pytest.raises(TagMoved, match=moved):
        await apply_changes(plan, ledger, Policy())
    assert not [verb for verb, _ in fraud.source.requests if verb == "PUT"]


async def test_a_champion_that_moves_while_rollback_is_put_is_not_overwritten(
    fraud: MemoryRepository, ledger: Ledger
) -> None:
    plan = await plan_promote(fraud)
    other = fraud.add_kit("other", "v2.0.0")

    def race(repository: MemoryRepository, _verb: str, what: str) -> None:
        if what == "rollback":
            repository.tagged["champion"] = other.digest

    fraud.source.after_put.append(race)
    with pytest.raises(TagMoved, match="champion"):
        await apply_changes(plan, ledger, Policy())
    assert fraud.tagged["champion"] == other.digest


KILLED_AT = {"journal.before-fsync": 9, "journal.before-rename": 9, "tags.before-put": 2, "tags.after-put": 2}
"""The points on the way of a promotion, and how often it passes each."""


async def test_a_promotion_passes_the_points_at_which_it_is_killed(fraud: MemoryRepository, ledger: Ledger) -> None:
    passed: Counter[str] = Counter()
    with contextlib.ExitStack() as stack:
        for point in KILLED_AT:
            stack.enter_context(crashing(point, partial(passed.update, [point])))
        await apply_changes(await plan_promote(fraud), ledger, Policy())
    assert passed == KILLED_AT


@pytest.mark.parametrize(
    ("point", "nth"), [(point, n) for point, times in KILLED_AT.items() for n in range(1, times + 1)]
)
async def test_check_37_killed_at_each_step_a_rerun_ends_in_the_same_state(
    fraud: MemoryRepository, ledger: Ledger, point: str, nth: int
) -> None:
    left = nth
    champions = []

    def once() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            die()

    fraud.source.hooks.append(lambda repository, _verb, _what: champions.append(repository.tagged.get("champion")))
    with crashing(point, once), pytest.raises(Killed):
        await apply_changes(await plan_promote(fraud), ledger, Policy())
    await apply_changes(await plan_promote(fraud), ledger, Policy())
    assert stages_of(fraud) == {"rollback": "v1.0.0", "champion": "v1.1.0", "challenger": "v1.1.0"}
    assert None not in champions
    events = ledger.history.events()
    assert sorted(event.tag for event in events) == ["champion", "rollback"]
    undo = await plan_undo(fraud, ledger)
    await apply_undo(undo, ledger, Policy())
    assert stages_of(fraud)["champion"] == "v1.0.0"


async def test_check_39_a_put_whose_answer_was_lost_is_recognised(fraud: MemoryRepository, ledger: Ledger) -> None:
    lost = []

    def drop(_repository: MemoryRepository, _verb: str, what: str) -> None:
        lost.append(what)
        raise ConnectionLost("the answer was lost")

    fraud.source.after_put.append(drop)
    await apply_changes(await plan_promote(fraud), ledger, Policy())
    assert lost == ["rollback", "champion"]
    assert stages_of(fraud) == {"rollback": "v1.0.0", "champion": "v1.1.0", "challenger": "v1.1.0"}


async def test_a_dead_connection_says_run_again_and_running_again_finishes(
    fraud: MemoryRepository, ledger: Ledger
) -> None:
    def dead(_repository: MemoryRepository, verb: str, what: str) -> None:
        if verb == "PUT" and what == "champion":
            fraud.source.hooks.append(gone)
            raise ConnectionLost("cut")

    def gone(_repository: MemoryRepository, _verb: str, _what: str) -> None:
        raise ConnectionLost("cut")

    fraud.source.hooks.append(dead)
    with pytest.raises(ConnectionLost) as caught:
        await apply_changes(await plan_promote(fraud), ledger, Policy())
    assert "again" in (caught.value.hint or "")
    assert stages_of(fraud)["champion"] == "v1.0.0"
    fraud.source.hooks.clear()
    await apply_changes(await plan_promote(fraud), ledger, Policy())
    assert stages_of(fraud) == {"rollback": "v1.0.0", "champion": "v1.1.0", "challenger": "v1.1.0"}


async def test_undo_takes_the_whole_promotion_back(fraud: MemoryRepository, ledger: Ledger) -> None:
    await apply_changes(await plan_promote(fraud), ledger, Policy())
    await apply_undo(await plan_undo(fraud, ledger), ledger, Policy())
    assert stages_of(fraud) == {"rollback": "v0.9.0", "champion": "v1.0.0", "challenger": "v1.1.0"}
    assert last_change(ledger) is None


async def test_undo_refuses_when_the_tag_moved_since(fraud: MemoryRepository, ledger: Ledger) -> None:
    await apply_changes(await plan_promote(fraud), ledger, Policy())
    fraud.add_kit("other", "champion")
    with pytest.raises(TagMoved, match="champion"):
        await plan_undo(fraud, ledger)


async def test_undo_puts_back_a_manifest_that_the_registry_dropped(fraud: MemoryRepository, ledger: Ledger) -> None:
    lost = fraud.tagged.pop("v0.9.0")
    await apply_changes(await plan_promote(fraud), ledger, Policy())
    del fraud.manifests[lost]
    await apply_undo(await plan_undo(fraud, ledger), ledger, Policy())
    assert fraud.tagged["rollback"] == lost
    assert lost in fraud.manifests


async def test_read_only_refuses_before_any_request(fraud: MemoryRepository, ledger: Ledger) -> None:
    plan = await plan_promote(fraud)
    fraud.source.requests.clear()
    with pytest.raises(ReadOnly):
        await apply_changes(plan, ledger, Policy(read_only=True))
    assert fraud.source.requests == []


async def test_promote_asks_for_protected_tags_like_every_other_move(fraud: MemoryRepository, ledger: Ledger) -> None:
    policy = Policy(protected=frozenset({"champion"}))
    with pytest.raises(TagProtected, match="champion"):
        await apply_changes(await plan_promote(fraud), ledger, policy)
    assert stages_of(fraud)["champion"] == "v1.0.0"
    await apply_changes(await plan_promote(fraud), ledger, policy, Answers(typed=["champion"]))
    assert stages_of(fraud)["champion"] == "v1.1.0"
    with pytest.raises(TagProtected, match="champion"):
        await apply_changes(await plan_rollback(fraud), ledger, policy)


async def test_promotions_can_be_configured_to_ask_for_nothing(fraud: MemoryRepository, ledger: Ledger) -> None:
    policy = Policy(protected=frozenset({"champion"}), protect_promotions=False)
    await apply_changes(await plan_promote(fraud), ledger, policy)
    await apply_changes(await plan_rollback(fraud), ledger, policy)
    assert stages_of(fraud)["champion"] == "v1.0.0"
    assert policy.guarded(["champion"], "remove") == ("champion",)


async def test_a_rule_that_fails_stops_a_move_unless_it_is_overridden(fraud: MemoryRepository, ledger: Ledger) -> None:
    policy = Policy(rules=(Never(),))
    plan = await plan_promote(fraud)
    with pytest.raises(Refused, match="never: nothing may move") as refused:
        await apply_changes(plan, ledger, policy)
    assert "--override REASON" in str(refused.value.hint)
    assert stages_of(fraud)["champion"] == "v1.0.0"
    await apply_changes(plan, ledger, policy, Answers(override="agreed in the meeting"))
    assert stages_of(fraud)["champion"] == "v1.1.0"


async def test_stages_of_another_name_play_their_roles(fraud: MemoryRepository, ledger: Ledger) -> None:
    stages = lifecycle_of(
        [
            Stage(Tag("draft"), "o", "o", "muted", role="preparing"),
            Stage(Tag("live"), "*", "*", "good", role="champion"),
        ]
    )
    assert (stages.champion, stages.challenger) == ("live", "challenger")
    plan = await plan_promote(fraud, Tag("v1.1.0"), Tag("draft"), stages=stages)
    assert [change.tag for change in plan.changes] == ["draft"]


async def test_redo_does_again_what_undo_took_back_in_order(fraud: MemoryRepository, ledger: Ledger) -> None:
    async def retag(tag: str, target: str) -> None:
        await apply_retag(await plan_retag(fraud, parse_target(target), [(fraud, Tag(tag))]), ledger, Policy())

    async def take_back() -> None:
        await apply_undo(await plan_undo(fraud, ledger), ledger, Policy())

    async def do_again() -> None:
        await apply_redo(await plan_redo(fraud, ledger), ledger, Policy())

    await retag("one", "champion")
    await retag("two", "challenger")
    await take_back()
    await take_back()
    assert not {"one", "two"} & set(fraud.tagged)
    await do_again()
    assert "one" in fraud.tagged
    assert "two" not in fraud.tagged
    await take_back()
    assert "one" not in fraud.tagged
    await do_again()
    await do_again()
    assert {"one", "two"} <= set(fraud.tagged)
    with pytest.raises(NotFound, match="there is nothing to redo"):
        await do_again()
    await take_back()
    await retag("three", "champion")
    with pytest.raises(NotFound, match="there is nothing to redo"):
        await do_again()
    await take_back()
    await do_again()
    assert {"one", "three"} <= set(fraud.tagged)
    assert "two" not in fraud.tagged


async def test_redo_overwrites_nobody_and_deletes_nothing(fraud: MemoryRepository, ledger: Ledger) -> None:
    await apply_retag(await plan_retag(fraud, Tag("champion"), [(fraud, Tag("one"))]), ledger, Policy())
    await apply_undo(await plan_undo(fraud, ledger), ledger, Policy())
    fraud.tagged["one"] = fraud.tagged["challenger"]
    with pytest.raises(TagMoved, match="one moved since"):
        await plan_redo(fraud, ledger)
    await apply_remove(await plan_remove(fraud, Tag("one"), "delete"), ledger, Policy())
    gone = set(fraud.tagged)
    await apply_undo(await plan_undo(fraud, ledger), ledger, Policy())
    with pytest.raises(Unsupported, match="redo does not repeat a delete"):
        await plan_redo(fraud, ledger)
    assert gone < set(fraud.tagged)


@pytest.mark.parametrize("point", ["tags.before-put", "tags.after-put"])
async def test_what_a_killed_redo_has_done_is_taken_back_alone(
    fraud: MemoryRepository, ledger: Ledger, point: str
) -> None:
    await apply_retag(await plan_retag(fraud, Tag("champion"), [(fraud, Tag("one"))]), ledger, Policy())
    await apply_retag(await plan_retag(fraud, Tag("champion"), [(fraud, Tag("two"))]), ledger, Policy())
    await apply_undo(await plan_undo(fraud, ledger), ledger, Policy())
    with crashing(point, die), pytest.raises(Killed):
        await apply_redo(await plan_redo(fraud, ledger), ledger, Policy())
    await apply_undo(await plan_undo(fraud, ledger), ledger, Policy())
    assert "one" in fraud.tagged
    assert "two" not in fraud.tagged
    await apply_redo(await plan_redo(fraud, ledger), ledger, Policy())
    assert "two" in fraud.tagged


async def test_a_redo_that_failed_can_be_tried_again(fraud: MemoryRepository, ledger: Ledger) -> None:
    await apply_retag(await plan_retag(fraud, Tag("champion"), [(fraud, Tag("one"))]), ledger, Policy())
    await apply_undo(await plan_undo(fraud, ledger), ledger, Policy())
    with pytest.raises(Refused):
        await apply_redo(await plan_redo(fraud, ledger), ledger, Policy(rules=(Never(),)))
    await apply_redo(await plan_redo(fraud, ledger), ledger, Policy())
    assert "one" in fraud.tagged


async def test_a_redo_that_nobody_answered_continues_and_is_taken_back_alone(
    fraud: MemoryRepository, ledger: Ledger
) -> None:
    def cut(_repository: MemoryRepository, verb: str, _what: str) -> None:
        if verb == "PUT":
            raise ConnectionLost("cut by the test")

    await apply_retag(await plan_retag(fraud, Tag("champion"), [(fraud, Tag("one"))]), ledger, Policy())
    await apply_retag(await plan_retag(fraud, Tag("champion"), [(fraud, Tag("two"))]), ledger, Policy())
    await apply_undo(await plan_undo(fraud, ledger), ledger, Policy())
    fraud.source.hooks.append(cut)
    with pytest.raises(ConnectionLost):
        await apply_redo(await plan_redo(fraud, ledger), ledger, Policy())
    fraud.source.hooks.clear()
    await apply_redo(await plan_redo(fraud, ledger), ledger, Policy())
    assert "two" in fraud.tagged
    await apply_undo(await plan_undo(fraud, ledger), ledger, Policy())
    assert "two" not in fraud.tagged
    assert "one" in fraud.tagged


@pytest.mark.parametrize("said", ["second", ""])
async def test_a_promotion_that_is_continued_has_the_reason_that_is_given_then(
    fraud: MemoryRepository, ledger: Ledger, said: str
) -> None:
    def lost(_: MemoryRepository, verb: str, what: str) -> None:
        if (verb, what) == ("PUT", "champion"):
            raise Unreachable("registry.test refused the connection")

    fraud.source.hooks.append(lost)
    with pytest.raises(Unreachable):
        await apply_changes(await plan_promote(fraud), ledger, Policy(), Answers("first"))
    fraud.source.hooks.clear()
    await apply_changes(await plan_promote(fraud), ledger, Policy(), Answers(said))
    reasons = [(event.tag, event.reason) for event in ledger.history.events()]
    assert reasons == [("champion", said or "first"), ("rollback", "first")]


async def test_undo_is_not_promised_where_the_first_half_of_a_promotion_created_a_tag(
    fraud: MemoryRepository, ledger: Ledger
) -> None:
    del fraud.tagged["rollback"]
    fraud.source.powers["untag"] = Power("no", "it deletes by digest only")

    def lost(_: MemoryRepository, verb: str, what: str) -> None:
        if (verb, what) == ("PUT", "champion"):
            raise Unreachable("registry.test refused the connection")

    fraud.source.hooks.append(lost)
    with pytest.raises(Unreachable):
        await apply_changes(await plan_promote(fraud), ledger, Policy())
    fraud.source.hooks.clear()
    plan = await plan_promote(fraud)
    assert [change.tag for change in plan.changes] == ["champion"]
    await apply_changes(plan, ledger, Policy())
    assert not await can_undo(fraud, ledger)
    fraud.source.powers["untag"] = YES
    assert await can_undo(fraud, ledger)
