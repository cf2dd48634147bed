"""Locks between kittui processes. kit takes none, so these say nothing about kit.

A lock's file names its holder and is removed by it while still held: who has opened the removed file starts over.
Every wait ends, and after two seconds the user is told who is waited for.
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
"""Seconds that a lock is waited for while its holder shows no sign of work."""
_POLL = 0.02
_SILENT = 2.0
"""Seconds after which the user is told what is waited for."""
_RACED = 2.0
"""Seconds for which a lock's folder may vanish again and again: another process tidies it away."""

_unlockable: set[Path] = set()
"""What this process holds without a lock of the system."""
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
    """Hold the lock of a file; other tasks and processes wait meanwhile.

    `what` says what is held, as in "the store's index"; `top` is the uppermost of kittui's own folders that it is in.
    The patience begins anew whenever `progress` returns something else than before. Raises Conflict when it is used up,
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
    """A lock that is held: the files to remove and the descriptor to close when it is given up."""

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
    """A wait for one lock: what to tell, and when to give up."""

    def __init__(self, path: Path, what: str, patience: float, progress: Callable[[], object] | None) -> None:
        self.began = self._since = time.monotonic()
        self._path = path
        self._what = what
        self._patience = patience
        self._progress = progress
        self._seen = progress() if progress else None
        self._told = False

    def check(self) -> None:
        """Tell the user after a while; raise Conflict when the patience is used up."""
        now = time.monotonic()
        if self._progress is not None and (seen := self._progress()) != self._seen:
            self._seen, self._since = seen, now
        if now - self._since > self._patience:
            holder = _holder(self._path)
            raise Conflict(
                f"{holder.name} holds {self._what}, and {self._patience:.0f} s brought no end to it",
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
    """A lock in this machine's folder for temporary files, in the place of one that the file system can't give."""
    notice_of_disk(
        "locks",
        path.parent,
        f"the disk of {path.parent} has no locks: do not let two machines change anything there at the same time",
    )
    folder = Path(tempfile.gettempdir()) / f"kittui-{os.getuid()}"
    substitute = folder / hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:32]
    with suppress(_NoLocks, KittuiError, OSError):
        make_private_folder(folder)
        if folder.lstat().st_uid == os.getuid() and not folder.is_symlink():
            handle = _take(substitute)
            return None if handle is None else _Held((path, substitute), handle)
    # Not even there: other tasks of this process are kept out, other processes are not.
    with _guard:
        if substitute in _unlockable:
            return None
        _unlockable.add(substitute)
    return _Held((path, substitute), None)


@dataclass(frozen=True, slots=True)
class _Holder:
    """Who holds a lock, in words, and what to do about it."""

    name: str = "another kittui"
    hint: str = "Wait for it to finish, or end it, and run this again."


def _holder(path: Path) -> _Holder:
    """Who holds a lock, as its file says; anybody may have written that."""
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
            f"Let it continue with `kill -CONT {pid}`, or end it with `kill -KILL {pid}`, and run this again.",
        )
    return _Holder(
        f"another kittui (process {pid})", f"Wait for it to finish, or end it with `kill {pid}`, and run this again."
    )


def _is_stopped(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in ("T", "t")
    except (OSError, IndexError):
        return False
