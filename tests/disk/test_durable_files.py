"""What store and layout share: locks, threads, durable writes."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from pathlib import Path

import pytest

from kittui.crashpoints import crashing
from kittui.disk import durable
from kittui.disk.blobs import BlobFolder
from kittui.disk.documents import read_document
from kittui.disk.durable import make_folder, remove_file, replace_file, storage_error
from kittui.disk.locks import file_lock, thread_lock
from kittui.disk.reach import reachable
from kittui.disk.threads import in_thread
from kittui.errors import Conflict, ConnectionLost, DigestMismatch, DiskFull, Malformed, NotFound, StorageError
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.oci.media_types import OCI_MANIFEST


async def test_a_cancelled_wait_ends_after_its_thread() -> None:
    begun, go, ended = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        go.wait(60)
        ended.set()

    task = asyncio.create_task(in_thread(work))
    await asyncio.to_thread(begun.wait, 60)
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0)
        assert not task.done()
    task.cancel()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()


async def test_a_lock_is_held_by_one(tmp_path: Path) -> None:
    inside = 0

    async def enter() -> None:
        nonlocal inside
        async with file_lock(tmp_path / "deep" / "x.lock", "x"):
            inside += 1
            assert inside == 1
            await asyncio.sleep(0)
            inside -= 1

    async with asyncio.TaskGroup() as group:
        for _ in range(12):
            group.create_task(enter())
    assert list((tmp_path / "deep").iterdir()) == []


async def test_a_lock_that_is_not_given_up_is_an_error_that_names_its_holder(tmp_path: Path) -> None:
    async with file_lock(tmp_path / "x.lock", "x"):
        with pytest.raises(Conflict, match=rf"process {os.getpid()}\) holds x") as caught:
            async with file_lock(tmp_path / "x.lock", "x", patience=0.05):
                pytest.fail("two hold the lock")
        assert f"kill {os.getpid()}" in (caught.value.hint or "")
        with pytest.raises(Conflict), thread_lock(tmp_path / "x.lock", "x", patience=0.05):
            pytest.fail("two hold the lock")
    async with file_lock(tmp_path / "x.lock", "x", patience=0):
        pass


def test_a_failed_write_keeps_the_old_file_and_leaves_no_draft(tmp_path: Path) -> None:
    path = tmp_path / "file"
    replace_file(path, b"old", temporary=tmp_path / "own", point="p")

    def full() -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    for point in ("p.before-fsync", "p.before-rename"):
        with crashing(point, full), pytest.raises(DiskFull):
            replace_file(path, b"new", temporary=tmp_path / "own", point="p")
    assert path.read_bytes() == b"old"
    assert list((tmp_path / "own").iterdir()) == []
    assert path.stat().st_mode & 0o777 == 0o600


def test_removing_says_whether_there_was_something(tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    assert remove_file(tmp_path / "x", point="p")
    assert not remove_file(tmp_path / "x", point="p")
    (tmp_path / "folder").mkdir()
    with pytest.raises(StorageError):
        remove_file(tmp_path / "folder", point="p")


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.EIO])
def test_errors_of_the_system_get_words_and_a_hint(number: int) -> None:
    error = storage_error(OSError(number, os.strerror(number)), "write /x")
    assert isinstance(error, StorageError)
    assert not isinstance(error, DiskFull)
    assert error.hint
    assert os.strerror(number) in error.message


@pytest.mark.parametrize("place", ["file", "file/below", "link"])
def test_what_stands_where_a_folder_is_needed_is_named(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(StorageError) as caught:
        make_folder(tmp_path / place)
    assert ("where a folder is needed" if place != "link" else "remove the link") in (caught.value.hint or "")


def test_a_document_is_read_again_until_it_parses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x").write_bytes(b"half")
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            (tmp_path / "x").write_bytes(b"whole")

    def parse(raw: bytes) -> bytes:
        if raw == b"half":
            raise Malformed("half")
        return raw

    monkeypatch.setattr("kittui.disk.documents.time.sleep", sleep)
    assert read_document(tmp_path / "x", parse, b"") == b"whole"
    assert slept == [0.1] * 3
    (tmp_path / "x").write_bytes(b"half")
    with pytest.raises(Malformed, match="x: half"):
        read_document(tmp_path / "x", parse, b"")
    assert len(slept) == 13
    assert read_document(tmp_path / "none", parse, b"empty") == b"empty"


def put(blobs: BlobFolder, raw: bytes) -> Descriptor:
    descriptor = Descriptor(OCI_MANIFEST, Digest.of(raw), len(raw))
    path = blobs.path(descriptor.digest)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(raw)
    return descriptor


async def test_a_blob_that_shrinks_while_it_is_read_is_an_error(tmp_path: Path) -> None:
    blobs = BlobFolder(tmp_path)
    descriptor = put(blobs, b"0123456789")
    async with blobs.open(descriptor) as reader:
        os.truncate(blobs.path(descriptor.digest), 4)
        with pytest.raises(ConnectionLost, match="6 bytes early"):
            assert b"".join([piece async for piece in reader])
    with pytest.raises(DigestMismatch):
        async with blobs.open(descriptor):
            pytest.fail("a cut blob was opened")
    blobs.path(descriptor.digest).unlink()
    with pytest.raises(NotFound):
        async with blobs.open(descriptor):
            pytest.fail("a missing blob was opened")


def test_a_manifest_named_as_a_layer_hides_nothing(tmp_path: Path) -> None:
    """Else a hostile manifest could have the layers of another one deleted."""
    blobs = BlobFolder(tmp_path)
    layer = put(blobs, b"layer")
    victim = put(
        blobs, b'{"schemaVersion":2,"layers":[{"mediaType":"x","digest":"%s","size":5}]}' % layer.digest.encode()
    )
    hostile = put(
        blobs,
        b'{"schemaVersion":2,"layers":[{"mediaType":"x","digest":"%s","size":%d}]}'
        % (victim.digest.encode(), victim.size),
    )
    for order in ([hostile, victim], [victim, hostile]):
        assert reachable(blobs, order) == {layer.digest, victim.digest, hostile.digest}
    blobs.path(victim.digest).write_bytes(b"x" * victim.size)
    with pytest.raises(DigestMismatch):
        reachable(blobs, [hostile, victim])


def test_a_folder_that_another_process_removes_meanwhile_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes write into one layout: the one that is done removes the empty folder of both."""
    removed: list[Path] = []
    close = durable._close_to_others

    def removing(path: Path, top: Path) -> None:
        if not removed:
            removed.append(path)
            path.rmdir()
        close(path, top)

    monkeypatch.setattr(durable, "_close_to_others", removing)
    durable.make_private_folder(tmp_path / "own" / "partial", tmp_path / "own")
    assert removed == [tmp_path / "own" / "partial"]
    assert (tmp_path / "own" / "partial").is_dir()
