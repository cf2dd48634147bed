"""Writes files so that a crash leaves the old one or the new one, never a partial one."""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path

from kittui.crashpoints import crash_point
from kittui.disk.drafts import open_draft
from kittui.disk.notices import notice_of_disk
from kittui.disk.paths import is_nowhere
from kittui.errors import DiskFull, KittuiError, StorageError

_WRITE = 2
"""SYNC_FILE_RANGE_WRITE: start writing dirty pages without waiting."""
_REMADE = 5
"""How many times to recreate a folder that another process keeps removing."""
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_HINTS = {
    errno.EEXIST: "A file exists where a folder is needed. Move it, or choose another location.",
    errno.ENOTDIR: "A file exists where a folder is needed. Move it, or choose another location.",
    errno.ENAMETOOLONG: "The name is too long for this file system. Choose a shorter one.",
    errno.EFBIG: "This file system can't hold a file of this size. Choose a location on another one.",
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "Check the owner and the permissions of the folder."),
}
_NO_FOLDER_SYNC = frozenset(
    {errno.EINVAL, errno.EIO, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EBADF, errno.EACCES, errno.EPERM}
)
"""Errors of file systems that can't fsync a folder (CIFS, vboxsf, FUSE, WSL's DrvFs)."""
_NO_FILE_SYNC = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP})
_NO_MODES = frozenset({errno.EPERM, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL})
"""Errors of file systems without permissions (FAT, exFAT, network shares)."""

_NO_LINKS = frozenset({errno.EPERM, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK})


def storage_error(error: OSError, doing: str) -> KittuiError:
    """Turn an OSError into a StorageError or DiskFull; `doing` says what was attempted, as in "write /x/index.json"."""
    if error.errno in _FULL:
        return DiskFull(f"no room left to {doing}", hint="Free some space and run it again; nothing was lost.")
    reason = error.strerror or str(error)
    hint = _HINTS.get(error.errno or 0, "Check the disk and run it again.")
    return StorageError(f"cannot {doing}: {reason}", hint=hint)


def make_folder(path: Path) -> None:
    """Create a folder and its missing parents; raises StorageError."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _no_folder(error, path) from error


def make_private_folder(path: Path, top: Path | None = None) -> None:
    """Create a folder and its missing parents, accessible only to their owner whatever the umask is.

    Existing folders from `top` (this folder or a parent) down are closed to others too. Raises StorageError.
    """
    for left in reversed(range(_REMADE)):
        try:
            _make_private(path)
            _close_to_others(path, path if top is None else top)
            return
        except OSError as error:
            # Another process that finishes meanwhile may remove the folders if they are empty.
            if not left or not isinstance(error, FileNotFoundError):
                raise _no_folder(error, path) from error


def _close_to_others(path: Path, top: Path) -> None:
    for folder in (path, *path.parents):
        if folder == top or top in folder.parents:
            status = folder.stat()
            if status.st_uid == os.getuid() and status.st_mode & 0o077:
                set_mode(folder, 0o700, folder)


def _make_private(path: Path) -> None:
    try:
        path.mkdir(mode=0o700)
    except FileNotFoundError:
        if path.parent == path:
            raise
        # Another thread may have created it meanwhile.
        if not path.parent.is_dir():
            _make_private(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)
    except FileExistsError:
        if not path.is_dir():
            raise


def _no_folder(error: OSError, path: Path) -> KittuiError:
    if is_nowhere(path):
        return StorageError(
            "the home folder is unknown, so there is no folder to write to",
            hint="Set HOME to a writable folder.",
        )
    for folder in (path, *path.parents):
        if folder.is_symlink() and not folder.exists():
            return StorageError(
                f"cannot create the folder {path}: {folder} links to {folder.readlink()}, which does not exist",
                hint="Mount the disk that it is on, or remove the link.",
            )
    return storage_error(error, f"create the folder {path}")


def set_mode(target: int | str | Path, mode: int, path: Path, folder: int | None = None) -> None:
    """Set the permissions of an open file, or of a name relative to an open folder; `path` is for messages.

    A file system without permissions is not an error: the user is warned if others can read the file. Raises
    OSError.
    """
    try:
        os.chmod(target, mode, dir_fd=folder)
    except OSError as error:
        if error.errno not in _NO_MODES:
            raise
        if stat.S_IMODE(os.stat(target, dir_fd=folder).st_mode) & ~mode & 0o077:
            notice_of_disk(
                "permissions",
                path.parent,
                f"the file system of {path.parent} has no permissions: other users can read the files there",
            )


@cache
def shared_mode() -> int:
    """The permissions of a file that others may read, subject to the umask."""
    umask = os.umask(0o077)
    os.umask(umask)
    return 0o666 & ~umask


def sync_file(handle: int) -> None:
    """fsync a file if the file system supports it. Raises OSError."""
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in _NO_FILE_SYNC:
            raise


def sync_folder(path: Path) -> None:
    """Make renames and deletions in a folder durable. Raises OSError.

    A file system that can't do that is not an error: the user is warned.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise
        notice_of_disk(
            "fsync",
            path,
            f"the disk of {path} can't promise that a new file stays ({error.strerror}): "
            "what was just written there may be lost if the machine loses power in the next seconds",
        )


def write_fully(handle: int, content: bytes | memoryview) -> None:
    """Write all bytes at the file's position. Raises OSError."""
    left = memoryview(content)
    while left:
        left = left[os.write(handle, left) :]


def start_writing(handle: int, offset: int = 0, size: int = 0) -> None:
    """Start writing a range of a file to the disk (size 0: to its end), so that a later fsync waits less. Only an
    optimisation: it does nothing on systems without such a call.
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
    """Write a whole file: a draft in the folder `temporary` (same file system), fsync, rename, fsync of the folder.

    A missing `temporary` is created. `point` is the stem of the four crash points around fsync and rename. Raises
    StorageError, DiskFull on a full disk; the old file then stays as it was.
    """
    if not temporary.is_dir():
        make_private_folder(temporary)
    try:
        handle, draft = open_draft(temporary)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
                file.flush()
                crash_point(f"{point}.before-fsync")
                sync_file(file.fileno())
                set_mode(file.fileno(), mode, path)
                crash_point(f"{point}.before-rename")
                draft.replace(path)
            crash_point(f"{point}.after-rename")
        except BaseException:
            with suppress(OSError):
                draft.unlink()
            raise
        sync_folder(path.parent)
        crash_point(f"{point}.after-fsync")
    except OSError as error:
        raise storage_error(error, f"write {path}") from error


def rename_new(
    name: str | Path, target: str | Path, *, source_folder: int | None = None, target_folder: int | None = None
) -> None:
    """Rename a file, but never over an existing one, even if that appeared just now.

    Names are relative to the open folders, if given. Raises FileExistsError, OSError.
    """
    try:
        os.link(name, target, src_dir_fd=source_folder, dst_dir_fd=target_folder, follow_symlinks=False)
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        try:
            os.stat(target, dir_fd=target_folder, follow_symlinks=False)
        except FileNotFoundError:
            os.rename(name, target, src_dir_fd=source_folder, dst_dir_fd=target_folder)
            return
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from None
    os.unlink(name, dir_fd=source_folder)


def remove_file(path: Path, *, point: str) -> bool:
    """Delete a file durably; False if it did not exist. Crash points before and after; raises StorageError."""
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
