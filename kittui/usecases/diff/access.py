"""One side's layer in a comparison: where it is read from, and how much may be read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kittui.compare.changes import FileSide
from kittui.errors import KittuiError
from kittui.formats.gguf import read_gguf
from kittui.formats.model_file import PICKLES, header_budget, read_weights
from kittui.formats.tar import FileEntry
from kittui.formats.weights import ALL_LOOKUPS, LOOKUPS
from kittui.tasks import spread
from kittui.usecases.inspect.spool import Spool
from kittui.usecases.inspect.views import SliceView, drive

if TYPE_CHECKING:
    from kittui.formats.weights import Weights
    from kittui.modelkit import Layer
    from kittui.oci.protocols import Repository
    from kittui.usecases.inspect.inspector import Inspector
    from kittui.usecases.inspect.views import View

AROUND = 768
"""Average bytes of header and padding read along with a small file."""
_MERGE = 16 * 1024
_STRETCH = 1024 * 1024


@dataclass(slots=True)
class Allowance:
    """Bytes of small files that may still be read without a question, over the network and on this machine."""

    remote: int
    local: int

    def take(self, size: int, local: bool) -> bool:
        """Whether so many bytes may be read; deducts them if so."""
        left = self.local if local else self.remote
        if size > left:
            return False
        if local:
            self.local -= size
        else:
            self.remote -= size
        return True


@dataclass(slots=True)
class Access:
    """One side's layer: where it is read from, and what is known about it."""

    inspector: Inspector
    repository: Repository
    layer: Layer
    spool: Spool | None = None
    files: dict[str, FileEntry] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    """By path: sha256 of files that were read."""
    listed: bool = False
    verified: bool = False
    whole: bool = False
    """Whether the whole layer was read and its digest verified."""

    @property
    def local(self) -> bool:
        """Whether reading costs no traffic."""
        return self.spool is not None or self.repository.source.traits.free

    async def list_files(self) -> None:
        """Fill `files`; if a path is listed twice, the last one counts, as in tar."""
        if self.spool is not None:
            listing = await self.spool.listing(self.layer)
        else:
            listing = await self.inspector.listing(self.repository, self.layer)
        self.files = {entry.path: entry for entry in listing.files}
        layer = self.layer
        if layer.format == "raw" and layer.compression == "none" and layer.digest.algorithm == "sha256":
            self.digests = dict.fromkeys(self.files, layer.digest.hex)
        self.verified = listing.verified
        self.whole = self.spool is not None
        self.listed = True
        if listing.problem:
            raise KittuiError(listing.problem)

    async def view(self, entry: FileEntry) -> View:
        """The content of a file or of any range."""
        if self.spool is not None:
            return SliceView(self.spool, entry.offset, entry.size)
        return await self.inspector.open(self.repository, self.layer, entry)

    async def weights(self, entry: FileEntry, *, everything: bool = False) -> Weights:
        """The tensors of a model file; with `everything` also the position of each of a checkpoint's storages."""
        lookups = ALL_LOOKUPS if everything or self.local else LOOKUPS
        if self.spool is None and (lookups == LOOKUPS or not entry.path.lower().endswith(PICKLES)):
            return await self.inspector.weights(self.repository, self.layer, entry)
        return await drive(
            read_weights(entry.path, entry.size, header_budget(), lookups=lookups),
            await self.view(entry),
            threaded=True,
        )

    async def arrays(self, entry: FileEntry, keys: Sequence[str]) -> dict[str, list[Any]]:
        """Arrays of a GGUF file's metadata with all their values."""
        steps = read_gguf(entry.size, header_budget(), whole=keys)
        found = await drive(steps, await self.view(entry), threaded=True)
        return {key: value for key in keys if isinstance(value := found.metadata.get(key), list)}

    async def read(self, entries: Iterable[FileEntry]) -> dict[str, bytes]:
        """Read small files whole, and neighbouring ones in one range."""
        stretches: list[list[FileEntry]] = []
        for entry in sorted(entries, key=lambda entry: entry.offset):
            last = stretches[-1][-1] if stretches else None
            if (
                last is not None
                and self.layer.format == "tar"
                and entry.offset - (last.offset + last.size) <= _MERGE
                and entry.offset + entry.size - stretches[-1][0].offset <= _STRETCH
            ):
                stretches[-1].append(entry)
            else:
                stretches.append([entry])
        found: dict[str, bytes] = {}
        for contents in await spread(stretches, self._stretch, at_once=self.repository.source.traits.at_once):
            found.update(contents)
        for path, content in found.items():
            self.digests[path] = hashlib.sha256(content).hexdigest()
        return found

    async def _stretch(self, entries: Sequence[FileEntry]) -> dict[str, bytes]:
        start, end = entries[0].offset, max(entry.offset + entry.size for entry in entries)
        view = await self.view(FileEntry(entries[0].path, "file", end - start, 0, start))
        self.verified = self.verified and view.verified
        content = await view.read(0, end - start)
        return {entry.path: content[entry.offset - start : entry.offset - start + entry.size] for entry in entries}

    def sides(self) -> list[FileSide]:
        """What is known about each file."""
        return [
            FileSide(
                entry.path,
                entry.type,
                entry.size,
                entry.mode,
                self.digests.get(entry.path),
                entry.link,
                entry.oid,
                entry.note,
            )
            for entry in self.files.values()
        ]
