"""Layouts that kittui writes, for itself and for the other tools."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kittui.disk.durable import shared_mode
from kittui.errors import Conflict, NotFound
from kittui.layout import LayoutSource
from kittui.layout.repository import LayoutRepository
from kittui.oci.digest import Digest
from kittui.oci.media_types import OCI_INDEX, REF_NAME
from kittui.oci.tag import Tag
from kittui.oci.target import parse_target
from kittui.store import LocalSource
from kittui.transfer.content import BlobOf
from kittui.usecases.change.freed import freed_by

FRAUD = "127.0.0.1:5055/fraud"
KITHOME = Path(__file__).parent.parent / "fixtures" / "kithome"
Skopeo = Callable[..., str]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "layout"


@pytest.fixture
def source(directory: Path) -> LayoutSource:
    return LayoutSource(directory)


@pytest.fixture
def skopeo(tmp_path: Path) -> Skopeo:
    program = shutil.which("skopeo")
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("skopeo is not installed, and CI must run this")
        pytest.skip("skopeo is not installed")
    policy = tmp_path / "policy.json"
    policy.write_text('{"default":[{"type":"insecureAcceptAnything"}]}')

    def run(*arguments: str) -> str:
        command = [program, "--policy", str(policy), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout

    return run


async def take(target: LayoutRepository, tag: str, under: str | None) -> str:
    """Bring a ModelKit of the fixtures' store into a layout."""
    origin = LocalSource(KITHOME).repository(FRAUD)
    manifest = await origin.manifest(parse_target(tag))
    for part in (manifest.config, *manifest.layers):
        assert part is not None
        assert await target.mount_blob(part, origin)
    return (await target.put_manifest(manifest.raw, manifest.media_type, Tag(under) if under else None)).digest


def entries(directory: Path) -> list[dict[str, Any]]:
    return list(json.loads((directory / "index.json").read_bytes())["manifests"])


def names(directory: Path) -> list[tuple[str | None, str]]:
    return [(entry.get("annotations", {}).get(REF_NAME), entry["digest"]) for entry in entries(directory)]


def blobs(directory: Path) -> int:
    return len(list((directory / "blobs/sha256").iterdir()))


async def test_a_layout_is_made_and_holds_nothing_of_ours(source: LayoutSource, directory: Path) -> None:
    digest = await take(source.repository("."), "champion", "v1")
    assert sorted(path.name for path in directory.iterdir()) == ["blobs", "index.json", "oci-layout"]
    assert json.loads((directory / "oci-layout").read_bytes()) == {"imageLayoutVersion": "1.0.0"}
    assert names(directory) == [("v1", digest)]
    again = (directory / "index.json").read_bytes()
    await take(source.repository("."), "champion", "v1")
    assert (directory / "index.json").read_bytes() == again


async def test_names_move_and_what_had_them_stays(source: LayoutSource, directory: Path) -> None:
    repository = source.repository(".")
    first = await take(repository, "champion", "v1")
    second = await take(repository, "challenger", "v1")
    assert names(directory) == [(None, first), ("v1", second)]
    await take(source.repository("team/x"), "challenger", "v1")
    await take(repository, "champion", "old")
    assert names(directory) == [("old", first), ("v1", second), ("team/x:v1", second)]
    await take(repository, "champion", None)
    assert len(entries(directory)) == 3


async def test_untag_keeps_the_manifest(source: LayoutSource, directory: Path) -> None:
    repository = source.repository(".")
    digest = await take(repository, "champion", "v1")
    await take(repository, "champion", "v2")
    await repository.untag(Tag("v1"))
    assert names(directory) == [("v2", digest)]
    await repository.untag(Tag("v2"))
    assert names(directory) == [(None, digest)]
    with pytest.raises(NotFound):
        await repository.untag(Tag("v2"))


async def test_what_loses_its_last_tag_stays_in_its_repository(source: LayoutSource, directory: Path) -> None:
    repository = source.repository("team/x")
    digest = await take(repository, "champion", "v1")
    before = (directory / "index.json").read_bytes()
    raw, media_type = (await repository.manifest(Tag("v1"))).raw, (await repository.manifest(Tag("v1"))).media_type
    await repository.untag(Tag("v1"))
    assert [(entry.name, entry.tag_count) async for page in source.repositories() for entry in page] == [("team/x", 0)]
    [listed] = [entry async for page in repository.tags() for entry in page]
    assert listed.name is None
    assert listed.descriptor is not None
    assert listed.descriptor.digest == digest
    await repository.put_manifest(raw, media_type, Tag("v1"))
    assert (directory / "index.json").read_bytes() == before


async def listing(source: LayoutSource, name: str) -> list[tuple[Tag | None, str]]:
    """The tags of a repository with their digests."""
    found = [entry async for page in source.repository(name).tags() for entry in page]
    return [(entry.name, entry.descriptor.digest) for entry in found if entry.descriptor is not None]


async def test_what_loses_its_last_tag_stays_beside_the_same_in_another_repository(source: LayoutSource) -> None:
    """Two repositories with a tag on one manifest, then a tag of one repository on what is homed in the other."""
    a, b = source.repository("team/a"), source.repository("team/b")
    digest = await take(a, "champion", "v1")
    await take(b, "champion", "v1")
    await a.untag(Tag("v1"))
    assert await listing(source, "team/a") == [(None, digest)]
    assert await listing(source, "team/b") == [("v1", digest)]
    await b.untag(Tag("v1"))
    await take(b, "champion", "v2")
    assert await listing(source, "team/a") == [(None, digest)]
    assert await listing(source, "team/b") == [("v2", digest)]
    await b.delete(Digest.parse(digest))
    assert await listing(source, "team/a") == [(None, digest)]
    assert await listing(source, "team/b") == []
    await take(a, "champion", "v3")
    assert await listing(source, "team/a") == [("v3", digest)]


@pytest.mark.parametrize("home", ["", "../x", "a b", "UPPER", 7])
async def test_a_home_that_is_no_repository_is_the_whole_layout(
    source: LayoutSource, directory: Path, home: str | int
) -> None:
    await take(source.repository("."), "champion", None)
    document = json.loads((directory / "index.json").read_bytes())
    document["manifests"][0]["annotations"] = {"io.kittui.repository": home}
    (directory / "index.json").write_text(json.dumps(document))
    assert [entry.name async for page in source.repositories() for entry in page] == ["."]


async def test_fields_that_kittui_does_not_know_stay(source: LayoutSource, directory: Path) -> None:
    repository = source.repository(".")
    await take(repository, "champion", "v1")
    document = json.loads((directory / "index.json").read_bytes())
    document["annotations"] = {"made": "by hand"}
    document["manifests"][0]["platform"] = {"os": "linux"}
    document["manifests"][0]["annotations"]["more"] = "text"
    (directory / "index.json").write_text(json.dumps(document))
    await take(repository, "challenger", "v2")
    await repository.untag(Tag("v1"))
    after = json.loads((directory / "index.json").read_bytes())
    assert after["annotations"] == {"made": "by hand"}
    assert after["manifests"][0]["platform"] == {"os": "linux"}
    assert after["manifests"][0]["annotations"] == {"more": "text"}


async def test_delete_frees_what_nothing_else_needs(source: LayoutSource, directory: Path) -> None:
    repository, other = source.repository("."), source.repository("team/x")
    champion = await take(repository, "champion", "v1")
    alone = blobs(directory)
    challenger = await take(repository, "challenger", "v2")
    await take(other, "challenger", "v1")
    await repository.delete((await repository.resolve(parse_target(challenger))).digest)
    assert names(directory) == [("v1", champion), ("team/x:v1", challenger)]
    assert blobs(directory) > alone
    with pytest.raises(NotFound, match="another repository"):
        await repository.delete((await repository.resolve(parse_target(challenger))).digest)
    await other.delete((await other.resolve(Tag("v1"))).digest)
    assert blobs(directory) == alone
    assert (await repository.manifest(Tag("v1"))).digest == champion


async def test_an_index_takes_its_manifests_in(source: LayoutSource, directory: Path) -> None:
    repository = source.repository(".")
    await take(repository, "champion", None)
    await take(repository, "challenger", "named")
    children = [{key: entry[key] for key in ("mediaType", "digest", "size")} for entry in entries(directory)]
    raw = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": children}).encode()
    index = (await repository.put_manifest(raw, OCI_INDEX, Tag("all"))).digest
    assert [name for name, _ in names(directory)] == ["named", "all"]
    child = await repository.resolve(children[0]["digest"])
    with pytest.raises(Conflict, match="part of an index"):
        await repository.delete(child.digest)
    await repository.delete(index)
    assert [name for name, _ in names(directory)] == ["named"]
    with pytest.raises(NotFound):
        await repository.resolve(child.digest)
    assert not source.blobs.path(child.digest).exists()
    assert await repository.manifest(Tag("named"))


async def test_a_plan_says_the_bytes_that_deleting_an_index_or_two_modelkits_frees(
    source: LayoutSource, directory: Path
) -> None:
    repository = source.repository(".")
    digests = [await take(repository, tag, None) for tag in ("v1.0.0", "v1.1.0")]
    apart = [await repository.manifest(parse_target(digest)) for digest in digests]
    before = sum(path.stat().st_size for path in directory.glob("blobs/*/*"))
    each = await freed_by([(repository, manifest) for manifest in apart])
    assert sum(size or 0 for size in each) == before
    alone = await freed_by([(repository, apart[0])])
    assert alone == each[:1]
    found = [{"mediaType": m.media_type, "digest": str(m.digest), "size": len(m.raw)} for m in apart]
    raw = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": found}).encode()
    index = (await repository.put_manifest(raw, OCI_INDEX, Tag("all"))).digest
    said = await freed_by([(repository, await repository.manifest(index))])
    full = sum(path.stat().st_size for path in directory.glob("blobs/*/*"))
    await repository.delete(index)
    assert said == [full - sum(path.stat().st_size for path in directory.glob("blobs/*/*"))]


async def test_nothing_is_deleted_while_an_entry_cannot_be_read(source: LayoutSource, directory: Path) -> None:
    repository = source.repository(".")
    digest = (await repository.resolve(parse_target(await take(repository, "champion", "v1")))).digest
    document = json.loads((directory / "index.json").read_bytes())
    document["manifests"].append({"digest": "md5:1"})
    (directory / "index.json").write_text(json.dumps(document))
    there = blobs(directory)
    await repository.delete(digest)
    assert blobs(directory) == there
    assert entries(directory) == [{"digest": "md5:1"}]


async def test_a_manifest_without_its_blobs_is_refused(source: LayoutSource, directory: Path) -> None:
    manifest = await LocalSource(KITHOME).repository(FRAUD).manifest(Tag("champion"))
    with pytest.raises(NotFound, match="7 blobs"):
        await source.repository(".").put_manifest(manifest.raw, manifest.media_type, Tag("v1"))
    assert not (directory / "index.json").exists()


async def test_a_folder_with_other_things_is_left_alone(source: LayoutSource, directory: Path) -> None:
    directory.mkdir()
    (directory / "thesis.tex").write_text("x")
    with pytest.raises(Conflict, match="not empty"):
        await take(source.repository("."), "champion", "v1")
    assert [path.name for path in directory.iterdir()] == ["thesis.tex"]


async def test_nothing_is_made_by_a_removal_in_no_layout(source: LayoutSource, directory: Path) -> None:
    with pytest.raises(NotFound):
        await source.repository(".").untag(Tag("v1"))
    assert not directory.exists()


_WRITER = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, {root!r})
from kittui.layout import LayoutSource
from tests.layout.test_layout_writing import take

async def main(number):
    repository = LayoutSource(Path(sys.argv[1])).repository(".")
    for turn in range(15):
        await take(repository, "champion" if turn % 2 else "challenger", f"t{{number}}-{{turn}}")

asyncio.run(main(sys.argv[2]))
"""


async def test_processes_writing_at_once_lose_nothing(directory: Path) -> None:
    script = _WRITER.format(root=str(Path(__file__).parents[2]))
    running = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", script, str(directory), str(number))
        for number in range(3)
    ]
    assert [await process.wait() for process in running] == [0, 0, 0]
    assert {name for name, _ in names(directory)} == {f"t{number}-{turn}" for number in range(3) for turn in range(15)}
    assert sorted(path.name for path in directory.iterdir()) == ["blobs", "index.json", "oci-layout"]


async def test_skopeo_reads_what_we_wrote(
    source: LayoutSource, directory: Path, skopeo: Skopeo, tmp_path: Path
) -> None:
    digest = await take(source.repository("."), "champion", "v1")
    await take(source.repository("team/x"), "challenger", "v2")
    manifest = await source.repository(".").manifest(Tag("v1"))
    assert skopeo("inspect", "--raw", f"oci:{directory}:v1").encode() == manifest.raw
    for name in ("v1", "team/x:v2"):
        skopeo("copy", "--quiet", f"oci:{directory}:{name}", f"oci:{tmp_path / 'theirs'}:{name}")
    theirs = LayoutSource(tmp_path / "theirs")
    assert (await theirs.repository(".").manifest(Tag("v1"))).digest == digest
    assert (await theirs.repository("team/x").manifest(Tag("v2"))).raw == (
        await source.repository("team/x").manifest(Tag("v2"))
    ).raw


async def test_we_change_what_skopeo_wrote_and_it_changes_what_we_wrote(
    source: LayoutSource, directory: Path, skopeo: Skopeo, tmp_path: Path
) -> None:
    await take(source.repository("."), "champion", "a")
    challenger = await take(source.repository("."), "challenger", "b")
    theirs = tmp_path / "theirs"
    skopeo("copy", "--quiet", f"oci:{directory}:a", f"oci:{theirs}:v1")
    await take(LayoutSource(theirs).repository("."), "challenger", "v1")
    assert skopeo("inspect", "--raw", f"oci:{theirs}:v1") == skopeo("inspect", "--raw", f"oci:{directory}:b")
    skopeo("copy", "--quiet", f"oci:{directory}:a", f"oci:{theirs}:v2")
    found = [entry async for page in LayoutSource(theirs).repository(".").tags() for entry in page]
    assert [entry.name for entry in found if entry.name] == ["v1", "v2"]
    assert all(entry.problem is None for entry in found)
    assert (await LayoutSource(theirs).repository(".").resolve(Tag("v1"))).digest == challenger


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
async def test_a_layout_s_files_share_the_mode_that_the_umask_gives(
    directory: Path, umask: int, mode: int, tmp_path: Path
) -> None:
    """Also blobs that come from a store on the same disk, where they are their owner's alone."""
    home = tmp_path / "home"
    shutil.copytree(KITHOME, home)
    for path in (home / "storage/blobs/sha256").iterdir():
        path.chmod(0o600)
    origin = LocalSource(home).repository(FRAUD)
    before = os.umask(umask)
    shared_mode.cache_clear()
    try:
        manifest = await origin.manifest(Tag("champion"))
        repository = LayoutSource(directory).repository(".")
        for part in (manifest.config, *manifest.layers[:2]):
            assert part is not None
            assert await repository.mount_blob(part, origin)
        for part in manifest.layers[2:]:
            await repository.put_blob(part, BlobOf(origin, part))
        await repository.put_manifest(manifest.raw, manifest.media_type, Tag("v1"))
    finally:
        os.umask(before)
        shared_mode.cache_clear()
    assert {path.stat().st_mode & 0o777 for path in directory.rglob("*") if path.is_file()} == {mode}


async def test_a_copy_that_was_cut_short_before_its_index_can_be_run_again(directory: Path) -> None:
    (directory / "blobs/sha256").mkdir(parents=True)
    (directory / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    repository = LayoutSource(directory).repository(".")
    with pytest.raises(NotFound, match="no index"):
        await repository.resolve(Tag("v1"))
    await take(repository, "champion", "v1")
    assert (await repository.resolve(Tag("v1"))).digest
