"""Writes blobs into a folder: one writer per digest, verified before they appear and durable once they do."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from fcntl import ioctl
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

from kittui.crashpoints import crash_point
from kittui.disk.blobs import PIECE, BlobFolder
from kittui.disk.buffers import read_buffer
from kittui.disk.drafts import open_draft
from kittui.disk.durable import (
    make_folder,
    make_private_folder,
    set_mode,
    start_writing,
    storage_error,
    sync_file,
    sync_folder,
    write_fully,
)
from kittui.disk.locks import file_lock
from kittui.disk.room import check_room, working_folder
from kittui.disk.threads import in_thread
from kittui.errors import ConnectionLost, DigestMismatch
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.oci.protocols import BlobContent

_RETRIES = 3
_FICLONE = 0x40049409
"""Linux's ioctl that shares a file's blocks (btrfs, XFS, bcachefs)."""


class FolderFiles:
    """The blobs of a store or layout as files; satisfies `oci.protocols.BlobFiles`.

    `own` are kittui's folders there for unfinished files; the first on the blobs' disk is used. `mode` is for
    blobs, `check` raises if none may be written. Blobs alone are not a store or layout: its files are written with
    the first manifest.
    """

    def __init__(self, blobs: BlobFolder, own: Sequence[Path], *, mode: int, check: Callable[[], None]) -> None:
        self._blobs = blobs
        self._candidates = own
        self._mode = mode
        self._check = check

    @cached_property
    def own(self) -> Path:
        """The folder for unfinished files. The first access blocks briefly. Raises StorageError."""
        target = self._blobs.folder / "sha256"
        try:
            return working_folder(self._candidates, target)
        except OSError as error:
            raise storage_error(error, f"write into {target}") from error

    def path(self, digest: Digest) -> Path:
        """Where the blob is, or would be."""
        return self._blobs.path(digest)

    def partial(self, digest: Digest) -> Path:
        """The path of its unfinished download; the folder exists once the digest's lock is held."""
        return self.own / "partial" / f"{digest.algorithm}-{digest.hex}"

    def check_room(self, size: int) -> None:
        """Raise if blobs of `size` bytes in total can't be written: DiskFull, StorageError, or what `check` raises.
        Blocks.
        """
        self._check()
        check_room(self.own, size, "Free some space, or use another disk.")

    @asynccontextmanager
    async def lock(self, digest: Digest) -> AsyncIterator[None]:
        """Lock a digest: one writer at a time across all kittui processes."""
        await in_thread(self._check)
        partial = self.partial(digest)

        def progress() -> object:
            with suppress(OSError):
                return partial.stat().st_mtime_ns
            return None

        # The lock file is beside the partial one, so that no process removes the folder as empty.
        path = partial.with_name(partial.name + ".lock")
        async with file_lock(path, f"the blob {digest.short}", top=self.own, progress=progress):
            yield

    async def commit(self, descriptor: Descriptor, partial: Path) -> None:
        """Turn a complete, verified, fsynced file into the blob: rename, fsync the folder, drop its range notes.

        Raises DigestMismatch if the file's size is not the descriptor's.
        """
        await in_thread(self._commit, descriptor, partial)

    def _commit(self, descriptor: Descriptor, partial: Path) -> None:
        target = self.path(descriptor.digest)
        make_folder(target.parent)
        try:
            status = partial.stat()
            if status.st_size != descriptor.size:
                raise DigestMismatch(
                    f"{partial.name} has {status.st_size} bytes and should have {descriptor.size}",
                    hint="Run it again: the incomplete file was not stored as a blob.",
                )
            if status.st_nlink == 1:
                set_mode(partial, self._mode, target)
            crash_point("blob.before-rename")
            partial.replace(target)
            crash_point("blob.after-rename")
            sync_folder(target.parent)
            crash_point("blob.after-fsync")
            sidecar = partial.with_name(partial.name + ".json")
            with suppress(OSError):
                sidecar.unlink()
        except OSError as error:
            raise storage_error(error, f"store the blob {descriptor.digest.short}") from error

    def write(self, descriptor: Descriptor, raw: bytes) -> None:
        """Store a small, already verified blob unless it exists. Blocks."""
        self.write_all([(descriptor, raw)])

    def write_all(self, blobs: Sequence[tuple[Descriptor, bytes]]) -> None:
        """Store small, already verified blobs: make all durable, then all visible. Blocks.

        Raises DiskFull, StorageError; no blob becomes visible unless all of them are durable.
        """
        folder = self.own / "partial"
        make_private_folder(folder, self.own)
        drafts: list[tuple[Descriptor, Path, int]] = []
        try:
            for descriptor, raw in {descriptor.digest: (descriptor, raw) for descriptor, raw in blobs}.values():
                if self._blobs.size(descriptor.digest) != descriptor.size:
                    handle, draft = open_draft(folder)
                    drafts.append((descriptor, draft, handle))
                    set_mode(handle, self._mode, self.path(descriptor.digest))
                    write_fully(handle, raw)
                    start_writing(handle)
            # All are being written already: one journal commit of the file system, in the first fsync, covers them.
            for _, _, handle in drafts:
                _sync(handle)
            for target in {self.path(descriptor.digest).parent for descriptor, _, _ in drafts}:
                make_folder(target)
            for descriptor, draft, _ in drafts:
                crash_point("blob.before-rename")
                draft.replace(self.path(descriptor.digest))
                crash_point("blob.after-rename")
            for target in {self.path(descriptor.digest).parent for descriptor, _, _ in drafts}:
                sync_folder(target)
                crash_point("blob.after-fsync")
        except OSError as error:
            raise storage_error(error, "store blobs") from error
        finally:
            for _, draft, handle in drafts:
                os.close(handle)
                with suppress(OSError):
                    draft.unlink()

    async def store(self, descriptor: Descriptor, content: BlobContent) -> None:
        """Read a blob from any source and store it, verified; a lost connection resumes where it broke.

        Raises DigestMismatch, DiskFull, StorageError and what the content raises; nothing is stored then.
        """
        async with self.lock(descriptor.digest):
            if await in_thread(self._blobs.size, descriptor.digest) == descriptor.size:
                return
            await in_thread(check_room, self.own, descriptor.size)
            draft = self.partial(descriptor.digest).with_name(f".put-{descriptor.digest.hex}")
            try:
                await self._receive(descriptor, content, draft)
                await self.commit(descriptor, draft)
            finally:
                with suppress(OSError):
                    draft.unlink()

    async def _receive(self, descriptor: Descriptor, content: BlobContent, draft: Path) -> None:
        hasher = descriptor.digest.hasher()
        buffer = read_buffer(PIECE)
        done = 0
        failures = 0

        def keep(piece: memoryview) -> None:
            hasher.update(piece)
            try:
                file.write(piece)
            except OSError as error:
                raise storage_error(error, f"write {draft}") from error

        try:
            file = draft.open("wb", buffering=0)
        except OSError as error:
            raise storage_error(error, f"write {draft}") from error
        with file:
            while done < descriptor.size:
                before = done
                try:
                    async with content.open(done) as reader:
                        while count := await reader.readinto(buffer):
                            done += count
                            if done > descriptor.size:
                                raise DigestMismatch(
                                    f"more than the {descriptor.size} bytes of {descriptor.digest.short} were sent",
                                    hint="The source's content does not match its manifest; nothing was stored.",
                                )
                            await in_thread(keep, buffer[:count])
                    if done < descriptor.size:
                        raise ConnectionLost(f"{descriptor.digest.short} ended {descriptor.size - done} bytes early")
                except ConnectionLost:
                    failures = 0 if done > before else failures + 1
                    if failures >= _RETRIES:
                        raise
            if hasher.hexdigest() != descriptor.digest.hex:
                raise DigestMismatch(
                    f"the blob does not match its digest {descriptor.digest.short}",
                    hint="The source's content does not match its digest; nothing was stored.",
                )
            await in_thread(_sync, file.fileno())

    async def adopt(self, descriptor: Descriptor, origin: Path) -> bool:
        """Bring a blob in from another folder on this machine as a reflink, a hard link or a copy, verified.

        False if the origin has no such file. Raises DigestMismatch, DiskFull, StorageError.
        """
        async with self.lock(descriptor.digest):
            if await in_thread(self._blobs.size, descriptor.digest) == descriptor.size:
                return True
            draft = self.partial(descriptor.digest).with_name(f".put-{descriptor.digest.hex}")
            try:
                if not await in_thread(_bring, descriptor, origin, draft, self._mode):
                    return False
                await self.commit(descriptor, draft)
            finally:
                with suppress(OSError):
                    draft.unlink()
        return True


def _sync(descriptor: int) -> None:
    crash_point("blob.before-fsync")
    sync_file(descriptor)


def _bring(descriptor: Descriptor, origin: Path, draft: Path, mode: int) -> bool:
    with suppress(FileNotFoundError):
        draft.unlink()
    try:
        with origin.open("rb") as source:
            linked = False
            if not _clone(source.fileno(), draft):
                linked = _link(origin, source.fileno(), draft, mode)
                if not linked:
                    check_room(draft.parent, os.fstat(source.fileno()).st_size)
                    shutil.copyfile(origin, draft)
            with draft.open("rb") as copy:
                _verify(descriptor, copy)
                if not linked:
                    _sync(copy.fileno())
    except FileNotFoundError:
        return False
    except OSError as error:
        raise storage_error(error, f"copy {origin}") from error
    return True


def _clone(source: int, draft: Path) -> bool:
    with draft.open("wb") as target:
        try:
            ioctl(target.fileno(), _FICLONE, source)
        except OSError:
            draft.unlink()
            return False
    return True


def _link(origin: Path, source: int, draft: Path, mode: int) -> bool:
    """Link only files that nobody else can write, because writing through one name changes all of them, and whose
    readers are those who should read this one.
    """
    status = os.fstat(source)
    if status.st_uid != os.getuid() or status.st_mode & 0o022 or status.st_mode & mode != mode:
        return False
    try:
        os.link(origin, draft, follow_symlinks=True)
    except OSError:
        return False
    return draft.stat().st_ino == status.st_ino


def _verify(descriptor: Descriptor, file: BinaryIO) -> None:
    hasher = descriptor.digest.hasher()
    size = 0
    buffer = read_buffer(PIECE)
    while count := file.readinto(buffer):  # type: ignore[attr-defined]
        hasher.update(buffer[:count])
        size += count
    if size != descriptor.size or hasher.hexdigest() != descriptor.digest.hex:
        raise DigestMismatch(
            f"the local blob {descriptor.digest.short} does not match its digest",
            hint="The file was damaged; pull or copy the ModelKit again.",
        )
