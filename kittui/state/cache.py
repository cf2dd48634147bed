"""Caches manifests and configs on disk by digest, and only ever returns bytes that match their digest.

It also remembers where tags pointed when they were last read.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from kittui.errors import KittuiError
from kittui.oci.digest import Digest
from kittui.state.folder_cache import FolderCache

LIMIT: Final = 128 * 1024 * 1024
"""Maximum bytes in all."""
ENTRY_LIMIT: Final = 8 * 1024 * 1024
"""Maximum bytes of one entry."""

NAMES_LIMIT: Final = 2000
"""Maximum tags that completion looks through."""


class DiskCache:
    """Small blobs in `content` of a cache folder; see FolderCache."""

    def __init__(self, directory: Path, *, limit: int = LIMIT) -> None:
        self._files = FolderCache(directory / "content", limit=limit, entry_limit=ENTRY_LIMIT, top=directory)

    def get(self, digest: Digest) -> bytes | None:
        """Return the bytes after hashing them again; None if they are not cached. Blocks."""
        content = self._files.read(_blob(digest))
        if content is None:
            return None
        try:
            digest.verify(content, "the cached content")
        except KittuiError:
            self._files.drop(_blob(digest))
            return None
        return content

    def put(self, digest: Digest, content: bytes) -> None:
        """Store bytes that were verified against the digest. Blocks."""
        self._files.write(_blob(digest), content)

    def tag(self, name: str) -> Digest | None:
        """Return where a tag pointed when it was last read: a guess to be confirmed. Blocks."""
        try:
            return Digest.parse((self._files.read(_tag(name)) or b"").partition(b"\n")[0][:200].decode("ascii"))
        except (ValueError, KittuiError):
            return None

    def note_tag(self, name: str, digest: Digest) -> None:
        """Remember where a tag points. Blocks."""
        if self.tag(name) != digest:
            self._files.write(_tag(name), f"{digest}\n{name}".encode("utf-8", "surrogateescape"))

    def tags(self) -> set[str]:
        """Return references of tags that were read, for completion; not all if there are many. Blocks."""
        found = set()
        for name in self._files.names("tags", NAMES_LIMIT):
            text = (self._files.read(name) or b"").partition(b"\n")[2].decode("utf-8", "replace")
            place, _, rest = text.partition(" ")
            if rest and place.startswith("remote://"):
                found.add(f"{place.removeprefix('remote://')}/{rest}")
        return found


def _blob(digest: Digest) -> str:
    return f"{digest.algorithm}/{digest.hex[:2]}/{digest.hex}"


def _tag(name: str) -> str:
    hexa = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()
    return f"tags/{hexa[:2]}/{hexa}"
