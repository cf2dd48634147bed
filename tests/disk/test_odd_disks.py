"""File systems with ways of their own: no locks, no permissions, no fsync of a folder, blobs on another disk."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import signal
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from kittui.disk import durable, locks, notices
from kittui.disk.drafts import open_draft, sweep
from kittui.disk.durable import make_private_folder, rename_new, replace_file, set_mode, sync_folder
from kittui.disk.locks import file_lock, thread_lock
from kittui.disk.room import working_folder
from kittui.disk.trees import remove_tree
from kittui.errors import Conflict, StorageError


def refuse(number: int):  # type: ignore[no-untyped-def]
    def call(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    return call


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    found: list[str] = []
    monkeypatch.setattr(notices, "_said", set())
    with notices.notices_to(found.append):
        yield found


@pytest.mark.parametrize("number", [errno.EINVAL, errno.EIO, errno.ENOTSUP, errno.ENOSYS, errno.EBADF])
def test_a_folder_that_cannot_be_fsynced_is_said_once(
    tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    real = os.fsync

    def fsync(handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(number, os.strerror(number))
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    for content in (b"one", b"two"):
        replace_file(tmp_path / "file", content, temporary=tmp_path, point="p")
    assert (tmp_path / "file").read_bytes() == b"two"
    (sentence,) = said
    assert str(tmp_path) in sentence
    assert "power" in sentence


def test_a_folder_that_has_no_room_for_its_entry_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", refuse(errno.ENOSPC))
    with pytest.raises(OSError, match="No space"):
        sync_folder(tmp_path)


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP, errno.ENOSYS])
def test_permissions_that_are_not_kept_are_said_where_others_can_read(
    tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(os, "chmod", refuse(number))
    replace_file(tmp_path / "closed", b"x", temporary=tmp_path, point="p")
    assert said == []
    (tmp_path / "open").touch(0o644)
    set_mode(tmp_path / "open", 0o600, tmp_path / "open")
    (sentence,) = said
    assert "permissions" in sentence
    assert str(tmp_path) in sentence


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP])
async def test_where_there_are_no_locks_this_machine_s_own_disk_has_them(
    tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    share, local = tmp_path / "share", tmp_path / "local"
    local.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(local))
    real = fcntl.flock

    def flock(handle: int, operation: int) -> None:
        if Path(f"/proc/self/fd/{handle}").readlink().is_relative_to(share):
            raise OSError(number, os.strerror(number))
        real(handle, operation)

    monkeypatch.setattr(fcntl, "flock", flock)
    async with file_lock(share / "x.lock", "x"):
        assert len(list(local.rglob("*"))) == 2
        with pytest.raises(Conflict):
            async with file_lock(share / "x.lock", "x", patience=0.01):
                pytest.fail("two hold the lock")
    async with file_lock(share / "x.lock", "x", patience=0):
        pass
    assert list(share.iterdir()) == []
    assert [path for path in local.rglob("*") if path.is_file()] == []
    assert len(said) == 1
    assert "two machines" in said[0]


async def test_without_any_locks_one_process_still_keeps_its_tasks_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fcntl, "flock", refuse(errno.ENOSYS))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    inside = 0

    async def enter() -> None:
        nonlocal inside
        async with file_lock(tmp_path / "x.lock", "x"):
            inside += 1
            assert inside == 1
            await asyncio.sleep(0)
            inside -= 1

    async with asyncio.TaskGroup() as group:
        for _ in range(5):
            group.create_task(enter())
    with thread_lock(tmp_path / "x.lock", "x", patience=0):
        pass


HOLDER = """
import sys, asyncio
from pathlib import Path
from typing import Any
from kittui.disk.locks import file_lock
async def hold():
    async with file_lock(Path(sys.argv[1]), "x"):
        print("held", flush=True)
        sys.stdin.read()
asyncio.run(hold())
"""


async def test_a_stopped_holder_is_named_and_the_wait_ends(
    tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "_SILENT", 0.0)
    words = [sys.executable, "-c", HOLDER, str(tmp_path / "x.lock")]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert await asyncio.to_thread(holder.stdout.readline) == b"held\n"
        holder.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, holder.pid, os.WSTOPPED)
        with pytest.raises(Conflict, match=f"process {holder.pid}, stopped\\) holds the blob") as caught:
            async with file_lock(tmp_path / "x.lock", "the blob", patience=0.1):
                pytest.fail("two hold the lock")
        assert f"kill -CONT {holder.pid}" in (caught.value.hint or "")
        assert said == [f"waiting for another kittui (process {holder.pid}, stopped), which holds the blob"]
        holder.kill()
    async with file_lock(tmp_path / "x.lock", "the blob", patience=0):
        pass


async def test_a_wait_goes_on_while_the_holder_makes_progress(tmp_path: Path) -> None:
    sizes = iter(range(1000))
    async with file_lock(tmp_path / "x.lock", "x"):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3), file_lock(
                tmp_path / "x.lock", "x", patience=0.05, progress=lambda: next(sizes)
            ):  # fmt: skip
                pytest.fail("two hold the lock")


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'{"pid": "1", "host": 2}', b"\xff" * 2000])
async def test_a_lock_file_that_anybody_wrote_is_not_believed(tmp_path: Path, content: bytes) -> None:
    async with file_lock(tmp_path / "x.lock", "x"):
        (tmp_path / "x.lock").write_bytes(content)
        with pytest.raises(Conflict, match=r"^another kittui holds x"):
            async with file_lock(tmp_path / "x.lock", "x", patience=0):
                pytest.fail("two hold the lock")


def test_a_file_is_renamed_where_there_are_no_links_and_never_over_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "link", refuse(errno.EPERM))
    (tmp_path / "a").write_bytes(b"a")
    rename_new(tmp_path / "a", tmp_path / "b")
    (tmp_path / "c").touch()
    with pytest.raises(FileExistsError):
        rename_new(tmp_path / "b", tmp_path / "c")
    assert (tmp_path / "b").read_bytes() == b"a"


@pytest.mark.parametrize("umask", [0o000, 0o002, 0o022])
def test_private_folders_are_their_owners_alone(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        (tmp_path / "old").mkdir()
        make_private_folder(tmp_path / "old/new/leaf", tmp_path / "old")
        make_private_folder(tmp_path / "fresh/leaf")
    finally:
        os.umask(before)
    for name in ("old", "old/new", "old/new/leaf", "fresh", "fresh/leaf"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o700


def test_many_threads_create_the_same_folder(tmp_path: Path) -> None:
    start = threading.Barrier(8)

    def create(number: int) -> None:
        start.wait()
        for folder in range(50):
            make_private_folder(tmp_path / str(folder) / "a/b/c", tmp_path / str(folder))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(create, range(8)))
    assert len(list(tmp_path.glob("*/a/b/c"))) == 50


def test_a_folder_that_another_thread_creates_meanwhile_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, path = Path.mkdir, tmp_path / "a/b"

    def mkdir(self: Path, **more: Any) -> None:
        try:
            real(self, **more)
        except FileNotFoundError:
            real(path.parent)
            raise

    monkeypatch.setattr(Path, "mkdir", mkdir)
    make_private_folder(path)
    assert path.is_dir()


def test_a_folder_is_removed_where_permissions_are_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x/a/b").mkdir(parents=True)
    (tmp_path / "x/a/b/file").touch()
    monkeypatch.setattr(os, "chmod", refuse(errno.ENOTSUP))
    remove_tree(tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


def test_a_link_to_a_disk_that_is_not_mounted_is_named(tmp_path: Path) -> None:
    (tmp_path / "blobs").symlink_to(tmp_path / "unmounted")
    with pytest.raises(StorageError, match=r"blobs links to .*unmounted") as caught:
        durable.make_folder(tmp_path / "blobs/sha256")
    assert "Mount" in (caught.value.hint or "")


def test_what_killed_processes_left_goes_and_what_is_written_stays(tmp_path: Path) -> None:
    handle, writing = open_draft(tmp_path)
    blob = "a" * 64
    names = [".write-abc", ".draft-x_1", f".put-{blob}", f"sha256-{blob}.lock", "sha512-00.lock"]
    others = [f"sha256-{blob}", f"sha256-{blob}.json", "other.lock", ".write-a.txt", "x.json"]
    for name in names + others:
        (tmp_path / name).touch()
    sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([writing.name, *others])
    os.close(handle)
    sweep(tmp_path)
    assert not writing.exists()


async def test_the_draft_of_a_blob_stays_while_the_blob_is_locked(tmp_path: Path) -> None:
    draft = tmp_path / f".put-{'a' * 64}"
    draft.touch()
    async with file_lock(tmp_path / f"sha256-{'a' * 64}.lock", "x"):
        sweep(tmp_path)
        assert draft.exists()
    sweep(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_draft_that_is_swept_as_it_is_created_is_created_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = tempfile.mkstemp
    swept: list[str] = []

    def mkstemp(**settings: Any) -> tuple[int, str]:
        handle, name = real(**settings)
        if not swept:
            swept.append(name)
            Path(name).unlink()
        return handle, name

    monkeypatch.setattr(tempfile, "mkstemp", mkstemp)
    handle, draft = open_draft(tmp_path)
    os.close(handle)
    assert draft.exists()
    assert str(draft) not in swept


@pytest.mark.parametrize("same_device", [True, False], ids=["bind mount", "other device"])
def test_work_goes_where_a_rename_reaches_the_target(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, same_device: bool
) -> None:
    own, blobs = tmp_path / "own", tmp_path / "blobs"
    own.mkdir()
    blobs.mkdir()
    assert working_folder([own, blobs / ".kittui"], blobs / "sha256") == own
    assert list(blobs.iterdir()) == list(own.iterdir()) == []
    if same_device:
        monkeypatch.setattr(Path, "rename", refuse(errno.EXDEV))
    else:
        real = Path.stat

        def other(self: Path, **settings: bool) -> os.stat_result:
            found = real(self, **settings)
            return os.stat_result((*found[:2], 99, *found[3:])) if self == blobs else found

        monkeypatch.setattr(Path, "stat", other)
    assert working_folder([own, blobs / ".kittui"], blobs / "sha256") == blobs / ".kittui"
    assert list(blobs.iterdir()) == list(own.iterdir()) == []
