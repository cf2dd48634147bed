"""Looking inside layers: which files they hold and what is in one, from as few bytes as can be."""

from __future__ import annotations

import asyncio
import os
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kittui.errors import Malformed, NotFound, Refused, TooLarge, Unsupported
from kittui.formats.gzip import GzipIndex
from kittui.formats.tar import DISK, FileEntry, TarWalk
from kittui.formats.weights import Weights
from kittui.oci.descriptor import Descriptor
from kittui.oci.protocols import BlobReader, Repository
from kittui.usecases.layer_index import LayerIndexes, LayerListing
from kittui.usecases.streams import STREAM_PACE, Compression, PassResult, Wanted, read_through
from kittui.usecases.views import READ_LIMIT, BlobView, BytesView, GzipView, SliceView, View, drive

if TYPE_CHECKING:
    from kittui.modelkit import Layer
    from kittui.state.indexes import IndexCache

SMALL = 64 * 1024
"""Bytes up to which a layer is read whole, and so verified, instead of by ranges."""
HASHED = 64 * 1024 * 1024
"""Bytes up to which a layer on this machine is hashed when it is listed."""
FREE = 1_000_000
"""Bytes that may be read without asking."""
VIEWS = 32
"""Layers whose ranges are remembered at once."""


@dataclass(frozen=True, slots=True)
class Price:
    """What an action costs before it is done: bytes to read, of what, and why not less."""

    bytes: int
    subject: str
    reason: str


Ask = Callable[[Price], Awaitable[bool]]
OnProgress = Callable[[list[FileEntry], int, int], None]
"""Called while a listing grows, with its entries so far, and how many of the layer's bytes the walk has passed."""
Emit = Callable[[bytes], Awaitable[None]]


def descriptor_of(layer: Layer) -> Descriptor:
    """The layer's descriptor."""
    return layer.descriptor


class _BytesReader:
    """A blob in memory as a `BlobReader`."""

    def __init__(self, content: bytes) -> None:
        self.offset = 0
        self.length = len(content)
        self._content = content
        self._at = 0

    async def readinto(self, buffer: memoryview) -> int:
        piece = self._content[self._at : self._at + len(buffer)]
        buffer[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._content[self._at :]


@asynccontextmanager
async def _reading(content: bytes) -> AsyncIterator[BlobReader]:
    yield _BytesReader(content)


class Inspector:
    """Lists layers and reads files in them, remembering what it learnt in memory and, with a cache, on disk.

    More than `free_bytes` are streamed only where `ask` agrees; without `ask` they are refused, and the hint says how
    many bytes it would have been. What is hopped through by ranges is never asked for: it stays small.
    """

    def __init__(self, cache: IndexCache | None = None, *, free_bytes: int = FREE, ask: Ask | None = None) -> None:
        self._indexes = LayerIndexes(cache)
        self._free = free_bytes
        self._ask = ask
        self._blobs: OrderedDict[tuple[str, str], BlobView | BytesView] = OrderedDict()
        self._gzip: dict[tuple[str, str], GzipView] = {}
        self._locks: dict[tuple[str, str], asyncio.Lock] = {}

    async def listing(
        self, repository: Repository, layer: Layer, *, on_progress: OnProgress | None = None, ask: Ask | None = None
    ) -> LayerListing:
        """The files of a layer. A malformed layer is a listing with a `problem` and what was found before it.

        Raises Refused where the price is not agreed to, DigestMismatch, and the source's errors.
        """
        async with self._lock(repository, layer):
            known = await self._indexes.listing(repository, layer)
            if known is not None:
                return known
            found = await self._list(repository, layer, on_progress, ask)
            await self._indexes.keep_listing(repository, layer, found)
            return found

    def _lock(self, repository: Repository, layer: Layer) -> asyncio.Lock:
        return self._locks.setdefault(_key(repository, layer), asyncio.Lock())

    async def _list(
        self, repository: Repository, layer: Layer, on_progress: OnProgress | None, ask: Ask | None
    ) -> LayerListing:
        if layer.format == "other" or layer.compression == "other":
            raise Unsupported(
                f"a layer of type {layer.media_type} is not known",
                hint="kittui reads tar and raw layers, plain or compressed with gzip or zstd.",
            )
        if layer.format == "raw" and layer.compression == "none":
            return LayerListing((_bare(layer, layer.size),), complete=True, verified=False, output=layer.size)
        local = _is_local(repository)
        if layer.compression == "none" and layer.size > (HASHED if local else SMALL):
            try:
                return await self._hop(repository, layer, on_progress)
            except Unsupported as error:
                no_ranges = error
            await self._agree(layer, layer.size, f"{no_ranges.message}: only the whole layer can be read", ask)
        elif not local:
            await self._agree(layer, layer.size, "compressed layers are read from their start once", ask)
        return (await self._stream(repository, layer, on_progress))[0]

    async def _hop(self, repository: Repository, layer: Layer, on_progress: OnProgress | None) -> LayerListing:
        view = await self._blob(repository, layer)
        walk = TarWalk(view.size, view.pace if isinstance(view, BlobView) else DISK)

        def step() -> None:
            if on_progress is not None:
                on_progress(walk.entries, min(walk.position, layer.size), layer.size)

        await drive(walk.steps(), view, step)
        return LayerListing(tuple(walk.entries), walk.complete, view.verified, layer.size, walk.problem)

    async def _stream(
        self,
        repository: Repository,
        layer: Layer,
        on_progress: OnProgress | None = None,
        *,
        wanted: Wanted | None = None,
        emit: Emit | None = None,
        stop_early: bool = False,
    ) -> tuple[LayerListing, PassResult]:
        """One pass over the whole layer; what it teaches is kept."""
        plain = layer.size if layer.compression == "none" else None
        walk = None if layer.format == "raw" else TarWalk(plain, STREAM_PACE if wanted is not None else DISK)

        def step(read: int) -> None:
            if on_progress is not None:
                on_progress(walk.entries if walk is not None else [], read, layer.size)

        opening = await self._opening(repository, layer)
        result = await read_through(
            opening,
            layer.descriptor,
            _compression(layer),
            walk,
            wanted=wanted,
            emit=emit,
            stop_early=stop_early,
            on_bytes=step,
        )
        if walk is None:
            files: tuple[FileEntry, ...] = (_bare(layer, result.output),)
            listing = LayerListing(files, result.verified, result.verified, result.output)
        else:
            listing = LayerListing(tuple(walk.entries), walk.complete, result.verified, result.output, walk.problem)
        if result.verified:
            view = await self._blob(repository, layer)
            if isinstance(view, BlobView) and view.local:
                view.verified = True
            if result.index is not None:
                await self._indexes.keep_index(layer, result.index, result.output)
        return listing, result

    async def _opening(self, repository: Repository, layer: Layer) -> AbstractAsyncContextManager[BlobReader]:
        if layer.size <= SMALL and not _is_local(repository):
            view = await self._blob(repository, layer)
            return _reading(await view.read(0, layer.size))
        return repository.open_blob(layer.descriptor)

    async def _blob(self, repository: Repository, layer: Layer) -> BlobView | BytesView:
        """The layer's blob as it is stored: small remote ones are read whole and verified."""
        key = _key(repository, layer)
        view = self._blobs.get(key)
        if view is None:
            if layer.size <= SMALL and not _is_local(repository):
                view = BytesView(await repository.read_blob(layer.descriptor, SMALL), verified=True)
            else:
                view = BlobView(repository, layer.descriptor)
            self._blobs[key] = view
            while len(self._blobs) > VIEWS:
                self._blobs.popitem(last=False)
        self._blobs.move_to_end(key)
        return view

    async def _agree(self, layer: Layer, size: int, reason: str, ask: Ask | None) -> None:
        if size <= self._free:
            return
        price = Price(size, f"layer {layer.path or layer.digest.short}", reason)
        asking = ask or self._ask
        if asking is not None and await asking(price):
            return
        raise Refused(
            f"listing {price.subject} would read {price.bytes} bytes: {price.reason}",
            hint="Agree to that with --yes, or pull the ModelKit and look at the local copy.",
        )

    async def _gzip_view(self, repository: Repository, layer: Layer, ask: Ask | None) -> GzipView:
        key = _key(repository, layer)
        view = self._gzip.get(key)
        if view is not None:
            return view
        kept = await self._indexes.index(layer)
        if kept is None:
            if not _is_local(repository):
                await self._agree(layer, layer.size, "compressed layers are read from their start once", ask)
            _, result = await self._stream(repository, layer)
            if result.index is None:
                raise Unsupported(
                    f"the layer {layer.digest.short} can't be entered in its middle",
                    hint="kittui unpack writes its files to disk.",
                )
            kept = result.index, result.output
        view = GzipView(await self._blob(repository, layer), GzipIndex(kept[0], layer.size), kept[1])
        self._gzip[key] = view
        while len(self._gzip) > VIEWS:
            del self._gzip[next(iter(self._gzip))]
        return view

    async def open(self, repository: Repository, layer: Layer, entry: FileEntry, *, ask: Ask | None = None) -> View:
        """One file's content, readable in stretches.

        Raises Malformed for an entry that has no readable content, Refused where the price is not agreed to, and
        TooLarge for files over 64 MiB in a layer that can only be streamed.
        """
        if entry.type != "file" or entry.problem:
            raise Malformed(f"{entry.path} can't be read: {entry.problem or 'it is a ' + entry.type}")
        if layer.compression == "gzip":
            return SliceView(await self._gzip_view(repository, layer, ask), entry.offset, entry.size)
        if layer.compression == "none":
            blob = await self._blob(repository, layer)
            if entry.size and not (isinstance(blob, BlobView) and await self._without_ranges(repository, layer)):
                return SliceView(blob, entry.offset, entry.size)
        if entry.size == 0:
            return BytesView(b"", verified=False)
        if entry.size > READ_LIMIT:
            raise TooLarge(
                f"{entry.path} has {entry.size} bytes and lies in a layer that can only be read from its start",
                hint="kittui cat streams it, kittui unpack writes it to disk.",
            )
        pieces: list[bytes] = []

        async def collect(piece: bytes) -> None:
            pieces.append(piece)

        await self.stream_file(repository, layer, entry, collect, ask=ask)
        return BytesView(b"".join(pieces), verified=False)

    async def _without_ranges(self, repository: Repository, layer: Layer) -> bool:
        """Whether the source serves only wholes: known from its capabilities, else asked with one byte."""
        ranges = repository.source.capabilities.ranges
        if ranges.state == "unknown" and not _is_local(repository):
            try:
                await (await self._blob(repository, layer)).read(0, 1)
            except Unsupported:
                return True
            return False
        return ranges.denied

    async def read_file(
        self, repository: Repository, layer: Layer, entry: FileEntry, limit: int, *, ask: Ask | None = None
    ) -> bytes:
        """A file whole; raises TooLarge over `limit` bytes, and what `open` raises."""
        if entry.size > limit:
            raise TooLarge(f"{entry.path} has {entry.size} bytes; at most {limit} are read of its kind")
        view = await self.open(repository, layer, entry, ask=ask)
        return await view.read(0, entry.size)

    async def stream_file(
        self, repository: Repository, layer: Layer, entry: FileEntry, emit: Emit, *, ask: Ask | None = None
    ) -> None:
        """Hand a file's bytes to `emit` in order, whatever their number; memory stays small.

        Raises as `open` does, and ConnectionLost; what was emitted before is then a beginning of the file.
        """
        if entry.type != "file" or entry.problem:
            raise Malformed(f"{entry.path} can't be read: {entry.problem or 'it is a ' + entry.type}")
        if entry.size == 0:
            return
        if layer.compression == "gzip" and await self._indexes.index(layer) is not None:
            view = await self._gzip_view(repository, layer, ask)
            for offset in range(entry.offset, entry.offset + entry.size, 4 * 1024 * 1024):
                await emit(await view.read(offset, min(4 * 1024 * 1024, entry.offset + entry.size - offset)))
            return
        if layer.compression == "none" and await self._stream_range(repository, layer, entry, emit):
            return
        if not _is_local(repository):
            await self._agree(layer, layer.size, "the layer can only be read from its start", ask)

        def wanted(found: FileEntry) -> bool:
            return found.offset == entry.offset

        _, result = await self._stream(repository, layer, wanted=wanted, emit=emit, stop_early=True)
        if result.output < entry.offset + entry.size:
            raise Malformed(f"the layer ended before {entry.path} did")

    async def _stream_range(self, repository: Repository, layer: Layer, entry: FileEntry, emit: Emit) -> bool:
        """Emit the file by one ranged read; False where the source serves only wholes."""
        blob = await self._blob(repository, layer)
        if isinstance(blob, BytesView) or (entry.size <= SMALL and not await self._without_ranges(repository, layer)):
            await emit(await blob.read(entry.offset, entry.size))
            return True
        try:
            async with repository.open_blob(layer.descriptor, entry.offset, entry.size) as reader:
                left = entry.size
                async for piece in reader:
                    await emit(piece[:left])
                    left -= len(piece)
        except Unsupported:
            return False
        return True

    async def verify(self, repository: Repository, layer: Layer, on_progress: OnProgress | None = None) -> LayerListing:
        """Read the whole layer, prove its digest, and remember its listing as verified.

        Raises DigestMismatch where the layer is not what its digest says, and the source's errors.
        """
        listing, _ = await self._stream(repository, layer, on_progress)
        await self._indexes.keep_listing(repository, layer, listing)
        return listing

    async def verified_file(
        self,
        repository: Repository,
        layer: Layer,
        entry: FileEntry,
        limit: int,
        on_progress: OnProgress | None = None,
    ) -> tuple[LayerListing, bytes]:
        """Read the whole layer, prove its digest, and give its listing and one file's bytes (at most `limit`) from it.

        Raises DigestMismatch where the layer is not what its digest says, TooLarge, and the source's errors.
        """
        if entry.size > limit:
            raise TooLarge(f"{entry.path} has {entry.size} bytes; at most {limit} are read of its kind")
        pieces: list[bytes] = []

        async def collect(piece: bytes) -> None:
            pieces.append(piece)

        listing, _ = await self._stream(
            repository, layer, on_progress, wanted=lambda found: found.offset == entry.offset, emit=collect
        )
        await self._indexes.keep_listing(repository, layer, listing)
        return listing, b"".join(pieces)

    async def weights(
        self, repository: Repository, layer: Layer, entry: FileEntry, *, ask: Ask | None = None
    ) -> Weights:
        """The tensors and metadata of a model file, from its header alone; raises Malformed where it is none."""
        from kittui.formats.model_file import read_weights

        known = await self._indexes.weights(repository, layer, entry)
        if known is not None:
            return known
        view = await self.open(repository, layer, entry, ask=ask)
        found = await drive(read_weights(entry.path, entry.size), view, threaded=True)
        await self._indexes.keep_weights(repository, layer, entry, found, verified=view.verified)
        return found

    def is_verified(self, repository: Repository, layer: Layer) -> bool:
        """Whether what is read of the layer comes from bytes that were hashed whole in this run."""
        view = self._blobs.get(_key(repository, layer))
        return view is not None and view.verified

    async def find_path(self, repository: Repository, layer: Layer, path: str, *, ask: Ask | None = None) -> FileEntry:
        """The entry of a path in a layer; raises NotFound."""
        listing = await self.listing(repository, layer, ask=ask)
        for entry in listing.files:
            if entry.path == path:
                return entry
        raise NotFound(f"no {path} in the layer {layer.path or layer.digest.short}")


def _key(repository: Repository, layer: Layer) -> tuple[str, str]:
    return str(repository.source.place), f"{repository.name}@{layer.digest}"


def _is_local(repository: Repository) -> bool:
    return repository.source.place.kind != "remote"


def _compression(layer: Layer) -> Compression:
    if layer.compression == "other":
        raise Unsupported(f"a layer of type {layer.media_type} is not known")
    return layer.compression


def _bare(layer: Layer, size: int) -> FileEntry:
    """The one file of a raw layer."""
    path = os.path.normpath(layer.path) if layer.path else layer.name or layer.digest.hex
    return FileEntry(path, "file", size, 0o644, 0)
