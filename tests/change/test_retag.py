"""Retag on the dict-backed source: few requests, the same bytes, nobody's move overwritten."""

from __future__ import annotations

from pathlib import Path

import pytest

from kittui.errors import BadReference, NotFound, TagMoved, TagProtected
from kittui.oci.protocols import Power
from kittui.oci.tag import Tag
from kittui.oci.traffic import metered
from kittui.usecases.change import tags as tag_changes
from kittui.usecases.change.ledger import Ledger
from kittui.usecases.change.plan import Answers
from kittui.usecases.change.policy import Policy
from kittui.usecases.change.promote import plan_promote
from kittui.usecases.change.retag import apply_retag, plan_retag
from kittui.usecases.change.undo import apply_undo, plan_undo
from tests.fakes.memory import MemoryRepository, MemorySource

TAR = "application/vnd.kitops.modelkit.model.v1.tar"


@pytest.fixture
def fraud() -> MemoryRepository:
    repository = MemorySource().repository("fraud")
    repository.add_kit("one", "v1.0.0", layers=[(TAR, b"x" * 1000)])
    repository.add_kit("two", "champion")
    return repository


@pytest.mark.parametrize("looked_at", [False, True])
async def test_a_retag_takes_at_most_5_requests_and_moves_no_layer(
    fraud: MemoryRepository, ledger: Ledger, looked_at: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = fraud.manifests[fraud.tagged["v1.0.0"]][1]
    if looked_at:
        monkeypatch.setattr(tag_changes, "FRESH", -1.0)
    with metered() as traffic:
        plan = await plan_retag(fraud, fraud.tagged["v1.0.0"], [(fraud, Tag("champion"))])
        assert plan.overwritten == ("champion",)
        await apply_retag(plan, ledger, Policy())
    assert traffic.requests <= 5
    assert fraud.manifests[fraud.tagged["champion"]][1] == raw
    blobs = {f"fraud/{digest}" for digest in fraud.blobs}
    assert not [what for _, what in fraud.source.requests if what in blobs]


async def test_check_45_several_tags_are_several_puts_each_read_after(fraud: MemoryRepository, ledger: Ledger) -> None:
    plan = await plan_retag(fraud, Tag("v1.0.0"), [(fraud, Tag("a")), (fraud, Tag("b")), (fraud, Tag("a"))])
    await apply_retag(plan, ledger, Policy())
    asked = [what for what in fraud.source.requests if what[0] in ("PUT", "HEAD")]
    for tag in "ab":
        assert asked.index(("PUT", f"fraud/{tag}")) < len(asked) - 1 - asked[::-1].index(("HEAD", f"fraud/{tag}"))
    assert fraud.tagged["a"] == fraud.tagged["b"] == fraud.tagged["v1.0.0"]


async def test_across_repositories_layers_are_mounted(fraud: MemoryRepository, ledger: Ledger) -> None:
    team = fraud.source.repository("team/fraud")
    with metered() as traffic:
        await apply_retag(await plan_retag(fraud, Tag("v1.0.0"), [(team, Tag("prod"))]), ledger, Policy())
    assert team.tagged["prod"] == fraud.tagged["v1.0.0"]
    assert traffic.sent == 0


async def test_across_registries_layers_are_copied(fraud: MemoryRepository, ledger: Ledger) -> None:
    far = MemorySource("far.test").repository("fraud")
    done = await apply_retag(
        await plan_retag(fraud, Tag("v1.0.0"), [(far, Tag("prod")), (fraud, Tag("x"))]), ledger, Policy()
    )
    assert far.tagged["prod"] == fraud.tagged["v1.0.0"]
    assert [entry["repository"] for entry in done.to_json()["repositories"]] == [
        "remote://registry.test/fraud",
        "remote://far.test/fraud",
    ]


async def test_a_tag_that_points_there_is_nothing_to_do(fraud: MemoryRepository, ledger: Ledger) -> None:
    fraud.tagged["x"] = fraud.tagged["v1.0.0"]
    done = await apply_retag(await plan_retag(fraud, Tag("v1.0.0"), [(fraud, Tag("x"))]), ledger, Policy())
    assert done.to_json() == {
        "repository": "remote://registry.test/fraud",
        "changes": [],
        "deleted": [],
        "not_visible_yet": [],
    }


async def test_check_38_a_tag_that_moved_since_is_not_overwritten(fraud: MemoryRepository, ledger: Ledger) -> None:
    plan = await plan_retag(fraud, Tag("v1.0.0"), [(fraud, Tag("champion"))])
    other = fraud.add_kit("three", "champion")
    with pytest.raises(TagMoved, match="champion"):
        await apply_retag(plan, ledger, Policy())
    assert fraud.tagged["champion"] == other.digest


async def test_a_created_tag_is_undone_by_untagging(fraud: MemoryRepository, ledger: Ledger) -> None:
    await apply_retag(await plan_retag(fraud, Tag("v1.0.0"), [(fraud, Tag("new"))]), ledger, Policy())
    await apply_undo(await plan_undo(fraud, ledger), ledger, Policy())
    assert "new" not in fraud.tagged


async def test_refusals(fraud: MemoryRepository, ledger: Ledger) -> None:
    with pytest.raises(BadReference):
        Tag.parse("not a tag")
    with pytest.raises(NotFound):
        await plan_retag(fraud, Tag("v9"), [(fraud, Tag("x"))])
    policy = Policy(protected=frozenset({"champion"}))
    plan = await plan_retag(fraud, Tag("v1.0.0"), [(fraud, Tag("champion"))])
    with pytest.raises(TagProtected):
        await apply_retag(plan, ledger, policy)
    await apply_retag(plan, ledger, policy, Answers(typed=["champion"]))


async def test_a_plan_says_where_undo_will_not_be_possible(tmp_path: Path) -> None:
    fraud = MemorySource().repository("fraud")
    fraud.add_kit("one", "champion")
    fraud.add_kit("two", "challenger", "rollback")
    fraud.source.powers["untag"] = Power("no", "Distribution 2.8 cannot remove a tag alone", "")
    for plan in (
        (await plan_retag(fraud, Tag("champion"), [(fraud, Tag("new"))])).notes,
        (await plan_promote(fraud, Tag("challenger"), Tag("live"))).notes,
    ):
        assert any("undo will not be possible" in note and "kittui rollback" in note for note in plan)
    assert not (await plan_retag(fraud, Tag("champion"), [(fraud, Tag("challenger"))])).notes
    assert not (await plan_promote(fraud)).notes
