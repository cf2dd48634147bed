"""Changes a layout's `index.json`: reads it again, then replaces it whole, under a lock between kittui processes.

Names as skopeo, oras and regctl keep them: one entry per name with `org.opencontainers.image.ref.name`, an entry
without it for a manifest that has no name.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from kittui.disk.blobs import BlobFolder
from kittui.disk.documents import IndexDocument, IndexEntry, read_document
from kittui.disk.durable import make_folder, replace_file, shared_mode
from kittui.disk.files import FolderFiles
from kittui.disk.locks import file_lock
from kittui.disk.reach import collect, reachable
from kittui.errors import Conflict, Malformed
from kittui.layout.index import HOME, NamedEntry, join_name, named_entries
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.oci.media_types import REF_NAME
from kittui.oci.reference import WHOLE_LAYOUT
from kittui.oci.tag import Tag


class LayoutWriter:
    """Changes to one layout. kittui's own folder in it, `.kittui`, exists only during writes."""

    def __init__(self, directory: Path, blobs: BlobFolder) -> None:
        self._directory = directory
        self._blobs = blobs
        folders = (directory, blobs.folder, blobs.folder / "sha256")
        self._own = tuple(folder / ".kittui" for folder in folders)
        self.files = FolderFiles(blobs, self._own, mode=shared_mode(), check=self._check)

    @asynccontextmanager
    async def lock(self) -> AsyncIterator[None]:
        """The lock of index.json."""
        try:
            async with file_lock(self._own[0] / "layout.lock", f"the layout {self._directory}"):
                yield
        finally:
            self._tidy()

    def _tidy(self) -> None:
        for own in self._own:
            for folder in (own / "partial", own):
                with suppress(OSError):
                    folder.rmdir()

    def _check(self) -> None:
        """Raise Conflict if the folder is not a layout and is not empty."""
        if not (self._directory / "oci-layout").exists() and self._occupied():
            raise Conflict(
                f"{self._directory} is not an OCI image layout, and not empty",
                hint="Name a new or an empty folder, or an existing layout.",
            )

    def _prepare(self) -> None:
        """Create an empty layout if there is none; the lock is held."""
        self._check()
        make_folder(self._directory / "blobs" / "sha256")
        if not (self._directory / "oci-layout").exists():
            self._replace("oci-layout", b'{"imageLayoutVersion":"1.0.0"}', point="layout.version")

    def _occupied(self) -> bool:
        ours = {"blobs", "index.json", self._own[0].name}
        try:
            return any(path.name not in ours for path in self._directory.iterdir())
        except OSError:
            return False

    def edit(self, change: Callable[[IndexDocument], IndexDocument]) -> None:
        """Read index.json, change it, write it if it differs. Blocks under the lock. Raises Malformed, StorageError."""
        self._prepare()
        index = self._index()
        edited = change(index)
        if edited.entries != index.entries:
            self._replace("index.json", edited.raw(media_type=True), point="layout.index")

    def _index(self) -> IndexDocument:
        return read_document(self._directory / "index.json", IndexDocument.parse, IndexDocument())

    def _replace(self, name: str, raw: bytes, *, point: str) -> None:
        replace_file(self._directory / name, raw, temporary=self._own[0], point=point, mode=shared_mode())

    def collect(self, released: Sequence[Digest]) -> list[Digest]:
        """Delete released blobs that nothing listed refers to any more. Blocks; the lock is held."""
        return collect(self._blobs, released, self._used, point="layout.blob")

    def _used(self) -> set[Digest]:
        index = self._index()
        if any(entry.descriptor is None for entry in index.entries):
            raise Malformed("an entry of the layout's index.json can't be read")
        return reachable(self._blobs, index.descriptors)


def listed(index: IndexDocument, descriptor: Descriptor, repository: str, tag: Tag | None) -> IndexDocument:
    """Return the index with a manifest listed, under the tag if given.

    The tag's former manifest stays, without a name if it has no other. A nameless entry of the same manifest gets this
    name, unless it belongs to another repository.
    """
    if tag is None:
        return (
            index if descriptor.digest in index.digests else _with(index, [*index.entries, IndexEntry.of(descriptor)])
        )
    for entry in named_entries(index):
        if entry.repository == repository and entry.tag == tag:
            if entry.descriptor is not None and entry.descriptor.digest == descriptor.digest:
                return index
            index = untagged(index, repository, tag)
            break
    named = IndexEntry.of(_annotated(descriptor, {REF_NAME: join_name(repository, tag)}))
    for existing in named_entries(index):
        found, number = existing.descriptor, existing.number
        if found is not None and found.digest == descriptor.digest and _nameless(existing, repository):
            annotations = {key: value for key, value in found.annotations.items() if key != HOME}
            kept = IndexEntry.of(_annotated(found, {**annotations, REF_NAME: join_name(repository, tag)}))
            return _with(index, [*index.entries[:number], _keeping(existing.entry, kept), *index.entries[number + 1 :]])
    return _with(index, [*index.entries, named])


def untagged(index: IndexDocument, repository: str, tag: Tag) -> IndexDocument:
    """Return the index without a tag; its manifest stays listed, untagged if it has no other tag there."""
    result: list[IndexEntry] = []
    named = named_entries(index)
    for entry in named:
        if entry.repository != repository or entry.tag != tag:
            result.append(entry.entry)
            continue
        descriptor = entry.descriptor
        others = (other for other in named if other is not entry and repository in (other.repository, WHOLE_LAYOUT))
        if descriptor is None or any(o.descriptor and o.descriptor.digest == descriptor.digest for o in others):
            continue
        bare = {key: value for key, value in descriptor.annotations.items() if key != REF_NAME}
        if repository != WHOLE_LAYOUT:
            bare[HOME] = repository
        result.append(_keeping(entry.entry, IndexEntry.of(_annotated(descriptor, bare))))
    return _with(index, result)


def dropped(index: IndexDocument, repository: str, digest: Digest) -> IndexDocument:
    """Return the index without a manifest's entries in one repository; those without name or home belong to all."""
    kept = [
        entry.entry
        for entry in named_entries(index)
        if entry.descriptor is None
        or entry.descriptor.digest != digest
        or not (entry.repository == repository or _nameless(entry, repository))
    ]
    return _with(index, kept)


def adopted(index: IndexDocument, children: Iterable[Descriptor], repository: str) -> IndexDocument:
    """Return the index without nameless entries of manifests that another index now lists."""
    digests = {child.digest for child in children}
    kept = [
        entry.entry
        for entry in named_entries(index)
        if entry.descriptor is None or entry.descriptor.digest not in digests or not _nameless(entry, repository)
    ]
    return _with(index, kept)


def _nameless(entry: NamedEntry, repository: str) -> bool:
    """Whether an entry has no name, and belongs to the repository or to the whole layout."""
    unnamed = entry.descriptor is not None and REF_NAME not in entry.descriptor.annotations
    return unnamed and entry.repository in (repository, WHOLE_LAYOUT)


def _with(index: IndexDocument, entries: Iterable[IndexEntry]) -> IndexDocument:
    return IndexDocument(tuple(entries), index.fields)


def _annotated(descriptor: Descriptor, annotations: dict[str, str]) -> Descriptor:
    return Descriptor(descriptor.media_type, descriptor.digest, descriptor.size, annotations, descriptor.artifact_type)


def _keeping(old: IndexEntry, new: IndexEntry) -> IndexEntry:
    """Put the new annotations into the old entry, to keep fields that kittui doesn't know (platform, data)."""
    document = {key: value for key, value in old.document.items() if key != "annotations"}
    if "annotations" in new.document:
        document["annotations"] = new.document["annotations"]
    return IndexEntry(document, new.descriptor)
