"""Locks between kittui processes. kit takes no locks, so these don't protect against kit.

A lock file names its holder, who removes it while still holding it: a process that opened the removed file retries.
Every wait is bounded, and after two seconds the user is told who holds the lock.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import socket
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from kittui.disk.durable import make_private_folder, storage_error
from kittui.disk.flocks import try_flock
from kittui.disk.notices import notice, notice_of_disk
from kittui.errors import Conflict, KittuiError, StorageError

PATIENCE = 120.0
"""Seconds to wait for a lock whose holder makes no progress."""
_POLL = 0.02
_SILENT = 2.0
"""Seconds after which the user is told about the wait."""
_RACED = 2.0
"""Seconds to retry while another process keeps removing the lock's folder."""

_unlockable: set[Path] = set()
"""Paths that this process holds without a system lock."""
_guard = threading.Lock()


@asynccontextmanager
async def file_lock(
    path: Path,
    what: str,
    *,
    top: Path | None = None,
    patience: float = PATIENCE,
    progress: Callable[[], object] | None = None,
) -> AsyncIterator[None]:
    """Hold a file's lock; other tasks and processes wait meanwhile.

    `what` names the locked thing, as in "the store's index"; `top` is the uppermost of kittui's own folders above it.
    The wait starts over whenever `progress` returns something new. Raises Conflict when it times out,
    StorageError when the file can't be created.
    """
    waiting = _Waiting(path, what, patience, progress)
    while (held := _attempt(path, top or path.parent, waiting)) is None:
        waiting.check()
        await asyncio.sleep(_POLL)
    try:
        yield
    finally:
        held.release()


@contextmanager
def thread_lock(path: Path, what: str, *, top: Path | None = None, patience: float = PATIENCE) -> Iterator[None]:
    """The same for blocking code."""
    waiting = _Waiting(path, what, patience, None)
    while (held := _attempt(path, top or path.parent, waiting)) is None:
        waiting.check()
        time.sleep(_POLL)
    try:
        yield
    finally:
        held.release()


@dataclass(frozen=True, slots=True)
class _Held:
    """A held lock: the files to remove and the descriptor to close on release."""

    paths: tuple[Path, ...]
    handle: int | None

    def release(self) -> None:
        for path in self.paths:
            with suppress(OSError):
                path.unlink()
        if self.handle is not None:
            os.close(self.handle)
            return
        with _guard:
            _unlockable.discard(self.paths[-1])


class _Waiting:
    """A wait for one lock: what to report, and when to give up."""

    def __init__(self, path: Path, what: str, patience: float, progress: Callable[[], object] | None) -> None:
        self.began = self._since = time.monotonic()
        self._path = path
        self._what = what
        self._patience = patience
        self._progress = progress
        self._seen = progress() if progress else None
        self._told = False

    def check(self) -> None:
        """Tell the user after a while; raise Conflict on a timeout."""
        now = time.monotonic()
        if self._progress is not None and (seen := self._progress()) != self._seen:
            self._seen, self._since = seen, now
        if now - self._since > self._patience:
            holder = _holder(self._path)
            raise Conflict(
                f"{holder.name} holds {self._what}, and {self._patience:.0f} s of waiting did not change that",
                hint=holder.hint,
            )
        if now - self.began > _SILENT and not self._told:
            self._told = True
            notice(f"waiting for {_holder(self._path).name}, which holds {self._what}")


class _NoLocks(Exception):
    """The file system has no locks."""


def _attempt(path: Path, top: Path, waiting: _Waiting) -> _Held | None:
    """The lock if it is free. Raises StorageError."""
    try:
        make_private_folder(path.parent, top)
        handle = _take(path)
    except _NoLocks:
        return _elsewhere(path)
    except (StorageError, OSError) as error:
        cause = error.__cause__ if isinstance(error, StorageError) else error
        vanished = isinstance(cause, FileNotFoundError | FileExistsError) and not path.parent.is_file()
        if vanished and time.monotonic() - waiting.began < _RACED:
            return None
        raise storage_error(error, f"lock {path}") if isinstance(error, OSError) else error from None
    return None if handle is None else _Held((path,), handle)


def _take(path: Path) -> int | None:
    """A descriptor that holds a file's lock, None while another has it. Raises _NoLocks, OSError."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    try:
        state = try_flock(handle)
        if state == "unsupported":
            raise _NoLocks
        if state == "locked" and os.fstat(handle).st_nlink:
            with suppress(OSError):  # a full disk
                os.ftruncate(handle, 0)
                os.pwrite(handle, json.dumps({"pid": os.getpid(), "host": socket.gethostname()}).encode(), 0)
            return handle
    except BaseException:
        os.close(handle)
        raise
    os.close(handle)
    return None


def _elsewhere(path: Path) -> _Held | None:
    """A lock in this machine's temporary folder, used if the file system has no locks."""
    notice_of_disk(
        "locks",
        path.parent,
        f"the file system of {path.parent} has no locks: don't change anything there from two machines at once",
    )
    folder = Path(tempfile.gettempdir()) / f"kittui-{os.getuid()}"
    substitute = folder / hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:32]
    with suppress(_NoLocks, KittuiError, OSError):
        make_private_folder(folder)
        if folder.lstat().st_uid == os.getuid() and not folder.is_symlink():
            handle = _take(substitute)
            return None if handle is None else _Held((path, substitute), handle)
    # No locks there either: only other tasks of this process are excluded.
    with _guard:
        if substitute in _unlockable:
            return None
        _unlockable.add(substitute)
    return _Held((path, substitute), None)


@dataclass(frozen=True, slots=True)
class _Holder:
    """The holder of a lock, as text, and what to do about it."""

    name: str = "another kittui"
    hint: str = "Wait for it to finish, or stop it, and run this again."


def _holder(path: Path) -> _Holder:
    """The holder of a lock according to its file, which is untrusted."""
    try:
        with path.open("rb") as file:
            document = json.loads(file.read(1024))
        pid, host = document["pid"], document["host"]
    except (OSError, ValueError, KeyError, TypeError):
        return _Holder()
    if type(pid) is not int or not isinstance(host, str):
        return _Holder()
    if host != socket.gethostname():
        return _Holder(f"another kittui (process {pid} on {host[:100]})")
    if _is_stopped(pid):
        return _Holder(
            f"another kittui (process {pid}, stopped)",
            f"Let it continue with `kill -CONT {pid}`, or stop it with `kill -KILL {pid}`, and run this again.",
        )
    return _Holder(
        f"another kittui (process {pid})", f"Wait for it to finish, or stop it with `kill {pid}`, and run this again."
    )


def _is_stopped(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in ("T", "t")
    except (OSError, IndexError):
        return False
