"""Removing whole folders."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from kittui.disk.durable import storage_error


def remove_tree(path: Path) -> None:
    """Remove a folder and everything in it, whatever its permissions and depth. Blocks. Raises StorageError.

    Folders are moved up to the top before they are emptied, so that neither the length of a path nor the stack limits
    how deep they may be. Links are removed, not followed.
    """
    try:
        if path.is_symlink() or not path.is_dir():
            path.unlink(missing_ok=True)
            return
        pending = [path]
        number = 0
        while pending:
            folder = pending.pop()
            with suppress(OSError):  # a disk without permissions
                folder.chmod(0o700)
            with os.scandir(folder) as entries:
                for entry in list(entries):
                    if not entry.is_dir(follow_symlinks=False):
                        Path(entry.path).unlink()
                        continue
                    found = Path(entry.path)
                    if folder != path:
                        with suppress(OSError):
                            found.chmod(0o700)
                        while (moved := path / f".removed-{number}").exists():
                            number += 1
                        found = found.rename(moved)
                    pending.append(found)
            if folder != path:
                folder.rmdir()
        path.rmdir()
    except OSError as error:
        raise storage_error(error, f"remove {path}") from error
