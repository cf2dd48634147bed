"""A disk that is really full: a small tmpfs, then the same one with more room. Needs the right to mount."""

from __future__ import annotations

import io
import json
import random
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from kittui.disk import room
from kittui.errors import DiskFull, KittuiError
from kittui.layout import LayoutSource
from kittui.oci.digest import Digest
from kittui.oci.protocols import Repository
from kittui.oci.tag import Tag
from kittui.registry import RegistrySource
from kittui.store import LocalSource
from kittui.usecases.change.ledger import Ledger
from kittui.usecases.change.policy import Policy
from kittui.usecases.change.promote import plan_promote
from kittui.usecases.change.tags import apply_changes
from kittui.usecases.change.transfer import Moved, apply_move, plan_move
from kittui.usecases.inspect.inspector import Inspector
from kittui.usecases.unpack.apply import apply_unpack
from kittui.usecases.unpack.plan import plan_unpack
from tests.change.big import IMPATIENT, QUICK, SIZE, whole
from tests.fakes.docker_registry import DockerRegistry, StartRegistry
from tests.fakes.kit_semantics import kit_list
from tests.fakes.memory import MemoryRepository, MemorySource

pytestmark = pytest.mark.real
MODEL = "application/vnd.kitops.modelkit.model.v1.tar"
SMALL, ENOUGH = "20m", "300m"


class SmallDisk:
    """A mounted file system that can be given more room."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def mount(self, size: str) -> bool:
        words = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(self.path)]
        return subprocess.run(words, capture_output=True).returncode == 0

    def resize(self, size: str) -> None:
        subprocess.run(["mount", "-o", f"remount,size={size}", str(self.path)], check=True, capture_output=True)

    def files(self) -> list[str]:
        return sorted(str(path.relative_to(self.path)) for path in self.path.rglob("*") if not path.is_dir())


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    path = tmp_path / "disk"
    path.mkdir()
    found = SmallDisk(path)
    if sys.platform != "linux" or not found.mount(SMALL):
        pytest.skip("mounting a small disk needs root on Linux")
    yield found
    subprocess.run(["umount", "--lazy", str(path)], check=True)


@pytest.fixture
def unforeseen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The checks before a transfer find room, as they do when someone else fills the disk meanwhile."""
    monkeypatch.setattr(room, "MARGIN", -1 << 40)


async def move(action: str, origin: Repository, destination: Repository, ledger: Ledger, tag: str = "v1") -> Moved:
    plan = await plan_move(action, origin, Tag("v1"), destination, Tag(tag))
    return await apply_move(plan, ledger, Policy(), tuning=QUICK)


def earlier() -> MemoryRepository:
    """A source whose small kit is there before the disk is full."""
    small = MemorySource().repository("small")
    small.add_kit("small", "v1", layers=[(MODEL, b"small")], model={"path": "m"})
    return small


@pytest.mark.parametrize("foreseen", [True, False], ids=["foreseen", "unforeseen"])
async def test_check_27_a_pull(
    disk: SmallDisk, foreseen: bool, request: pytest.FixtureRequest, big_registry: DockerRegistry, ledger: Ledger,
    content: bytes,
) -> None:  # fmt: skip
    request.getfixturevalue("unforeseen")
    home = disk.path / "home"
    source = LocalSource(home, recheck=0)
    await move("pull", earlier(), source.repository("registry.test/small"), ledger)
    before, listed = disk.files(), kit_list(home)
    if foreseen:
        request.getfixturevalue("monkeypatch").setattr(room, "MARGIN", 1 << 20)
    store = source.repository("registry.test/big")
    async with RegistrySource(big_registry.host) as registry:
        origin = registry.repository("big")
        with pytest.raises(DiskFull) as caught:
            await move("pull", origin, store, ledger)
        assert (caught.value.code, caught.value.exit_status) == ("disk-full", 1)
        assert caught.value.hint
        assert kit_list(home) == listed
        left = [name for name in disk.files() if name not in before]
        blob = Digest.of(content).hex
        assert not [name for name in left if "index" in Path(name).name]
        assert not [name for name in left if blob in name and "partial" not in name]
        disk.resize(ENOUGH)
        moved = await move("pull", origin, store, ledger)
    assert moved.outcomes[Digest.of(content)] == ("copied" if foreseen else "resumed")
    assert whole(store, content)
    assert len(kit_list(home)) == len(listed) + 1
    assert not [name for name in disk.files() if "partial" in name]


async def test_a_copy_into_a_layout(
    disk: SmallDisk, unforeseen: None, big_registry: DockerRegistry, ledger: Ledger, content: bytes
) -> None:
    layout = LayoutSource(disk.path / "layout").repository(".")
    await move("copy", earlier(), layout, ledger, "small")
    index = (disk.path / "layout/index.json").read_bytes()
    async with RegistrySource(big_registry.host) as registry:
        with pytest.raises(DiskFull):
            await move("copy", registry.repository("big"), layout, ledger)
        assert (disk.path / "layout/index.json").read_bytes() == index
        blob = disk.path / "layout/blobs/sha256" / Digest.of(content).hex
        assert not blob.exists()
        disk.resize(ENOUGH)
        await move("copy", registry.repository("big"), layout, ledger)
    assert blob.stat().st_size == SIZE
    names = {each["annotations"]["org.opencontainers.image.ref.name"] for each in _manifests(disk.path / "layout")}
    assert names == {"small", "v1"}


def _manifests(layout: Path) -> list[dict[str, dict[str, str]]]:
    found = json.loads((layout / "index.json").read_bytes())["manifests"]
    assert isinstance(found, list)
    return found


async def test_a_push_into_a_registry_whose_disk_is_full(
    disk: SmallDisk, docker_registry: StartRegistry, big_registry: DockerRegistry, ledger: Ledger, tmp_path: Path,
    content: bytes,
) -> None:  # fmt: skip
    layout = LayoutSource(tmp_path / "layout").repository(".")
    async with RegistrySource(big_registry.host) as registry:
        await move("copy", registry.repository("big"), layout, ledger)
    full = docker_registry(disk.path / "registry")
    async with RegistrySource(full.host, patience=IMPATIENT) as registry:
        repository = registry.repository("big")
        with pytest.raises(KittuiError) as caught:
            await move("push", layout, repository, ledger)
        assert caught.value.exit_status == 4
        assert [entry async for page in _tags(repository) for entry in page] == []
        disk.resize(ENOUGH)
        await move("push", layout, repository, ledger)
    status, _, body = full.request("GET", f"/v2/big/blobs/{Digest.of(content)}")
    assert status == 200
    assert body == content


async def _tags(repository: Repository):  # type: ignore[no-untyped-def]
    try:
        async for page in repository.tags():
            yield page
    except KittuiError as error:
        assert error.code == "not-found"  # noqa: PT017


def archive(mode: str) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as tar:  # type: ignore[call-overload]
        for name, size in (("m/one.bin", 15 << 20), ("m/two.bin", 15 << 20)):
            info = tarfile.TarInfo(name)
            info.size = size
            tar.addfile(info, io.BytesIO(random.Random(name).randbytes(size)))
    return stream.getvalue()


@pytest.mark.parametrize("place", ["store", "registry"])
@pytest.mark.parametrize("media_type", [MODEL, MODEL + "+gzip"], ids=["plain", "gzip"])
async def test_unpacking(
    disk: SmallDisk, unforeseen: None, ledger: Ledger, tmp_path: Path, place: str, media_type: str
) -> None:
    """What was written before the disk was full goes again; what was there stays."""
    kit: Repository = MemorySource().repository("kit")
    layer = archive("w:gz" if media_type.endswith("gzip") else "w")
    kit.add_kit("kit", "v1", layers=[(media_type, layer)], model={"path": "m"})  # type: ignore[attr-defined]
    if place == "store":
        store = LocalSource(tmp_path / "home", recheck=0).repository("registry.test/kit")
        await move("pull", kit, store, ledger)
        kit = store
    (disk.path / "mine.txt").write_text("mine")
    target = disk.path / "new/out"

    async def unpack() -> None:
        await apply_unpack(await plan_unpack(kit, Tag("v1"), target), Inspector())

    with pytest.raises(DiskFull):
        await unpack()
    assert disk.files() == ["mine.txt"]
    assert not target.exists()
    disk.resize(ENOUGH)
    await unpack()
    assert disk.files() == ["mine.txt", "new/out/Kitfile", "new/out/m/one.bin", "new/out/m/two.bin"]
    with tarfile.open(fileobj=io.BytesIO(layer)) as tar:
        for name in ("m/one.bin", "m/two.bin"):
            member = tar.extractfile(name)
            assert member is not None
            assert (target / name).read_bytes() == member.read()


async def test_a_promotion_does_not_begin_where_its_journal_has_no_room(disk: SmallDisk) -> None:
    fraud = MemorySource().repository("fraud")
    fraud.add_kit("one", "champion", layers=[(MODEL, b"one")])
    fraud.add_kit("two", "challenger", layers=[(MODEL, b"two")])
    before = dict(fraud.tagged)
    ledger = Ledger.open(disk.path / "state", "tester@here")
    _fill(disk.path / "filler")
    with pytest.raises(DiskFull):
        await apply_changes(await plan_promote(fraud), ledger, Policy())
    assert fraud.tagged == before
    (disk.path / "filler").unlink()
    await apply_changes(await plan_promote(fraud), ledger, Policy())
    assert fraud.tagged["champion"] == before["challenger"]
    assert fraud.tagged["rollback"] == before["champion"]


def _fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        size = 1 << 20
        while size:
            try:
                file.write(b"\0" * size)
            except OSError:
                size //= 2


def test_the_command_says_what_is_missing(
    disk: SmallDisk, big_registry: DockerRegistry, monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    from kittui.cli.app import main

    for name in ("STATE", "CACHE", "CONFIG"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KITOPS_HOME", str(disk.path / "home"))
    assert main(["pull", f"{big_registry.host}/big:v1", "--json"]) == 1
    out, err = capsys.readouterr()
    problem = json.loads(err[err.index('{"error"') :])["error"]
    assert out == ""
    assert problem["code"] == "disk-full"
    assert "bytes short" in problem["message"]
    assert "Traceback" not in err
