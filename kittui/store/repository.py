"""One repository of kit's store: reading `<B>-index.json` and `<B>-tags.json` as kit does."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

from kittui.disk.blobs import FileReader
from kittui.disk.documents import IndexDocument, TagsDocument, read_documents
from kittui.disk.files import FolderFiles
from kittui.disk.listing import find_nested, referrers_among
from kittui.disk.threads import in_thread
from kittui.errors import BadReference, KittuiError, NotFound
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.oci.manifest import Manifest
from kittui.oci.media_types import CONFIG_LIMIT
from kittui.oci.protocols import BlobContent, Repository, TagEntry
from kittui.oci.reference import check_tag, store_display
from kittui.store.readable import check_config, check_manifest
from kittui.store.writer import Change, plain

if TYPE_CHECKING:
    from kittui.store.source import LocalSource


def is_tag(text: str) -> bool:
    """Whether it can be a tag: kit files `dst@sha256:…` under a name that can't be asked for again."""
    try:
        check_tag(text)
    except BadReference:
        return False
    return True


_REPAIR = "Run kittui doctor --repair."


class LocalRepository:
    """One repository; `store_name` is its full name, kit's default registry included."""

    def __init__(self, source: LocalSource, store_name: str) -> None:
        self._source = source
        self.store_name = store_name

    @property
    def source(self) -> LocalSource:
        return self._source

    @property
    def name(self) -> str:
        return store_display(self.store_name)

    def reference(self, target: str | None = None) -> str:
        """The reference with prefix, as in `local://fraud:v1`."""
        if target is None:
            return f"local://{self.name}"
        return f"local://{self.name}{'@' if ':' in target else ':'}{target}"

    async def _read(self) -> tuple[IndexDocument, TagsDocument]:
        paths = self._source.paths
        [index] = await read_documents([paths.index(self.store_name)], IndexDocument.parse)
        [tags] = await read_documents([paths.tags(self.store_name)], TagsDocument.parse)
        if isinstance(index, KittuiError):
            raise index.at(self.reference())
        if isinstance(tags, KittuiError):
            raise tags.at(self.reference())
        return index or IndexDocument(), tags or TagsDocument()

    async def resolve(self, target: str) -> Descriptor:
        """The descriptor that kit's files hold; a manifest inside a listed index is found by digest too."""
        index, tags = await self._read()
        if ":" in target:
            digest = Digest.parse(target)
            found = index.find(digest) or await in_thread(find_nested, self._source.blobs, index.descriptors, digest)
            if found is None:
                raise self._not_found(target)
            return found
        entry = tags.entries.get(target)
        if entry is None:
            raise self._not_found(target)
        if entry.descriptor is None:
            raise NotFound(
                f"the tag {target} can't be read: {entry.problem}", hint=_REPAIR, reference=self.reference(target)
            )
        listed = index.find(entry.descriptor.digest)
        if listed is None:
            raise NotFound(
                f"the tag {target} points to a manifest that the repository doesn't list, so kit doesn't see it",
                hint=_REPAIR,
                reference=self.reference(target),
            )
        return listed

    def _not_found(self, target: str) -> NotFound:
        what = "manifest" if ":" in target else "tag"
        return NotFound(
            f"no {what} {target} in {self.name}",
            hint=f"kittui ls local://{self.name} lists what there is.",
            reference=self.reference(target),
        )

    async def manifest(self, target: str) -> Manifest:
        """The manifest, verified against the digest that is asked for or that the tag holds."""
        descriptor = await self.resolve(target)
        try:
            return await in_thread(self._source.blobs.manifest, descriptor)
        except KittuiError as error:
            raise error.at(self.reference(target)) from None

    async def tags(self) -> AsyncIterator[Sequence[TagEntry]]:
        """Tags by name, then manifests without tag in kit's order; what can't be used is marked with its problem."""
        index, tags = await self._read()
        yield await in_thread(self._entries, index, tags)

    def _entries(self, index: IndexDocument, tags: TagsDocument) -> list[TagEntry]:
        blobs = self._source.blobs
        complaints = {descriptor.digest: blobs.complaint(descriptor) for descriptor in index.descriptors}
        entries: list[TagEntry] = []
        tagged: set[Digest] = set()
        for tag in sorted(tags.entries):
            descriptor, problem = tags.entries[tag].descriptor, tags.entries[tag].problem
            if descriptor is not None:
                tagged.add(descriptor.digest)
                problem = complaints.get(
                    descriptor.digest, "the repository doesn't list its manifest, so kit doesn't see it"
                )
            if not is_tag(tag):
                problem = "kit wrote a name that is no tag: reach the manifest by its digest"
            entries.append(TagEntry(tag, descriptor, problem))
        seen: set[Digest] = set(tagged)
        for entry in index.entries:
            if entry.descriptor is None:
                entries.append(TagEntry(None, None, entry.problem))
            elif entry.descriptor.digest not in seen:
                seen.add(entry.descriptor.digest)
                entries.append(TagEntry(None, entry.descriptor, complaints[entry.descriptor.digest]))
        return entries

    async def read_blob(self, descriptor: Descriptor, limit: int) -> bytes:
        """A small blob whole and verified."""
        try:
            return await in_thread(self._source.blobs.read, descriptor, limit)
        except KittuiError as error:
            raise error.at(self.reference()) from None

    def open_blob(
        self, descriptor: Descriptor, offset: int = 0, length: int | None = None
    ) -> AbstractAsyncContextManager[FileReader]:
        """Read a stretch, unverified."""
        return self._source.blobs.open(descriptor, offset, length)

    async def has_blob(self, descriptor: Descriptor) -> bool:
        """Whether the blob is there with the size it should have."""
        return await in_thread(self._source.blobs.size, descriptor.digest) == descriptor.size

    async def referrers(self, digest: Digest) -> Sequence[Descriptor]:
        """Manifests of the repository whose subject this is."""
        index, _ = await self._read()
        return await in_thread(referrers_among, self._source.blobs, index.descriptors, digest)

    @property
    def files(self) -> FolderFiles:
        """The store's blobs as files."""
        return self._source.writer.files

    async def put_blob(self, descriptor: Descriptor, content: BlobContent) -> None:
        """Store a blob, verified; what can be read again from an offset is taken up there after a cut."""
        await self.files.store(descriptor, content)

    async def mount_blob(self, descriptor: Descriptor, origin: Repository) -> bool:
        """Have the blob from any repository whose blobs are files on this machine; False where it has none."""
        if await self.has_blob(descriptor):
            return True
        if origin.files is None:
            return False
        return await self.files.adopt(descriptor, origin.files.path(descriptor.digest))

    async def put_manifest(self, raw: bytes, media_type: str, tag: str | None = None) -> Descriptor:
        """List the manifest here, under the tag where one is given; a tag that exists moves, as with `kit tag`.

        Raises Unsupported for what is no ModelKit in kit's format and Malformed for one that kit can't decode (each
        `kit list` would fail on it), NotFound where blobs of it are not in the store.
        """
        if tag is not None:
            check_tag(tag)
        manifest = Manifest.parse(raw, media_type)
        check_manifest(manifest)
        descriptor = plain(manifest.descriptor)
        writer = self._source.writer
        async with writer.lock():
            await in_thread(self._check_blobs, manifest)
            _, tags = await self._read()
            entry = tags.entries.get(tag) if tag is not None else None
            before = entry.descriptor.digest if entry is not None and entry.descriptor is not None else None
            await in_thread(self.files.write, descriptor, raw)
            await writer.apply(Change(self.store_name, listed=descriptor, tag=tag, before=before))
        return descriptor

    def _check_blobs(self, manifest: Manifest) -> None:
        blobs = self._source.blobs
        parts = [part for part in (manifest.config, *manifest.layers) if part is not None]
        missing = {part.digest for part in parts if blobs.size(part.digest) != part.size}
        if missing:
            raise NotFound(
                f"{len(missing)} blobs of the ModelKit are not in the store, {min(missing)} is one",
                hint="Run the transfer again: it brings what is missing.",
                reference=self.reference(),
            )
        if manifest.config is not None:
            check_config(blobs.read(manifest.config, CONFIG_LIMIT, "the config"))

    async def untag(self, tag: str) -> None:
        """Remove the tag alone; its manifest stays, without tag if this was the last. Raises NotFound."""
        writer = self._source.writer
        async with writer.lock():
            _, tags = await self._read()
            entry = tags.entries.get(tag)
            if entry is None:
                raise self._not_found(tag)
            before = entry.descriptor.digest if entry.descriptor is not None else None
            await writer.apply(Change(self.store_name, tag=tag, before=before))

    async def delete(self, digest: Digest) -> None:
        """Remove the manifest with all its tags here, and those of its blobs that no ModelKit in the store needs.

        A manifest that another repository lists too stays there, as with `kit remove`. A deletion that was interrupted
        is finished. Raises NotFound.
        """
        writer = self._source.writer
        async with writer.lock():
            index, tags = await self._read()
            descriptor = index.find(digest)
            if descriptor is None and not tags.on(digest):
                descriptor = await in_thread(writer.abandoned, digest)
                if descriptor is None:
                    raise self._not_found(digest)
            released = await in_thread(writer.below, descriptor) if descriptor else {digest}
            await writer.apply(Change(self.store_name, dropped=digest))
            await in_thread(writer.collect, released)
