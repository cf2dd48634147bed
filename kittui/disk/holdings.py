"""What a folder of blobs contains, according to the manifests listed there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from kittui.disk.blobs import BlobFolder
from kittui.disk.durable import storage_error
from kittui.disk.reach import reachable
from kittui.disk.threads import in_thread
from kittui.errors import KittuiError, NotFound
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.oci.holdings import Holding, Holdings, Progressed
from kittui.oci.media_types import KIT_INDEX
from kittui.oci.tag import Tag

Listed = tuple[str, Descriptor, tuple[Tag, ...]]
"""A repository's name, a manifest that it lists, and the manifest's tags."""
_AT_ONCE = 50
"""Manifests read between two reports."""


async def read_holdings(
    blobs: BlobFolder,
    listed: Sequence[Listed],
    told: Progressed,
    *,
    kept: frozenset[Digest] = frozenset(),
    partials: Sequence[Path] = (),
    doubt: str = "",
) -> Holdings:
    """Everything that the listed manifests need, and the sizes of all blobs. `doubt` reports what can't be read."""
    held: list[Holding] = []
    for start in range(0, len(listed), _AT_ONCE):
        told(start, len(listed))
        found, problem = await in_thread(_read, blobs, listed[start : start + _AT_ONCE])
        held += found
        doubt = doubt or problem
    sizes = await in_thread(_sizes, blobs)
    return Holdings(sizes, tuple(held), kept, await in_thread(_leftovers, partials), doubt)


def _read(blobs: BlobFolder, listed: Iterable[Listed]) -> tuple[list[Holding], str]:
    held: list[Holding] = []
    doubt = ""
    for repository, descriptor, tags in listed:
        needs, stays, subject = {descriptor.digest}, list[tuple[Digest, frozenset[Digest]]](), None
        try:
            needs = reachable(blobs, [descriptor])
            manifest = blobs.manifest(descriptor)
            subject = manifest.subject.digest if manifest.subject is not None else None
            if manifest.artifact_type == KIT_INDEX:
                stays = [(one.digest, frozenset(reachable(blobs, [one]))) for one in manifest.manifests]
        except NotFound:
            pass
        except KittuiError as error:
            doubt = doubt or error.message
        held.append(Holding(repository, descriptor.digest, tags, frozenset(needs), tuple(stays), subject))
    return held, doubt


def _sizes(blobs: BlobFolder) -> dict[Digest, int]:
    """The size of every blob. Blocks; raises StorageError."""
    sizes: dict[Digest, int] = {}
    for algorithm in ("sha256", "sha512"):
        try:
            names = [path.name for path in (blobs.folder / algorithm).iterdir()]
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise storage_error(error, f"read {blobs.folder}") from error
        for name in names:
            try:
                digest = Digest.parse(f"{algorithm}:{name}")
            except KittuiError:
                continue
            if (size := blobs.size(digest)) is not None:
                sizes[digest] = size
    return sizes


def _leftovers(folders: Iterable[Path]) -> int:
    total = 0
    for folder in folders:
        try:
            total += sum(path.stat().st_size for path in folder.iterdir() if path.is_file())
        except OSError:
            continue
    return total
