"""Pull, push and copy as use cases: the tag last, the history written, parents followed."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from kittui.errors import AuthError, Denied, NotFound, ReadOnly, Refused, TagProtected, TooLarge, Unauthorized
from kittui.oci.digest import Digest
from kittui.oci.manifest import Manifest
from kittui.oci.protocols import Repository
from kittui.oci.reference import Reference
from kittui.oci.tag import Tag
from kittui.oci.target import Target
from kittui.store import LocalSource
from kittui.store.repository import LocalRepository
from kittui.usecases.change.ledger import Ledger
from kittui.usecases.change.policy import Policy
from kittui.usecases.change.retag import apply_retag, plan_retag
from kittui.usecases.change.transfer import apply_move, parents_of, plan_move, with_attached
from kittui.usecases.change.undo import apply_undo, plan_undo
from kittui.usecases.change.words import attached_text
from tests.fakes.memory import MemoryRepository, MemorySource
from tests.fakes.registry_servers import connect
from tests.fakes.scripted_registry import MANIFEST, Reply, ScriptedRegistry

TAR = "application/vnd.kitops.modelkit.model.v1.tar"


@pytest.fixture
def origin() -> MemoryRepository:
    repository = MemorySource().repository("fraud")
    repository.add_kit("one", "v1", layers=[(TAR, b"x" * 5000), (TAR, b"y"), (TAR, b"y")], model={"path": "m"})
    return repository


@pytest.fixture
def destination(tmp_path: Path) -> LocalRepository:
    return LocalSource(tmp_path / "home", recheck=0).repository("registry.test/fraud")


async def test_a_pull_ends_with_the_tag_and_tells_what_it_cost(
    origin: MemoryRepository, destination: LocalRepository, ledger: Ledger
) -> None:
    moved = await apply_move(await plan_move("pull", origin, Tag("v1"), destination, Tag("v1")), ledger, Policy())
    answer = moved.to_json()
    assert answer["reference"] == "local://registry.test/fraud:v1"
    assert [layer["outcome"] for layer in answer["layers"]] == ["copied"] * 3
    assert answer["traffic"]["bytes"] > 5000
    assert (await destination.resolve(Tag("v1"))).digest == origin.tagged["v1"]
    assert [(event.action, event.tag) for event in ledger.history.events()] == [("pull", "v1")]
    again = await apply_move(await plan_move("pull", origin, Tag("v1"), destination, Tag("v1")), ledger, Policy())
    assert [layer["outcome"] for layer in again.to_json()["layers"]] == ["present"] * 3
    assert len(ledger.history.events()) == 1


async def test_a_pull_by_digest_leaves_no_tag(
    origin: MemoryRepository, destination: LocalRepository, ledger: Ledger
) -> None:
    digest = origin.tagged["v1"]
    await apply_move(await plan_move("pull", origin, digest, destination), ledger, Policy())
    assert (await destination.resolve(digest)).digest == digest


async def test_a_push_over_a_tag_can_be_undone(
    origin: MemoryRepository, destination: LocalRepository, ledger: Ledger
) -> None:
    await apply_move(await plan_move("pull", origin, Tag("v1"), destination, Tag("v1")), ledger, Policy())
    other = origin.add_kit("two", "prod")
    plan = await plan_move("push", destination, Tag("v1"), origin, Tag("prod"))
    with pytest.raises(TagProtected):
        await apply_move(plan, ledger, Policy(protected=frozenset({"prod"})))
    with pytest.raises(ReadOnly):
        await apply_move(plan, ledger, Policy(read_only=True))
    await apply_move(plan, ledger, Policy())
    assert origin.tagged["prod"] == origin.tagged["v1"]
    await apply_undo(await plan_undo(origin, ledger), ledger, Policy())
    assert origin.tagged["prod"] == other.digest


async def test_a_damaged_copy_is_completed_by_pulling_again(
    origin: MemoryRepository, destination: LocalRepository, ledger: Ledger
) -> None:
    plan = await plan_move("pull", origin, Tag("v1"), destination, Tag("v1"))
    await apply_move(plan, ledger, Policy())
    assert destination.files is not None
    destination.files.path(plan.manifest.layers[0].digest).unlink()
    moved = await apply_move(await plan_move("pull", origin, Tag("v1"), destination, Tag("v1")), ledger, Policy())
    assert moved.to_json()["layers"][0]["outcome"] == "copied"


def finder(repository: MemoryRepository) -> Callable[[Reference], Awaitable[tuple[Repository, Target]]]:
    async def find(reference: Reference) -> tuple[Repository, Target]:
        return repository, reference.target or Tag("latest")

    return find


async def test_parents_are_followed_ten_deep_and_not_in_circles() -> None:
    repository = MemorySource().repository("kits")
    repository.add_kit("base", "p0", model={"path": "./model"})
    for number in range(1, 12):
        repository.add_kit(f"kit {number}", f"p{number}", model={"path": f"registry.test/kits:p{number - 1}"})
    ten = await repository.manifest(Tag("p10"))
    chain = [parent async for parent in parents_of(repository, ten, finder(repository))]
    assert [target for _, target in chain] == [f"p{number}" for number in range(9, -1, -1)]
    eleven = await repository.manifest(Tag("p11"))
    with pytest.raises(TooLarge):
        _ = [parent async for parent in parents_of(repository, eleven, finder(repository))]
    repository.tagged["p3"] = repository.tagged["p7"]
    with pytest.raises(Refused, match="cycle"):
        _ = [parent async for parent in parents_of(repository, ten, finder(repository))]


def refusing(message: str) -> Reply:
    return Reply(403, {}, b'{"errors":[{"code":"DENIED","message":"' + message.encode() + b'"}]}')


async def test_who_may_only_write_can_push(origin: MemoryRepository, ledger: Ledger) -> None:
    """A 403 to a blob's HEAD and GET, as for what is missing or for a login without pull, says nothing of a push."""
    async with ScriptedRegistry() as registry, connect(registry.host) as source:
        for method in ("HEAD", "GET"):
            registry.script(method, "/blobs/sha256", refusing("no pull"), times=-1)
        plan = await plan_move("push", origin, Tag("v1"), source.repository("new"), Tag("v1"))
        assert {blob.way for blob in plan.transfer.blobs} == {"copy"}
        await apply_move(plan, ledger, Policy())
        assert registry.tags["new"]["v1"] == origin.tagged["v1"]


async def test_a_registry_that_refuses_what_is_not_there_is_heard_out(origin: MemoryRepository, ledger: Ledger) -> None:
    async with ScriptedRegistry() as registry, connect(registry.host) as source:
        registry.script("", "/v2/new/", refusing("The repository with name new does not exist"), times=-1)
        with pytest.raises(NotFound, match="The repository with name new") as caught:
            await apply_move(await plan_move("push", origin, Tag("v1"), source.repository("new")), ledger, Policy())
        assert "create it first" in (caught.value.hint or "")


async def test_a_refused_blob_is_refused_in_the_registrys_own_words() -> None:
    async with ScriptedRegistry() as registry, connect(registry.host) as source:
        registry.add_kit("fraud", "v1", layers=[b"x" * 100])
        registry.script("GET", "/blobs/", refusing("blocked by the scan of Tuesday"), times=-1)
        repository = source.repository("fraud")
        layer = (await repository.manifest(Tag("v1"))).layers[0]
        with pytest.raises((Denied, Unauthorized), match="scan of Tuesday"):
            async with repository.open_blob(layer, 0, 10):
                pass


def attach(registry: ScriptedRegistry, repository: str, subject: Manifest) -> str:
    """A signature that refers to the manifest, as cosign 3 stores it; its digest."""
    registry.add_blob(repository, b"{}")
    empty = {"mediaType": "application/vnd.oci.empty.v1+json", "digest": str(Digest.of(b"{}")), "size": 2}
    kind = "application/vnd.dev.sigstore.bundle.v0.3+json"
    document = {"schemaVersion": 2, "mediaType": MANIFEST, "artifactType": kind, "config": empty, "layers": [empty]}
    raw = json.dumps({**document, "subject": subject.descriptor.to_json()}).encode()
    registry.add_manifest(repository, raw, f"sha256-{subject.digest.hex}.sig")
    return str(Digest.of(raw))


@pytest.mark.parametrize(("wanted", "taken"), [(None, True), (False, False), (True, True)])
async def test_what_is_attached_goes_along_into_another_repository_of_the_registry(
    wanted: bool | None, taken: bool, ledger: Ledger
) -> None:
    async with ScriptedRegistry() as registry, connect(registry.host) as source:
        registry.add_kit("fraud", "v1", layers=[b"one"])
        fraud = source.repository("fraud")
        signature = attach(registry, "fraud", await fraud.manifest(Tag("v1")))
        plan = await plan_retag(fraud, Tag("v1"), [(source.repository("other"), Tag("v1"))], wanted)
        assert [attached_text(move) for move in plan.elsewhere] == ["1 signature"]
        done = await apply_retag(plan, ledger, Policy())
        assert (("other", signature) in registry.manifests) == taken
        assert [moved.to_json()["carried"] for moved in done.moved] == [int(taken)]


async def test_a_pull_counts_what_is_attached_and_leaves_it_where_the_store_cannot_hold_it(
    destination: LocalRepository, ledger: Ledger
) -> None:
    async with ScriptedRegistry() as registry, connect(registry.host) as source:
        registry.add_kit("fraud", "v1", layers=[b"one"])
        fraud = source.repository("fraud")
        attach(registry, "fraud", await fraud.manifest(Tag("v1")))
        bare = await plan_move("pull", fraud, Tag("v1"), destination, Tag("v1"))
        with pytest.raises(Refused, match="ModelKits only"):
            await with_attached(bare, True)
        plan = await with_attached(bare)
        assert attached_text(plan) == "1 signature"
        moved = await apply_move(plan, ledger, Policy())
        assert (moved.to_json()["attached"], moved.carried) == (1, 0)
        assert [tag.name async for page in destination.tags() for tag in page] == ["v1"]


async def test_what_is_attached_is_not_known_where_it_may_not_be_asked_for(destination: LocalRepository) -> None:
    async with ScriptedRegistry() as registry, connect(registry.host) as source:
        registry.add_kit("fraud", "v1", layers=[b"one"])
        registry.script("GET", "/referrers/", refusing("no"), times=-1)
        plan = await plan_move("pull", source.repository("fraud"), Tag("v1"), destination, Tag("v1"))
        assert (await with_attached(plan)).attached is None
        plan = await plan_move("tag", source.repository("fraud"), Tag("v1"), source.repository("other"), Tag("v1"))
        with pytest.raises(AuthError) as caught:
            await with_attached(plan)
        assert "--no-referrers" in (caught.value.hint or "")


async def test_a_mount_is_believed_when_a_byte_of_it_was_read(ledger: Ledger) -> None:
    """Registries answer 201 for what their cache remembers, though it was collected."""
    async with ScriptedRegistry() as registry, connect(registry.host) as source:
        registry.add_kit("fraud", "v1", layers=[b"one"])
        registry.script("POST", "mount=", Reply(201, {"Location": "/v2/other/blobs/x"}), times=-1)
        plan = await plan_move("copy", source.repository("fraud"), Tag("v1"), source.repository("other"), Tag("v1"))
        assert {blob.way for blob in plan.transfer.blobs} == {"mount"}
        moved = await apply_move(plan, ledger, Policy())
        assert set(moved.outcomes.values()) == {"copied"}
        layer = plan.manifest.layers[0]
        assert await source.repository("other").read_blob(layer, 100) == b"one"
