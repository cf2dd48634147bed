"""One repository of an OCI image layout."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

from kittui.disk.blobs import FileReader
from kittui.disk.documents import IndexDocument
from kittui.disk.files import FolderFiles
from kittui.disk.listing import find_nested, referrers_among
from kittui.disk.threads import in_thread
from kittui.errors import Conflict, KittuiError, NotFound
from kittui.layout.index import NamedEntry, named_entries
from kittui.layout.writer import adopted, dropped, listed, untagged
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.oci.manifest import Manifest
from kittui.oci.media_types import INDEXES
from kittui.oci.protocols import BlobContent, Repository, TagEntry
from kittui.oci.reference import Reference, check_tag

if TYPE_CHECKING:
    from kittui.layout.source import LayoutSource


class LayoutRepository:
    """The tags of one repository in a layout; manifests and blobs are the whole layout's."""

    def __init__(self, source: LayoutSource, name: str) -> None:
        self._source = source
        self._name = name

    @property
    def source(self) -> LayoutSource:
        return self._source

    @property
    def name(self) -> str:
        return self._name

    def reference(self, target: str | None = None) -> str:
        """The reference with prefix, as in `oci:DIR:tag`."""
        return str(Reference("oci", "", self._name, directory=str(self._source.directory)).at(target))

    async def resolve(self, target: str) -> Descriptor:
        """The descriptor in index.json; by digest, any manifest of the layout, those inside of indexes too."""
        index = await self._source.read()
        if ":" in target:
            digest = Digest.parse(target)
            found = index.find(digest) or await in_thread(find_nested, self._source.blobs, index.descriptors, digest)
        else:
            found = next((entry.descriptor for entry in self._own(index) if entry.tag == target), None)
        if found is None:
            what = "manifest" if ":" in target else "tag"
            raise NotFound(
                f"no {what} {target} in {self.reference()}",
                hint=f"kittui ls {self.reference()} lists what there is.",
                reference=self.reference(target),
            )
        return Descriptor(found.media_type, found.digest, found.size, artifact_type=found.artifact_type)

    def _own(self, index: IndexDocument) -> list[NamedEntry]:
        return [entry for entry in named_entries(index) if entry.repository == self._name]

    async def manifest(self, target: str) -> Manifest:
        """The manifest or index, verified against the digest that is asked for or that the tag holds."""
        descriptor = await self.resolve(target)
        try:
            return await in_thread(self._source.blobs.manifest, descriptor)
        except KittuiError as error:
            raise error.at(self.reference(target)) from None

    async def tags(self) -> AsyncIterator[Sequence[TagEntry]]:
        """Tags by name, then manifests without tag in the order of the file; what can't be used has its problem."""
        index = await self._source.read()
        yield await in_thread(self._entries, index)

    def _entries(self, index: IndexDocument) -> list[TagEntry]:
        tagged = {entry.descriptor.digest for entry in named_entries(index) if entry.tag and entry.descriptor}
        named: list[TagEntry] = []
        unnamed: list[TagEntry] = []
        for entry in self._own(index):
            descriptor, problem = entry.descriptor, entry.problem
            if descriptor is not None and problem is None:
                problem = self._source.blobs.complaint(descriptor)
            if entry.tag is not None:
                named.append(TagEntry(entry.tag, descriptor, problem))
            elif entry.problem or descriptor is None or descriptor.digest not in tagged:
                unnamed.append(TagEntry(None, descriptor, problem))
        return [*sorted(named, key=lambda entry: entry.name or ""), *unnamed]

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
        """Listed manifests whose subject this is, and those in the index that the tag `sha256-<hex>` names."""
        index = await self._source.read()
        listed = list(index.descriptors)
        fallback = f"{digest.algorithm}-{digest.hex}"
        for entry in named_entries(index):
            if entry.tag == fallback and entry.descriptor and entry.descriptor.media_type in INDEXES:
                try:
                    listed += (await in_thread(self._source.blobs.manifest, entry.descriptor)).manifests
                except KittuiError:
                    continue
        return await in_thread(referrers_among, self._source.blobs, listed, digest)

    @property
    def files(self) -> FolderFiles:
        """The layout's blobs as files."""
        return self._source.writer.files

    async def put_blob(self, descriptor: Descriptor, content: BlobContent) -> None:
        """Store a blob, verified; a layout that isn't there is made."""
        await self.files.store(descriptor, content)

    async def mount_blob(self, descriptor: Descriptor, origin: Repository) -> bool:
        """Have the blob from any repository whose blobs are files on this machine; False where it has none."""
        if await self.has_blob(descriptor):
            return True
        if origin.files is None:
            return False
        return await self.files.adopt(descriptor, origin.files.path(descriptor.digest))

    async def put_manifest(self, raw: bytes, media_type: str, tag: str | None = None) -> Descriptor:
        """List the manifest or index, under the tag where one is given; a tag that exists moves.

        Raises NotFound where config, layers or the manifests of an index are not in the layout.
        """
        if tag is not None:
            check_tag(tag)
        manifest = Manifest.parse(raw, media_type)
        descriptor = manifest.descriptor
        writer = self._source.writer
        async with writer.lock():
            await in_thread(self._check_blobs, manifest)

            def change(index: IndexDocument) -> IndexDocument:
                return adopted(listed(index, descriptor, self._name, tag), manifest.manifests)

            await in_thread(self.files.write, descriptor, raw)
            await in_thread(writer.edit, change)
        return descriptor

    def _check_blobs(self, manifest: Manifest) -> None:
        blobs = self._source.blobs
        parts = [part for part in (manifest.config, *manifest.layers, *manifest.manifests) if part is not None]
        missing = {part.digest for part in parts if blobs.size(part.digest) != part.size}
        if missing:
            raise NotFound(
                f"{len(missing)} blobs of the manifest are not in the layout, {min(missing)} is one",
                hint="Run the transfer again: it brings what is missing.",
                reference=self.reference(),
            )

    async def untag(self, tag: str) -> None:
        """Remove the name alone; the manifest stays listed, without name if this was the last. Raises NotFound."""
        writer = self._source.writer
        await self.resolve(tag)
        async with writer.lock():
            await self.resolve(tag)
            await in_thread(writer.edit, lambda index: untagged(index, self._name, tag))

    async def delete(self, digest: Digest) -> None:
        """Remove the manifest with all its tags here, and those of its blobs that nothing in the layout needs.

        A manifest that another repository of the layout names too stays there. Raises NotFound, and Conflict for one
        that is listed only inside of an index.
        """
        writer = self._source.writer
        await self._source.read()
        async with writer.lock():
            index = await self._source.read()
            descriptor = index.find(digest)
            if descriptor is None:
                await self.resolve(digest)
                raise Conflict(
                    f"{digest} is part of an index in the layout, which would be broken without it",
                    hint="Remove the index instead.",
                    reference=self.reference(digest),
                )
            if dropped(index, self._name, digest).entries == index.entries:
                raise NotFound(
                    f"{self.reference()} has no manifest {digest}: another repository of the layout has",
                    hint=f"kittui ls {self._source.place} lists them.",
                    reference=self.reference(digest),
                )
            released = await in_thread(writer.below, descriptor)
            await in_thread(writer.edit, lambda now: dropped(now, self._name, digest))
            await in_thread(writer.collect, released)
