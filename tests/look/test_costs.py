"""What looking inside costs, counted by a proxy before a real docker-registry."""

from __future__ import annotations

import hashlib
import io
import json
import struct
import tarfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from fakes.docker_registry import DockerRegistry, StartRegistry
from fakes.faulty_proxy import Fault, FaultyProxy

from kittui.errors import Refused, Unsupported
from kittui.modelkit import ModelKit
from kittui.oci.protocols import Repository
from kittui.oci.traffic import metered
from kittui.registry import RegistrySource
from kittui.state.indexes import IndexCache
from kittui.usecases.browse import ModelKits
from kittui.usecases.look import Inspector, Price
from kittui.usecases.viewing import find_in_layers, list_layers

pytestmark = pytest.mark.real

GIB = 1 << 30
SMALL = [(f"src/pkg/module_{number:03}.py", b"print('%03d')\n" % number * (number % 36 + 1)) for number in range(200)]


def tar_header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size = size
    return info.tobuf(tarfile.USTAR_FORMAT)


def tar_of(files: list[tuple[str, bytes]]) -> bytes:
    return b"".join(tar_header(name, len(body)) + body + bytes(-len(body) % 512) for name, body in files)


def safetensors_header(tensors: int) -> bytes:
    step = (GIB - (1 << 20)) // tensors // 4096 * 4096
    header = {
        f"model.layers.{n}.weight": {"dtype": "F32", "shape": [step // 4], "data_offsets": [n * step, (n + 1) * step]}
        for n in range(tensors)
    }
    raw = json.dumps(header).encode()
    return struct.pack("<Q", len(raw)) + raw


def _listed(part: object) -> list[dict[str, object]]:
    found = part if isinstance(part, list) else [part]
    return [entry for entry in found if isinstance(entry, dict)]


@dataclass
class World:
    registry: DockerRegistry
    header: bytes

    def put(self, tag: str, config: dict[str, object], layers: list[tuple[str, int, list[tuple[int, bytes]]]]) -> None:
        """Put a ModelKit whose layers are sparse files: media type, size, and pieces at their offsets."""
        root = self.registry.storage / "docker/registry/v2"
        descriptors = []
        for media_type, size, pieces in layers:
            whole = hashlib.sha256()
            if size < 1 << 24:
                content = bytearray(size)
                for offset, piece in pieces:
                    content[offset : offset + len(piece)] = piece
                whole.update(content)
            else:
                whole.update(repr((size, len(pieces))).encode())
            hexa = whole.hexdigest()
            blob = root / f"blobs/sha256/{hexa[:2]}/{hexa}/data"
            link = root / f"repositories/big/_layers/sha256/{hexa}/link"
            for file in (blob, link):
                file.parent.mkdir(parents=True, exist_ok=True)
            link.write_text(f"sha256:{hexa}")
            with blob.open("wb") as file:
                file.truncate(size)
                for offset, piece in pieces:
                    file.seek(offset)
                    file.write(piece)
            descriptors.append({"mediaType": media_type, "digest": f"sha256:{hexa}", "size": size})
        entries = [part for key in ("model", "code") if key in config for part in _listed(config[key])]
        for entry, descriptor in zip(entries, descriptors, strict=True):
            entry["digest"] = descriptor["digest"]
        raw = json.dumps(config).encode()
        digest = "sha256:" + hashlib.sha256(raw).hexdigest()
        status, headers, _ = self.registry.request("POST", "/v2/big/blobs/uploads/")
        place = headers["Location"].partition(self.registry.host)[2] or headers["Location"]
        status, _, _ = self.registry.request("PUT", f"{place}&digest={digest}", raw)
        assert status == 201
        manifest = {
            "schemaVersion": 2,
            "config": {
                "mediaType": "application/vnd.kitops.modelkit.config.v1+json",
                "digest": digest,
                "size": len(raw),
            },
            "layers": descriptors,
        }
        kind = {"Content-Type": "application/vnd.oci.image.manifest.v1+json"}
        status, _, body = self.registry.request("PUT", f"/v2/big/manifests/{tag}", json.dumps(manifest).encode(), kind)
        assert status == 201, body


@pytest.fixture
def world(docker_registry: StartRegistry) -> World:
    found = World(docker_registry(), safetensors_header(300))
    model = "application/vnd.kitops.modelkit.model.v1.tar"
    code = "application/vnd.kitops.modelkit.code.v1.tar"
    head = tar_header("model/model.safetensors", GIB) + found.header
    tail = tar_of([("model/config.json", b"{}\n" * 100)])
    small = tar_of(SMALL)
    config: dict[str, object] = {
        "manifestVersion": "1.0.0",
        "package": {},
        "model": {"path": "model"},
        "code": [{"path": "src"}],
    }
    end = 512 + GIB
    found.put(
        "two-layers",
        config,
        [
            (model, end + len(tail) + 1024, [(0, head), (end, tail)]),
            (code, len(small) + 1024, [(0, small)]),
        ],
    )
    one = small[: len(small) // 2 // 1024 * 1024]
    found.put(
        "one-layer",
        {"manifestVersion": "1.0.0", "package": {}, "model": {"path": "."}},
        [(model, len(one) + end + len(small) + 1024, [(0, one), (len(one), head), (len(one) + end, small)])],
    )
    return found


@pytest.fixture
async def proxied(world: World) -> AsyncIterator[tuple[FaultyProxy, Repository]]:
    async with FaultyProxy(world.registry.host) as proxy, RegistrySource(proxy.host) as source:
        yield proxy, source.repository("big")


async def tree(repository: Repository, tag: str, inspector: Inspector) -> tuple[ModelKit, list[int]]:
    kit = await ModelKits().open(repository, tag)
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
    proxy.add(Fault(delay=0.05, times=-1))
    began = time.monotonic()
    with metered() as traffic:
        _, found = await tree(repository, tag, Inspector())
    seconds = time.monotonic() - began
    if counts is not None:
        assert found == counts
    small = len(tar_of(SMALL)) * (2 if tag == "one-layer" else 1)
    assert proxy.body_bytes() <= small + 100_000
    assert proxy.body_bytes() == traffic.bytes
    assert proxy.count() < 30
    assert seconds < 1.5


async def test_the_tensor_list_costs_its_header_and_64_kib(
    proxied: tuple[FaultyProxy, Repository], world: World
) -> None:
    proxy, repository = proxied
    inspector = Inspector()
    kit = await ModelKits().open(repository, "two-layers")
    found = await find_in_layers(inspector, repository, kit.layers, "model/model.safetensors")
    weights = await inspector.weights(repository, found.layer, found.entry)
    assert len(weights.tensors) == 300
    assert proxy.body_bytes() <= len(world.header) + 64 * 1024


async def test_cat_costs_the_file_and_64_kib(proxied: tuple[FaultyProxy, Repository]) -> None:
    proxy, repository = proxied
    inspector = Inspector()
    kit = await ModelKits().open(repository, "two-layers")
    found = await find_in_layers(inspector, repository, kit.layers, "model/config.json")
    pieces: list[bytes] = []

    async def emit(piece: bytes) -> None:
        pieces.append(piece)

    await inspector.stream_file(repository, found.layer, found.entry, emit)
    assert b"".join(pieces) == b"{}\n" * 100
    assert proxy.body_bytes() <= 300 + 64 * 1024


async def test_the_second_opening_asks_nothing(
    proxied: tuple[FaultyProxy, Repository], tmp_path: Path, world: World
) -> None:
    from kittui.state.cache import DiskCache

    proxy, repository = proxied
    cache, kits = IndexCache(tmp_path / "indexes"), tmp_path / "kits"
    kit = await ModelKits(DiskCache(kits)).open(repository, "two-layers")
    await list_layers(Inspector(cache), repository, kit.layers)
    found = await find_in_layers(Inspector(cache), repository, kit.layers, "model/model.safetensors")
    await Inspector(cache).weights(repository, found.layer, found.entry)
    before = proxy.count()
    again = await ModelKits(DiskCache(kits)).open(repository, kit.digest)
    inspector = Inspector(cache)
    listed = await list_layers(inspector, repository, again.layers)
    assert [one.listing.verified for one in listed if one.listing] == [False, False]
    assert len((await inspector.weights(repository, found.layer, found.entry)).tensors) == 300
    assert proxy.count() == before
    # Another registry with the same digests gets nothing of what this one said.
    async with RegistrySource(world.registry.host) as other:
        await list_layers(Inspector(cache), other.repository("big"), kit.layers)
    assert Inspector(cache) is not inspector


async def test_a_registry_without_ranges_is_never_streamed_by_accident(
    proxied: tuple[FaultyProxy, Repository],
) -> None:
    proxy, repository = proxied
    proxy.add(Fault(path="/blobs/", times=-1, ignore_range=True))
    kit = await ModelKits().open(repository, "two-layers")
    listed = await list_layers(Inspector(), repository, kit.layers)
    assert isinstance(listed[0].error, Refused | Unsupported)
    assert str(GIB // 1000_000) in listed[0].error.message
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
        kit = await ModelKits().open(repository, "v2.0.0")
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
