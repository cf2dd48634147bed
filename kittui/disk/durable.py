"""Writing files so that a crash leaves the old one or the new one, never half of either."""

from __future__ import annotations

import errno
import os
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path

from kittui.crashpoints import crash_point
from kittui.errors import DiskFull, KittuiError, StorageError

_WRITE = 2
"""SYNC_FILE_RANGE_WRITE: start writing what is dirty, wait for nothing."""
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_IN_THE_WAY = frozenset({errno.EEXIST, errno.ENOTDIR})


def storage_error(error: OSError, doing: str) -> KittuiError:
    """Put an operating system's error into words: `doing` says what was tried, as in "write /x/index.json"."""
    if error.errno in _FULL:
        return DiskFull(f"no room left to {doing}", hint="Free some space and run it again: nothing is lost.")
    reason = error.strerror or str(error)
    hint = "Check the owner and the permissions of the folder."
    if error.errno in _IN_THE_WAY:
        hint = "Something that is no folder is in its way: choose another place, or move it."
    elif error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
        hint = "Check the disk and run it again."
    return StorageError(f"cannot {doing}: {reason}", hint=hint)


def make_folder(path: Path) -> None:
    """Create a folder and those above it that are missing; raises StorageError."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(error, f"create the folder {path}") from error


def sync_folder(path: Path) -> None:
    """Make renames and deletions in a folder durable, where the platform can open folders."""
    if os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_fully(handle: int, content: bytes | memoryview) -> None:
    """Write all of it at the file's position. Raises OSError."""
    left = memoryview(content)
    while left:
        left = left[os.write(handle, left) :]


def start_writing(handle: int, offset: int = 0, size: int = 0) -> None:
    """Have the system begin to bring a stretch of a file to the disk (size 0: to its end), so that an fsync has less
    to wait for. Nothing depends on it, so where the system has no such call nothing is done.
    """
    if (call := _sync_file_range()) is not None:
        call(handle, offset, size, _WRITE)


@cache
def _sync_file_range() -> Callable[[int, int, int, int], object] | None:
    if not sys.platform.startswith("linux"):
        return None
    try:
        import ctypes

        call = ctypes.CDLL(None).sync_file_range
    except (ImportError, OSError, AttributeError):
        return None
    call.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
    found: Callable[[int, int, int, int], object] = call
    return found


def replace_file(path: Path, content: bytes, *, temporary: Path, point: str, mode: int = 0o600) -> None:
    """Write a whole file: temporary file in the folder `temporary` (same file system), fsync, rename, fsync folder.

    `point` is the stem of the four crash points around fsync and rename. Raises StorageError, DiskFull on a full disk;
    the old file then stays as it was.
    """
    make_folder(temporary)
    try:
        handle, name = tempfile.mkstemp(dir=temporary, prefix=".write-")
    except OSError as error:
        raise storage_error(error, f"write {path}") from error
    draft = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            crash_point(f"{point}.before-fsync")
            os.fsync(file.fileno())
            if hasattr(os, "fchmod"):
                os.fchmod(file.fileno(), mode)
        crash_point(f"{point}.before-rename")
        draft.replace(path)
        crash_point(f"{point}.after-rename")
        sync_folder(path.parent)
        crash_point(f"{point}.after-fsync")
    except OSError as error:
        with suppress(OSError):
            draft.unlink()
        raise storage_error(error, f"write {path}") from error


def remove_file(path: Path, *, point: str) -> bool:
    """Delete a file durably; False if there was none. Crash points before and after; raises StorageError."""
    crash_point(f"{point}.before-unlink")
    try:
        path.unlink()
        sync_folder(path.parent)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise storage_error(error, f"delete {path}") from error
    crash_point(f"{point}.after-unlink")
    return True
