"""Remembers facts on layers: listings, checkpoints and frames, tensor lists; in memory, and on disk with a cache.

Verified ones are keyed by digest and serve every source. Others are keyed by source and digest, so that a lying
registry can't affect another's view.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from kittui.disk.threads import in_thread
from kittui.formats.long_json import decode_json, encode_json
from kittui.formats.tar import FileEntry
from kittui.formats.weights import Weights

if TYPE_CHECKING:
    from kittui.modelkit import Layer
    from kittui.oci.protocols import Repository
    from kittui.state.indexes import IndexCache

Value = TypeVar("Value")

VERSION = 2
"""Version of the entries' format: other versions are ignored."""
HEADERS = 3
"""Version of the model file parsers: raised whenever a parser finds more, so that older results are not shown."""
MEMORY = 64
"""Entries of each kind kept in memory."""


@dataclass(frozen=True, slots=True)
class LayerListing:
    """The files of a layer.

    `complete`: the walk reached the archive's end. `verified`: they come from bytes that hash to the layer's digest.
    `output` is the bytes of the uncompressed layer read so far. `problem` says why the listing stops early. `frames`,
    only for a zstd layer, counts the places where it can be entered: with one, a file needs all before it.
    """

    files: tuple[FileEntry, ...]
    complete: bool
    verified: bool
    output: int
    problem: str | None = None
    frames: int | None = None

    def dump(self) -> bytes:
        """Serialize to bytes, for a cache."""
        facts = [VERSION, self.complete, self.verified, self.output, self.problem, self.frames, self.files]
        return encode_json(facts)

    @classmethod
    def load(cls, content: bytes) -> LayerListing:
        """Read what `dump` wrote; raises ValueError for anything else."""
        try:
            version, complete, verified, output, problem, frames, files = decode_json(content.decode())
            if version != VERSION:
                raise ValueError("of another version")
            return cls(tuple(FileEntry(*row) for row in files), complete, verified, output, problem, frames)
        except (TypeError, RecursionError) as error:
            raise ValueError("not a cached listing") from error


class LayerIndexes:
    """Listings, gzip checkpoints, zstd frames and tensor lists by layer."""

    def __init__(self, cache: IndexCache | None) -> None:
        self._cache = cache
        self._listings: OrderedDict[str, LayerListing] = OrderedDict()
        self._indexes: OrderedDict[str, tuple[bytes, int]] = OrderedDict()

    async def _get(self, key: str) -> bytes | None:
        return await in_thread(self._cache.get, key) if self._cache is not None else None

    async def _put(self, key: str, content: bytes) -> None:
        if self._cache is not None:
            await in_thread(self._cache.put, key, content)

    async def listing(self, repository: Repository, layer: Layer) -> LayerListing | None:
        """Return the layer's listing: verified, else from what this source served earlier."""
        for key in _keys(repository, layer):
            found = self._listings.get(key)
            if found is not None:
                return found
            content = await self._get("files " + key)
            if content is None:
                continue
            try:
                found = await in_thread(LayerListing.load, content)
            except ValueError:
                continue
            _remember(self._listings, key, found)
            return found
        return None

    async def keep_listing(self, repository: Repository, layer: Layer, listing: LayerListing) -> None:
        """Remember a listing, unless it was interrupted for a reason outside the layer."""
        if not listing.complete and not listing.problem:
            return
        verified, unverified = _keys(repository, layer)
        key = verified if listing.verified else unverified
        _remember(self._listings, key, listing)
        await self._put("files " + key, await in_thread(listing.dump))

    async def index(self, layer: Layer) -> tuple[bytes, int] | None:
        """Return the index for entering a compressed layer, and its bytes of output.

        Only verifying passes create it.
        """
        key = f"{layer.compression} {layer.digest}"
        found = self._indexes.get(key)
        if found is None:
            content = await self._get(f"index {VERSION} {key}")
            if content is None or len(content) < 8:
                return None
            found = content[8:], int.from_bytes(content[:8], "big")
            _remember(self._indexes, key, found, 4)
        return found

    async def keep_index(self, layer: Layer, index: bytes, output: int) -> None:
        """Remember gzip checkpoints or zstd frames."""
        key = f"{layer.compression} {layer.digest}"
        _remember(self._indexes, key, (index, output), 4)
        await self._put(f"index {VERSION} {key}", output.to_bytes(8, "big") + index)

    async def weights(self, repository: Repository, layer: Layer, entry: FileEntry, lookups: int) -> Weights | None:
        """Return a model file's header that was read before with so many lookups."""
        for key in _keys(repository, layer):
            content = await self._get(_weights_key(key, entry, lookups))
            if content is not None:
                try:
                    return await in_thread(Weights.load, content)
                except ValueError:
                    continue
        return None

    async def keep_weights(
        self,
        repository: Repository,
        layer: Layer,
        entry: FileEntry,
        weights: Weights,
        lookups: int,
        *,
        verified: bool,
    ) -> None:
        """Remember a model file's header."""
        key = _keys(repository, layer)[0 if verified else 1]
        await self._put(_weights_key(key, entry, lookups), weights.dump())


def _weights_key(key: str, entry: FileEntry, lookups: int) -> str:
    return f"weights {VERSION}.{HEADERS} {lookups} {key} {entry.offset} {entry.size} {entry.path}"


def _keys(repository: Repository, layer: Layer) -> tuple[str, str]:
    """The keys for verified facts, and for this source's.

    They include the media type, which decides how a layer is read.
    """
    how = f"{layer.digest} {layer.compression} {layer.format}"
    if layer.format == "raw":
        how += f" {layer.path}"
    return how, f"{repository.source.place} {how}"


def _remember(memory: OrderedDict[str, Value], key: str, value: Value, limit: int = MEMORY) -> None:
    memory[key] = value
    memory.move_to_end(key)
    while len(memory) > limit:
        memory.popitem(last=False)
