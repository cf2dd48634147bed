"""Changes kit's index files so that nothing is lost, by a crash, by another kittui, and hardly by kit.

Order for what is added: blobs, index.json, `<B>-index.json`, `<B>-tags.json`; for what is removed the reverse. `kit
list` works at every moment. kit takes no lock and writes back what it read when it started, so each change is checked
(after a moment if kit may be running), and repeated if kit's write undid it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from kittui.disk.blobs import BlobFolder
from kittui.disk.documents import IndexDocument, IndexEntry, TagsDocument, read_document
from kittui.disk.durable import make_folder, remove_file, replace_file, storage_error
from kittui.disk.locks import file_lock
from kittui.disk.notices import notice
from kittui.disk.reach import collect, reachable, unlisted
from kittui.disk.room import working_folder
from kittui.disk.threads import in_thread
from kittui.errors import KittuiError, StorageError
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.oci.media_types import OCI_MANIFEST
from kittui.oci.tag import Tag
from kittui.store.neighbours import kit_at_work
from kittui.store.root import StorePaths
from kittui.store.strangers import reachable_from_strangers

REAPPLIED = 5
"""Maximum times that a change is repeated."""


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one repository: manifests listed or dropped, a tag set or removed.

    `before` is what the tag held: if it holds that again after the change, kit's write has undone it; if it holds a
    third thing, somebody moved it meanwhile, and it is left alone.
    """

    store_name: str
    listed: Descriptor | None = None
    dropped: Digest | None = None
    tag: Tag | None = None
    before: Digest | None = None


def plain(descriptor: Descriptor) -> Descriptor:
    """The descriptor as kit writes it in all three files: only media type, digest and size."""
    return Descriptor(descriptor.media_type or OCI_MANIFEST, descriptor.digest, descriptor.size)


def with_manifest(index: IndexDocument, descriptor: Descriptor) -> IndexDocument:
    """Return the index with a manifest listed once, with this media type and size."""
    wanted = IndexEntry.of(plain(descriptor))
    same = [entry for entry in index.entries if entry.descriptor and entry.descriptor.digest == descriptor.digest]
    if len(same) == 1 and same[0].descriptor and plain(same[0].descriptor) == wanted.descriptor:
        return index  # keep the entry: another program may have added fields to it
    if not same:
        return IndexDocument((*index.entries, wanted), index.fields)
    kept = [wanted if entry is same[0] else entry for entry in index.entries if entry not in same[1:]]
    return IndexDocument(tuple(kept), index.fields)


def without_manifest(index: IndexDocument, digest: Digest) -> IndexDocument:
    """Return the index without a manifest, whatever media type and size it is listed with."""
    kept = tuple(entry for entry in index.entries if not entry.descriptor or entry.descriptor.digest != digest)
    return IndexDocument(kept, index.fields)


class StoreWriter:
    """Writes changes to one store. Methods with an underscore block, and run in a thread under the lock."""

    def __init__(
        self, paths: StorePaths, blobs: BlobFolder, recheck: float, at_work: Callable[[Path], bool] = kit_at_work
    ) -> None:
        self._paths = paths
        self._blobs = blobs
        self._recheck = recheck
        self._at_work = at_work

    def lock(self) -> AbstractAsyncContextManager[None]:
        """The lock of the store's index files, between kittui processes."""
        return file_lock(self._paths.own / "store.lock", "the store's index")

    def prepare(self) -> None:
        """Create a new store's folders and oci-layout. Blocks; the lock is held."""
        make_folder(self._paths.blobs / "sha256")
        if not self._paths.layout.exists():
            self._replace(self._paths.layout, b'{"imageLayoutVersion":"1.0.0"}', point="store.layout")

    async def apply(self, change: Change) -> None:
        """Make a change and check that it lasts; the caller holds the lock. Raises Malformed, StorageError, DiskFull.

        A file that can't be parsed is never overwritten: then nothing is changed. A change that still holds when no kit
        is running lasts, since a kit that starts later reads it. While one is running, it gets a moment to write.
        """
        await in_thread(self._make, change)
        for _ in range(REAPPLIED):
            if await in_thread(self._at_work, self._paths.storage):
                await asyncio.sleep(self._recheck)
            if await in_thread(self._holds, change):
                return
            await in_thread(self._make, change)
        raise StorageError(
            "another program keeps overwriting the store's index",
            hint="Wait for kit to finish, then run this again.",
        )

    def _make(self, change: Change) -> None:
        self.prepare()
        name = change.store_name
        read_document(self._paths.tags(name), TagsDocument.parse, TagsDocument())
        read_document(self._paths.index(name), IndexDocument.parse, IndexDocument())
        steps: list[Callable[[], None]] = [
            lambda: self._edit_shared(change),
            lambda: self._edit_index(change),
            lambda: self._edit_tags(change),
        ]
        if change.listed is None:
            steps.reverse()
        for step in steps:
            step()

    def _edit_shared(self, change: Change) -> None:
        def edit(index: IndexDocument) -> IndexDocument:
            if change.listed is not None:
                return self._with_lost(with_manifest(index, change.listed))
            if change.dropped is not None and not self._listed_anywhere(change.dropped):
                return without_manifest(index, change.dropped)
            return index

        self.edit_shared(edit)

    def _with_lost(self, index: IndexDocument) -> IndexDocument:
        """Add what repositories list and kit dropped by writing back the index.json that it read at its start."""
        known = set(index.digests)
        try:
            listed = [entry for each in self.indexes() for entry in each.descriptors if entry.digest not in known]
        except KittuiError as error:
            notice(f"index.json was not completed, because the store can't be read completely: {error.message}")
            return index
        for entry in listed:
            if self._blobs.path(entry.digest).exists():
                index = with_manifest(index, entry)
        return index

    def edit_shared(self, edit: Callable[[IndexDocument], IndexDocument]) -> None:
        """Read index.json, change it, write it if it differs. Blocks; the lock is held."""
        index = read_document(self._paths.shared_index, IndexDocument.parse, IndexDocument())
        edited = edit(index)
        if edited.entries != index.entries:
            self._replace(self._paths.shared_index, edited.raw(media_type=True), point="store.index")

    def _edit_index(self, change: Change) -> None:
        def edit(index: IndexDocument) -> IndexDocument:
            if change.listed is not None:
                return with_manifest(index, change.listed)
            return index if change.dropped is None else without_manifest(index, change.dropped)

        self.edit_index(change.store_name, edit)

    def edit_index(self, store_name: str, edit: Callable[[IndexDocument], IndexDocument]) -> None:
        """Read a repository's index, change it, write it if it differs; an empty one is deleted. Blocks."""
        path = self._paths.index(store_name)
        index = read_document(path, IndexDocument.parse, IndexDocument())
        edited = edit(index)
        if not edited.entries:
            remove_file(path, point="store.repository-index")
        elif edited.entries != index.entries:
            self._replace(path, edited.raw(media_type=False), point="store.repository-index")

    def _edit_tags(self, change: Change) -> None:
        def edit(tags: dict[str, IndexEntry]) -> dict[str, IndexEntry]:
            if change.dropped is not None:
                tags = {
                    tag: entry
                    for tag, entry in tags.items()
                    if not entry.descriptor or entry.descriptor.digest != change.dropped
                }
            elif change.tag is not None and change.listed is None:
                tags = {tag: entry for tag, entry in tags.items() if tag != change.tag}
            elif change.tag is not None and change.listed is not None:
                tags = {**tags, change.tag: IndexEntry.of(plain(change.listed))}
            return tags

        self.edit_tags(change.store_name, edit)

    def edit_tags(self, store_name: str, edit: Callable[[dict[str, IndexEntry]], dict[str, IndexEntry]]) -> None:
        """Read a repository's tags, change them, write them if they differ; an empty file is deleted. Blocks."""
        path = self._paths.tags(store_name)
        tags = read_document(path, TagsDocument.parse, TagsDocument())
        edited = edit(tags.entries)
        if not edited:
            remove_file(path, point="store.tags")
        elif edited != tags.entries:
            self._replace(path, TagsDocument(edited).raw(), point="store.tags")

    def _replace(self, path: Path, raw: bytes, *, point: str) -> None:
        replace_file(path, raw, temporary=self._temporary, point=point)

    @cached_property
    def _temporary(self) -> Path:
        """kittui's folder on the disk of the index files."""
        try:
            return working_folder(self._paths.own_folders, self._paths.storage)
        except OSError as error:
            raise storage_error(error, f"write into {self._paths.storage}") from error

    def _holds(self, change: Change) -> bool:
        """Whether a change from a moment ago still holds, or somebody has changed the same thing since."""
        index = read_document(self._paths.index(change.store_name), IndexDocument.parse, IndexDocument())
        tags = read_document(self._paths.tags(change.store_name), TagsDocument.parse, TagsDocument())
        shared = read_document(self._paths.shared_index, IndexDocument.parse, IndexDocument())
        if change.dropped is not None:
            if change.dropped in index.digests or tags.on(change.dropped):
                return False
            return change.dropped not in shared.digests or self._listed_anywhere(change.dropped)
        entry = tags.entries.get(change.tag) if change.tag is not None else None
        now = entry.descriptor.digest if entry is not None and entry.descriptor is not None else None
        if change.listed is None:
            return entry is None or now != change.before
        if change.listed.digest not in index.digests or change.listed.digest not in shared.digests:
            return False
        return change.tag is None or (now is not None and (now == change.listed.digest or now != change.before))

    def indexes(self) -> list[IndexDocument]:
        """The indexes of all repositories. Blocks; raises Malformed, StorageError."""
        return [read_document(path, IndexDocument.parse, IndexDocument()) for path in self._paths.all_indexes()]

    def _listed_anywhere(self, digest: Digest) -> bool:
        """Whether a repository lists the manifest; one that can't be read counts as listing it."""
        try:
            listed = any(digest in index.digests for index in self.indexes())
            return listed or digest in reachable_from_strangers(self._paths, self._blobs)
        except KittuiError:
            return True

    def abandoned(self, digest: Digest) -> Descriptor | None:
        """Find a manifest that no repository lists: its deletion was interrupted, or kit lost it. Blocks."""
        if self._listed_anywhere(digest):
            return None
        shared = read_document(self._paths.shared_index, IndexDocument.parse, IndexDocument())
        return shared.find(digest) or unlisted(self._blobs, digest)

    def collect(self, released: Sequence[Digest]) -> list[Digest]:
        """Delete and return released blobs that nothing listed refers to any more.

        Blocks. The lock is held. If the store can't be read completely, nothing is freed until `kittui doctor
        --repair`.
        """
        return collect(self._blobs, released, self._used, point="store.blob")

    def _used(self) -> set[Digest]:
        shared = read_document(self._paths.shared_index, IndexDocument.parse, IndexDocument())
        listed = [entry for index in (*self.indexes(), shared) for entry in index.descriptors]
        return reachable(self._blobs, listed) | reachable_from_strangers(self._paths, self._blobs)

    def used_besides(self, listed: Collection[Digest]) -> frozenset[Digest]:
        """Blobs in use by anything other than the manifests that repositories list. Blocks; raises KittuiError."""
        shared = read_document(self._paths.shared_index, IndexDocument.parse, IndexDocument())
        lost = [entry for entry in shared.descriptors if entry.digest not in listed]
        return frozenset(reachable(self._blobs, lost) | reachable_from_strangers(self._paths, self._blobs))
