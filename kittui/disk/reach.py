"""Which blobs are in use: a walk over manifests and indexes, for deleting only what nothing refers to."""

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
    """The digests of the listed manifests and of everything below them. Blocks.

    A manifest that is missing on disk has nothing below it. Raises KittuiError for one that is there and can't be read:
    what it refers to is not known, so nothing may be deleted.
    """
    return set(_walk(blobs, listed))


def _walk(blobs: BlobFolder, listed: Iterable[Descriptor]) -> list[Digest]:
    """The same, what refers to something before that."""
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
    """A manifest and what it refers to, in this order: what its deletion may release. Blocks."""
    try:
        return _walk(blobs, [descriptor])
    except KittuiError:
        return [descriptor.digest]


def unlisted(blobs: BlobFolder, digest: Digest) -> Descriptor | None:
    """A manifest that is on the disk though nothing lists it: its deletion was interrupted before its blobs went."""
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
    """Delete those of the released blobs that are not used any more, and return them. Blocks; a lock is held.

    The last goes first: while a manifest is there, an interrupted deletion can be finished by what it names. Where
    `used` raises a KittuiError, what is in use isn't known and nothing is deleted.
    """
    try:
        kept = used()
    except KittuiError as error:
        notice(f"blobs that may not be needed any more are kept: {error.message}")
        return []
    gone = [digest for digest in reversed(released) if digest not in kept]
    return [digest for digest in gone if remove_file(blobs.path(digest), point=point)]
