"""One repository of an OCI image layout."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from kittui.disk.blobs import BlobFolder
from kittui.disk.documents import IndexDocument
from kittui.disk.reach import below, unlisted
from kittui.disk.repository import FolderRepository
from kittui.disk.threads import in_thread
from kittui.errors import Conflict, KittuiError, NotFound
from kittui.layout.index import NamedEntry, named_entries
from kittui.layout.writer import LayoutWriter, adopted, dropped, listed, untagged
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.oci.manifest import Manifest
from kittui.oci.media_types import INDEXES, KIT_INDEX
from kittui.oci.protocols import Source, TagEntry
from kittui.oci.reference import WHOLE_LAYOUT, Reference
from kittui.oci.tag import Tag
from kittui.oci.target import Target, parse_target

_SIGNATURES = re.compile(r"dev\.cosignproject\.cosign/(sigs|atts|sboms)")
"""How `cosign save` marks entries other than the image itself."""
_FEW = 16
"""Maximum manifests read to find out which one is meant."""


class LayoutRepository(FolderRepository):
    """The tags of one repository in a layout; manifests and blobs are the whole layout's.

    `read` gives what index.json holds.
    """

    def __init__(
        self,
        source: Source,
        name: str,
        read: Callable[[], Awaitable[IndexDocument]],
        blobs: BlobFolder,
        writer: LayoutWriter,
    ) -> None:
        super().__init__(source, name, blobs, writer.files)
        self._read = read
        self._writer = writer

    def reference(self, target: Target | None = None) -> str:
        """The reference with prefix, as in `oci:DIR:tag`."""
        return str(Reference("oci", "", self._name, directory=self._source.place.directory).at(target))

    async def resolve(self, target: Target) -> Descriptor:
        """Return the descriptor from index.json.

        By digest, any manifest of the layout, including those inside indexes.
        """
        index = await self._read()
        target = parse_target(target)
        if isinstance(target, Digest):
            found = await self._by_digest(index, target)
        else:
            found = next((entry.descriptor for entry in self._own(index) if entry.tag == target), None)
        if found is None:
            raise self._not_found(target)
        return Descriptor(found.media_type, found.digest, found.size, artifact_type=found.artifact_type)

    def _own(self, index: IndexDocument) -> list[NamedEntry]:
        return [entry for entry in named_entries(index) if entry.repository == self._name]

    async def tags(self) -> AsyncIterator[Sequence[TagEntry]]:
        """Tags by name, then manifests without tag in the order of the file; unusable entries have a problem.

        A manifest without tag that belongs to another one is left out, as in registries.
        """
        index = await self._read()
        yield await in_thread(self._entries, index)

    def _entries(self, index: IndexDocument) -> list[TagEntry]:
        named_here = named_entries(index) if self._name == WHOLE_LAYOUT else self._own(index)
        tagged = {entry.descriptor.digest for entry in named_here if entry.tag and entry.descriptor}
        named: list[TagEntry] = []
        unnamed: list[TagEntry] = []
        for entry in self._own(index):
            descriptor, problem = entry.descriptor, entry.problem
            if descriptor is not None and problem is None:
                problem = self._blobs.complaint(descriptor)
            if entry.tag is not None:
                named.append(TagEntry(entry.tag, descriptor, problem))
            elif entry.problem or descriptor is None or descriptor.digest not in tagged:
                if problem is None and descriptor is not None and self._blobs.is_attached(descriptor):
                    continue
                unnamed.append(TagEntry(None, descriptor, problem))
        return [*sorted(named, key=lambda entry: entry.name or ""), *unnamed]

    async def _listed(self, referred: Digest) -> Sequence[Descriptor]:
        """Everything that index.json lists, and what the index under the tag `sha256-<hex>` lists."""
        index = await self._read()
        found = list(index.descriptors)
        for entry in named_entries(index):
            if entry.tag == referred.referrers_tag and entry.descriptor and entry.descriptor.media_type in INDEXES:
                try:
                    found += (await in_thread(self._blobs.manifest, entry.descriptor)).manifests
                except KittuiError:
                    continue
        return found

    async def only(self) -> str | None:
        """The tag, else the digest, of the only manifest that neither signs nor refers to another one."""
        found = {
            entry.descriptor.digest: entry
            for entry in self._own(await self._read())
            if entry.descriptor is not None and not _SIGNATURES.fullmatch(entry.descriptor.annotations.get("kind", ""))
        }
        if 1 < len(found) <= _FEW:
            subjects = await in_thread(self._subjects, [entry.descriptor for entry in found.values()])
            found = {digest: entry for digest, entry in found.items() if subjects[digest] not in found}
        if len(found) != 1:
            return None
        [(digest, entry)] = found.items()
        return entry.tag or digest

    def _subjects(self, listed: Sequence[Descriptor | None]) -> dict[Digest, Digest | None]:
        subjects: dict[Digest, Digest | None] = {}
        for descriptor in listed:
            if descriptor is not None:
                try:
                    subject = self._blobs.manifest(descriptor).subject
                except KittuiError:
                    subject = None
                subjects[descriptor.digest] = subject.digest if subject is not None else None
        return subjects

    async def put_manifest(self, raw: bytes, media_type: str, tag: Tag | None = None) -> Descriptor:
        """List the manifest or index, under the tag if given; an existing tag moves.

        Raises NotFound if config, layers or the manifests of an index are not in the layout.
        """
        if tag is not None:
            Tag.parse(tag)
        manifest = Manifest.parse(raw, media_type)
        descriptor = manifest.descriptor
        async with self._writer.lock():
            await in_thread(self._check_blobs, manifest)

            def change(index: IndexDocument) -> IndexDocument:
                return adopted(listed(index, descriptor, self._name, tag), manifest.manifests, self._name)

            await in_thread(self.files.write, descriptor, raw)
            await in_thread(self._writer.edit, change)
        return descriptor

    def _variants(self, descriptor: Descriptor) -> Sequence[Descriptor]:
        """The variants of a ModelKit index that the layout has, as plain descriptors; empty for anything else.

        Blocks.
        """
        try:
            manifest = self._blobs.manifest(descriptor)
        except KittuiError:
            return ()
        if manifest.artifact_type != KIT_INDEX:
            return ()
        listed = (Descriptor(one.media_type, one.digest, one.size) for one in manifest.manifests)
        return [one for one in listed if self._blobs.size(one.digest) == one.size]

    async def untag(self, tag: Tag) -> None:
        """Remove only the name; the manifest stays listed, without a name if this was the last. Raises NotFound."""
        await self.resolve(tag)
        async with self._writer.lock():
            await self.resolve(tag)
            await in_thread(self._writer.edit, lambda index: untagged(index, self._name, tag))

    async def delete(self, digest: Digest) -> None:
        """Remove the manifest with all its tags here, and its blobs that nothing else in the layout needs.

        The variants of a ModelKit index stay, without a tag if they have none. A manifest that another repository of
        the layout also lists stays there. An interrupted deletion is completed. Raises NotFound, and Conflict for one
        that is listed only inside an index.
        """
        await self._read()
        async with self._writer.lock():
            index = await self._read()
            descriptor = index.find(digest)
            if descriptor is None:
                if await self._by_digest(index, digest) is None and (
                    orphan := await in_thread(unlisted, self._blobs, digest)
                ):
                    await in_thread(self._writer.collect, await in_thread(below, self._blobs, orphan))
                    return
                await self.resolve(digest)
                raise Conflict(
                    f"{digest} is part of an index in the layout, which would be broken without it",
                    hint="Remove the index instead.",
                    reference=self.reference(digest),
                )
            if dropped(index, self._name, digest).entries == index.entries:
                raise NotFound(
                    f"{self.reference()} has no manifest {digest}: another repository of the layout has",
                    hint=f"kittui ls {self.source.place} lists them.",
                    reference=self.reference(digest),
                )
            released = await in_thread(below, self._blobs, descriptor)
            kept = await in_thread(self._variants, descriptor)

            def change(now: IndexDocument) -> IndexDocument:
                now = dropped(now, self._name, digest)
                for one in () if digest in now.digests else kept:
                    now = listed(now, one, self._name, None)
                return now

            await in_thread(self._writer.edit, change)
            await in_thread(self._writer.collect, released)
