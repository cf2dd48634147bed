"""Plans what a transfer would move, from the manifests and what the destination has."""

from __future__ import annotations

import stat
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from kittui.disk.threads import in_thread
from kittui.errors import AuthError, KittuiError, Malformed, NotFound, TooLarge, Unsupported
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.oci.manifest import Manifest
from kittui.oci.protocols import BlobFiles, Repository
from kittui.oci.target import Target
from kittui.tasks import spread

Way = Literal["present", "mount", "copy"]

DEPTH, MANIFESTS = 4, 1000
"""Maximum depth of indexes, and maximum manifests in all, that are followed."""


@dataclass(frozen=True, slots=True)
class BlobPlan:
    """A blob and how it gets to the destination: it exists there, is mounted, or is copied."""

    descriptor: Descriptor
    way: Way


@dataclass(frozen=True, slots=True)
class TransferPlan:
    """One ModelKit (or index with what it lists) from one repository to another; `manifests` end with the top one."""

    origin: Repository
    destination: Repository
    manifests: tuple[Manifest, ...]
    blobs: tuple[BlobPlan, ...]

    @property
    def manifest(self) -> Manifest:
        """The manifest that was asked for."""
        return self.manifests[-1]

    @property
    def missing(self) -> int:
        """Bytes to move, without manifests; an earlier run's partial downloads are not deducted."""
        return sum(blob.descriptor.size for blob in self.blobs if blob.way == "copy")

    @property
    def total(self) -> int:
        """Bytes of all blobs, each once."""
        return sum(blob.descriptor.size for blob in self.blobs)

    @property
    def requests(self) -> int:
        """Minimum requests to the destination or origin, without authentication."""
        return len(self.manifests) + sum(1 + (blob.way == "copy") for blob in self.blobs if blob.way != "present")


def blobs_of(manifests: Sequence[Manifest]) -> tuple[Descriptor, ...]:
    """Every blob in the manifests, each once, in their order. Raises Malformed if one digest has two sizes."""
    found: dict[Digest, Descriptor] = {}
    for manifest in manifests:
        for blob in (*((manifest.config,) if manifest.config else ()), *manifest.layers):
            known = found.setdefault(blob.digest, blob)
            if known.size != blob.size:
                raise Malformed(f"the manifest gives {blob.digest.short} two sizes: {known.size} and {blob.size} bytes")
    return tuple(found.values())


async def plan_transfer(origin: Repository, target: Target, destination: Repository) -> TransferPlan:
    """Read the manifest (and what an index lists) and ask the destination what it has. Raises NotFound, Malformed."""
    manifests = await _tree(origin, await origin.manifest(target))
    blobs = blobs_of(manifests)
    present = await _present(destination, blobs)
    if present and destination.files is None and not await _lists(destination, manifests[-1].digest):
        # Listed manifests may be gone: a registry may claim them longer than it has them.
        listed = [blob for blob in blobs if blob.digest in present]
        readable = await spread(listed, partial(can_read, destination), at_once=destination.source.traits.at_once)
        present = {blob.digest for blob, there in zip(listed, readable, strict=True) if there}
    missing: Way = "mount" if can_take_over(origin, destination) else "copy"
    plans = [BlobPlan(blob, "present" if blob.digest in present else missing) for blob in blobs]
    return TransferPlan(origin, destination, manifests, tuple(plans))


async def _present(destination: Repository, blobs: Sequence[Descriptor]) -> set[Digest]:
    """The blobs that the destination has."""
    files = destination.files
    if files is not None:
        return await in_thread(lambda: {blob.digest for blob in blobs if holds(files, blob)})
    found = await spread(blobs, partial(is_there, destination), at_once=destination.source.traits.at_once)
    return {blob.digest for blob, there in zip(blobs, found, strict=True) if there}


async def _lists(destination: Repository, digest: Digest) -> bool:
    """Whether the destination has a manifest."""
    try:
        await destination.resolve(digest)
    except NotFound:
        return False
    return True


async def can_read(repository: Repository, blob: Descriptor) -> bool:
    """Whether the first byte of a blob can be read, which proves more than the repository's claim to have it."""
    if not blob.size:
        return True
    for length in (1, None):
        try:
            async with repository.open_blob(blob, 0, length) as reader:
                async for _ in reader:
                    return True
            return False
        except Unsupported:
            continue
        except KittuiError:
            return False
    return False


def holds(files: BlobFiles, blob: Descriptor) -> bool:
    """Whether a blob is in the files with the size it should have. Blocks."""
    try:
        status = files.path(blob.digest).stat()
    except (OSError, ValueError):
        return False
    return stat.S_ISREG(status.st_mode) and status.st_size == blob.size


def can_take_over(origin: Repository, destination: Repository) -> bool:
    """Whether the destination can get blobs without network traffic: same source, or both on disk."""
    if origin.files is not None and destination.files is not None:
        return True
    return origin.source.place == destination.source.place and not destination.source.capabilities.mount.denied


async def is_there(destination: Repository, blob: Descriptor) -> bool:
    """Whether a blob need not be copied; missing read rights, or a missing repository, show at the upload."""
    try:
        return await destination.has_blob(blob)
    except (NotFound, AuthError):
        return False


async def _tree(origin: Repository, top: Manifest) -> tuple[Manifest, ...]:
    """The manifest and all that it lists, children first."""
    found: dict[Digest, Manifest] = {}

    async def visit(manifest: Manifest, depth: int) -> None:
        if depth > DEPTH or len(found) > MANIFESTS:
            raise TooLarge(f"the index lists more than {MANIFESTS} manifests, or nests deeper than {DEPTH}")
        for child in manifest.manifests:
            if child.digest not in found:
                await visit(await origin.manifest(child.digest), depth + 1)
        found[manifest.digest] = manifest

    await visit(top, 0)
    return tuple(found.values())
