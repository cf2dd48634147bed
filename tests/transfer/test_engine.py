"""The engine between dict-backed and local sources, on fakes."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from kittui.crashpoints import crashing
from kittui.errors import ConnectionLost, DigestMismatch, DiskFull
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.oci.protocols import BlobReader
from kittui.oci.tag import Tag
from kittui.oci.traffic import metered
from kittui.store import LocalSource
from kittui.store.repository import LocalRepository
from kittui.transfer import fetch
from kittui.transfer.engine import transfer_blobs
from kittui.transfer.fetch import Tuning
from kittui.transfer.plan import plan_transfer
from kittui.transfer.progress import Progress
from tests.fakes.memory import Hook, MemoryRepository, MemorySource

TAR = "application/vnd.kitops.modelkit.model.v1.tar"
MIB = 1024 * 1024
BIG = bytes(range(256)) * 4096 * 5 + b"tail"


class Killed(BaseException):
    """Stands for the death of the process."""


async def no_wait(_seconds: float) -> None:
    await asyncio.sleep(0)


TUNING = Tuning(sleep=no_wait)


@pytest.fixture(autouse=True)
def _small_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "STRETCH", MIB)
    monkeypatch.setattr(fetch, "BUFFER", 64 * 1024)


@pytest.fixture
def origin() -> MemoryRepository:
    repository = MemorySource().repository("fraud")
    repository.add_kit("big", "v1", layers=[(TAR, BIG), (TAR, b"small"), (TAR, b"small")], model={"path": "model"})
    return repository


@pytest.fixture
def destination(tmp_path: Path) -> LocalRepository:
    return LocalSource(tmp_path / "home", recheck=0).repository("registry.test/fraud")


async def pull(origin: MemoryRepository, destination: LocalRepository, progress: Progress | None = None) -> list[str]:
    plan = await plan_transfer(origin, Tag("v1"), destination)
    outcomes = await transfer_blobs(plan, progress or Progress(), TUNING)
    return sorted(outcomes.values())


def whole(destination: LocalRepository, origin: MemoryRepository) -> bool:
    assert destination.files is not None
    return all(destination.files.path(digest).read_bytes() == content for digest, content in origin.blobs.items())


def leftovers(destination: LocalRepository, origin: MemoryRepository) -> list[str]:
    assert destination.files is not None
    folder = destination.files.partial(next(iter(origin.blobs))).parent
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


async def test_a_pull_brings_each_blob_once(origin: MemoryRepository, destination: LocalRepository) -> None:
    with metered() as traffic:
        assert await pull(origin, destination) == ["copied"] * 3
    assert whole(destination, origin)
    assert leftovers(destination, origin) == []
    assert traffic.bytes < len(BIG) * 1.01
    assert await pull(origin, destination) == ["present"] * 3


async def test_check_17_a_flipped_byte_never_reaches_the_blobs(
    origin: MemoryRepository, destination: LocalRepository
) -> None:
    digest = next(digest for digest, content in origin.blobs.items() if content == BIG)
    origin.blobs[digest] = BIG[:1000] + b"?" + BIG[1001:]
    with pytest.raises(DigestMismatch):
        await pull(origin, destination)
    assert destination.files is not None
    assert not destination.files.path(digest).exists()
    assert leftovers(destination, origin) == []
    origin.blobs[digest] = BIG
    await pull(origin, destination)
    assert whole(destination, origin)


async def test_check_18_cuts_cost_no_more_than_what_was_in_flight(
    origin: MemoryRepository, destination: LocalRepository
) -> None:
    origin.source.cuts = [None, 300_000, 700_000, 100_000, 0, 0, 500_000]
    with metered() as traffic:
        await pull(origin, destination)
    assert whole(destination, origin)
    assert traffic.bytes <= len(BIG) * 1.05


async def test_check_19_a_registry_that_ignores_ranges_still_gives_the_right_bytes(
    origin: MemoryRepository, destination: LocalRepository
) -> None:
    origin.source.serves_ranges = False
    origin.source.cuts = [None, 2_000_000, 3_000_000]
    await pull(origin, destination)
    assert whole(destination, origin)


@pytest.mark.parametrize("point", ["transfer.before-fsync", "transfer.before-commit", "blob.before-fsync"])
async def test_check_20_a_complete_partial_is_committed_without_asking_for_it_again(
    origin: MemoryRepository, destination: LocalRepository, point: str
) -> None:
    def die() -> None:
        raise Killed

    with crashing(point, die), pytest.raises((Killed, BaseExceptionGroup)):
        await pull(origin, destination)
    with metered() as traffic:
        outcomes = await pull(origin, destination)
    assert whole(destination, origin)
    if point != "blob.before-fsync":
        assert "resumed" in outcomes
        assert traffic.bytes < 10_000
    assert not [name for name in leftovers(destination, origin) if not name.startswith(".write-")]


async def test_check_21_a_corrupt_partial_is_thrown_away(
    origin: MemoryRepository, destination: LocalRepository
) -> None:
    origin.source.hooks.append(_cut_after(4))
    with pytest.raises(ConnectionLost):
        await pull(origin, destination)
    origin.source.hooks.clear()
    (name,) = [name for name in leftovers(destination, origin) if not name.endswith(".json")]
    assert destination.files is not None
    digest = next(digest for digest, content in origin.blobs.items() if content == BIG)
    partial = destination.files.partial(digest)
    assert partial.name == name
    with partial.open("r+b") as file:
        file.seek(17)
        file.write(b"!!")
    await pull(origin, destination)
    assert whole(destination, origin)
    assert leftovers(destination, origin) == []


def _cut_after(number: int) -> Hook:
    seen = 0

    def hook(repository: MemoryRepository, verb: str, what: str) -> None:
        nonlocal seen
        if verb == "GET" and repository.blobs.get(Digest(what)) == BIG:
            seen += 1
            if seen > number:
                raise ConnectionLost("cut")

    return hook


async def test_a_pull_that_gave_up_is_resumed_by_the_next(
    origin: MemoryRepository, destination: LocalRepository
) -> None:
    origin.source.hooks.append(_cut_after(3))
    with pytest.raises(ConnectionLost) as caught:
        await pull(origin, destination)
    assert "kept" in (caught.value.hint or "")
    origin.source.hooks.clear()
    with metered() as traffic:
        assert "resumed" in await pull(origin, destination)
    assert traffic.bytes < len(BIG) - 2 * MIB
    assert whole(destination, origin)


async def test_after_a_reboot_only_synced_bytes_are_believed(
    origin: MemoryRepository, destination: LocalRepository
) -> None:
    origin.source.hooks.append(_cut_after(3))
    with pytest.raises(ConnectionLost):
        await pull(origin, destination)
    origin.source.hooks.clear()
    assert destination.files is not None
    digest = next(digest for digest, content in origin.blobs.items() if content == BIG)
    record = destination.files.partial(digest).with_name(destination.files.partial(digest).name + ".json")
    kept = json.loads(record.read_bytes())
    record.write_text(json.dumps(kept | {"boot": "before"}))
    with metered() as traffic:
        await pull(origin, destination)
    assert whole(destination, origin)
    assert traffic.bytes > len(BIG)


async def test_check_23_a_cancel_waits_for_no_trickle_and_keeps_what_is_there(
    origin: MemoryRepository, destination: LocalRepository
) -> None:
    stuck = asyncio.Event()
    origin.source.piece = 4096

    async def trickle(_seconds: float) -> None:
        stuck.set()
        await asyncio.Event().wait()

    origin.source.hooks.append(_cut_after(2))
    plan = await plan_transfer(origin, Tag("v1"), destination)
    task = asyncio.create_task(transfer_blobs(plan, Progress(), Tuning(sleep=trickle)))
    await stuck.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    origin.source.hooks.clear()
    assert "resumed" in await pull(origin, destination)
    assert whole(destination, origin)


async def test_check_27_a_disk_that_fills_up_keeps_the_partial(
    origin: MemoryRepository, destination: LocalRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno
    import os

    real = os.pwrite
    written = 0

    def full(file: int, content: bytes, offset: int) -> int:
        nonlocal written
        if len(content) > 8192:
            written += len(content)
            if written > 2 * MIB:
                raise OSError(errno.ENOSPC, "No space left on device")
        return real(file, content, offset)

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(DiskFull, match="no room"):
        await pull(origin, destination)
    monkeypatch.setattr(os, "pwrite", real)
    with metered() as traffic:
        assert "resumed" in await pull(origin, destination)
    assert traffic.bytes < len(BIG)
    assert whole(destination, origin)


async def test_a_disk_that_is_too_small_is_refused_before_anything_moves(
    origin: MemoryRepository, destination: LocalRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage("/")._replace(free=65 * MIB)
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: usage)
    plan = await plan_transfer(origin, Tag("v1"), destination)
    origin.source.requests.clear()
    with pytest.raises(DiskFull, match="short"):
        await transfer_blobs(plan, Progress(), TUNING)
    assert origin.source.requests == []


async def test_two_pulls_at_once_move_each_blob_once(origin: MemoryRepository, tmp_path: Path) -> None:
    first = LocalSource(tmp_path / "home", recheck=0).repository("registry.test/fraud")
    second = LocalSource(tmp_path / "home", recheck=0).repository("registry.test/fraud")
    with metered() as traffic:
        await asyncio.gather(pull(origin, first), pull(origin, second))
    assert whole(first, origin)
    assert traffic.bytes < len(BIG) * 1.05


async def test_a_push_uploads_and_a_copy_mounts(origin: MemoryRepository, destination: LocalRepository) -> None:
    await pull(origin, destination)
    manifest = (await origin.manifest(Tag("v1"))).raw
    await destination.put_manifest(manifest, (await origin.manifest(Tag("v1"))).media_type, Tag("v1"))
    far = MemorySource("other.test").repository("fraud")
    plan = await plan_transfer(destination, Tag("v1"), far)
    assert plan.missing == plan.total
    assert set((await transfer_blobs(plan, Progress(), TUNING)).values()) == {"copied"}
    assert far.blobs == origin.blobs
    beside = origin.source.repository("copied")
    plan = await plan_transfer(origin, Tag("v1"), beside)
    assert set((await transfer_blobs(plan, Progress(), TUNING)).values()) == {"mounted"}
    assert beside.blobs == origin.blobs


async def test_progress_counts_every_byte_once(origin: MemoryRepository, destination: LocalRepository) -> None:
    progress = Progress()
    origin.source.cuts = [None, 300_000, 700_000]
    await pull(origin, destination, progress)
    assert progress.done == progress.total == sum(len(content) for content in origin.blobs.values())
    assert progress.note is None


class Opened(MemoryRepository):
    """Counts the readers that are open; with `together`, nothing comes before so many are."""

    together = 0
    now = most = 0

    @asynccontextmanager
    async def open_blob(
        self, descriptor: Descriptor, offset: int = 0, length: int | None = None
    ) -> AsyncIterator[BlobReader]:
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            while self.most < self.together:
                await asyncio.sleep(0.005)
            async with super().open_blob(descriptor, offset, length) as reader:
                yield reader
        finally:
            self.now -= 1


@pytest.mark.parametrize("together", [1, 2])
async def test_more_connections_are_opened_where_one_is_slow(
    destination: LocalRepository, together: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While every look finds it fast one is enough; one that brings nothing gets company."""
    monkeypatch.setattr(fetch, "FAST_BYTES", together - 1)
    monkeypatch.setattr(fetch, "LOOK_SECONDS", 0.01)
    repository = Opened(MemorySource(), "fraud")
    repository.add_kit("big", "v1", layers=[(TAR, BIG)], model={"path": "model"})
    layer = next(digest for digest, content in repository.blobs.items() if content == BIG)
    repository.together = together
    files = destination.files
    progress = Progress()
    descriptor = Descriptor(TAR, layer, len(BIG))
    progress.begin([descriptor])
    await fetch.fetch_blob(repository, descriptor, files, progress, asyncio.Semaphore(4), Tuning(sleep=no_wait))
    assert files.path(layer).read_bytes() == BIG
    assert repository.most == 1 if together == 1 else repository.most >= 2
