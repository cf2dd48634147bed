"""Caches what was learnt about layers on disk: file listings and gzip indexes.

Callers choose the keys: a digest for verified data, origin and digest for the rest.
"""

from __future__ import annotations

import hashlib
import zlib
from pathlib import Path

from kittui.state.folder_cache import FolderCache

LIMIT = 256 * 1024 * 1024
"""Maximum bytes kept."""
ENTRY_LIMIT = 128 * 1024 * 1024
"""Maximum bytes of one entry before compression."""


class IndexCache:
    """Compressed entries; see FolderCache. Losing one only costs another read."""

    def __init__(self, folder: Path, limit: int = LIMIT, *, top: Path | None = None) -> None:
        self._files = FolderCache(folder, limit=limit, entry_limit=ENTRY_LIMIT, top=top)

    def get(self, key: str) -> bytes | None:
        """Return the entry, None if it is missing or damaged. Blocks."""
        packed = self._files.read(_name(key))
        if packed is None:
            return None
        inflate = zlib.decompressobj()
        try:
            content = inflate.decompress(packed, ENTRY_LIMIT)
        except zlib.error:
            content = b""
        if not inflate.eof:
            self._files.drop(_name(key))
            return None
        return content

    def put(self, key: str, content: bytes) -> None:
        """Store an entry. Blocks."""
        if len(content) <= ENTRY_LIMIT:
            self._files.write(_name(key), zlib.compress(content, 1))


def _name(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()
