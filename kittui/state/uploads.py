"""Remembers the upload limits that registries have shown, so that a limit is hit once, not in every run."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path
from typing import Final

from kittui.state.folder_cache import FolderCache

LIMIT: Final = 64 * 1024
"""Maximum bytes in all: enough for some hundreds of registries."""
ENTRY_LIMIT: Final = 256
DAYS: Final = 30
"""After this time a registry is tried afresh, since limits may be lifted."""
_SIZES: Final = range(64 * 1024, 1 << 50)


class UploadMemory:
    """Limits by host, in `uploads` of a cache folder; see FolderCache."""

    def __init__(self, directory: Path) -> None:
        self._files = FolderCache(directory / "uploads", limit=LIMIT, entry_limit=ENTRY_LIMIT, top=directory)

    def read(self, host: str) -> tuple[int | None, int | None]:
        """Return the bytes that were too many for one request, and the accepted chunk size; None if unknown. Blocks."""
        try:
            document = json.loads(self._files.read(_name(host)) or b"{}")
            fresh = 0 <= time.time() - float(document["at"]) < DAYS * 86_400
            sizes = [document.get(key) for key in ("refused", "chunk")]
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            return None, None
        refused, chunk = (size if fresh and type(size) is int and size in _SIZES else None for size in sizes)
        return refused, chunk

    def write(self, host: str, refused: int | None, chunk: int | None) -> None:
        """Remember a registry's limits. Blocks."""
        document = {"host": host, "refused": refused, "chunk": chunk, "at": int(time.time())}
        self._files.write(_name(host), json.dumps(document).encode())


def _name(host: str) -> str:
    return hashlib.sha256(host.encode("utf-8", "surrogateescape")).hexdigest()
