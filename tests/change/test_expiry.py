"""What runs out in the middle of a transfer: tokens, signed addresses, and the server's willingness to serve ranges."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from kittui.oci.digest import Digest
from kittui.oci.tag import Tag
from kittui.registry import RegistrySource
from kittui.retry import Pace
from kittui.store import LocalSource
from kittui.store.repository import LocalRepository
from kittui.transfer.fetch import Tuning
from kittui.transfer.progress import Progress
from kittui.usecases.change.ledger import Ledger
from kittui.usecases.change.policy import Policy
from kittui.usecases.change.transfer import apply_move, plan_move
from tests.change.big import BLOBS, IMPATIENT, MIB, SIZE, leftovers, pull, whole
from tests.fakes.docker_registry import DockerRegistry, StartRegistry
from tests.fakes.faulty_proxy import Fault, FaultyProxy
from tests.fakes.gates import SignedStorage, TokenGate

pytestmark = pytest.mark.real


async def test_check_6_tokens_that_run_out_midway_do_not_start_the_pull_over(
    big_registry: DockerRegistry, store: LocalRepository, ledger: Ledger, content: bytes
) -> None:
    """The registry refuses a token after 12 MiB though the token service promised five minutes."""
    gate = TokenGate(every=12 * MIB)
    async with FaultyProxy(big_registry.host, gate=gate) as proxy:
        for after in (5 * MIB, 6 * MIB, 4 * MIB):
            proxy.add(Fault(path=str(Digest.of(content)), cut_after=after))
        await pull(proxy, store, ledger)
        assert whole(store, content)
        assert proxy.body_bytes(BLOBS) <= SIZE * 1.05
        assert any(str(Digest.of(content)) in path for path in gate.refused)
        assert proxy.count("GET", "/token") <= len(gate.refused) + 1
        assert leftovers(store) == []


async def test_check_6_a_token_that_dies_at_40_percent(
    big_registry: DockerRegistry, store: LocalRepository, ledger: Ledger, content: bytes
) -> None:
    gate = TokenGate(every=SIZE * 4 // 10, lifetime=1)
    async with FaultyProxy(big_registry.host, gate=gate) as proxy:
        proxy.add(Fault(path=str(Digest.of(content)), cut_after=SIZE * 4 // 10, skip=1))
        await pull(proxy, store, ledger)
        assert whole(store, content)
        assert gate.refused
        assert proxy.body_bytes(BLOBS) <= SIZE * 1.05


async def test_tokens_that_run_out_during_a_push(
    big_registry: DockerRegistry, docker_registry: StartRegistry, tmp_path: Path, ledger: Ledger, content: bytes
) -> None:
    """Every token is good for one body: uploads are refused after their whole body was sent."""
    store = LocalSource(tmp_path / "home", recheck=0).repository("registry.test/big")
    async with FaultyProxy(big_registry.host) as near:
        await pull(near, store, ledger)
    registry = docker_registry()
    gate = TokenGate(uses=1)
    async with (
        FaultyProxy(registry.host, gate=gate) as proxy,
        RegistrySource(proxy.host, patience=IMPATIENT) as source,
    ):
        plan = await plan_move("push", store, Tag("v1"), source.repository("big"), Tag("v1"))
        await apply_move(plan, ledger, Policy(), tuning=Tuning(blobs=1, connections=1, pace=Pace(tries=7, first=0.02)))
        assert any("/blobs/uploads/" in path for path in gate.refused)
    status, _, body = registry.request("GET", f"/v2/big/blobs/{Digest.of(content)}")
    assert status == 200
    assert body == content
    accept = {"Accept": plan.manifest.media_type}
    assert registry.request("GET", "/v2/big/manifests/v1", headers=accept)[2] == plan.manifest.raw


async def test_signed_addresses_that_run_out_midway_are_asked_for_again(
    big_registry: DockerRegistry, store: LocalRepository, ledger: Ledger, content: bytes
) -> None:
    async with FaultyProxy(big_registry.host) as behind:
        storage = SignedStorage(behind, every=10 * MIB)
        behind.gate = storage.back
        async with FaultyProxy(big_registry.host, gate=storage.front) as proxy:
            for after in (5 * MIB, 6 * MIB, 4 * MIB):
                behind.add(Fault(path=str(Digest.of(content)), cut_after=after))
            await pull(proxy, store, ledger)
            assert whole(store, content)
            assert storage.refused
            assert behind.body_bytes(BLOBS) <= SIZE * 1.05
            assert proxy.body_bytes(BLOBS) == 0


async def test_a_cut_pull_starts_rightly_where_ranges_are_ignored(
    big_registry: DockerRegistry, store: LocalRepository, ledger: Ledger, content: bytes
) -> None:
    async with FaultyProxy(big_registry.host) as proxy:
        proxy.add(Fault(path=str(Digest.of(content)), ignore_range=True, cut_after=30 * MIB))
        proxy.add(Fault(path=str(Digest.of(content)), ignore_range=True, cut_after=40 * MIB))
        proxy.add(Fault(path=str(Digest.of(content)), ignore_range=True, times=-1))
        await pull(proxy, store, ledger)
        assert whole(store, content)
        assert leftovers(store) == []


async def test_a_partial_with_holes_is_finished_where_ranges_are_not_served_any_more(
    big_registry: DockerRegistry, store: LocalRepository, ledger: Ledger, content: bytes
) -> None:
    """Stretches from several places are there; the next run gets the whole from the start, and only that."""
    async with FaultyProxy(big_registry.host) as proxy:
        stalled = proxy.add(Fault(path=str(Digest.of(content)), stall_after=3 * MIB, times=-1))
        progress = Progress()
        task = asyncio.create_task(pull(proxy, store, ledger, progress=progress))
        while stalled.hits < 2 or progress.done < 6 * MIB:
            assert not task.done()
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        proxy.faults.clear()
        proxy.requests.clear()
        proxy.add(Fault(path=BLOBS, ignore_range=True, times=-1))
        moved = await pull(proxy, store, ledger)
        assert whole(store, content)
        assert moved.outcomes[Digest.of(content)] == "resumed"
        assert leftovers(store) == []
