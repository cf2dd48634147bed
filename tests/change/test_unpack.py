"""Unpack as a use case: every ModelKit of the fixtures comes out as kit packed it, whole or in parts, near or far."""

from __future__ import annotations

import io
import os
import random
import re
import shutil
import stat
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from kittui.errors import (
    Conflict,
    ConnectionLost,
    DigestMismatch,
    KittuiError,
    Malformed,
    NotFound,
    Refused,
    UnsafePath,
)
from kittui.modelkit import parse_filters
from kittui.oci.digest import Digest
from kittui.oci.protocols import Repository
from kittui.oci.reference import Reference
from kittui.oci.tag import Tag
from kittui.oci.traffic import metered
from kittui.registry import RegistrySource
from kittui.retry import Pace
from kittui.store import LocalSource
from kittui.transfer.fetch import Tuning
from kittui.transfer.placing import Decisions
from kittui.usecases.inspect.inspector import Inspector
from kittui.usecases.unpack.apply import Unpacked, apply_unpack
from kittui.usecases.unpack.plan import plan_unpack
from tests.fakes.docker_registry import DockerRegistry
from tests.fakes.memory import MemoryRepository, MemorySource

FIXTURES = Path(__file__).parent.parent / "fixtures"
HOST = "127.0.0.1:5055"
SOURCES = {
    "fraud:v0.9.0": "fraud-v0.9.0",
    "fraud:v1.0.0": "fraud-v1.0.0",
    "fraud:v1.1.0": "fraud-v1.1.0",
    "fraud:tuning": "fraud-tuning",
    "sentiment:v2.0.0": "sentiment",
    "sentiment:v2.0.0-fastest": "sentiment",
    "sentiment:v2.0.0-none": "sentiment",
    "team-a/vision/edge:dups": "dups",
    "team-a/vision/edge:minimal": "minimal",
}
INFO = {"fraud:v0.9.0": "info-fraud-v0.9.0", "fraud:v1.0.0": "info-fraud-v1.0.0", "fraud:v1.1.0": "info-fraud-v1.1.0"}
_LINE = re.compile(r"(.)([rwx-]{9}) \d+/\d+ +(\d+) \S+ \S+ (.*)")


def listed(kit: str) -> dict[str, tuple[str, int, int]]:
    """The golden listing of a kit: path to type, mode and size."""
    found: dict[str, tuple[str, int, int]] = {}
    inside = False
    for line in (FIXTURES / "golden/tar-listings.txt").read_text().splitlines():
        if line.startswith("==="):
            inside = line.startswith(f"=== {HOST}/{kit} ")
        elif inside and (match := _LINE.match(line)):
            mode = sum(1 << 8 - number for number, letter in enumerate(match[2]) if letter != "-")
            found[match[4]] = (match[1], mode, int(match[3]))
    return found


def unpacked(directory: Path) -> dict[str, tuple[str, int, int]]:
    return {
        str(path.relative_to(directory)): (
            "d" if path.is_dir() else "-",
            stat.S_IMODE(path.stat().st_mode),
            0 if path.is_dir() else path.stat().st_size,
        )
        for path in directory.rglob("*")
        if path.name != "Kitfile" or path.parent != directory
    }


@pytest.fixture(autouse=True)
def _umask() -> Iterator[None]:
    old = os.umask(0o022)
    yield
    os.umask(old)


@pytest.fixture
def store(tmp_path: Path) -> LocalSource:
    shutil.copytree(FIXTURES / "kithome", tmp_path / "home")
    return LocalSource(tmp_path / "home", recheck=0)


async def unpack(repository: Repository, target: str, directory: Path, **choice: object) -> Unpacked:
    answers = choice.pop("answers", None)
    plan = await plan_unpack(repository, target, directory, **choice)  # type: ignore[arg-type]
    return await apply_unpack(plan, Inspector(), answers)  # type: ignore[arg-type]


@pytest.mark.parametrize("kit", SOURCES)
async def test_every_kit_of_the_store_unpacks_as_it_was_packed(kit: str, store: LocalSource, tmp_path: Path) -> None:
    name, _, tag = kit.rpartition(":")
    done = await unpack(store.repository(f"{HOST}/{name}"), tag, tmp_path / "out")
    assert unpacked(tmp_path / "out") == listed(kit)
    assert done.verified
    for path, (kind, _, _) in listed(kit).items():
        if kind == "-":
            assert (tmp_path / "out" / path).read_bytes() == (FIXTURES / "src" / SOURCES[kit] / path).read_bytes()
    if kit in INFO:
        golden = (FIXTURES / "golden" / f"{INFO[kit]}.txt").read_text().partition("\n")[2]
        assert (tmp_path / "out/Kitfile").read_text().strip() == golden.strip()


@pytest.mark.real
@pytest.mark.parametrize("kit", SOURCES)
async def test_straight_from_a_registry_nothing_is_stored(
    kit: str, shared_kit_registry: DockerRegistry, tmp_path: Path
) -> None:
    name, _, tag = kit.rpartition(":")
    async with RegistrySource(shared_kit_registry.host) as source:
        done = await unpack(source.repository(name), tag, tmp_path / "out")
    assert unpacked(tmp_path / "out") == listed(kit)
    assert done.verified
    assert bool(done.traffic.requests) == bool(listed(kit))


@pytest.mark.real
async def test_one_file_by_its_range_is_called_unverified(shared_kit_registry: DockerRegistry, tmp_path: Path) -> None:
    async with RegistrySource(shared_kit_registry.host) as source:
        repository = source.repository("fraud")
        done = await unpack(repository, "v1.0.0", tmp_path / "a", files=["./src/train.py"])
        assert done.to_json()["verified"] is False
        assert sorted(unpacked(tmp_path / "a")) == ["src", "src/train.py"]
        assert stat.S_IMODE((tmp_path / "a/src/train.py").stat().st_mode) == 0o755
        done = await unpack(repository, "v1.0.0", tmp_path / "b", files=["src/train.py"], verify=True)
        assert done.verified
        assert (tmp_path / "a/src/train.py").read_bytes() == (tmp_path / "b/src/train.py").read_bytes()
        done = await unpack(source.repository("sentiment"), "v2.0.0", tmp_path / "c", files=["tokenizer"])
        assert done.verified
        assert all(path.startswith("tokenizer") for path in unpacked(tmp_path / "c"))


async def test_single_files_of_the_store_are_verified(store: LocalSource, tmp_path: Path) -> None:
    repository = store.repository(f"{HOST}/fraud")
    done = await unpack(repository, "v1.0.0", tmp_path / "out", files=["data/train.csv", "README.md"])
    assert done.verified
    assert {one.path for one in done.files} == {"data/train.csv", "README.md"}
    with pytest.raises(NotFound, match=r"no\.such"):
        await unpack(repository, "v1.0.0", tmp_path / "none", files=["no.such"])
    assert not (tmp_path / "none").exists()
    with pytest.raises(UnsafePath):
        await unpack(repository, "v1.0.0", tmp_path / "none", files=["../x"])


async def test_filters_leave_the_kitfile_out(store: LocalSource, tmp_path: Path) -> None:
    repository = store.repository(f"{HOST}/fraud")
    await unpack(repository, "v1.0.0", tmp_path / "out", filters=parse_filters(["datasets:validation", "code"]))
    names = {path for path, (kind, _, _) in unpacked(tmp_path / "out").items() if kind == "-"}
    assert names == {"data/validation.csv", "src/params.json", "src/predict.py", "src/train.py"}
    assert not (tmp_path / "out/Kitfile").exists()
    done = await unpack(repository, "v1.0.0", tmp_path / "nothing", filters=parse_filters(["datasets:nope"]))
    assert done.files == ()


async def test_parents_come_first_and_only_with_their_model(store: LocalSource, tmp_path: Path) -> None:
    async def find(reference: Reference) -> tuple[Repository, str]:
        return store.repository(reference.store_name), reference.target or "latest"

    repository = store.repository(f"{HOST}/refkit")
    await unpack(repository, "v1", tmp_path / "out", find=find)
    files = {path for path, (kind, _, _) in unpacked(tmp_path / "out").items() if kind == "-"}
    assert "model/fraud.safetensors" in files
    assert "data/train.csv" not in files
    assert any(path.startswith("prompts/") for path in files)
    await unpack(repository, "v1", tmp_path / "code", find=find, filters=parse_filters(["code"]))
    assert "model/fraud.safetensors" not in unpacked(tmp_path / "code")


async def test_a_damaged_layer_of_the_store_never_reaches_the_target(store: LocalSource, tmp_path: Path) -> None:
    repository = store.repository(f"{HOST}/fraud")
    layer = (await repository.manifest(Tag("v1.0.0"))).layers[2]
    assert repository.files is not None
    path = repository.files.path(layer.digest)
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(DigestMismatch):
        await unpack(repository, "v1.0.0", tmp_path / "out")
    assert not (tmp_path / "out").exists()


async def test_conflicts_are_settled_by_who_is_asked(store: LocalSource, tmp_path: Path) -> None:
    repository = store.repository(f"{HOST}/fraud")
    await unpack(repository, "v1.0.0", tmp_path / "out")
    with pytest.raises(Conflict):
        await unpack(repository, "v0.9.0", tmp_path / "out")
    plan = await plan_unpack(repository, Tag("v0.9.0"), tmp_path / "out")
    asked: list[str] = []

    async def decide(paths: Sequence[str]) -> Decisions:
        asked.extend(paths)
        return Decisions("keep", {"README.md": "overwrite", "Kitfile": "overwrite"})

    done = await apply_unpack(plan, Inspector(), decide=decide)
    outcomes = {one.path: one.outcome for one in done.files}
    assert "README.md" in asked
    assert outcomes["README.md"] == "written"
    assert outcomes["data/train.csv"] == "kept"


HOSTILE = ["dotdot", "absolute", "symlink", "hardlink", "dotdot-inside", "device"]


@pytest.mark.real
@pytest.mark.parametrize("tag", HOSTILE)
async def test_check_28_the_hostile_kits_write_nothing(
    tag: str, shared_kit_registry: DockerRegistry, tmp_path: Path
) -> None:
    async with RegistrySource(shared_kit_registry.host) as source:
        with pytest.raises((UnsafePath, Malformed)):
            await unpack(source.repository("handmade/hostile"), tag, tmp_path / "deep/er/out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.real
async def test_odd_kits_come_out_as_they_should(shared_kit_registry: DockerRegistry, tmp_path: Path) -> None:
    async with RegistrySource(shared_kit_registry.host) as source:
        odd = source.repository("handmade/odd")
        for tag in ("nodirs", "legacy", "future", "nulllayers"):
            await unpack(odd, tag, tmp_path / tag)
        for tag in ("mismatch", "unknownlayer"):
            with pytest.raises(KittuiError):
                await unpack(odd, tag, tmp_path / tag)
            assert not (tmp_path / tag).exists()
        await unpack(source.repository("handmade/prompts"), "v1", tmp_path / "prompts")
        for tag in ("plain", "with-kitfile"):
            await unpack(source.repository("handmade/modelpack"), tag, tmp_path / tag)
            assert unpacked(tmp_path / tag)
        with pytest.raises(Refused):
            await unpack(source.repository("handmade/mixed"), "image", tmp_path / "image")


async def test_a_cut_while_unpacking_from_afar_is_an_error_of_the_network_and_the_next_run_goes_on(
    tmp_path: Path,
) -> None:
    source = MemorySource()
    repository = source.repository("big")
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        info = tarfile.TarInfo("model.bin")
        info.size = 20 << 20
        archive.addfile(info, io.BytesIO(random.Random(5).randbytes(info.size)))
    layer = stream.getvalue()
    media_type = "application/vnd.kitops.modelkit.model.v1.tar"
    repository.add_kit("big", "v1", layers=[(media_type, layer)], model={"path": "model.bin"})

    def gone(_: MemoryRepository, verb: str, what: str) -> None:
        if verb == "GET" and what == Digest.of(layer) and not source.cuts:
            raise ConnectionLost("the connection was cut")

    source.cuts = [6 << 20, None]
    source.hooks.append(gone)
    plan = await plan_unpack(repository, Tag("v1"), tmp_path / "out")
    with pytest.raises(ConnectionLost):
        await apply_unpack(plan, Inspector(), tuning=Tuning(connections=1, pace=Pace(tries=7, first=0.001)))
    assert [path.name for path in (tmp_path / "out").iterdir()] == [".kittui-unpack"]
    source.hooks.clear()
    source.cuts.clear()
    with metered() as traffic:
        done = await apply_unpack(plan, Inspector(), tuning=Tuning(connections=1, pace=Pace(tries=7, first=0.001)))
    assert done.verified
    assert 0 < traffic.bytes <= len(layer) - (6 << 20)
