"""Reads stored layers: small ones whole, others by ranges if their source supports that."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING

from kittui.errors import Unsupported
from kittui.oci.content import BytesReader
from kittui.oci.protocols import BlobReader, Repository
from kittui.usecases.inspect.views import BlobView, BytesView

if TYPE_CHECKING:
    from kittui.modelkit import Layer

SMALL = 64 * 1024
"""Layers up to this many bytes are read whole, and so verified, instead of by ranges."""
VIEWS = 32
"""Number of layers whose ranges are remembered."""

Key = tuple[str, str]


def key_of(repository: Repository, layer: Layer) -> Key:
    """A unique key for a layer in a place."""
    return str(repository.source.place), f"{repository.name}@{layer.digest}"


def is_local(repository: Repository) -> bool:
    """Whether reading costs no traffic."""
    return repository.source.traits.free


class LayerBlobs:
    """The blobs of layers as views."""

    def __init__(self) -> None:
        self._views: OrderedDict[Key, BlobView | BytesView] = OrderedDict()

    async def view(self, repository: Repository, layer: Layer) -> BlobView | BytesView:
        """Return a view of the layer's blob as stored: small remote ones are read whole and verified."""
        key = key_of(repository, layer)
        view = self._views.get(key)
        if view is None:
            if layer.size <= SMALL and not is_local(repository):
                view = BytesView(await repository.read_blob(layer.descriptor, SMALL), verified=True)
            else:
                view = BlobView(repository, layer.descriptor)
            self._views[key] = view
            while len(self._views) > VIEWS:
                self._views.popitem(last=False)
        self._views.move_to_end(key)
        return view

    async def opening(self, repository: Repository, layer: Layer) -> AbstractAsyncContextManager[BlobReader]:
        """Open the layer's whole blob."""
        if layer.size <= SMALL and not is_local(repository):
            view = await self.view(repository, layer)
            return _reading(await view.read(0, layer.size))
        return repository.open_blob(layer.descriptor)

    async def lacks_ranges(self, repository: Repository, layer: Layer) -> bool:
        """Whether the source serves only wholes: from its capabilities, else by requesting one byte."""
        ranges = repository.source.capabilities.ranges
        if ranges.state == "unknown" and not is_local(repository):
            try:
                await (await self.view(repository, layer)).read(0, 1)
            except Unsupported:
                return True
            return False
        return ranges.denied

    def is_verified(self, repository: Repository, layer: Layer) -> bool:
        """Whether reads of the layer come from bytes whose whole hash was verified in this run."""
        view = self._views.get(key_of(repository, layer))
        return view is not None and view.verified


@asynccontextmanager
async def _reading(content: bytes) -> AsyncIterator[BlobReader]:
    yield BytesReader(content)
