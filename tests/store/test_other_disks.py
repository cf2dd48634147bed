"""A store and a layout whose big folders are on another disk, by a link; and names that are too long for the disk."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from kittui.errors import NotFound, Unsupported
from kittui.layout import LayoutSource
from kittui.oci.protocols import Repository
from kittui.oci.tag import Tag
from kittui.store import LocalSource
from kittui.store.doctor import inspect_store
from kittui.transfer.engine import transfer_blobs
from kittui.transfer.plan import plan_transfer
from kittui.transfer.progress import Progress
from tests.fakes.kit_semantics import kit_list
from tests.fakes.memory import MemoryRepository, MemorySource

MODEL = "application/vnd.kitops.modelkit.model.v1.tar"
ELSEWHERE = ("/dev/shm", "/var/tmp")
LAYERS = (b"large" * 300_000, b"small")


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Path]:
    ours = tmp_path.stat().st_dev
    others = [place for place in map(Path, ELSEWHERE) if place.is_dir() and place.stat().st_dev != ours]
    if not others:
        pytest.skip("there is no second file system here")
    with tempfile.TemporaryDirectory(dir=others[0]) as folder:
        yield Path(folder)


@pytest.fixture
def origin() -> MemoryRepository:
    repository = MemorySource().repository("kit")
    repository.add_kit("kit", "v1", layers=[(MODEL, layer) for layer in LAYERS], model={"path": "m"})
    return repository


async def bring(origin: MemoryRepository, destination: Repository) -> None:
    plan = await plan_transfer(origin, Tag("v1"), destination)
    await transfer_blobs(plan, Progress())
    await destination.put_manifest(plan.manifest.raw, plan.manifest.media_type, Tag("v1"))


@pytest.mark.parametrize("linked", ["", "storage", "storage/blobs", "storage/blobs/sha256"])
async def test_a_store_with_a_folder_on_another_disk(
    tmp_path: Path, other: Path, origin: MemoryRepository, linked: str
) -> None:
    home = tmp_path / "home"
    (home / linked).parent.mkdir(parents=True, exist_ok=True)
    (home / linked).symlink_to(other)
    repository = LocalSource(home, recheck=0).repository("registry.test/kit")
    await bring(origin, repository)
    assert [row["full"] for row in kit_list(home)] == ["registry.test/kit"]
    manifest = await repository.manifest(Tag("v1"))
    for layer, raw in zip(manifest.layers, LAYERS, strict=True):
        assert repository.files.path(layer.digest).read_bytes() == raw
    await repository.untag(Tag("v1"))
    await repository.delete(manifest.digest)
    assert (await inspect_store(home)).problems == ()
    left = [path for folder in (home, other) for path in folder.rglob("*") if path.is_file()]
    assert {path.name for path in left} == {"oci-layout", "index.json"}


@pytest.mark.parametrize("linked", ["", "blobs", "blobs/sha256"])
async def test_a_layout_with_a_folder_on_another_disk(
    tmp_path: Path, other: Path, origin: MemoryRepository, linked: str
) -> None:
    directory = tmp_path / "layout"
    (directory / linked).parent.mkdir(parents=True, exist_ok=True)
    (directory / linked).symlink_to(other)
    repository = LayoutSource(directory).repository(".")
    await bring(origin, repository)
    manifest = await repository.manifest(Tag("v1"))
    assert [repository.files.path(layer.digest).read_bytes() for layer in manifest.layers] == list(LAYERS)
    assert [path for folder in (directory, other) for path in folder.rglob(".kittui")] == []


async def test_a_name_that_is_too_long_for_the_store_is_refused_before_anything_moves(
    tmp_path: Path, origin: MemoryRepository
) -> None:
    repository = LocalSource(tmp_path, recheck=0).repository("registry.test/" + "/".join(["g" * 20] * 10))
    with pytest.raises(NotFound):
        await repository.resolve(Tag("v1"))
    plan = await plan_transfer(origin, Tag("v1"), repository)
    origin.source.requests.clear()
    with pytest.raises(Unsupported, match="too long for the store") as caught:
        await transfer_blobs(plan, Progress())
    assert "copy" in (caught.value.hint or "")
    assert origin.source.requests == []
    with pytest.raises(Unsupported):
        await repository.put_manifest(plan.manifest.raw, plan.manifest.media_type, Tag("v1"))
    assert list(tmp_path.iterdir()) == []
