"""Looks inside layers: lists their files and reads single ones, from as few bytes as possible."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from kittui.errors import KittuiError, Malformed, TooLarge, Unsupported
from kittui.formats.tar import REPLACED, FileEntry
from kittui.formats.weights import LOOKUPS, Weights
from kittui.oci.protocols import Repository
from kittui.usecases.inspect.blobs import SMALL, Key, LayerBlobs, is_local, key_of
from kittui.usecases.inspect.indexes import LayerIndexes, LayerListing
from kittui.usecases.inspect.insides import Insides
from kittui.usecases.inspect.lister import LayerLister, OnProgress
from kittui.usecases.inspect.prices import FREE, Ask, Terms
from kittui.usecases.inspect.streams import Emit, PassResult
from kittui.usecases.inspect.views import READ_LIMIT, BytesView, SliceView, View, drive

if TYPE_CHECKING:
    from kittui.modelkit import Layer
    from kittui.state.indexes import IndexCache

PIECE = 4 * 1024 * 1024
"""Bytes of a streamed file in memory at once."""


class Inspector:
    """Lists layers and reads files in them, remembering results in memory and, with a cache, on disk.

    More than `free_bytes` are streamed only if `ask` agrees; without `ask` they are refused, and the hint gives the
    number of bytes. Walking headers by ranges needs no agreement: it stays small.
    """

    def __init__(
        self,
        cache: IndexCache | None = None,
        *,
        free_bytes: int = FREE,
        ask: Ask | None = None,
        held: Repository | None = None,
    ) -> None:
        """`held` are blobs on this machine, which are read from there instead of a registry."""
        self._indexes = LayerIndexes(cache)
        self._blobs = LayerBlobs()
        self._terms = Terms(free_bytes, ask)
        self._lister = LayerLister(self._blobs, self._indexes, self._terms)
        self._insides = Insides(self._blobs, self._indexes, self._lister)
        self._locks: dict[Key, asyncio.Lock] = {}
        self._held = held

    async def _nearest(self, repository: Repository, layer: Layer) -> Repository:
        if self._held is None or is_local(repository):
            return repository
        try:
            return self._held if await self._held.has_blob(layer.descriptor) else repository
        except KittuiError:
            return repository

    async def listing(
        self, repository: Repository, layer: Layer, *, on_progress: OnProgress | None = None, ask: Ask | None = None
    ) -> LayerListing:
        """List the files of a layer.

        A malformed layer gives a listing with a `problem` and what was found before it. If the last call was cancelled
        while walking headers, it continues there. Raises Refused if the price is not agreed to, DigestMismatch, and the
        source's errors.
        """
        repository = await self._nearest(repository, layer)
        async with self._locks.setdefault(key_of(repository, layer), asyncio.Lock()):
            known = await self._indexes.listing(repository, layer)
            if known is not None:
                return known
            found = await self._lister.list(repository, layer, on_progress, ask)
            await self._indexes.keep_listing(repository, layer, found)
            return found

    async def open(self, repository: Repository, layer: Layer, entry: FileEntry, *, ask: Ask | None = None) -> View:
        """Open one file's content, readable in stretches.

        Raises Malformed for an entry without readable content, Refused if the price is not agreed to, and TooLarge for
        files over 64 MiB in a layer that can only be streamed.
        """
        _require_content(entry)
        repository = await self._nearest(repository, layer)
        if layer.compression == "gzip":
            return SliceView(await self._insides.gzip(repository, layer, ask), entry.offset, entry.size)
        if entry.size == 0:
            return BytesView(b"", verified=False)
        if layer.compression == "none":
            blob = await self._blobs.view(repository, layer)
            if isinstance(blob, BytesView) or not await self._blobs.lacks_ranges(repository, layer):
                return SliceView(blob, entry.offset, entry.size)
        if layer.compression == "zstd":
            inside = await self._insides.zstd(repository, layer, ask)
            # A small file deep in a frame is read once and cached; a large one for each stretch.
            if inside is not None and (entry.size > READ_LIMIT or inside.is_near(entry.offset, entry.size)):
                return SliceView(inside, entry.offset, entry.size)
        if entry.size > READ_LIMIT:
            raise TooLarge(
                f"{entry.path} has {entry.size} bytes and is in a layer that can only be read from its start",
                hint="kittui cat streams it, kittui unpack writes it to disk.",
            )
        pieces: list[bytes] = []

        async def collect(piece: bytes) -> None:
            pieces.append(piece)

        await self.stream_file(repository, layer, entry, collect, ask=ask)
        return BytesView(b"".join(pieces), verified=False)

    async def read_file(
        self, repository: Repository, layer: Layer, entry: FileEntry, limit: int, *, ask: Ask | None = None
    ) -> bytes:
        """Read a whole file; raises TooLarge over `limit` bytes, and what `open` raises."""
        _require_size(entry, limit)
        view = await self.open(repository, layer, entry, ask=ask)
        return await view.read(0, entry.size)

    async def stream_file(
        self, repository: Repository, layer: Layer, entry: FileEntry, emit: Emit, *, ask: Ask | None = None
    ) -> None:
        """Pass a file's bytes to `emit` in order, whatever their number, in little memory.

        Raises as `open` does, and ConnectionLost; then the bytes emitted so far are the beginning of the file.
        """
        _require_content(entry)
        if entry.size == 0:
            return
        repository = await self._nearest(repository, layer)
        if layer.compression == "gzip" and await self._indexes.index(layer) is not None:
            view = await self._insides.gzip(repository, layer, ask)
            for offset in range(entry.offset, entry.offset + entry.size, PIECE):
                await emit(await view.read(offset, min(PIECE, entry.offset + entry.size - offset)))
            return
        if layer.compression == "zstd":
            inside = await self._insides.zstd(repository, layer, ask)
            if inside is not None:
                async for piece in inside.pieces(entry.offset, entry.size):
                    await emit(piece)
                return
        if layer.compression == "none" and await self._stream_range(repository, layer, entry, emit):
            return
        if not is_local(repository):
            await self._lister.agree(layer, layer.size, "the layer can only be read from its start", ask)
        result = await self._stream_from_start(repository, layer, entry, emit)
        if result.output < entry.offset + entry.size:
            raise Malformed(f"the layer ended before {entry.path} did")

    async def _stream_from_start(
        self, repository: Repository, layer: Layer, entry: FileEntry, emit: Emit
    ) -> PassResult:
        _, result = await self._lister.read_through(
            repository, layer, wanted=lambda found: found.offset == entry.offset, emit=emit, stop_early=True
        )
        return result

    async def _stream_range(self, repository: Repository, layer: Layer, entry: FileEntry, emit: Emit) -> bool:
        """Emit the file by one ranged read; False if the source serves only wholes."""
        blob = await self._blobs.view(repository, layer)
        small = entry.size <= SMALL and not await self._blobs.lacks_ranges(repository, layer)
        if isinstance(blob, BytesView) or small:
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

        Raises DigestMismatch if the layer does not match its digest, and the source's errors.
        """
        listing, _ = await self._lister.read_through(repository, layer, on_progress)
        await self._indexes.keep_listing(repository, layer, listing)
        return listing

    async def verified_file(
        self,
        repository: Repository,
        layer: Layer,
        entry: FileEntry,
        limit: int,
        on_progress: OnProgress | None = None,
        *,
        start: bool = False,
    ) -> tuple[LayerListing, bytes]:
        """Read the whole layer, prove its digest, and return its listing and one file's bytes (at most `limit`).

        With `start`, a longer file gives its first `limit` bytes. Raises DigestMismatch if the layer does not match its
        digest, Malformed if the file does not match `entry`, TooLarge, and the source's errors.
        """
        if not start:
            _require_size(entry, limit)
        pieces: list[bytes] = []
        left = limit

        async def collect(piece: bytes) -> None:
            nonlocal left
            if left > 0:
                pieces.append(piece[:left])
                left -= len(piece)

        return await self._pass(repository, layer, entry, collect, on_progress), b"".join(pieces)

    async def stream_verified(
        self,
        repository: Repository,
        layer: Layer,
        entry: FileEntry,
        emit: Emit,
        on_progress: OnProgress | None = None,
        *,
        ask: Ask | None = None,
    ) -> None:
        """Pass a file's bytes to `emit` while the whole layer is read and its digest is proved.

        The emitted bytes are verified only once this returns. Raises Refused if the price is not agreed to,
        DigestMismatch, Malformed if the file does not match `entry` or is cut off, and the source's errors.
        """
        _require_content(entry)
        repository = await self._nearest(repository, layer)
        if not is_local(repository):
            await self._lister.agree(layer, layer.size, "only the whole layer proves its digest", ask)
        passed = 0

        async def counted(piece: bytes) -> None:
            nonlocal passed
            passed += len(piece)
            await emit(piece)

        await self._pass(repository, layer, entry, counted, on_progress)
        if passed != entry.size:
            raise Malformed(f"the layer holds {passed} of the {entry.size} bytes of {entry.path}")

    async def _pass(
        self, repository: Repository, layer: Layer, entry: FileEntry, emit: Emit, on_progress: OnProgress | None
    ) -> LayerListing:
        """Read the whole layer, emit one file's bytes, and store the listing, which is then verified.

        The entry may come from headers that were read by ranges, so it is compared with the verified one.
        """
        listing, _ = await self._lister.read_through(
            repository, layer, on_progress, wanted=lambda found: found.offset == entry.offset, emit=emit
        )
        await self._indexes.keep_listing(repository, layer, listing)
        _require_same(listing, entry)
        return listing

    async def weights(
        self,
        repository: Repository,
        layer: Layer,
        entry: FileEntry,
        *,
        lookups: int = LOOKUPS,
        ask: Ask | None = None,
    ) -> Weights:
        """Read the tensors and metadata of a model file, from its header alone; raises Malformed for any other file.

        `lookups`: maximum storages of a PyTorch checkpoint whose places are looked up, with a short read for each.
        """
        from kittui.formats.model_file import header_budget, read_weights

        repository = await self._nearest(repository, layer)
        known = await self._indexes.weights(repository, layer, entry, lookups)
        if known is not None:
            return known
        view = await self.open(repository, layer, entry, ask=ask)
        found = await drive(read_weights(entry.path, entry.size, header_budget(), lookups=lookups), view, threaded=True)
        await self._indexes.keep_weights(repository, layer, entry, found, lookups, verified=view.verified)
        return found

    def is_verified(self, repository: Repository, layer: Layer) -> bool:
        """Whether what is read of the layer comes from bytes that were hashed whole in this run."""
        return self._blobs.is_verified(repository, layer)


def _require_content(entry: FileEntry) -> None:
    if entry.type != "file" or entry.problem:
        raise Malformed(f"{entry.path} can't be read: {entry.problem or 'it is a ' + entry.type}")


def _require_same(listing: LayerListing, entry: FileEntry) -> None:
    """Raise Malformed unless the entries match; a replaced entry is accepted only if the user was told so."""
    proven = next((each for each in listing.files if each.offset == entry.offset), None)
    if (
        proven is None
        or (proven.path, proven.type, proven.size) != (entry.path, entry.type, entry.size)
        or (REPLACED in proven.note and REPLACED not in entry.note)
    ):
        raise Malformed(
            f"{entry.path} is not where the file list says",
            hint="The list was read by ranges and does not match the verified layer: open the layer again.",
        )


def _require_size(entry: FileEntry, limit: int) -> None:
    if entry.size > limit:
        raise TooLarge(f"{entry.path} has {entry.size} bytes, above kittui's limit of {limit}")
