"""How many bytes a removal frees in a source on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from kittui.errors import NotFound
from kittui.oci.digest import Digest
from kittui.oci.manifest import Manifest
from kittui.oci.protocols import Repository, Source

DEPTH: Final = 4
"""Indexes inside of indexes that are counted."""


async def freed_by(gone: Sequence[tuple[Repository, Manifest]]) -> list[int | None]:
    """Bytes that each of these manifests frees in its turn: what two of them share goes with the later one.

    None where only a registry knows.
    """
    freed: list[int | None] = [None] * len(gone)
    sources = {id(repository.source): repository.source for repository, _ in gone if repository.files is not None}
    for source in sources.values():
        numbers = [number for number, (repository, _) in enumerate(gone) if repository.source is source]
        leaving = {(gone[number][0].name, gone[number][1].digest) for number in numbers}
        needed = await _needed(source, leaving)
        for number in reversed(numbers):
            sizes: dict[Digest, int] = {}
            await _count(*gone[number], sizes)
            freed[number] = sum(size for digest, size in sizes.items() if digest not in needed)
            needed |= sizes.keys()
    return freed


async def _needed(source: Source, leaving: set[tuple[str, Digest]]) -> set[Digest]:
    """Everything that the manifests which stay need, themselves included."""
    needed: dict[Digest, int] = {}
    async for page in source.repositories():
        for entry in page:
            other = source.repository(entry.name)
            async for tags in other.tags():
                for digest in {tag.descriptor.digest for tag in tags if tag.descriptor}:
                    if (other.name, digest) not in leaving:
                        needed[digest] = 0
                        with suppress(NotFound):
                            await _count(other, await other.manifest(digest), needed)
    return set(needed)


async def _count(repository: Repository, manifest: Manifest, sizes: dict[Digest, int], depth: int = DEPTH) -> None:
    """Put down the sizes of a manifest and of all that it names."""
    sizes[manifest.digest] = len(manifest.raw)
    config = (manifest.config,) if manifest.config else ()
    sizes.update((blob.digest, blob.size) for blob in (*config, *manifest.layers))
    for child in manifest.manifests if depth else ():
        with suppress(NotFound):
            await _count(repository, await repository.manifest(child.digest), sizes, depth - 1)
