"""How many bytes a removal frees in a source on this machine."""

from __future__ import annotations

from collections.abc import Sequence

from kittui.oci.holdings import Holding, SupportsHoldings
from kittui.oci.manifest import Manifest
from kittui.oci.protocols import Repository


async def freed_by(gone: Sequence[tuple[Repository, Manifest]]) -> list[int | None]:
    """Bytes that removing each of these manifests in turn frees: shared blobs go with the last that needs them.

    None for a registry, which doesn't report it.
    """
    freed: list[int | None] = [None] * len(gone)
    for source in {id(repository.source): repository.source for repository, _ in gone}.values():
        if not isinstance(source, SupportsHoldings):
            continue
        holdings = await source.holdings()
        held = {one.key: one for one in holdings.held}
        going: list[Holding] = []
        before = 0
        for number, (repository, manifest) in enumerate(gone):
            if repository.source is source:
                key = repository.name, manifest.digest
                going += [held[key]] if key in held else []
                now = holdings.freed(going)
                freed[number], before = now - before, now
    return freed
