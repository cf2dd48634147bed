"""A tag that is removed by way of a placeholder: what a registry that went away leaves of it, undo knows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kittui.errors import ConnectionLost, NetworkError, NotFound, TagMoved
from kittui.oci.content import BytesContent
from kittui.oci.descriptor import Descriptor
from kittui.oci.protocols import Power, Repository
from kittui.oci.tag import Tag
from kittui.tui.dialogs.plan import PlanDialog
from kittui.usecases.change.ledger import Ledger
from kittui.usecases.change.plan import Answers, new_batch
from kittui.usecases.change.policy import Policy
from kittui.usecases.change.removal import plan_remove
from kittui.usecases.change.remove import apply_remove
from kittui.usecases.change.undo import apply_undo, plan_undo
from tests.change.kits import Kits, on, ready, said
from tests.fakes.docker_registry import StartRegistry
from tests.fakes.faulty_proxy import Fault, FaultyProxy, Seen
from tests.fakes.memory import MemoryRepository, MemorySource
from tests.fakes.registry_servers import connect
from tests.tui.waiting import browse, quiet, text_of, until

CANNOT = Power("no", "Distribution 2.8 cannot remove a tag alone", "")
PLACED = r"/manifests/sha256:(?!0{64})"
"""Requests for a manifest by its digest, but for the one that nothing has."""


async def displace(repository: Repository, ledger: Ledger, tag: str, batch: str = "") -> None:
    plan = await plan_remove(repository, Tag(tag), "placeholder")
    await apply_remove(plan, ledger, Policy(), Answers("old", asked=True, batch=batch))


@pytest.fixture
def fraud() -> MemoryRepository:
    source = MemorySource()
    source.powers["untag"] = CANNOT
    repository = source.repository("fraud")
    repository.add_kit("one", "v1", "v1-rc")
    repository.add_kit("two", "v2", "v2-rc")
    return repository


def lose(repository: MemoryRepository) -> None:
    """The registry goes away once a tag is on its placeholder."""

    def lost(_: MemoryRepository, verb: str, what: str) -> None:
        if verb == "DELETE" and what.startswith("sha256:"):
            repository.source.hooks.append(gone)
            gone(repository, verb, what)

    def gone(_: MemoryRepository, verb: str, what: str) -> None:
        raise ConnectionLost("the connection broke")

    repository.source.hooks.append(lost)


async def test_undo_takes_a_tag_back_from_its_placeholder(fraud: MemoryRepository, ledger: Ledger) -> None:
    before, manifests = dict(fraud.tagged), set(fraud.manifests)
    await displace(fraud, ledger, "v1-rc")
    lose(fraud)
    with pytest.raises(ConnectionLost):
        await displace(fraud, ledger, "v2-rc")
    fraud.source.hooks.clear()
    assert fraud.tagged["v2-rc"] not in manifests
    await apply_undo(await plan_undo(fraud, ledger), ledger, Policy())
    assert fraud.tagged == {tag: digest for tag, digest in before.items() if tag != "v1-rc"}
    assert set(fraud.manifests) == manifests
    # It blocks nothing: what was removed before it is next.
    await apply_undo(await plan_undo(fraud, ledger), ledger, Policy())
    assert fraud.tagged == before


async def test_a_placeholder_of_somebody_else_is_left_alone(fraud: MemoryRepository, ledger: Ledger) -> None:
    lose(fraud)
    with pytest.raises(ConnectionLost):
        await displace(fraud, ledger, "v2-rc")
    fraud.source.hooks.clear()
    theirs = fraud.add_kit("theirs", "v2-rc")
    with pytest.raises(TagMoved):
        await plan_undo(fraud, ledger)
    assert fraud.tagged["v2-rc"] == theirs.digest


async def test_removing_it_again_finishes_a_removal_that_left_a_placeholder(
    fraud: MemoryRepository, ledger: Ledger
) -> None:
    before = dict(fraud.tagged)
    lose(fraud)
    with pytest.raises(ConnectionLost):
        await displace(fraud, ledger, "v2-rc")
    fraud.source.hooks.clear()
    await displace(fraud, ledger, "v2-rc")
    assert "v2-rc" not in fraud.tagged
    assert [entry.state for entry in ledger.journal.entries()] == ["done"]
    await apply_undo(await plan_undo(fraud, ledger), ledger, Policy())
    assert fraud.tagged == before


async def test_what_one_answer_removed_is_taken_back_at_once(fraud: MemoryRepository, ledger: Ledger) -> None:
    before = dict(fraud.tagged)
    await displace(fraud, ledger, "v1")
    batch = new_batch()
    for tag in ("v1-rc", "v2", "v2-rc"):
        await displace(fraud, ledger, tag, batch)
    undo = await plan_undo(fraud, ledger)
    assert sorted(change.tag for change in undo.plan.changes) == ["v1-rc", "v2", "v2-rc"]
    await apply_undo(undo, ledger, Policy())
    assert fraud.tagged == {tag: digest for tag, digest in before.items() if tag != "v1"}
    await apply_undo(await plan_undo(fraud, ledger), ledger, Policy())
    assert fraud.tagged == before


async def test_what_cannot_be_taken_back_of_a_batch_is_named_and_the_rest_is(
    fraud: MemoryRepository, ledger: Ledger
) -> None:
    before = dict(fraud.tagged)
    batch = new_batch()
    for tag in ("v1-rc", "v2", "v2-rc"):
        await displace(fraud, ledger, tag, batch)
    theirs = fraud.add_kit("theirs", "v2-rc")
    undo = await plan_undo(fraud, ledger)
    assert [error.reference for error in undo.left] == [fraud.reference(Tag("v2-rc"))]
    await apply_undo(undo, ledger, Policy())
    assert fraud.tagged == {**before, "v2-rc": theirs.digest}


async def test_marked_tags_go_by_placeholders_and_one_undo_brings_them_back(tmp_path: Path) -> None:
    kits = Kits(tmp_path)
    kits.registry.powers["untag"] = CANNOT
    before = dict(kits.fraud.tagged)
    async with kits.app().run_test(size=(120, 40)) as pilot:
        for tag in ("v0.9.0", "v1.0.0", "v1.1.0"):
            await ready(pilot, tag)
            await pilot.press("space")
        await until(pilot, lambda: len(browse(pilot).marks) == 3)
        await pilot.press("x")
        await until(pilot, on(pilot, PlanDialog))
        assert "Untag with a placeholder" in text_of(pilot)
        await pilot.press("enter", "up", "enter")
        await until(pilot, lambda: "z undoes it" in said(pilot))
        assert len(kits.fraud.tagged) == len(before) - 3
        await quiet(pilot)
        await pilot.press("z")
        await until(pilot, on(pilot, PlanDialog))
        assert all(tag in text_of(pilot) for tag in ("v0.9.0", "v1.0.0", "v1.1.0"))
        await pilot.press("enter")
        await until(pilot, lambda: kits.fraud.tagged == before)
        await quiet(pilot)
        await pilot.press("z")
        await until(pilot, lambda: "there is no tag change by kittui here" in said(pilot))


@pytest.mark.real
async def test_a_registry_that_dies_between_the_steps_of_a_removal(
    docker_registry: StartRegistry, ledger: Ledger
) -> None:
    dead = False

    def dies(_: FaultyProxy, seen: Seen) -> Fault | None:
        nonlocal dead
        dead = dead or bool(seen.method == "DELETE" and re.search(PLACED, seen.path))
        return Fault(status=502) if dead else None

    async with FaultyProxy(docker_registry().host) as proxy, connect(proxy.host) as source:
        repository = source.repository("fraud")
        origin = MemorySource().repository("fraud")
        manifest = origin.add_kit("one", "v1")
        for digest, content in origin.blobs.items():
            blob = Descriptor("application/octet-stream", digest, len(content))
            await repository.put_blob(blob, BytesContent(content))
        for tag in ("v1", "t5", "t6"):
            await repository.put_manifest(manifest.raw, manifest.media_type, Tag(tag))
        batch = new_batch()
        await displace(repository, ledger, "t5", batch)
        proxy.gate = dies
        with pytest.raises(NetworkError):
            await displace(repository, ledger, "t6", batch)
        proxy.gate = None
        left = (await repository.resolve(Tag("t6"))).digest
        assert left != manifest.digest
        undo = await plan_undo(repository, ledger)
        assert sorted(change.tag for change in undo.plan.changes) == ["t5", "t6"]
        await apply_undo(undo, ledger, Policy())
        for tag in ("v1", "t5", "t6"):
            assert (await repository.resolve(Tag(tag))).digest == manifest.digest
        with pytest.raises(NotFound):
            await repository.resolve(left)
