"""Manifests and configs on disk, by digest: only bytes that hash to their name are ever given out.

Beside them lies where tags were when they were last looked at.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from pathlib import Path
from typing import Final

from kittui.errors import KittuiError
from kittui.oci.digest import Digest

LIMIT: Final = 128 * 1024 * 1024
"""Bytes kept in all."""
ENTRY_LIMIT: Final = 8 * 1024 * 1024
"""Bytes of one entry at most."""


class DiskCache:
    """A folder of small blobs. It never fails: what can't be read or written is as if it weren't kept.

    Entries are written to a temporary file and renamed, hashed again when read, and dropped when they don't match;
    over `limit` bytes the least recently read go first.
    """

    def __init__(self, directory: Path, *, limit: int = LIMIT) -> None:
        self._directory = directory / "content"
        self._limit = limit
        self._size: int | None = None

    def _path(self, digest: Digest) -> Path:
        return self._directory / digest.algorithm / digest.hex[:2] / digest.hex

    def get(self, digest: Digest) -> bytes | None:
        """The bytes, hashed again; None where they aren't kept. Blocks."""
        path = self._path(digest)
        try:
            with path.open("rb") as file:
                content = file.read(ENTRY_LIMIT + 1)
            digest.verify(content, "the cached content")
            os.utime(path)
        except KittuiError:
            with contextlib.suppress(OSError):
                path.unlink()
            return None
        except OSError:
            return None
        return content

    def put(self, digest: Digest, content: bytes) -> None:
        """Keep bytes that were verified against the digest. Blocks."""
        if len(content) > min(ENTRY_LIMIT, self._limit):
            return
        self._write(self._path(digest), content)

    def _write(self, path: Path, content: bytes) -> None:
        try:
            self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, draft = tempfile.mkstemp(dir=path.parent, prefix=".draft-")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(content)
                os.replace(draft, path)  # noqa: PTH105 - both names are strings here
            except BaseException:
                with contextlib.suppress(OSError):
                    Path(draft).unlink()
                raise
        except OSError:
            return
        if self._size is None:
            self._size = sum(size for _, size, _ in self._entries())
        else:
            self._size += len(content)
        if self._size > self._limit:
            self._shrink()

    def tag(self, name: str) -> Digest | None:
        """Where a tag was when it was last looked at: a guess, to be asked about. Blocks."""
        try:
            return Digest.parse(self._tag_path(name).read_bytes()[:200].decode("ascii"))
        except (OSError, ValueError, KittuiError):
            return None

    def note_tag(self, name: str, digest: Digest) -> None:
        """Remember where a tag is. Blocks."""
        path = self._tag_path(name)
        if self.tag(name) != digest:
            self._write(path, str(digest).encode("ascii"))

    def _tag_path(self, name: str) -> Path:
        hexa = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()
        return self._directory / "tags" / hexa[:2] / hexa

    def _entries(self) -> list[tuple[float, int, Path]]:
        found = []
        for path in self._directory.glob("*/*/*"):
            with contextlib.suppress(OSError):
                status = path.stat()
                found.append((status.st_mtime, status.st_size, path))
        return found

    def _shrink(self) -> None:
        """Drop the least recently read until three quarters of the limit are left."""
        entries = sorted(self._entries(), key=lambda entry: entry[0])
        size = sum(entry[1] for entry in entries)
        for _, length, path in entries:
            if size <= self._limit * 3 // 4:
                break
            with contextlib.suppress(OSError):
                path.unlink()
                size -= length
        self._size = size
