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

"""Layers listed at once."""

OnLayer = Callable[["Layer", int, int, int], None]
"""Called while a layer is listed: the layer, files so far, bytes of it passed, its bytes."""


@dataclass(frozen=True, slots=True)
class ListedLayer:
    """A layer with its files, or with the error that kept them away."""

    layer: Layer
    listing: LayerListing | None
    error: KittuiError | None = None

    @property
    def problem(self) -> str | None:
        """Why the listing is not whole, in words."""
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
    """List several layers at once, in their order; one that fails is marked, the others are still listed."""

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
    """Whether the layer's path in the Kitfile says that a file lies in it."""
    if not layer.path or layer.legacy:
        return True
    root = posixpath.normpath(layer.path)
    return root == "." or path == root or path.startswith(root + "/")


def chosen(layers: Sequence[Layer], wanted: str) -> list[Layer]:
    """The layers that a user means by a type, path, name or (start of a) digest."""
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
    """The file of a path; layers whose Kitfile path covers it are looked at first, the others only if it isn't there.

    `layer` names the one that is meant, by type, path, name or digest. Raises NotFound, AmbiguousReference where
    several layers have different bytes at this path, and the first error of a layer that might have it.
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
            # Of several of one path the last one counts, as for tar.
            return files[-1]
    if errors:
        raise errors[0]
    raise NotFound(f"no file {path} in the layers", hint="kittui tree lists the files.")
