"""Moving through a proxy that misbehaves, before a real registry."""

from __future__ import annotations

import asyncio
import json
import resource
import shutil
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal

import pytest

from kittui.errors import ConnectionLost, ContentError, DigestMismatch, KittuiError, Unsupported
from kittui.oci.digest import Digest
from kittui.oci.media_types import OCI_MANIFEST
from kittui.oci.tag import Tag
from kittui.oci.target import parse_target
from kittui.oci.traffic import metered
from kittui.registry import RegistrySource
from kittui.registry.access import Wait
from kittui.store import LocalSource
from kittui.store.repository import LocalRepository
from kittui.transfer.progress import Progress
from kittui.usecases.change.ledger import Ledger
from kittui.usecases.change.policy import Policy
from kittui.usecases.change.promote import plan_promote
from kittui.usecases.change.removal import plan_remove
from kittui.usecases.change.remove import apply_remove
from kittui.usecases.change.retag import apply_retag, plan_retag
from kittui.usecases.change.tags import apply_changes
from kittui.usecases.change.transfer import apply_move, plan_move
from tests.change.big import BLOBS, IMPATIENT, MIB, QUICK, SIZE, leftovers, pull, whole
from tests.fakes.docker_registry import DockerRegistry, StartRegistry
from tests.fakes.faulty_proxy import Fault, FaultyProxy

pytestmark = pytest.mark.real


async def test_check_17_a_flipped_byte_is_found_and_pulling_again_works(
    proxy: FaultyProxy, store: LocalRepository, ledger: Ledger, content: bytes
) -> None:
    proxy.add(Fault(path=str(Digest.of(content)), flip=1000, times=-1))
    with pytest.raises(DigestMismatch):
        await pull(proxy, store, ledger)
    assert store.files is not None
    assert not store.files.path(Digest.of(content)).exists()
    proxy.faults.clear()
    await pull(proxy, store, ledger)
    assert whole(store, content)


async def test_check_18_cuts_cost_no_more_than_a_tenth(
    proxy: FaultyProxy, store: LocalRepository, ledger: Ledger, content: bytes
) -> None:
    for after in (4 * MIB, 2 * MIB, 7 * MIB):
        proxy.add(Fault(path=str(Digest.of(content)), cut_after=after))
    await pull(proxy, store, ledger)
    assert whole(store, content)
    assert proxy.body_bytes(BLOBS) <= SIZE * 1.1


async def test_check_19_a_proxy_that_ignores_ranges_still_gives_the_right_bytes(
    proxy: FaultyProxy, store: LocalRepository, ledger: Ledger, content: bytes
) -> None:
    proxy.add(Fault(path=BLOBS, ignore_range=True, times=-1))
    await pull(proxy, store, ledger)
    assert whole(store, content)


async def test_a_proxy_that_lies_about_ranges_is_not_believed(
    proxy: FaultyProxy, store: LocalRepository, ledger: Ledger, content: bytes
) -> None:
    proxy.add(Fault(path=str(Digest.of(content)), content_range=f"bytes 5-99/{SIZE}", times=-1))
    with pytest.raises(KittuiError):
        await pull(proxy, store, ledger)
    assert store.files is not None
    assert not store.files.path(Digest.of(content)).exists()


async def test_check_22_an_encoded_answer_never_becomes_a_blob(
    proxy: FaultyProxy, store: LocalRepository, ledger: Ledger, content: bytes
) -> None:
    def lie(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
        return [*headers, ("Content-Encoding", "gzip")]

    proxy.add(Fault(path=BLOBS, edit=lie, times=-1))
    try:
        await pull(proxy, store, ledger)
    except (ContentError, KittuiError):
        assert store.files is not None
        assert not store.files.path(Digest.of(content)).exists()
    else:
        assert whole(store, content)


async def test_check_23_a_trickle_shows_as_stalled_and_a_cancel_does_not_wait_for_it(
    proxy: FaultyProxy, store: LocalRepository, ledger: Ledger, content: bytes
) -> None:
    proxy.add(Fault(path=BLOBS, stall_after=MIB, times=-1))
    progress = Progress()
    task = asyncio.create_task(pull(proxy, store, ledger, progress=progress))
    while progress.done < MIB:
        await asyncio.sleep(0.02)
    progress.clock = lambda: time.monotonic() + 6
    assert progress.stalled
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 30)
    proxy.faults.clear()
    moved = await pull(proxy, store, ledger)
    assert "resumed" in moved.outcomes.values()
    assert whole(store, content)


async def test_check_24_a_429_is_waited_out_and_shown(
    proxy: FaultyProxy, store: LocalRepository, ledger: Ledger, content: bytes
) -> None:
    proxy.add(Fault(path=BLOBS, status=429, headers={"Retry-After": "1"}))
    waits: list[Wait] = []
    await pull(proxy, store, ledger, waits=waits)
    assert whole(store, content)
    assert [wait.seconds for wait in waits] == [pytest.approx(1, abs=0.5)]


async def test_a_registry_that_is_gone_keeps_the_partial_and_the_next_run_resumes(
    proxy: FaultyProxy, store: LocalRepository, ledger: Ledger, content: bytes
) -> None:
    proxy.add(Fault(path=str(Digest.of(content)), skip=2, cut_after=0, times=-1))
    with pytest.raises(ConnectionLost):
        await pull(proxy, store, ledger)
    before = proxy.body_bytes(BLOBS)
    assert before > 0
    proxy.faults.clear()
    moved = await pull(proxy, store, ledger)
    assert "resumed" in moved.outcomes.values()
    assert whole(store, content)
    assert leftovers(store) == []


async def test_memory_stays_flat(proxy: FaultyProxy, store: LocalRepository, ledger: Ledger) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    await pull(proxy, store, ledger)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60 * 1024


async def test_check_11_and_a_push_survives_cut_uploads_and_lost_answers(
    docker_registry: StartRegistry, tmp_path: Path, ledger: Ledger, content: bytes, big_registry: DockerRegistry
) -> None:
    store = LocalSource(tmp_path / "home", recheck=0).repository("registry.test/big")
    async with FaultyProxy(big_registry.host) as near:
        await pull(near, store, ledger)
    registry = docker_registry()
    async with FaultyProxy(registry.host) as proxy, RegistrySource(proxy.host, patience=IMPATIENT) as source:
        proxy.add(Fault(method="P", path="/uploads/", cut_upload_after=5 * MIB))
        proxy.add(Fault(method="PUT", path="/manifests/", drop_answer=True))
        plan = await plan_move("push", store, Tag("v1"), source.repository("big"), Tag("v1"))
        await apply_move(plan, ledger, Policy(), tuning=QUICK)
    status, _, body = registry.request("GET", f"/v2/big/blobs/{Digest.of(content)}")
    assert status == 200
    assert body == content


@pytest.fixture
async def fraud(kit_registry: DockerRegistry) -> AsyncIterator[FaultyProxy]:
    async with FaultyProxy(kit_registry.host) as found:
        yield found


V090, V100, V110 = "c6cf1d79ed4c", "afd90276678c", "bc0db86d1084"


async def tags(host: str) -> dict[str, str]:
    async with RegistrySource(host) as source:
        repository = source.repository("fraud")
        return {
            tag: (await repository.resolve(parse_target(tag))).digest.short
            for tag in ("champion", "challenger", "rollback")
        }


PROMOTED = {"champion": V110, "challenger": V110, "rollback": V100}


async def test_a_promotion_costs_at_most_12_requests_and_200_kilobytes(fraud: FaultyProxy, ledger: Ledger) -> None:
    async with RegistrySource(fraud.host) as source:
        with metered() as traffic:
            await apply_changes(await plan_promote(source.repository("fraud")), ledger, Policy())
    assert await tags(fraud.host) == PROMOTED
    assert traffic.requests <= 12
    assert traffic.bytes + traffic.sent < 200_000


async def test_check_39_lost_answers_of_a_promotion_are_recognised(fraud: FaultyProxy, ledger: Ledger) -> None:
    fraud.add(Fault(method="PUT", path="/manifests/", drop_answer=True, times=2))
    async with RegistrySource(fraud.host, patience=IMPATIENT) as source:
        await apply_changes(await plan_promote(source.repository("fraud")), ledger, Policy())
    assert await tags(fraud.host) == PROMOTED
    assert fraud.count("PUT", "/manifests/") == 2


async def test_check_45_a_retag_costs_5_requests_and_is_verified(fraud: FaultyProxy, ledger: Ledger) -> None:
    async with RegistrySource(fraud.host) as source:
        repository = source.repository("fraud")
        await repository.resolve(Tag("v1.0.0"))
        with metered() as first:
            await apply_retag(
                await plan_retag(repository, Tag("v1.0.0"), [(repository, Tag("first"))]), ledger, Policy()
            )
        assert first.requests <= 6  # whether a tag that is created can be removed alone is asked once of a repository
        with metered() as traffic:
            await apply_retag(
                await plan_retag(repository, Tag("v1.0.0"), [(repository, Tag("prod"))]), ledger, Policy()
            )
        assert traffic.requests <= 5
        assert traffic.bytes + traffic.sent < 100_000
        assert (await repository.resolve(Tag("prod"))).digest.short == V100
    assert not [request for request in fraud.requests if "?tag=" in str(request)]


async def test_check_40_champion_goes_and_v1_survives_on_distribution_2_8(fraud: FaultyProxy, ledger: Ledger) -> None:
    async with RegistrySource(fraud.host) as source:
        repository = source.repository("fraud")
        with pytest.raises(Unsupported) as caught:
            await apply_remove(await plan_remove(repository, Tag("champion")), ledger, Policy())
        assert "v1.0.0" in (caught.value.hint or "")
        await apply_remove(await plan_remove(repository, Tag("champion"), "placeholder"), ledger, Policy())
        assert (await repository.resolve(Tag("v1.0.0"))).digest.short == V100
        listed = [entry.name async for page in repository.tags() for entry in page]
        assert "champion" not in listed


async def test_check_41_disabled_deletes_are_explained_and_change_nothing(
    docker_registry: StartRegistry, kit_registry: DockerRegistry, tmp_path: Path, ledger: Ledger
) -> None:
    shutil.copytree(kit_registry.storage, tmp_path / "storage")
    registry = docker_registry(tmp_path / "storage", delete=False)
    before = await tags(registry.host)
    async with RegistrySource(registry.host) as source:
        repository = source.repository("fraud")
        modes: tuple[Literal["untag", "placeholder", "delete"], ...] = ("untag", "placeholder", "delete")
        for mode in modes:
            with pytest.raises(Unsupported) as caught:
                await apply_remove(await plan_remove(repository, Tag("champion"), mode), ledger, Policy())
            assert caught.value.hint
    assert await tags(registry.host) == before


async def test_check_12_foreign_urls_of_layers_are_never_contacted(
    kit_registry: DockerRegistry, store: LocalRepository, ledger: Ledger
) -> None:
    async with FaultyProxy(kit_registry.host) as trap:
        status, headers, raw = kit_registry.request(
            "GET", "/v2/fraud/manifests/v1.0.0", headers={"Accept": OCI_MANIFEST}
        )
        document = json.loads(raw)
        for layer in document["layers"]:
            layer["urls"] = [f"http://{trap.host}/v2/fraud/blobs/{layer['digest']}"]
        kit_registry.request(
            "PUT", "/v2/fraud/manifests/foreign", json.dumps(document).encode(), {"Content-Type": OCI_MANIFEST}
        )
        async with RegistrySource(kit_registry.host) as source:
            plan = await plan_move("pull", source.repository("fraud"), Tag("foreign"), store, Tag("foreign"))
            await apply_move(plan, ledger, Policy())
        assert trap.requests == []
        assert status == 200
        assert headers


async def test_layouts_that_were_written_can_be_read_by_skopeo(
    kit_registry: DockerRegistry, tmp_path: Path, ledger: Ledger
) -> None:
    import subprocess

    from kittui.layout import LayoutSource

    if shutil.which("skopeo") is None:
        pytest.skip("skopeo is not installed")
    layout = LayoutSource(tmp_path / "layout").repository(".")
    async with RegistrySource(kit_registry.host) as source:
        plan = await plan_move("copy", source.repository("fraud"), Tag("champion"), layout, Tag("champion"))
        await apply_move(plan, ledger, Policy())
        plan = await plan_move("copy", layout, Tag("champion"), source.repository("again"), Tag("v1"))
        await apply_move(plan, ledger, Policy())
    found = subprocess.run(
        ["skopeo", "inspect", "--raw", f"oci:{tmp_path}/layout:champion"], check=True, capture_output=True
    ).stdout
    pushed = subprocess.run(
        ["skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{kit_registry.host}/again:v1"],
        check=True,
        capture_output=True,
    ).stdout
    assert found == pushed == plan.manifest.raw
