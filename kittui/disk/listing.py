"""Questions that a folder of blobs and its listed manifests answer, for both store and layout."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from kittui.disk.blobs import BlobFolder
from kittui.errors import KittuiError
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.oci.media_types import INDEXES

_DEPTH = 4
"""How deep nested indexes are followed."""
_COUNTED = 200
"""The most manifests read to compute a repository's size."""


def find_nested(blobs: BlobFolder, listed: Iterable[Descriptor], digest: str) -> Descriptor | None:
    """The descriptor of a manifest that only a listed index names. Blocks; unreadable indexes are skipped."""
    level = [descriptor for descriptor in listed if descriptor.media_type in INDEXES]
    for _ in range(_DEPTH):
        below: list[Descriptor] = []
        for descriptor in level:
            try:
                children = blobs.manifest(descriptor).manifests
            except KittuiError:
                continue
            for child in children:
                if child.digest == digest:
                    return child
            below += [child for child in children if child.media_type in INDEXES]
        level = below
    return None


def referrers_among(blobs: BlobFolder, listed: Iterable[Descriptor], digest: Digest) -> Sequence[Descriptor]:
    """Listed manifests whose subject is the digest. Blocks; unreadable ones are skipped, as they state no subject."""
    found: dict[Digest, Descriptor] = {}
    for descriptor in listed:
        try:
            manifest = blobs.manifest(descriptor)
        except KittuiError:
            continue
        if manifest.subject is not None and manifest.subject.digest == digest:
            artifact_type = manifest.artifact_type or (manifest.config.media_type if manifest.config else None)
            found[manifest.digest] = Descriptor(
                manifest.media_type, manifest.digest, len(manifest.raw), manifest.annotations, artifact_type
            )
    return tuple(found.values())


def content_size(blobs: BlobFolder, listed: Sequence[Descriptor]) -> int | None:
    """Bytes of the distinct listed manifests, configs and layers; None if there are too many to read.

    Blocks. Children of indexes are not followed.
    """
    if len(listed) > _COUNTED:
        return None
    sizes: dict[Digest, int] = {}
    for descriptor in listed:
        try:
            manifest = blobs.manifest(descriptor)
        except KittuiError:
            return None
        sizes[descriptor.digest] = descriptor.size
        for part in (manifest.config, *manifest.layers):
            if part is not None:
                sizes[part.digest] = part.size
    return sum(sizes.values())
