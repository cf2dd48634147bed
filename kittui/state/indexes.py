"""What was learnt of layers, on disk: their file listings and gzip indexes, least recently used thrown away.

Keys are made by the caller: a digest for what was verified, origin and digest for what was not.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from contextlib import suppress
from pathlib import Path

from kittui.disk.durable import make_folder
from kittui.errors import StorageError

LIMIT = 256 * 1024 * 1024
"""Bytes kept at most."""
ENTRY_LIMIT = 128 * 1024 * 1024
"""Bytes of one entry before compression at most."""


class IndexCache:
    """A folder of compressed entries. Losing one costs a reading again, so nothing here is ever fatal."""

    def __init__(self, folder: Path, limit: int = LIMIT) -> None:
        self._folder = folder
        self._limit = limit

    def _path(self, key: str) -> Path:
        return self._folder / hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()

    def get(self, key: str) -> bytes | None:
        """The entry, None where there is none or it is damaged. Blocks."""
        path = self._path(key)
        try:
            packed = path.read_bytes()
            inflate = zlib.decompressobj()
            content = inflate.decompress(packed, ENTRY_LIMIT)
            if not inflate.eof:
                raise ValueError("damaged")
            os.utime(path)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, zlib.error):
            with suppress(OSError):
                path.unlink()
            return None
        return content

    def put(self, key: str, content: bytes) -> None:
        """Keep an entry, and drop the oldest ones over the limit; a full or unwritable disk keeps nothing. Blocks."""
        if len(content) > ENTRY_LIMIT:
            return
        path = self._path(key)
        draft = path.with_suffix(f".{os.getpid()}")
        try:
            make_folder(self._folder)
            draft.write_bytes(zlib.compress(content, 1))
            draft.replace(path)
            self._shrink()
        except (OSError, StorageError):
            with suppress(OSError):
                draft.unlink()

    def _shrink(self) -> None:
        entries = []
        with os.scandir(self._folder) as found:
            for entry in found:
                status = entry.stat()
                entries.append((status.st_mtime_ns, status.st_size, entry.path))
        total = sum(size for _, size, _ in entries)
        for _, size, name in sorted(entries):
            if total <= self._limit:
                return
            Path(name).unlink(missing_ok=True)
            total -= size
