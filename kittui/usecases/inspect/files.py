"""Lists the files of all layers of a ModelKit, and finds the file at a path."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kittui.errors import AmbiguousReference, KittuiError, NotFound
from kittui.formats.tar import FileEntry, plain_path
from kittui.tasks import spread
from kittui.usecases.inspect.indexes import LayerListing
from kittui.usecases.inspect.inspector import Inspector
from kittui.usecases.inspect.prices import Ask

if TYPE_CHECKING:
    from kittui.modelkit import Layer
    from kittui.oci.protocols import Repository

"""Number of layers listed concurrently."""

OnLayer = Callable[["Layer", int, int, int], None]
"""Called while a layer is listed: the layer, files so far, its bytes passed, its total bytes."""


@dataclass(frozen=True, slots=True)
class ListedLayer:
    """A layer with its files, or with the error that prevented listing them."""

    layer: Layer
    listing: LayerListing | None
    error: KittuiError | None = None

    @property
    def problem(self) -> str | None:
        """Why the listing is incomplete, in words."""
        if self.error is not None:
            return self.error.message
        return self.listing.problem if self.listing is not None else None


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file in a layer."""

    layer: Layer
    entry: FileEntry


async def list_layers(
    inspector: Inspector,
    repository: Repository,
    layers: Sequence[Layer],
    *,
    on_layer: OnLayer | None = None,
    ask: Ask | None = None,
) -> list[ListedLayer]:
    """List several layers concurrently, in their order; failed ones are marked, the others are still listed."""

    async def one(layer: Layer) -> ListedLayer:
        def progress(entries: list[FileEntry], position: int, size: int) -> None:
            if on_layer is not None:
                on_layer(layer, len(entries), position, size)

        try:
            return ListedLayer(layer, await inspector.listing(repository, layer, on_progress=progress, ask=ask))
        except KittuiError as error:
            return ListedLayer(layer, None, error)

    return await spread(layers, one, at_once=repository.source.traits.at_once)


def covers(layer: Layer, path: str) -> bool:
    """Whether a file is in the layer, by the layer's path in the Kitfile."""
    if not layer.path or layer.legacy:
        return True
    root = posixpath.normpath(layer.path)
    return root == "." or path == root or path.startswith(root + "/")


def chosen(layers: Sequence[Layer], wanted: str) -> list[Layer]:
    """Find the layers that match a type, path, name or (start of a) digest."""
    exact = [layer for layer in layers if wanted in (layer.path, layer.name, layer.digest)]
    if exact:
        return exact
    bare = wanted.removeprefix("sha256:")
    return [
        layer
        for layer in layers
        if wanted in (layer.type, layer.part)
        or posixpath.normpath(layer.path or "") == posixpath.normpath(wanted)
        or (len(bare) >= 6 and layer.digest.hex.startswith(bare))
    ]


async def find_in_layers(
    inspector: Inspector,
    repository: Repository,
    layers: Sequence[Layer],
    path: str,
    *,
    layer: str | None = None,
    ask: Ask | None = None,
) -> FoundFile:
    """Find the file at a path.

    Layers whose Kitfile path covers it are searched first, the others only if it isn't there. `layer` restricts the
    search by type, path, name or digest. Raises NotFound, AmbiguousReference if several layers have different bytes at
    this path, and the first error of a layer that might have it.
    """
    wanted = plain_path(path)
    if layer is not None:
        candidates = chosen(layers, layer)
        if not candidates:
            raise NotFound(f"no layer is {layer!r}", hint="kittui tree lists the layers.")
        groups = [candidates]
    else:
        near = [one for one in layers if covers(one, wanted)]
        groups = [near, [one for one in layers if one not in near]]
    errors: list[KittuiError] = []
    for group in groups:
        distinct = list({one.digest: one for one in group}.values())
        listed = await list_layers(inspector, repository, distinct, ask=ask)
        errors += [one.error for one in listed if one.error is not None]
        found = [
            FoundFile(one.layer, entry)
            for one in listed
            if one.listing is not None
            for entry in one.listing.files
            if entry.path == wanted
        ]
        files = [one for one in found if one.entry.type == "file"] or found
        if len({one.layer.digest for one in files}) > 1:
            names = ", ".join(f"--layer {one.layer.path or one.layer.digest.short}" for one in files[:5])
            raise AmbiguousReference(f"{path} is in {len(files)} layers", hint=f"Choose one with {names}.")
        if files:
            # Of several files with one path, the last one counts, as in tar.
            return files[-1]
    if errors:
        raise errors[0]
    raise NotFound(f"no file {path} in the layers", hint="kittui tree lists the files.")
