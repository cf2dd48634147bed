"""Lists a layer: by hopping over its headers if it can be read by ranges, else in one pass from its start."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING

from kittui.errors import Malformed, Unsupported
from kittui.formats.tar import DISK, FileEntry, Pace, TarWalk
from kittui.usecases.inspect.blobs import SMALL, Key, LayerBlobs, is_local, key_of
from kittui.usecases.inspect.indexes import LayerIndexes, LayerListing
from kittui.usecases.inspect.prices import Ask, Price, Terms
from kittui.usecases.inspect.streams import STREAM_PACE, Compression, Emit, PassResult, Wanted, read_through
from kittui.usecases.inspect.views import BlobView, View, drive

if TYPE_CHECKING:
    from kittui.modelkit import Layer
    from kittui.oci.protocols import Repository
    from kittui.usecases.inspect.zstd_view import ZstdView

HASHED = 64 * 1024 * 1024
"""Layers on this machine up to this many bytes are hashed when listed."""
WALKS = 4
"""Number of interrupted walks that can continue."""

OnProgress = Callable[[list[FileEntry], int, int], None]
"""Called while a listing grows, with its entries and the layer's bytes passed so far."""


class LayerLister:
    """Lists layers, makes the passes over whole ones, and stores the results."""

    def __init__(self, blobs: LayerBlobs, indexes: LayerIndexes, terms: Terms) -> None:
        self._blobs = blobs
        self._indexes = indexes
        self._terms = terms
        self._walks: OrderedDict[Key, TarWalk] = OrderedDict()
        self._zstd: OrderedDict[Key, ZstdView | None] = OrderedDict()

    async def list(
        self, repository: Repository, layer: Layer, on_progress: OnProgress | None, ask: Ask | None
    ) -> LayerListing:
        """List the files of a layer; raises Refused if the price is not agreed to, and the source's errors."""
        if layer.format == "other" or layer.compression == "other":
            raise Unsupported(
                f"a layer of type {layer.media_type} is not known",
                hint="kittui reads tar and raw layers, plain or compressed with gzip or zstd.",
            )
        if layer.format == "raw" and layer.compression == "none":
            return LayerListing((bare_file(layer, layer.size),), complete=True, verified=False, output=layer.size)
        local = is_local(repository)
        large = layer.size > (HASHED if local else SMALL)
        if layer.compression == "none" and large:
            try:
                return await self._hop(repository, layer, await self._blobs.view(repository, layer), on_progress)
            except Unsupported as error:
                no_ranges = error
            await self.agree(layer, layer.size, f"{no_ranges.message}: only the whole layer can be read", ask)
            return (await self.read_through(repository, layer, on_progress))[0]
        if layer.compression == "zstd" and large and layer.format == "tar":
            listing = await self._hop_frames(repository, layer, on_progress)
            if listing is not None:
                return listing
        if not local:
            await self.agree(layer, layer.size, "compressed layers are read from their start once", ask)
        return (await self.read_through(repository, layer, on_progress))[0]

    async def agree(self, layer: Layer, size: int, reason: str, ask: Ask | None) -> None:
        """Ask for agreement to read so many bytes of a layer; raises Refused."""
        await self._terms.agree(Price(size, f"layer {layer.path or layer.digest.short}", reason), ask)

    async def _hop(
        self, repository: Repository, layer: Layer, view: View, on_progress: OnProgress | None
    ) -> LayerListing:
        """Walk the headers; a cancelled walk continues where it was."""
        key = key_of(repository, layer)
        walk = self._walks.pop(key, None)
        if walk is None:
            pace = view.pace if isinstance(view, BlobView) else DISK if is_local(repository) else Pace()
            walk = TarWalk(view.size, pace)

        def step() -> None:
            if on_progress is not None:
                on_progress(walk.entries, min(walk.position, view.size), view.size)

        step()
        try:
            await drive(walk.steps(), view, step)
        except BaseException:
            self._walks[key] = walk
            while len(self._walks) > WALKS:
                self._walks.popitem(last=False)
            raise
        return LayerListing(tuple(walk.entries), walk.complete, view.verified, view.size, walk.problem)

    async def _hop_frames(
        self, repository: Repository, layer: Layer, on_progress: OnProgress | None
    ) -> LayerListing | None:
        """Walk the headers in a zstd layer with known frames; None if that reads too much of it."""
        view = await self.zstd_view(repository, layer)
        if view is None or not view.is_fine():
            return None
        local, left = is_local(repository), self._terms.free

        def spend(size: int) -> None:
            nonlocal left
            left -= size
            if left < 0 and not local:
                raise _TooMuchError

        try:
            listing = await self._hop(repository, layer, view.at_terms(spend=spend), on_progress)
        except (_TooMuchError, Malformed):
            self._walks.pop(key_of(repository, layer), None)
            return None
        if listing.problem:
            # Perhaps only the seek table is wrong: the pass will show.
            return None
        return LayerListing(
            listing.files, listing.complete, listing.verified, listing.output, listing.problem, view.index.frames
        )

    async def zstd_view(self, repository: Repository, layer: Layer) -> ZstdView | None:
        """The content of a zstd layer that was read once, or has a seek table; None if its frames are unknown."""
        key = key_of(repository, layer)
        if key in self._zstd:
            self._zstd.move_to_end(key)
            return self._zstd[key]
        from kittui.formats.zstd import ZstdIndex, read_seek_table
        from kittui.usecases.inspect.zstd_view import ZstdView

        kept = await self._indexes.index(layer)
        index = ZstdIndex.load(kept[0]) if kept is not None else None
        view = await self._blobs.view(repository, layer)
        if index is None:
            try:
                index = await drive(read_seek_table(layer.size), view)
            except Unsupported:
                index = None
        self._zstd[key] = ZstdView(view, index) if index is not None else None
        while len(self._zstd) > WALKS:
            self._zstd.popitem(last=False)
        return self._zstd[key]

    async def read_through(
        self,
        repository: Repository,
        layer: Layer,
        on_progress: OnProgress | None = None,
        *,
        wanted: Wanted | None = None,
        emit: Emit | None = None,
        stop_early: bool = False,
    ) -> tuple[LayerListing, PassResult]:
        """Read the whole layer in one pass, and store the results. Raises DigestMismatch, and the source's errors."""
        plain = layer.size if layer.compression == "none" else None
        walk = None if layer.format == "raw" else TarWalk(plain, STREAM_PACE if wanted is not None else DISK)

        def step(read: int) -> None:
            if on_progress is not None:
                on_progress(walk.entries if walk is not None else [], read, layer.size)

        result = await read_through(
            await self._blobs.opening(repository, layer),
            layer.descriptor,
            _compression(layer),
            walk,
            wanted=wanted,
            emit=emit,
            stop_early=stop_early,
            on_bytes=step,
        )
        if walk is None:
            files: tuple[FileEntry, ...] = (bare_file(layer, result.output),)
            listing = LayerListing(files, result.verified, result.verified, result.output, None, result.frames)
        else:
            listing = LayerListing(
                tuple(walk.entries), walk.complete, result.verified, result.output, walk.problem, result.frames
            )
        if result.verified:
            view = await self._blobs.view(repository, layer)
            if isinstance(view, BlobView) and view.local:
                view.verified = True
            if result.index is not None:
                self._zstd.pop(key_of(repository, layer), None)
                await self._indexes.keep_index(layer, result.index, result.output)
        return listing, result


class _TooMuchError(Exception):
    """Hopping reads more than is free."""


def _compression(layer: Layer) -> Compression:
    if layer.compression == "other":
        raise Unsupported(f"a layer of type {layer.media_type} is not known")
    return layer.compression


def bare_file(layer: Layer, size: int) -> FileEntry:
    """The single file of a raw layer."""
    path = os.path.normpath(layer.path) if layer.path else layer.name or layer.digest.hex
    return FileEntry(path, "file", size, layer.mode, 0)
