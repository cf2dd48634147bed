"""Finds room to write: free space, and a folder from which files can be renamed into the target."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from kittui.disk.drafts import open_draft
from kittui.errors import DiskFull

MARGIN = 64 * 1024 * 1024
"""Bytes that always stay free on the disk."""


def check_room(folder: Path, size: int, hint: str = "Free some space and run it again.") -> None:
    """Raise DiskFull unless `size` bytes plus the margin fit on the disk of a folder, which need not exist. Blocks."""
    folder = nearest(folder)
    free = shutil.disk_usage(folder).free
    if size + MARGIN > free:
        raise DiskFull(
            f"not enough space on the disk of {folder}: {size + MARGIN - free} bytes short",
            hint=f"{size} bytes are needed and {MARGIN // 1024 // 1024} MiB stay free; {free} are free. {hint}",
        )


def working_folder(candidates: Sequence[Path], target: Path) -> Path:
    """The first of the folders, which need not exist, from which a file can be renamed into the target. Blocks.

    A link or a mount may have the target on another disk than the folder above it. Raises OSError.
    """
    return next((folder for folder in candidates if _renames(nearest(folder), nearest(target))), candidates[-1])


def nearest(folder: Path) -> Path:
    """The folder, or its closest existing parent."""
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    return folder


def _renames(source: Path, target: Path) -> bool:
    if source.samefile(target):
        return True
    if source.stat().st_dev != target.stat().st_dev:
        return False
    # A bind mount is on the same device, but rename does not work across it.
    handle, draft = open_draft(source)
    moved = target / draft.name
    try:
        draft.rename(moved)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        return False
    finally:
        for path in (draft, moved):
            with suppress(OSError):
                path.unlink()
        os.close(handle)
    return True
