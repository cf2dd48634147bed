"""Remove on the dict-backed source: siblings are never taken along unless a delete says so."""

from __future__ import annotations

import asyncio
import json

import pytest

from kittui.errors import TagMoved, TagProtected, Unsupported, UsageError
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.oci.protocols import Power, Repository
from kittui.oci.tag import Tag
from kittui.oci.target import Target
from kittui.usecases.change import removals
from kittui.usecases.change.ledger import Ledger
from kittui.usecases.change.plan import Answers
from kittui.usecases.change.policy import Policy
from kittui.usecases.change.removal import Mode, plan_remove
from kittui.usecases.change.remove import apply_remove
from kittui.usecases.change.siblings import Siblings, tags_by_digest
from kittui.usecases.change.undo import apply_undo, plan_undo
from tests.fakes.memory import MemoryRepository, MemorySource
from tests.fakes.registry_servers import connect
from tests.fakes.scripted_registry import MANIFEST, Reply, ScriptedRegistry

CANNOT = Power("no", "Distribution 2.8 cannot remove a tag alone", "")


@pytest.fixture
def fraud() -> MemoryRepository:
    repository = MemorySource().repository("fraud")
    repository.add_kit("one", "v1.0.0", "champion")
    repository.add_kit("two", "v1.1.0")
    return repository


async def test_untag_leaves_siblings_and_content(fraud: MemoryRepository, ledger: Ledger) -> None:
    plan = await plan_remove(fraud, Tag("champion"))
    assert (plan.tags, plan.siblings) == (("champion",), None)
    done = await apply_remove(plan, ledger, Policy())
    assert sorted(fraud.tagged) == ["v1.0.0", "v1.1.0"]
    assert done.to_json()["deleted"] == []
    await apply_undo(await plan_undo(fraud, ledger), ledger, Policy())
    assert fraud.tagged["champion"] == fraud.tagged["v1.0.0"]


@pytest.mark.parametrize(("mode", "power"), [("delete", None), ("untag", CANNOT)])
async def test_a_repository_of_many_rows_is_read_once(
    fraud: MemoryRepository, monkeypatch: pytest.MonkeyPatch, mode: Mode, power: Power | None
) -> None:
    if power is not None:
        fraud.source.powers["untag"] = power
    read: list[str] = []

    async def counted(repository: Repository, **_: object) -> Siblings:
        read.append(repository.reference())
        return await tags_by_digest(repository)

    monkeypatch.setattr(removals, "tags_by_digest", counted)
    plan = await removals.plan_removals([(fraud, Tag(tag)) for tag in ("champion", "v1.0.0", "v1.1.0")], mode)
    assert plan.plans
    assert read == [fraud.reference()]


async def test_many_repositories_are_asked_no_more_at_once_than_one(monkeypatch: pytest.MonkeyPatch) -> None:
    source = MemorySource()
    source.at_once = 5
    repositories = [source.repository(f"team/{number}") for number in range(4)]
    for repository in repositories:
        for number in range(source.at_once + 2):
            repository.add_kit(f"{repository.name} {number}", f"v{number}")
    now = most = 0
    resolve = MemoryRepository.resolve

    async def counted(repository: MemoryRepository, target: Target) -> Descriptor:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0)
        now -= 1
        return await resolve(repository, target)

    monkeypatch.setattr(MemoryRepository, "resolve", counted)
    plan = await removals.plan_removals([(repository, Tag("v0")) for repository in repositories], "delete")
    assert plan.deleted == 4
    assert most == source.at_once


@pytest.mark.parametrize("known", [True, False])
async def test_check_40_a_registry_that_cannot_untag_names_the_ways_and_the_siblings(
    fraud: MemoryRepository, ledger: Ledger, known: bool
) -> None:
    fraud.source.powers["untag"] = CANNOT
    with pytest.raises(Unsupported) as caught:
        await apply_remove(await plan_remove(fraud, Tag("champion")), ledger, Policy())
    assert "--placeholder" in (caught.value.hint or "")
    assert "v1.0.0" in (caught.value.hint or "")
    assert sorted(fraud.tagged) == ["champion", "v1.0.0", "v1.1.0"]


async def test_check_40_a_placeholder_removes_the_tag_and_v1_survives(fraud: MemoryRepository, ledger: Ledger) -> None:
    fraud.source.powers["untag"] = CANNOT
    digest = fraud.tagged["v1.0.0"]
    await apply_remove(await plan_remove(fraud, Tag("champion"), "placeholder"), ledger, Policy())
    assert sorted(fraud.tagged) == ["v1.0.0", "v1.1.0"]
    assert digest in fraud.manifests
    assert len(fraud.manifests) == 2


async def test_check_41_deletes_disabled_leave_a_displaced_tag_as_it_was(
    fraud: MemoryRepository, ledger: Ledger
) -> None:
    fraud.source.powers["delete"] = Power("no", "deletes are disabled", "set storage.delete.enabled: true")
    before = dict(fraud.tagged)
    with pytest.raises(Unsupported, match="disabled"):
        await apply_remove(await plan_remove(fraud, Tag("champion"), "placeholder"), ledger, Policy())
    assert fraud.tagged == before
    with pytest.raises(Unsupported, match="disabled") as caught:
        await plan_remove(fraud, Tag("champion"), "delete")
    assert "enabled: true" in (caught.value.hint or "")


async def test_delete_takes_all_tags_of_the_digest_and_says_so(fraud: MemoryRepository, ledger: Ledger) -> None:
    plan = await plan_remove(fraud, Tag("champion"), "delete")
    assert plan.tags == ("champion", "v1.0.0")
    done = await apply_remove(plan, ledger, Policy())
    assert sorted(fraud.tagged) == ["v1.1.0"]
    assert done.to_json()["deleted"] == [str(plan.manifest.digest)]
    await apply_undo(await plan_undo(fraud, ledger), ledger, Policy())
    assert sorted(fraud.tagged) == ["champion", "v1.0.0", "v1.1.0"]


async def test_delete_is_refused_when_another_tag_joined_the_digest(fraud: MemoryRepository, ledger: Ledger) -> None:
    plan = await plan_remove(fraud, Tag("champion"), "delete")
    fraud.tagged["rollback"] = fraud.tagged["champion"]
    with pytest.raises(TagMoved, match="rollback"):
        await apply_remove(plan, ledger, Policy())
    assert "champion" in fraud.tagged


async def test_a_digest_can_only_be_deleted(fraud: MemoryRepository) -> None:
    with pytest.raises(UsageError, match="digest"):
        await plan_remove(fraud, fraud.tagged["champion"])


async def test_a_protected_tag_wants_its_name_typed(fraud: MemoryRepository, ledger: Ledger) -> None:
    policy = Policy(protected=frozenset({"v1.0.0"}))
    plan = await plan_remove(fraud, Tag("champion"), "delete")
    with pytest.raises(TagProtected, match=r"v1\.0\.0"):
        await apply_remove(plan, ledger, policy)
    await apply_remove(plan, ledger, policy, Answers(typed=["v1.0.0"]))
    assert sorted(fraud.tagged) == ["v1.1.0"]


@pytest.mark.parametrize(
    ("headers", "word"), [({"Allow": "GET, HEAD"}, "storage.maintenance.readonly"), ({}, "operator can allow it")]
)
async def test_a_registry_that_removes_nothing_at_all_is_not_said_to_take_placeholders(
    headers: dict[str, str], word: str, ledger: Ledger
) -> None:
    async with ScriptedRegistry() as registry, connect(registry.host) as source:
        registry.add_kit("fraud", "v1", "v2", layers=[b"one"])
        registry.script("DELETE", "/manifests/", Reply(405, headers), times=-1)
        repository = source.repository("fraud")
        with pytest.raises(Unsupported) as caught:
            await apply_remove(await plan_remove(repository, Tag("v1")), ledger, Policy())
        assert word in (caught.value.hint or "")
        assert "--placeholder" not in (caught.value.hint or "")
        assert (await plan_remove(repository, Tag("v1"), "placeholder")).deletes.denied


async def signed(registry: ScriptedRegistry, repository: Repository) -> tuple[str, str]:
    """v1 with a signature under cosign's tag and one that refers to it; their digests."""
    registry.add_kit("fraud", "v1", layers=[b"one"])
    digest = (await repository.resolve(Tag("v1"))).digest
    found = []
    for number, subject in enumerate((None, {"mediaType": MANIFEST, "digest": digest, "size": 1})):
        registry.add_blob("fraud", b"{}")
        empty = {"mediaType": "application/vnd.oci.empty.v1+json", "digest": str(Digest.of(b"{}")), "size": 2}
        document = {"schemaVersion": 2, "mediaType": MANIFEST, "config": empty, "layers": [empty]}
        document |= {"annotations": {"n": str(number)}} | ({"subject": subject} if subject else {})
        raw = json.dumps(document).encode()
        if subject is None:
            registry.add_manifest("fraud", raw, f"sha256-{digest.hex}.sig")
        else:
            await repository.put_manifest(raw, MANIFEST)
        found.append(str(Digest.of(raw)))
    return found[0], found[1]


@pytest.mark.parametrize("api", [True, False])
@pytest.mark.parametrize("too", [True, False])
async def test_what_a_delete_would_orphan_is_named_and_removed_if_wanted(api: bool, too: bool, ledger: Ledger) -> None:
    async with ScriptedRegistry(referrers_api=api) as registry, connect(registry.host) as source:
        repository = source.repository("fraud")
        signatures = await signed(registry, repository)
        plan = await plan_remove(repository, Tag("v1"), "delete", referrers=too)
        assert {str(one.digest) for one, _ in plan.attached} == {*signatures}
        done = await apply_remove(plan, ledger, Policy())
        assert [("fraud", digest) in registry.manifests for digest in signatures] == [not too] * 2
        assert ({*signatures} <= {*done.deleted}) == too
        assert bool(registry.tags["fraud"]) == (not too)


async def test_what_is_attached_and_tagged_by_somebody_stays(ledger: Ledger) -> None:
    async with ScriptedRegistry() as registry, connect(registry.host) as source:
        repository = source.repository("fraud")
        by_tag, referring = await signed(registry, repository)
        registry.tags["fraud"]["ours"] = referring
        await apply_remove(await plan_remove(repository, Tag("v1"), "delete", referrers=True), ledger, Policy())
        assert registry.tags["fraud"] == {"ours": referring}
        assert ("fraud", by_tag) not in registry.manifests


async def test_how_many_tags_were_looked_at_is_reported() -> None:
    repository = MemorySource().repository("kits")
    repository.add_kit("one", "a", "b", "c")
    heard: list[tuple[int, int]] = []
    await tags_by_digest(repository, on_read=lambda done, total: heard.append((done, total)))
    assert heard == [(1, 3), (2, 3), (3, 3)]
