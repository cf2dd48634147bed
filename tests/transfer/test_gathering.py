"""Small blobs that are written many at once: all durable before any is visible, errors told, memory bounded."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from kittui.crashpoints import crashing
from kittui.disk.blobs import BlobFolder
from kittui.disk.files import FolderFiles
from kittui.errors import DiskFull
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.transfer import gathering
from kittui.transfer.gathering import Gathering


def blob(number: int, size: int = 10) -> tuple[Descriptor, bytes]:
    raw = number.to_bytes(4, "big") * (size // 4)
    return Descriptor("a/b", Digest.of(raw), len(raw)), raw


@pytest.fixture
def files(tmp_path: Path) -> FolderFiles:
    return FolderFiles(BlobFolder(tmp_path / "blobs"), [tmp_path / "own"], mode=0o600, check=lambda: None)


def visible(files: FolderFiles, blobs: Sequence[tuple[Descriptor, bytes]]) -> list[bool]:
    return [files.path(each.digest).exists() and files.path(each.digest).read_bytes() == raw for each, raw in blobs]


async def test_all_are_there_after_the_block(files: FolderFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "MOST_BLOBS", 7)
    blobs = [blob(number) for number in range(50)]
    async with Gathering(files) as gathered:
        for each in [*blobs, blobs[0], blobs[49]]:
            await gathered.add(*each)
    assert all(visible(files, blobs))
    assert list((files.partial(blobs[0][0].digest).parent).iterdir()) == []
    assert {files.path(each.digest).stat().st_mode & 0o777 for each, _ in blobs} == {0o600}


def test_none_is_visible_before_all_are_durable(files: FolderFiles) -> None:
    blobs = [blob(number) for number in range(20)]
    steps: list[str] = []
    with ExitStack() as stack:
        for point in ("blob.before-fsync", "blob.before-rename", "blob.after-fsync"):
            stack.enter_context(crashing(point, lambda point=point: steps.append(point)))  # type: ignore[misc]
        files.write_all(blobs)
    assert steps == ["blob.before-fsync"] * 20 + ["blob.before-rename"] * 20 + ["blob.after-fsync"]


async def test_a_full_disk_is_told_and_leaves_nothing(files: FolderFiles) -> None:
    blobs = [blob(number) for number in range(5)]

    def full() -> None:
        raise OSError(28, os.strerror(28))

    async def gather() -> None:
        async with Gathering(files) as gathered:
            for each in blobs:
                await gathered.add(*each)

    with crashing("blob.before-fsync", full), pytest.raises(DiskFull):
        await gather()
    assert not any(visible(files, blobs))
    assert list((files.partial(blobs[0][0].digest).parent).iterdir()) == []
    await gather()
    assert all(visible(files, blobs))


class Slow:
    """Files that write only when they are let."""

    def __init__(self) -> None:
        self.let = threading.Event()
        self.written: list[bytes] = []

    def write_all(self, blobs: Sequence[tuple[Descriptor, bytes]]) -> None:
        self.let.wait(30)
        self.written += [raw for _, raw in blobs]


async def test_who_brings_more_than_memory_holds_waits_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "MOST_BYTES", 1000)
    slow = Slow()
    added = 0

    async def bring() -> None:
        nonlocal added
        async with Gathering(slow) as gathered:  # type: ignore[arg-type]
            for number in range(30):
                await gathered.add(*blob(number, 100))
                added += 1

    task = asyncio.create_task(bring())
    while added < 10:
        await asyncio.sleep(0.001)
    for _ in range(20):
        await asyncio.sleep(0)
    assert added == 10
    slow.let.set()
    await task
    assert sorted(slow.written) == sorted(blob(number, 100)[1] for number in range(30))


async def test_an_error_elsewhere_drops_what_waits_and_comes_through() -> None:
    slow = Slow()
    slow.let.set()

    async def bring() -> None:
        async with Gathering(slow) as gathered:  # type: ignore[arg-type]
            await gathered.add(*blob(1))
            raise ValueError("elsewhere")

    with pytest.raises(ValueError, match="elsewhere"):
        await bring()
