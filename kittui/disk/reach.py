"""Finds the blobs in use by walking manifests and indexes, so that only unreferenced ones are deleted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from kittui.disk.blobs import BlobFolder
from kittui.disk.durable import remove_file
from kittui.disk.notices import notice
from kittui.errors import KittuiError, NotFound
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.oci.media_types import INDEXES, MANIFEST_LIMIT, MANIFESTS


def reachable(blobs: BlobFolder, listed: Iterable[Descriptor]) -> set[Digest]:
    """The digests of the listed manifests and of everything they refer to. Blocks.

    A manifest that is missing on disk refers to nothing. Raises KittuiError for one that exists and can't be read:
    what it refers to is unknown, so nothing may be deleted.
    """
    return set(_walk(blobs, listed))


def _walk(blobs: BlobFolder, listed: Iterable[Descriptor]) -> list[Digest]:
    """The same, each manifest before what it refers to."""
    found: dict[Digest, None] = {}
    walked: set[Digest] = set()
    pending = list(listed)
    while pending:
        descriptor = pending.pop()
        if descriptor.digest in walked:
            continue
        walked.add(descriptor.digest)
        found.setdefault(descriptor.digest)
        try:
            manifest = blobs.manifest(descriptor)
        except NotFound:
            continue
        parts = (*manifest.manifests, *manifest.layers, *((manifest.config,) if manifest.config else ()))
        found.update(dict.fromkeys(part.digest for part in parts))
        pending += [child for child in manifest.manifests if child.media_type in MANIFESTS | INDEXES]
    return list(found)


def below(blobs: BlobFolder, descriptor: Descriptor) -> Sequence[Digest]:
    """A manifest, then what it refers to: what its deletion may release. Blocks."""
    try:
        return _walk(blobs, [descriptor])
    except KittuiError:
        return [descriptor.digest]


def unlisted(blobs: BlobFolder, digest: Digest) -> Descriptor | None:
    """A manifest on disk that nothing lists: its deletion was interrupted before its blobs were deleted."""
    size = blobs.size(digest)
    if size is None or size > MANIFEST_LIMIT:
        return None
    descriptor = Descriptor("", digest, size)
    try:
        blobs.manifest(descriptor)
    except KittuiError:
        return None
    return descriptor


def collect(
    blobs: BlobFolder, released: Sequence[Digest], used: Callable[[], set[Digest]], *, point: str
) -> list[Digest]:
    """Delete the released blobs that are no longer used, and return them. Blocks; the caller holds the lock.

    Deletes in reverse order: while the manifest exists, an interrupted deletion can still be completed from it. If
    `used` raises a KittuiError, what is in use is unknown and nothing is deleted.
    """
    try:
        kept = used()
    except KittuiError as error:
        notice(f"blobs that may be unused were kept: {error.message}")
        return []
    gone = [digest for digest in reversed(released) if digest not in kept]
    return [digest for digest in gone if remove_file(blobs.path(digest), point=point)]
