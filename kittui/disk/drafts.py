"""Files that are written as a draft and renamed into place. A draft is locked while it is written, so those that a
killed process left can be recognised and removed.
"""

from __future__ import annotations

import os
import re
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from kittui.disk.flocks import try_flock

DRAFT = ".write-"
_LEFT_BEHIND = re.compile(
    r"\.write-\w+|\.put-(?P<hex>[0-9a-f]{64}|[0-9a-f]{128})|\.draft-\w+|sha(256|512)-[0-9a-f]+\.lock"
)
"""Names of drafts (including those of earlier versions) and of blobs' lock files."""
_DAY = 24 * 3600.0
_swept: set[Path] = set()


def open_draft(folder: Path) -> tuple[int, Path]:
    """Create a file in a folder, readable only by its owner and locked until its descriptor is closed. Raises OSError.

    The first one in each folder removes what killed processes left there.
    """
    if folder not in _swept:
        _swept.add(folder)
        sweep(folder)
    while True:
        handle, name = tempfile.mkstemp(dir=folder, prefix=DRAFT)
        try:
            # Another process may sweep between the two calls: then it has the lock, or the file is gone.
            if try_flock(handle) != "held" and os.fstat(handle).st_nlink:
                return handle, Path(name)
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


def sweep(folder: Path) -> None:
    """Remove drafts and blobs' lock files that no process holds; those that can't be removed stay."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if found := _LEFT_BEHIND.fullmatch(entry.name):
                with suppress(OSError):
                    _remove_unheld(Path(entry.path), found["hex"])


def _remove_unheld(path: Path, blob: str | None) -> None:
    """Remove a file unless it is locked; a blob's draft is protected by the blob's lock."""
    lock = path.with_name(f"{'sha256' if len(blob) == 64 else 'sha512'}-{blob}.lock") if blob else path
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    handle = os.open(lock, flags | (os.O_CREAT if blob else 0), 0o600)
    try:
        state = try_flock(handle)
        old = time.time() - path.stat().st_mtime > _DAY
        if state == "locked" or (state == "unsupported" and old):
            path.unlink()
            lock.unlink(missing_ok=True)
    finally:
        os.close(handle)
