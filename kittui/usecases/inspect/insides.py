"""Opens compressed layers for random access: gzip by an index, zstd if its frames are known."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from kittui.errors import Unsupported
from kittui.oci.protocols import Repository
from kittui.usecases.inspect.blobs import VIEWS, Key, LayerBlobs, is_local, key_of
from kittui.usecases.inspect.indexes import LayerIndexes
from kittui.usecases.inspect.lister import LayerLister
from kittui.usecases.inspect.prices import Ask
from kittui.usecases.inspect.views import GzipView

if TYPE_CHECKING:
    from kittui.modelkit import Layer
    from kittui.usecases.inspect.zstd_view import ZstdView

ONCE: Final = "compressed layers are read from their start once"


class Insides:
    """The content of compressed layers, readable in stretches; views of gzip layers are cached."""

    def __init__(self, blobs: LayerBlobs, indexes: LayerIndexes, lister: LayerLister) -> None:
        self._blobs = blobs
        self._indexes = indexes
        self._lister = lister
        self._gzip: OrderedDict[Key, GzipView] = OrderedDict()

    async def gzip(self, repository: Repository, layer: Layer, ask: Ask | None) -> GzipView:
        """Open a gzip layer's content, after reading it once from its start if that was never done.

        Raises Refused if the price is not agreed to, Unsupported if the layer can't be entered.
        """
        key = key_of(repository, layer)
        view = self._gzip.get(key)
        if view is not None:
            return view
        kept = await self._indexes.index(layer)
        if kept is None:
            if not is_local(repository):
                await self._lister.agree(layer, layer.size, ONCE, ask)
            _, result = await self._lister.read_through(repository, layer)
            if result.index is None:
                raise Unsupported(
                    f"the layer {layer.digest.short} can only be read from its start",
                    hint="kittui unpack writes its files to disk.",
                )
            kept = result.index, result.output
        from kittui.formats.gzip import GzipIndex

        view = GzipView(await self._blobs.view(repository, layer), GzipIndex(kept[0], layer.size), kept[1])
        self._gzip[key] = view
        while len(self._gzip) > VIEWS:
            self._gzip.popitem(last=False)
        return view

    async def zstd(self, repository: Repository, layer: Layer, ask: Ask | None) -> ZstdView | None:
        """Open a zstd layer's content if its frames are known; each read that is not free needs agreement."""
        view = await self._lister.zstd_view(repository, layer)
        if view is None or await self._blobs.lacks_ranges(repository, layer):
            return None
        if is_local(repository):
            return view

        async def pay(size: int) -> None:
            await self._lister.agree(layer, size, frames_text(view.index.frames), ask)

        return view.at_terms(pay)


def frames_text(frames: int) -> str:
    """Explain what the frames of a zstd stream mean for reading a file in it."""
    if frames == 1:
        return "its zstd stream is one frame, so that a file is read from the layer's start"
    return f"its zstd stream has {frames} frames, and a file is read from the start of its frame"
