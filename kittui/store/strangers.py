"""Finds files in a store that this kittui does not understand, and the blobs that they may list.

A newer kit stores more than older ones know, such as its indexes of variants. What such a file may refer to counts as
used.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from kittui.disk.blobs import BlobFolder
from kittui.disk.documents import read_bounded
from kittui.errors import Malformed
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.oci.media_types import MANIFEST_LIMIT
from kittui.store.root import StorePaths, stored_names

_HEX = re.compile(rb"(?<![0-9a-fA-F])(?:[0-9a-f]{128}|[0-9a-f]{64})(?![0-9a-fA-F])")


def strangers(paths: StorePaths) -> list[Path]:
    """The JSON files in storage/, and in folders of it, that are not kit's own index and tags files. Blocks."""
    if not paths.storage.is_dir():
        return []
    known = {paths.shared_index}
    for name in stored_names([path.name for path in paths.storage.iterdir()]):
        if name.store_name is not None:
            known |= {paths.index(name.store_name), paths.tags(name.store_name)}
    skipped = {paths.blobs, paths.storage / "ingest", *paths.own_folders}
    found: list[Path] = []
    pending = [paths.storage]
    while pending:
        for path in sorted(pending.pop().iterdir()):
            if path.is_dir() and not path.is_symlink():
                pending += [] if path in skipped else [path]
            elif path.name.endswith(".json") and path not in known:
                found.append(path)
    return found


def aside(paths: StorePaths) -> list[Path]:
    """Broken index files that a repair moved out of kit's way. Blocks."""
    folder = paths.own / "set-aside"
    return sorted(folder.iterdir()) if folder.is_dir() else []


def reachable_from_strangers(paths: StorePaths, blobs: BlobFolder) -> set[Digest]:
    """Every blob named in unknown files or files set aside, and everything below it.

    Blocks. Raises KittuiError if such a file, or a blob that it names, can't be read: then it is unknown what it lists.
    """
    found: set[Digest] = set()
    pending: set[Digest] = set()
    for path in aside(paths):
        pending |= _named_in(read_bounded(path) or b"")
    for path in strangers(paths):
        raw = read_bounded(path) or b""
        try:
            json.loads(raw)
        except (ValueError, RecursionError):
            raise Malformed(f"{path.name} in the store is not understood, and may list blobs") from None
        pending |= _named_in(raw)
    while pending:
        digest = pending.pop()
        found.add(digest)
        size = blobs.size(digest)
        if size is not None and size <= MANIFEST_LIMIT:
            raw = blobs.read(Descriptor("", digest, size), MANIFEST_LIMIT)
            if raw.lstrip().startswith(b"{"):
                pending |= _named_in(raw) - found
    return found


def _named_in(raw: bytes) -> set[Digest]:
    """Everything in a document that looks like a digest, whatever its key."""
    hexes = (match.decode() for match in _HEX.findall(raw))
    return {Digest.parse(f"{'sha256' if len(one) == 64 else 'sha512'}:{one}") for one in hexes}
