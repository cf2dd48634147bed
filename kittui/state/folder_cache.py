"""A cache folder of small files, bounded in bytes; the least recently read files are dropped first."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from kittui.disk.drafts import open_draft
from kittui.disk.durable import make_private_folder, write_fully
from kittui.errors import KittuiError


class FolderCache:
    """Files by name (a path below the folder).

    It never fails: what can't be read or written counts as not cached. Files appear whole; above `limit` bytes the
    least recently read are dropped until three quarters are left. `top` is the uppermost folder that is kittui's own.
    """

    def __init__(self, folder: Path, *, limit: int, entry_limit: int, top: Path | None = None) -> None:
        self._folder = folder
        self._limit = limit
        self._entry_limit = entry_limit
        self._top = top or folder
        self._size: int | None = None

    def read(self, name: str) -> bytes | None:
        """Return a file's bytes, None if it is not cached. Blocks."""
        path = self._folder / name
        try:
            with path.open("rb") as file:
                content = file.read(self._entry_limit + 1)
            os.utime(path)
        except OSError:
            return None
        return content

    def write(self, name: str, content: bytes) -> None:
        """Store bytes under a name, replacing any others. Blocks."""
        if len(content) > min(self._entry_limit, self._limit):
            return
        path = self._folder / name
        try:
            make_private_folder(path.parent, self._top)
            handle, draft = open_draft(path.parent)
            try:
                write_fully(handle, content)
                draft.replace(path)
            finally:
                os.close(handle)
                draft.unlink(missing_ok=True)
        except (OSError, KittuiError):
            return
        # Another process may have written too; that is noticed when this one scans the folder.
        self._size = sum(size for _, size, _ in self._files()) if self._size is None else self._size + len(content)
        if self._size > self._limit:
            self._shrink()

    def drop(self, name: str) -> None:
        """Delete a file whose content is wrong. Blocks."""
        with suppress(OSError):
            (self._folder / name).unlink()

    def names(self, folder: str, limit: int) -> list[str]:
        """Return names of files below a folder, the last read first, up to a maximum. Blocks."""
        inside = sorted((each for each in self._files(self._folder / folder)), reverse=True)[:limit]
        return [str(Path(path).relative_to(self._folder)) for _, _, path in inside]

    def _files(self, below: Path | None = None) -> list[tuple[float, int, str]]:
        """Time last read, bytes and path of every file."""
        found: list[tuple[float, int, str]] = []
        pending = [str(below or self._folder)]
        while pending:
            with suppress(OSError), os.scandir(pending.pop()) as entries:
                for entry in entries:
                    with suppress(OSError):
                        if entry.is_dir(follow_symlinks=False):
                            pending.append(entry.path)
                        else:
                            status = entry.stat(follow_symlinks=False)
                            found.append((status.st_mtime, status.st_size, entry.path))
        return found

    def _shrink(self) -> None:
        files = sorted(self._files())
        size = sum(each[1] for each in files)
        for _, length, path in files:
            if size <= self._limit * 3 // 4:
                break
            with suppress(OSError):
                Path(path).unlink()
                size -= length
        self._size = size
