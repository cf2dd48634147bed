"""A blob being written in ranges: the partial file, the record beside it, and its progressive hash."""

from __future__ import annotations

import asyncio
import os
import threading
from contextlib import suppress
from functools import cache
from pathlib import Path

from kittui.crashpoints import crash_point
from kittui.disk.buffers import read_buffer
from kittui.disk.durable import make_private_folder, storage_error, sync_file
from kittui.disk.threads import in_thread
from kittui.errors import DigestMismatch
from kittui.oci.descriptor import Descriptor
from kittui.transfer.ranges import RECORD_LIMIT, Ranges, read_record, write_record

HASHED_AT_ONCE = 4 * 1024 * 1024
"""Bytes read back and hashed in one step."""
SYNC_EVERY = 64 * 1024 * 1024
"""Bytes written between two syncs in the background."""


def record_of(partial: Path) -> Path:
    """The path of the record of which ranges of a partial file were written."""
    return partial.with_name(partial.name + ".json")


class Partial:
    """One partial file, open for one writer (the caller holds the digest's lock). Blocking calls run in threads."""

    def __init__(self, path: Path, descriptor: Descriptor) -> None:
        self.path = path
        self.descriptor = descriptor
        self.record_path = record_of(path)
        self._guard = threading.Lock()
        self._stop = threading.Event()
        self._hasher = descriptor.digest.hasher()
        self._hashed = 0
        self._synced = Ranges()
        self._syncing = False
        self._unsynced = 0
        self._file, self._record, self.done = self._open()
        self.held = self.done.total

    @classmethod
    async def open(cls, path: Path, descriptor: Descriptor) -> Partial:
        """Open or create it; `done` is what can be reused of an earlier run. Raises StorageError."""
        return await in_thread(cls, path, descriptor)

    def _open(self) -> tuple[int, int, Ranges]:
        make_private_folder(self.path.parent)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            file = os.open(self.path, flags, 0o600)
            try:
                record = os.open(self.record_path, flags, 0o600)
            except OSError:
                os.close(file)
                raise
            done = read_record(os.pread(record, RECORD_LIMIT, 0), self.descriptor, boot_id())
            if os.fstat(file).st_size != self.descriptor.size:
                done = Ranges()
                os.ftruncate(file, 0)
                os.ftruncate(file, self.descriptor.size)
            self._synced = done.copy()
            return file, record, done
        except OSError as error:
            raise storage_error(error, f"write {self.path}") from error

    async def write(self, offset: int, content: memoryview) -> None:
        """Write bytes at an offset and record them. Raises DiskFull, StorageError."""
        await in_thread(self._write, offset, content)

    def _write(self, offset: int, content: memoryview) -> None:
        at, left = offset, content
        try:
            while left:
                count = os.pwrite(self._file, left, at)
                at, left = at + count, left[count:]
            with self._guard:
                self.done.add(offset, at)
                self._unsynced += len(content)
                self._write_record()
                sync = self._unsynced >= SYNC_EVERY and not self._syncing
                if sync:
                    self._syncing, self._unsynced = True, 0
        except OSError as error:
            raise storage_error(error, f"write {self.path}") from error
        if sync:
            self._sync_behind()

    def _write_record(self) -> None:
        os.pwrite(self._record, write_record(self.descriptor, boot_id(), self.done, self._synced), 0)

    def _sync_behind(self) -> None:
        """Sync written bytes while more arrive; nobody waits for it, so a cancel needn't either."""
        with self._guard:
            written = self.done.copy()
        file = os.dup(self._file)

        def sync() -> None:
            try:
                os.fdatasync(file)
            except OSError:
                return  # The final fsync meets the same error and raises it.
            finally:
                os.close(file)
                self._syncing = False
            with self._guard:
                self._synced = written

        threading.Thread(target=sync, name="kittui-sync", daemon=True).start()

    async def hash_on(self) -> None:
        """Hash bytes that have become contiguous since; returns when done, or soon after a cancel."""
        work = asyncio.ensure_future(asyncio.to_thread(self._hash_on))
        try:
            await asyncio.shield(work)
        except asyncio.CancelledError:
            self._stop.set()
            await asyncio.wait([work])
            self._stop.clear()
            raise

    def _hash_on(self) -> None:
        buffer = read_buffer(min(HASHED_AT_ONCE, max(1, self.descriptor.size - self._hashed)))
        while not self._stop.is_set():
            with self._guard:
                wanted = min(len(buffer), self.done.frontier - self._hashed)
            if wanted <= 0:
                return
            try:
                count = os.preadv(self._file, [buffer[:wanted]], self._hashed)
            except OSError as error:
                raise storage_error(error, f"read {self.path}") from error
            if not count:
                return
            self._hasher.update(buffer[:count])
            self._hashed += count

    @property
    def complete(self) -> bool:
        """Whether every byte was written."""
        return self.done.total == self.descriptor.size

    async def verify(self) -> None:
        """Raise DigestMismatch unless the whole file has the digest."""
        await self.hash_on()
        found = self._hasher.hexdigest()
        if self._hashed != self.descriptor.size or found != self.descriptor.digest.hex:
            raise DigestMismatch(
                f"the blob {self.descriptor.digest.short} does not match its digest: got bytes of {found[:12]}",
                hint="The source, or something on the way, altered the content; nothing was stored.",
            )

    async def sync(self) -> None:
        """Sync all of it to disk. A cancel does not wait for the disk: the next run finds the file complete."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        loop = asyncio.get_running_loop()
        file = os.dup(self._file)

        def settle(error: OSError | None) -> None:
            if future.done():
                return
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(storage_error(error, f"write {self.path}"))

        def sync() -> None:
            failed: OSError | None = None
            try:
                sync_file(file)
            except OSError as error:
                failed = error
            finally:
                os.close(file)
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(settle, failed)

        crash_point("transfer.before-fsync")
        threading.Thread(target=sync, name="kittui-sync", daemon=True).start()
        await future

    def close(self) -> None:
        """Close the files; what was written stays for a later run."""
        self._stop.set()
        with self._guard, suppress(OSError):
            self._write_record()
        os.close(self._file)
        os.close(self._record)

    def forget(self) -> None:
        """Delete the record, after the commit, or together with a partial whose bytes are wrong."""
        self.record_path.unlink(missing_ok=True)

    def discard(self) -> None:
        """Delete the record, then the partial file."""
        self.forget()
        self.path.unlink(missing_ok=True)


@cache
def boot_id() -> str:
    """An id of this boot; empty if the system has none, and then only synced bytes count."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
