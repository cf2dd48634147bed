"""kit's local store as a source."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

from kittui.disk.blobs import BlobFolder
from kittui.disk.documents import IndexDocument, TagsDocument, read_documents
from kittui.disk.durable import storage_error
from kittui.disk.holdings import Listed, read_holdings
from kittui.disk.listing import content_size
from kittui.disk.threads import in_thread
from kittui.errors import BadReference, KittuiError
from kittui.oci.holdings import Holdings, Progressed
from kittui.oci.protocols import YES, Capabilities, Power, RepositoryEntry, Traits
from kittui.oci.reference import LOCAL, Place, parse_reference
from kittui.oci.tag import Tag
from kittui.store.neighbours import kit_at_work
from kittui.store.repository import LocalRepository
from kittui.store.root import StoredName, StorePaths, stored_names
from kittui.store.writer import StoreWriter
from kittui.terminal import counted

_SIZED = 1000
"""In a store with at most this many manifests, a listing reads them all for their sizes."""


NO_ATTACHMENTS = Power(
    "no",
    "kit's store can hold only ModelKits, no signatures or statements about them",
    "Push the ModelKit to a registry, or copy it into a layout, and do it there.",
)


class LocalSource:
    """kit's store; a missing one is empty. `root` is the folder that `store_root` finds, not its `storage`.

    `recheck` is the seconds after a change until kittui checks whether a running kit has undone it; `at_work` says,
    from the folder of the store's content, whether one may be running.
    """

    def __init__(self, root: Path, *, recheck: float = 0.5, at_work: Callable[[Path], bool] = kit_at_work) -> None:
        self.paths = StorePaths(root)
        self.blobs = BlobFolder(self.paths.blobs)
        self.writer = StoreWriter(self.paths, self.blobs, recheck, at_work)

    @property
    def place(self) -> Place:
        return LOCAL

    @property
    def traits(self) -> Traits:
        return Traits("the local store", free=True, lists_digests=True, is_store=True)

    @property
    def capabilities(self) -> Capabilities:
        write = self.paths.power()
        return Capabilities(
            catalog=YES,
            write=write,
            untag=write,
            delete=write,
            ranges=YES,
            referrers=YES,
            mount=write,
            attach=NO_ATTACHMENTS,
        )

    async def repositories(self) -> AsyncIterator[Sequence[RepositoryEntry]]:
        """All repositories with files in storage/, unreadable ones with their problem."""
        names = await in_thread(self._names)
        readable = [name.store_name for name in names if name.store_name is not None]
        indexes = await read_documents([self.paths.index(name) for name in readable], IndexDocument.parse)
        tags = await read_documents([self.paths.tags(name) for name in readable], TagsDocument.parse)
        found = dict(zip(readable, zip(indexes, tags, strict=True), strict=True))
        manifests = sum(len(index.entries) for index in indexes if isinstance(index, IndexDocument))
        sized = manifests <= _SIZED
        yield await in_thread(lambda: [self._entry(name, found, sized) for name in names])

    def _names(self) -> list[StoredName]:
        try:
            return stored_names([path.name for path in self.paths.storage.iterdir()])
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise storage_error(error, f"read the store {self.paths.storage}") from error

    def _entry(
        self,
        name: StoredName,
        found: dict[str, tuple[IndexDocument | KittuiError | None, TagsDocument | KittuiError | None]],
        sized: bool,
    ) -> RepositoryEntry:
        if name.store_name is None:
            return RepositoryEntry(name.display, problem=name.problem)
        index, tags = found[name.store_name]
        if isinstance(index, KittuiError):
            return RepositoryEntry(name.display, problem=index.message)
        if isinstance(tags, KittuiError):
            return RepositoryEntry(name.display, problem=tags.message)
        count = len(tags.entries) if tags else 0
        if index is None:
            problem = "it has tags but no list of manifests, so kit doesn't see it"
            return RepositoryEntry(name.display, count, problem=problem)
        return RepositoryEntry(name.display, count, content_size(self.blobs, index.descriptors) if sized else None)

    def repository(self, name: str) -> LocalRepository:
        """Return the repository with a name as `ls` prints it; raises BadReference if that is not one."""
        reference = parse_reference("local://" + name)
        if reference.target is not None:
            raise BadReference(f"{name[:140]!r} names a tag or digest, not a repository")
        return LocalRepository(self, reference.store_name, self.paths, self.blobs, self.writer)

    async def ping(self) -> str:
        """Describe the store in one line: where it is, how many repositories; raises StorageError."""
        names = await in_thread(self._names)
        return f"kit's store in {self.paths.root}: {counted(len(names), 'repository')}"

    async def holdings(self, told: Progressed = lambda done, total: None) -> Holdings:
        """Read what the repositories list; blobs named only in other files count as used."""
        names = [name for name in await in_thread(self._names) if name.store_name is not None]
        paths = [name.store_name or "" for name in names]
        indexes = await read_documents([self.paths.index(name) for name in paths], IndexDocument.parse)
        tags = await read_documents([self.paths.tags(name) for name in paths], TagsDocument.parse)
        listed: list[Listed] = []
        doubt = ""
        for name, index, tagged in zip(names, indexes, tags, strict=True):
            if isinstance(index, KittuiError):
                doubt = doubt or index.message
            elif index is not None:
                known = tagged if isinstance(tagged, TagsDocument) else TagsDocument()
                found = {each.digest: each for each in index.descriptors}
                listed += [(name.display, each, tuple(map(Tag, known.on(digest)))) for digest, each in found.items()]
        try:
            kept = await in_thread(self.writer.used_besides, {descriptor.digest for _, descriptor, _ in listed})
        except KittuiError as error:
            kept, doubt = frozenset(), doubt or error.message
        return await read_holdings(self.blobs, listed, told, kept=kept, partials=self.paths.partials, doubt=doubt)

    async def aclose(self) -> None:
        """Do nothing: there is nothing to close."""
