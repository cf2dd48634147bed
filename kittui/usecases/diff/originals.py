"""Finds the files of both sides for a row of a comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kittui.compare.comparison import Comparison
from kittui.oci.digest import Digest
from kittui.usecases.inspect.copies import LayerFile, Original, TextFile

if TYPE_CHECKING:
    from kittui.compare.changes import FileChange
    from kittui.modelkit import Layer
    from kittui.oci.protocols import Repository
    from kittui.usecases.diff.compare import DiffUseCase, Side

Sides = tuple[Original | None, Original | None]
"""The old and the new side's file; None for a missing one."""


def file_of(comparison: Comparison, key: str) -> FileChange | None:
    """The file of an outline row, or the file that contains it; for a single-file layer, that file."""
    for change in comparison.files:
        own = f"layer/{change.layer}/{change.path}"
        if key == own or key.startswith(f"{own}//"):
            return change
    inside = [change for change in comparison.files if f"layer/{change.layer}" == key]
    return inside[0] if len(inside) == 1 else None


async def kitfiles_of(case: DiffUseCase, sides: tuple[Side, Side], comparison: Comparison) -> Sides:
    """Both Kitfiles, formatted as kit does."""
    from kittui.modelkit import kitfile_yaml
    from kittui.usecases.browse.exact import exact_kitfile

    kits = [await case.modelkit(side.repository, digest) for side, digest in _pinned(sides, comparison)]
    a, b = (
        TextFile("Kitfile.yaml", kitfile_yaml(exact_kitfile(kit), exact=True)) if kit.kitfile else None for kit in kits
    )
    return a, b


async def files_of(case: DiffUseCase, sides: tuple[Side, Side], comparison: Comparison, change: FileChange) -> Sides:
    """Both sides' files that a change is about; raises what listing their layers raises."""
    layer = comparison.layers[change.layer]
    found: list[Original | None] = []
    for (side, digest), there, path, missing in zip(
        _pinned(sides, comparison),
        (layer.a, layer.b),
        (change.path_a or change.path, change.path),
        ("added", "removed"),
        strict=True,
    ):
        if change.status == missing:
            found.append(None)
            continue
        kit = await case.modelkit(side.repository, digest)
        # A moved file may come from any layer.
        layers = [kit.layers[there.index]] if there is not None and not change.path_a else list(kit.layers)
        found.append(await _found(case, side.repository, layers, path))
    return found[0], found[1]


def _pinned(sides: tuple[Side, Side], comparison: Comparison) -> list[tuple[Side, Digest]]:
    """The sides with the digests that were compared: their tags may have moved since."""
    return [(sides[0], Digest(comparison.a.digest)), (sides[1], Digest(comparison.b.digest))]


async def _found(case: DiffUseCase, repository: Repository, layers: list[Layer], path: str) -> Original | None:
    for layer in layers:
        listing = await case.inspector.listing(repository, layer)
        # If a path occurs several times, the last one counts.
        for entry in reversed(listing.files):
            if entry.path == path and entry.type == "file":
                return LayerFile(case.inspector, repository, layer, entry)
    return None
