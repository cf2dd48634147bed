"""Locks between kittui processes. kit takes none, so these say nothing about kit."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from kittui.disk.durable import make_folder, storage_error
from kittui.errors import StorageError

if TYPE_CHECKING:
    from filelock import BaseFileLock

_POLL = 0.02
_FOLDER_PATIENCE = 2.0


@asynccontextmanager
async def file_lock(path: Path, *, transient: bool = False, patience: float | None = None) -> AsyncIterator[None]:
    """Hold the lock of a file; other tasks and processes wait: `patience` seconds, None for ever.

    A transient lock's file is deleted while it is still held: who waits on the deleted file notices and starts over.
    Raises StorageError when the time is up or the file can't be made.
    """
    from filelock import FileLock, Timeout  # reading takes no lock, and this is slow to import

    started = time.monotonic()
    while True:
        try:
            make_folder(path.parent)
        except StorageError as error:
            # Another process may have tidied the empty folder away while this one was making it.
            raced = isinstance(error.__cause__, FileExistsError) and not path.parent.is_file()
            if not raced or time.monotonic() - started > _FOLDER_PATIENCE:
                raise
            await asyncio.sleep(_POLL)
            continue
        lock = FileLock(path, timeout=0, thread_local=False, mode=0o600)
        try:
            lock.acquire()
            break
        except Timeout:
            if patience is not None and time.monotonic() - started > patience:
                raise StorageError(
                    f"another kittui has held {path} for {patience:.0f} s",
                    hint="Wait for it to finish, or end it, and run this again.",
                ) from None
        except FileNotFoundError:
            pass
        except OSError as error:
            raise storage_error(error, f"lock {path}") from error
        await asyncio.sleep(_POLL)
    try:
        yield
    finally:
        _release(lock, path if transient else None)


def _release(lock: BaseFileLock, delete: Path | None) -> None:
    if delete is not None:
        with suppress(OSError):
            delete.unlink()
    lock.release()
