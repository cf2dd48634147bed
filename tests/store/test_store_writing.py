"""Changes to the store, as kit would have left it, beside kit and beside another kittui."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from kittui.crashpoints import crashing
from kittui.errors import (
    BadReference,
    ConnectionLost,
    DigestMismatch,
    DiskFull,
    Malformed,
    NotFound,
    StorageError,
    Unsupported,
)
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.oci.media_types import KIT_CONFIG, OCI_INDEX, OCI_MANIFEST
from kittui.oci.tag import Tag
from kittui.oci.target import parse_target
from kittui.store import LocalSource
from kittui.store.repository import LocalRepository
from kittui.store.root import encode_name
from tests.fakes.kit_semantics import complete, kit_list

FRAUD = "127.0.0.1:5055/fraud"
Kit = Callable[..., subprocess.CompletedProcess[str]]


class Bytes:
    """Content that is cut `cuts` times after some bytes."""

    def __init__(self, raw: bytes, cuts: int = 0, step: int = 7) -> None:
        self.raw, self.cuts, self.step = raw, cuts, step
        self.offset = self.length = 0
        self.opened: list[int] = []

    @asynccontextmanager
    async def open(self, offset: int = 0) -> AsyncIterator[Bytes]:
        self.opened.append(offset)
        self.offset, self.length = offset, len(self.raw) - offset
        self._at, self._start = offset, offset
        yield self

    async def readinto(self, buffer: memoryview) -> int:
        if self.cuts and self._at > self._start:
            self.cuts -= 1
            raise ConnectionLost("cut")
        piece = self.raw[self._at : self._at + self.step]
        buffer[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self.raw[self.offset :]


async def put_kit(repository: LocalRepository, kitfile: dict[str, object], tag: str | None, *layers: bytes) -> Digest:
    """Store a small ModelKit."""
    config = json.dumps(kitfile).encode()
    parts = [(KIT_CONFIG, config), *(("application/vnd.kitops.modelkit.code.v1.tar", layer) for layer in layers)]
    descriptors = [Descriptor(kind, Digest.of(raw), len(raw)) for kind, raw in parts]
    for descriptor, (_, raw) in zip(descriptors, parts, strict=True):
        await repository.put_blob(descriptor, Bytes(raw, step=1000))
    manifest = {
        "schemaVersion": 2,
        "config": descriptors[0].to_json(),
        "layers": [descriptor.to_json() for descriptor in descriptors[1:]],
    }
    return (
        await repository.put_manifest(json.dumps(manifest).encode(), OCI_MANIFEST, Tag(tag) if tag else None)
    ).digest


def blobs(root: Path) -> set[str]:
    return {path.name for path in (root / "storage/blobs/sha256").iterdir()}


def files(root: Path, name: str) -> tuple[Path, Path]:
    return tuple(root / "storage" / f"{encode_name(name)}-{kind}.json" for kind in ("index", "tags"))  # type: ignore[return-value]


async def test_a_retag_leaves_what_kit_tag_leaves(source: LocalSource, root: Path) -> None:
    repository = source.repository(FRAUD)
    before = await repository.manifest(Tag("challenger"))
    await repository.put_manifest(before.raw, before.media_type, Tag("champion"))
    index, tags = files(root, FRAUD)
    document = json.loads(tags.read_bytes())
    assert document["champion"] == document["challenger"]
    assert list(document) == sorted(document)
    assert b" " not in tags.read_bytes()
    assert set(document["champion"]) == {"mediaType", "digest", "size"}
    assert len(json.loads(index.read_bytes())["manifests"]) == 4
    complete(root)


async def test_tagging_into_another_repository_shares_the_blobs(source: LocalSource, root: Path) -> None:
    there = blobs(root)
    manifest = await source.repository(FRAUD).manifest(Tag("champion"))
    target = source.repository("new/name")
    assert await target.mount_blob(manifest.layers[0], source.repository(FRAUD))
    await target.put_manifest(manifest.raw, manifest.media_type, Tag("v1"))
    assert blobs(root) == there
    assert {"full": "localhost/new/name", "tags": ["v1"]}.items() <= kit_list(root)[-1].items()
    complete(root)


async def test_untag_takes_one_tag(source: LocalSource, root: Path) -> None:
    repository = source.repository(FRAUD)
    there = blobs(root)
    await repository.untag(Tag("champion"))
    with pytest.raises(NotFound):
        await repository.resolve(Tag("champion"))
    assert await repository.resolve(Tag("v1.0.0"))
    await repository.untag(Tag("tuning"))
    assert [row["tags"] for row in kit_list(root) if row["full"] == FRAUD].count(None) == 1
    assert blobs(root) == there
    with pytest.raises(NotFound):
        await repository.untag(Tag("champion"))


async def test_delete_frees_what_nothing_else_needs(source: LocalSource, root: Path) -> None:
    repository = source.repository(FRAUD)
    tuning, champion = await repository.manifest(Tag("tuning")), await repository.manifest(Tag("champion"))
    assert tuning.config is not None
    await repository.delete(tuning.digest)
    left = blobs(root)
    assert tuning.digest.hex not in left
    assert tuning.config.digest.hex not in left
    shared = {layer.digest for layer in tuning.layers} & {layer.digest for layer in champion.layers}
    assert shared
    assert {digest.hex for digest in shared} <= left
    assert not {layer.digest.hex for layer in tuning.layers if layer.digest not in shared} & left
    assert tuning.digest not in (root / "storage/index.json").read_text()
    complete(root)


async def test_delete_keeps_what_another_repository_lists(source: LocalSource, root: Path) -> None:
    manifest = await source.repository(FRAUD).manifest(Tag("champion"))
    there = blobs(root)
    await source.repository(FRAUD).delete(manifest.digest)
    with pytest.raises(NotFound):
        await source.repository(FRAUD).resolve(Tag("v1.0.0"))
    assert (await source.repository("myorg/fraud").manifest(Tag("prod"))).digest == manifest.digest
    assert blobs(root) == there
    complete(root)
    with pytest.raises(NotFound):
        await source.repository(FRAUD).delete(manifest.digest)


async def test_the_last_manifest_takes_the_files_with_it(source: LocalSource, root: Path) -> None:
    repository = source.repository("127.0.0.1:5055/refkit")
    await repository.delete((await repository.resolve(Tag("v1"))).digest)
    assert not any(path.exists() for path in files(root, "127.0.0.1:5055/refkit"))
    complete(root)


async def test_a_new_store_is_made_as_kit_makes_it(tmp_path: Path) -> None:
    source = LocalSource(tmp_path / "new", recheck=0)
    digest = await put_kit(source.repository("a/b"), {"package": {"name": "x"}}, "v1", b"layer")
    complete(tmp_path / "new")
    assert kit_list(tmp_path / "new")[0]["digest"] == digest
    storage = tmp_path / "new/storage"
    assert json.loads((storage / "oci-layout").read_bytes()) == {"imageLayoutVersion": "1.0.0"}
    for path in storage.rglob("*"):
        if path.is_file():
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [path for path in storage.rglob("index.json") if path.parent != storage] == []
    assert {path.name for path in storage.iterdir() if path.is_dir()} == {"blobs"}


async def test_an_index_json_with_null_is_filled(source: LocalSource, root: Path) -> None:
    (root / "storage/index.json").write_text('{"schemaVersion":2,"manifests":null}')
    digest = await put_kit(source.repository("a/b"), {"package": {}}, "v1")
    assert digest in {row["digest"] for row in kit_list(root)}
    complete(root)


async def test_descriptors_become_the_same_in_all_files(source: LocalSource, root: Path) -> None:
    manifest = await source.repository(FRAUD).manifest(Tag("tuning"))
    path = root / "storage/index.json"
    document = json.loads(path.read_bytes())
    for entry in document["manifests"]:
        if entry["digest"] == manifest.digest:
            entry["size"] += 1
    path.write_text(json.dumps(document))
    await source.repository(FRAUD).put_manifest(manifest.raw, manifest.media_type, Tag("again"))
    index, tags = files(root, FRAUD)
    found = [
        entry
        for file in (path, index)
        for entry in json.loads(file.read_bytes())["manifests"]
        if entry["digest"] == manifest.digest
    ]
    assert found == [json.loads(tags.read_bytes())["again"]] * 2


@pytest.mark.parametrize("broken", ["index.json", "index", "tags"])
async def test_a_file_that_cannot_be_parsed_is_never_overwritten(
    source: LocalSource, root: Path, broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kittui.disk.documents.PAUSE", 0.001)
    manifest = await source.repository("myorg/fraud").manifest(Tag("prod"))
    index, tags = files(root, FRAUD)
    path = {"index.json": root / "storage/index.json", "index": index, "tags": tags}[broken]
    path.write_bytes(b'{"half')
    before = {file: file.read_bytes() for file in (root / "storage").glob("*.json")}
    with pytest.raises(Malformed):
        await source.repository(FRAUD).put_manifest(manifest.raw, manifest.media_type, Tag("v9"))
    assert {file: file.read_bytes() for file in (root / "storage").glob("*.json")} == before


async def test_only_what_kit_can_read_gets_in(source: LocalSource, root: Path) -> None:
    repository = source.repository("odd/kits")
    there = kit_list(root)
    empty = Descriptor("application/vnd.oci.image.config.v1+json", Digest.of(b"{}"), 2)
    await repository.put_blob(empty, Bytes(b"{}"))
    image = json.dumps({"schemaVersion": 2, "config": empty.to_json(), "layers": []}).encode()
    index = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}).encode()
    with pytest.raises(Unsupported):
        await repository.put_manifest(image, OCI_MANIFEST, Tag("v1"))
    with pytest.raises(Unsupported):
        await repository.put_manifest(index, OCI_INDEX, Tag("v1"))
    unreadable: list[dict[str, object]] = [
        {"package": "text"},
        {"Model": {"parts": [1]}},
        {"package": {"authors": "me"}},
        {"code": {}},
    ]
    for kitfile in unreadable:
        with pytest.raises(Malformed, match="kit list"):
            await put_kit(repository, kitfile, "v1")
    with pytest.raises(BadReference):
        await put_kit(repository, {"package": {}}, "no tag")
    assert kit_list(root) == there


async def test_a_manifest_without_its_blobs_is_refused(source: LocalSource, root: Path) -> None:
    manifest = await source.repository(FRAUD).manifest(Tag("tuning"))
    source.blobs.path(manifest.layers[0].digest).unlink()
    with pytest.raises(NotFound, match="lacks 1 blob of"):
        await source.repository("a/b").put_manifest(manifest.raw, manifest.media_type, Tag("v1"))
    assert not any(path.exists() for path in files(root, "localhost/a/b"))


async def test_blobs_are_verified_and_leave_nothing_behind(source: LocalSource, root: Path) -> None:
    repository = source.repository(FRAUD)
    there = blobs(root)
    raw = b"0123456789" * 10
    wrong = Descriptor("x", Digest.of(b"other"), len(raw))
    long = Descriptor("x", Digest.of(raw), len(raw) - 1)
    for descriptor in (wrong, long):
        with pytest.raises(DigestMismatch):
            await repository.put_blob(descriptor, Bytes(raw))
    with pytest.raises(ConnectionLost):
        await repository.put_blob(Descriptor("x", Digest.of(raw), len(raw) + 1), Bytes(raw))
    assert blobs(root) == there
    assert list((root / "kittui/partial").iterdir()) == []


async def test_a_cut_is_taken_up_where_it_was(source: LocalSource) -> None:
    repository = source.repository(FRAUD)
    raw = b"0123456789" * 10
    content = Bytes(raw, cuts=5)
    descriptor = Descriptor("x", Digest.of(raw), len(raw))
    await repository.put_blob(descriptor, content)
    assert await repository.read_blob(descriptor, 1000) == raw
    assert content.opened == [0, 7, 14, 21, 28, 35]
    await repository.put_blob(descriptor, Bytes(b""))


async def test_no_room_is_said_before_anything_is_written(
    source: LocalSource, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(root)
    monkeypatch.setattr("kittui.disk.room.shutil.disk_usage", lambda _: usage._replace(free=1))
    with pytest.raises(DiskFull):
        await source.repository(FRAUD).put_blob(Descriptor("x", Digest.of(b"a"), 1), Bytes(b"a"))


async def test_a_full_disk_leaves_the_indexes_as_they_were(source: LocalSource, root: Path) -> None:
    def full() -> None:
        raise OSError(28, os.strerror(28))

    manifest = await source.repository(FRAUD).manifest(Tag("tuning"))
    before = {file: file.read_bytes() for file in (root / "storage").glob("*.json")}
    for point in ("store.index.before-fsync", "store.repository-index.before-fsync", "store.tags.before-rename"):
        with crashing(point, full), pytest.raises(DiskFull):
            await put_kit(source.repository(FRAUD), {"package": {"name": point}}, "v9", b"layer")
    after = {file: file.read_bytes() for file in before}
    assert {file.name for file in before if before[file] != after[file]} == {"index.json", files(root, FRAUD)[0].name}
    assert not list((root / "kittui").glob(".write-*"))
    complete(root)
    await source.repository(FRAUD).put_manifest(manifest.raw, manifest.media_type, Tag("v9"))
    complete(root)


async def test_what_kit_wrote_over_is_written_again(root: Path) -> None:
    """kit writes back what it had read when it started: our change must come back, and kit's own must stay."""
    source = LocalSource(root, recheck=0.05, at_work=lambda _: True)
    manifest = await source.repository(FRAUD).manifest(Tag("challenger"))
    stale = {path: path.read_bytes() for path in (root / "storage").glob("*.json")}
    _, tags = files(root, FRAUD)
    kits_own = json.loads(stale[tags])
    kits_own["from-kit"] = kits_own["v0.9.0"]

    async def kit_writes() -> None:
        while json.loads(tags.read_bytes())["champion"]["digest"] != manifest.digest:
            await asyncio.sleep(0.001)
        for path, raw in stale.items():
            path.write_bytes(raw)
        tags.write_text(json.dumps(kits_own))

    digest = None
    async with asyncio.TaskGroup() as group:
        group.create_task(kit_writes())
        put = group.create_task(
            source.repository(FRAUD).put_manifest(manifest.raw, manifest.media_type, Tag("champion"))
        )
    digest = put.result().digest
    assert (await source.repository(FRAUD).resolve(Tag("champion"))).digest == digest
    assert await source.repository(FRAUD).resolve(Tag("from-kit"))
    complete(root)


async def test_what_somebody_moved_meanwhile_is_left_alone(root: Path) -> None:
    source = LocalSource(root, recheck=0.05, at_work=lambda _: True)
    manifest = await source.repository(FRAUD).manifest(Tag("challenger"))
    _, tags = files(root, FRAUD)

    async def kit_tags() -> None:
        while (document := json.loads(tags.read_bytes()))["champion"]["digest"] != manifest.digest:
            await asyncio.sleep(0.001)
        document["champion"] = document["tuning"]
        tags.write_text(json.dumps(document))

    async with asyncio.TaskGroup() as group:
        group.create_task(kit_tags())
        group.create_task(source.repository(FRAUD).put_manifest(manifest.raw, manifest.media_type, Tag("champion")))
    assert (await source.repository(FRAUD).resolve(Tag("champion"))).digest == (
        await source.repository(FRAUD).resolve(Tag("tuning"))
    ).digest


async def test_a_writer_that_never_stops_is_an_error(source: LocalSource, root: Path) -> None:
    manifest = await source.repository(FRAUD).manifest(Tag("challenger"))
    _, tags = files(root, FRAUD)
    stale = tags.read_bytes()

    def write_stale() -> None:
        tags.write_bytes(stale)

    with (
        crashing("store.tags.after-fsync", write_stale),
        pytest.raises(StorageError, match="keeps overwriting"),
    ):
        await source.repository(FRAUD).put_manifest(manifest.raw, manifest.media_type, Tag("champion"))


_WRITER = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, {root!r})
from kittui.store import LocalSource
from tests.store.test_store_writing import put_kit

async def main(number):
    source = LocalSource(Path(sys.argv[1]), recheck=0)
    for turn in range(15):
        name = f"{{number}}-{{turn}}"
        kitfile = {{"package": {{"name": name}}}}
        await put_kit(source.repository("same/name"), kitfile, f"t{{name}}", b"same", name.encode())
        if turn % 3 == 2:
            repository = source.repository("same/name")
            await repository.delete((await repository.resolve(f"t{{number}}-{{turn}}")).digest)

asyncio.run(main(int(sys.argv[2])))
"""


async def test_processes_writing_at_once_lose_nothing(root: Path) -> None:
    script = _WRITER.format(root=str(Path(__file__).parents[2]))
    running = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", script, str(root), str(number))
        for number in range(3)
    ]
    assert [await process.wait() for process in running] == [0, 0, 0]
    found = {tag for row in kit_list(root) if row["full"] == "localhost/same/name" for tag in row["tags"] or ["none"]}  # type: ignore[attr-defined]
    assert found == {f"t{number}-{turn}" for number in range(3) for turn in range(15) if turn % 3 != 2}
    complete(root)


async def test_tasks_writing_at_once_lose_nothing(source: LocalSource, root: Path) -> None:
    async with asyncio.TaskGroup() as group:
        for number in range(12):
            repository = source.repository(f"r/{number % 3}")
            group.create_task(put_kit(repository, {"package": {"name": str(number)}}, f"v{number}", b"same layer"))
    assert len([row for row in kit_list(root) if str(row["full"]).startswith("localhost/r/")]) == 12
    complete(root)


@pytest.mark.parametrize("point", ["blob.before-rename", "store.index.before-rename", "store.tags.after-rename"])
async def test_a_cancelled_put_is_whole_or_not_there(source: LocalSource, root: Path, point: str) -> None:
    loop = asyncio.get_running_loop()
    task = asyncio.create_task(put_kit(source.repository("c/d"), {"package": {"name": "first"}}, "v1", b"x"))

    def cancel() -> None:
        loop.call_soon_threadsafe(task.cancel)

    with crashing(point, cancel):
        await asyncio.wait([task])
    assert task.cancelled()
    complete(root)
    await asyncio.wait_for(put_kit(source.repository("c/d"), {"package": {}}, "v2"), 5)


async def test_adoption_verifies_and_links_only_what_is_ours(source: LocalSource, tmp_path: Path) -> None:
    other = LocalSource(tmp_path / "other", recheck=0)
    origin = source.repository(FRAUD)
    first, second, third = (await origin.manifest(Tag("champion"))).layers[:3]
    source.blobs.path(first.digest).chmod(0o664)
    source.blobs.path(second.digest).chmod(0o600)
    target = other.repository(FRAUD)
    assert await target.mount_blob(first, origin)
    assert await target.mount_blob(second, origin)
    assert other.blobs.path(first.digest).stat().st_nlink == 1
    for layer in (first, second):
        assert await target.read_blob(layer, layer.size) == await origin.read_blob(layer, layer.size)
    damaged = source.blobs.path(third.digest)
    damaged.write_bytes(b"x" * third.size)
    with pytest.raises(DigestMismatch):
        await target.mount_blob(third, origin)
    assert not other.blobs.path(third.digest).exists()
    damaged.unlink()
    assert not await target.mount_blob(third, origin)


async def test_a_commit_of_an_incomplete_file_is_refused(source: LocalSource) -> None:
    repository = source.repository(FRAUD)
    descriptor = Descriptor("x", Digest.of(b"abc"), 3)
    async with repository.files.lock(descriptor.digest):
        partial = repository.files.partial(descriptor.digest)
        partial.write_bytes(b"ab")
        with pytest.raises(DigestMismatch):
            await repository.files.commit(descriptor, partial)
        partial.write_bytes(b"abc")
        partial.with_name(partial.name + ".json").write_text("{}")
        await repository.files.commit(descriptor, partial)
        assert [path.suffix for path in partial.parent.iterdir()] == [".lock"]
    assert list(partial.parent.iterdir()) == []
    assert await repository.has_blob(descriptor)


@pytest.mark.kit
async def test_kit_reads_and_removes_what_we_wrote(source: LocalSource, root: Path, kit: Kit, tmp_path: Path) -> None:
    manifest = await source.repository(FRAUD).manifest(Tag("champion"))
    await source.repository("team/copy").put_manifest(manifest.raw, manifest.media_type, Tag("v1"))
    await put_kit(source.repository("own/kit"), {"manifestVersion": "1.0.0", "package": {"name": "mine"}}, "v1")
    assert "mine" in kit("list").stdout
    assert json.loads(kit("inspect", "team/copy:v1").stdout)["digest"] == manifest.digest
    assert kit("unpack", "team/copy:v1", "-d", str(tmp_path / "out")).returncode == 0
    assert (tmp_path / "out/Kitfile").exists()
    for name in ("own/kit:v1", "team/copy:v1", "fraud-local:dev"):
        assert kit("remove", name).returncode == 0
        complete(root)
    there = await source.repository(FRAUD).manifest(Tag("champion"))
    assert kit("unpack", f"{FRAUD}:champion", "-d", str(tmp_path / "out2")).returncode == 0
    assert there.digest == manifest.digest


@pytest.mark.kit
async def test_our_delete_leaves_what_kits_remove_leaves(
    source: LocalSource, root: Path, kit: Kit, tmp_path: Path
) -> None:
    """The same manifests deleted by kit in one copy and by kittui in another: the same files with the same content."""
    theirs = tmp_path / "theirs"
    shutil.copytree(root, theirs)
    repository = source.repository(FRAUD)
    for tag in ("tuning", "champion", "v0.9.0"):
        digest = (await repository.resolve(parse_target(tag))).digest
        environment = {**os.environ, "KITOPS_HOME": str(theirs)}
        command = ["kit", "remove", f"{FRAUD}@{digest}"]
        subprocess.run(command, env=environment, check=True, capture_output=True)
        await repository.delete(digest)

    def content(home: Path) -> dict[str, object]:
        found: dict[str, object] = {"blobs": sorted(blobs(home))}
        for path in (home / "storage").glob("*.json"):
            document = json.loads(path.read_bytes())
            if path.name == "index.json":
                document["manifests"] = sorted(document["manifests"], key=str)
            found[path.name] = document
        return found

    assert content(root) == content(theirs)


@pytest.mark.kit
async def test_kit_and_kittui_writing_at_once(root: Path, kit: Kit, tmp_path: Path) -> None:
    """kit tags in a loop while kittui tags: every tag of ours is there in the end, and kit can list."""
    source = LocalSource(root, recheck=0.3)
    repository = source.repository(FRAUD)
    manifest = await repository.manifest(Tag("challenger"))

    def kit_tags() -> None:
        for number in range(12):
            kit("tag", f"{FRAUD}:tuning", f"{FRAUD}:kit-{number}")

    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.to_thread(kit_tags))
        for number in range(4):
            await repository.put_manifest(manifest.raw, manifest.media_type, Tag(f"ours-{number}"))
    found = {entry.name async for page in repository.tags() for entry in page}
    assert {f"ours-{number}" for number in range(4)} <= found
    assert kit("list").returncode == 0
    complete(root)
