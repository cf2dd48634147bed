"""What looking inside costs, counted by a proxy before a real docker-registry."""

from __future__ import annotations

import asyncio
import io
import json
import tarfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from kittui.cli.app import main
from kittui.errors import Refused, Unsupported
from kittui.modelkit import ModelKit
from kittui.oci.protocols import Repository
from kittui.oci.tag import Tag
from kittui.oci.target import parse_target
from kittui.oci.traffic import metered
from kittui.registry import RegistrySource
from kittui.state.indexes import IndexCache
from kittui.usecases.browse.modelkits import ModelKits
from kittui.usecases.inspect.files import find_in_layers, list_layers
from kittui.usecases.inspect.inspector import Inspector
from kittui.usecases.inspect.prices import Price
from tests.fakes.docker_registry import DockerRegistry, StartRegistry
from tests.fakes.faulty_proxy import Fault, FaultyProxy
from tests.fakes.sparse_kits import SMALL, SparseKits, tar_of

pytestmark = pytest.mark.real

MODEL_SIZE = 64 << 20


@pytest.fixture
def world(docker_registry: StartRegistry) -> SparseKits:
    found = SparseKits(docker_registry(), MODEL_SIZE)
    found.put_all()
    return found


@pytest.fixture
async def proxied(world: SparseKits) -> AsyncIterator[tuple[FaultyProxy, Repository]]:
    async with FaultyProxy(world.registry.host) as proxy, RegistrySource(proxy.host) as source:
        yield proxy, source.repository("big")


async def tree(repository: Repository, tag: str, inspector: Inspector) -> tuple[ModelKit, list[int]]:
    kit = await ModelKits().open(repository, parse_target(tag))
    listed = await list_layers(inspector, repository, kit.layers)
    for one in listed:
        assert one.error is None
        assert one.listing is not None
        assert one.listing.complete, one.listing.problem
    return kit, [len(one.listing.files) for one in listed if one.listing is not None]


@pytest.mark.parametrize(("tag", "counts"), [("two-layers", [2, 200]), ("one-layer", None)])
async def test_a_tree_reads_the_small_files_and_jumps_over_the_big_one(
    proxied: tuple[FaultyProxy, Repository], tag: str, counts: list[int] | None
) -> None:
    """Received: at most the small files as they lie in the archive and 100 kB; fewer than 30 requests."""
    proxy, repository = proxied
    # What a round trip costs decides what is read through.
    proxy.add(Fault(delay=0.05, times=-1))
    with metered() as traffic:
        _, found = await tree(repository, tag, Inspector())
    if counts is not None:
        assert found == counts
    small = len(tar_of(SMALL)) * (2 if tag == "one-layer" else 1)
    assert proxy.body_bytes() <= small + 100_000
    assert proxy.body_bytes() == traffic.bytes
    assert proxy.count() < 30


async def test_the_tensor_list_costs_its_header_and_64_kib(
    proxied: tuple[FaultyProxy, Repository], world: SparseKits
) -> None:
    proxy, repository = proxied
    inspector = Inspector()
    kit = await ModelKits().open(repository, Tag("two-layers"))
    found = await find_in_layers(inspector, repository, kit.layers, "model/model.safetensors")
    weights = await inspector.weights(repository, found.layer, found.entry)
    assert len(weights.tensors) == 300
    assert proxy.body_bytes() <= len(world.header) + 64 * 1024


async def test_cat_costs_the_file_and_64_kib(proxied: tuple[FaultyProxy, Repository]) -> None:
    proxy, repository = proxied
    inspector = Inspector()
    kit = await ModelKits().open(repository, Tag("two-layers"))
    found = await find_in_layers(inspector, repository, kit.layers, "model/config.json")
    pieces: list[bytes] = []

    async def emit(piece: bytes) -> None:
        pieces.append(piece)

    await inspector.stream_file(repository, found.layer, found.entry, emit)
    assert b"".join(pieces) == b"{}\n" * 100
    assert proxy.body_bytes() <= 300 + 64 * 1024


async def test_the_second_opening_asks_only_whether_the_modelkit_is_still_there(
    proxied: tuple[FaultyProxy, Repository], tmp_path: Path, world: SparseKits
) -> None:
    from kittui.state.cache import DiskCache

    proxy, repository = proxied
    cache, kits = IndexCache(tmp_path / "indexes"), tmp_path / "kits"
    kit = await ModelKits(DiskCache(kits)).open(repository, Tag("two-layers"))
    await list_layers(Inspector(cache), repository, kit.layers)
    found = await find_in_layers(Inspector(cache), repository, kit.layers, "model/model.safetensors")
    await Inspector(cache).weights(repository, found.layer, found.entry)
    before = len(proxy.requests)
    again = await ModelKits(DiskCache(kits)).open(repository, kit.digest)
    inspector = Inspector(cache)
    listed = await list_layers(inspector, repository, again.layers)
    assert [one.listing.verified for one in listed if one.listing] == [False, False]
    assert len((await inspector.weights(repository, found.layer, found.entry)).tensors) == 300
    assert [request.method for request in proxy.requests[before:]] == ["HEAD"]
    # Another registry with the same digests gets nothing of what this one said.
    async with RegistrySource(world.registry.host) as other:
        with metered() as traffic:
            await list_layers(Inspector(cache), other.repository("big"), kit.layers)
    assert traffic.requests > 0
    assert traffic.bytes > 0


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "HOME", "KITOPS_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))


@pytest.mark.usefixtures("home")
async def test_a_second_run_costs_one_head(
    proxied: tuple[FaultyProxy, Repository], capsys: pytest.CaptureFixture[str]
) -> None:
    """The command as a user runs it again tomorrow: tree, tensors and a file's place come from the disk."""
    proxy, _ = proxied
    name = f"remote://{proxy.host}/big"

    async def run(reference: str, *words: str) -> dict[str, Any]:
        assert await asyncio.to_thread(main, ["tree", reference, "--plain-http", "--json", *words]) == 0
        document: dict[str, Any] = json.loads(capsys.readouterr().out)
        return document

    first = await run(f"{name}:two-layers", "--tensors")
    assert first["traffic"]["requests"] == proxy.count()
    assert first["traffic"]["bytes"] == proxy.body_bytes()
    seen = len(proxy.requests)
    again = await run(f"{name}:two-layers", "--tensors")
    assert [(request.method, request.path) for request in proxy.requests[seen:]] == [
        ("HEAD", "/v2/big/manifests/two-layers")
    ]
    assert again["traffic"] == {"requests": 1, "bytes": 0}
    assert (again["layers"], again["models"]) == (first["layers"], first["models"])
    seen = len(proxy.requests)
    pinned = await run(f"{name}@{first['digest']}", "--tensors")
    assert [(request.method, request.path) for request in proxy.requests[seen:]] == [
        ("HEAD", f"/v2/big/manifests/{first['digest']}")
    ]
    assert pinned["traffic"] == {"requests": 1, "bytes": 0}
    assert pinned["layers"] == first["layers"]


async def test_a_registry_without_ranges_is_never_streamed_by_accident(
    proxied: tuple[FaultyProxy, Repository],
) -> None:
    proxy, repository = proxied
    proxy.add(Fault(path="/blobs/", times=-1, ignore_range=True))
    kit = await ModelKits().open(repository, Tag("two-layers"))
    listed = await list_layers(Inspector(), repository, kit.layers)
    assert isinstance(listed[0].error, Refused | Unsupported)
    assert str(MODEL_SIZE // 1_000_000) in listed[0].error.message
    assert "--yes" in (listed[0].error.hint or "")
    assert listed[1].listing is not None
    assert listed[1].listing.verified
    assert proxy.body_bytes() < 8_000_000


async def test_compressed_layers_say_their_price(kit_registry: DockerRegistry, tmp_path: Path) -> None:
    prices: list[Price] = []

    async def ask(price: Price) -> bool:
        prices.append(price)
        return len(prices) > 100

    async with FaultyProxy(kit_registry.host) as proxy, RegistrySource(proxy.host) as source:
        repository = source.repository("sentiment")
        kit = await ModelKits().open(repository, Tag("v2.0.0"))
        before = proxy.body_bytes()
        inspector = Inspector(IndexCache(tmp_path), free_bytes=10_000, ask=ask)
        listed = await list_layers(inspector, repository, kit.layers)
        refused = [one for one in listed if one.error is not None]
        assert {one.layer.size for one in refused} == {price.bytes for price in prices}
        assert all(price.bytes > 10_000 for price in prices)
        assert proxy.body_bytes() - before <= 10_000 * len(kit.layers)
        inspector = Inspector(IndexCache(tmp_path), free_bytes=10_000_000)
        listed = await list_layers(inspector, repository, kit.layers)
        assert all(one.listing and one.listing.verified for one in listed)


def test_tar_of_makes_what_tarfile_reads() -> None:
    with tarfile.open(fileobj=io.BytesIO(tar_of(SMALL))) as tar:
        assert len(tar.getnames()) == 200
        assert max(member.size for member in tar) < 512
