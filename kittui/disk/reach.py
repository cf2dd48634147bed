"""Which blobs are in use: a walk over manifests and indexes, for deleting only what nothing refers to."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from kittui.disk.blobs import BlobFolder
from kittui.disk.durable import remove_file
from kittui.disk.notices import notice
from kittui.errors import KittuiError, NotFound
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.oci.media_types import INDEXES, MANIFESTS


def reachable(blobs: BlobFolder, listed: Iterable[Descriptor]) -> set[Digest]:
    """The digests of the listed manifests and of everything below them. Blocks.

    A manifest that is missing on disk has nothing below it. Raises KittuiError for one that is there and can't be read:
    what it refers to is not known, so nothing may be deleted.
    """
    found: set[Digest] = set()
    walked: set[Digest] = set()
    pending = list(listed)
    while pending:
        descriptor = pending.pop()
        if descriptor.digest in walked:
            continue
        walked.add(descriptor.digest)
        found.add(descriptor.digest)
        try:
            manifest = blobs.manifest(descriptor)
        except NotFound:
            continue
        found |= {child.digest for child in manifest.manifests}
        pending += [child for child in manifest.manifests if child.media_type in MANIFESTS | INDEXES]
        found |= {layer.digest for layer in manifest.layers}
        if manifest.config is not None:
            found.add(manifest.config.digest)
    return found


def below(blobs: BlobFolder, descriptor: Descriptor) -> set[Digest]:
    """A manifest and what it refers to: what its deletion may release. Blocks."""
    try:
        return reachable(blobs, [descriptor])
    except KittuiError:
        return {descriptor.digest}


def collect(
    blobs: BlobFolder, released: Iterable[Digest], used: Callable[[], set[Digest]], *, point: str
) -> list[Digest]:
    """Delete those of the released blobs that are not used any more, and return them. Blocks; a lock is held.

    Where `used` raises a KittuiError, what is in use isn't known and nothing is deleted.
    """
    try:
        gone = sorted(set(released) - used())
    except KittuiError as error:
        notice(f"blobs that may not be needed any more are kept: {error.message}")
        return []
    return [digest for digest in gone if remove_file(blobs.path(digest), point=point)]
