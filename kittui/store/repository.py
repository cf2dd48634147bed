"""One repository of kit's store, read from `<B>-index.json` and `<B>-tags.json` as kit does."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from kittui.disk.blobs import BlobFolder
from kittui.disk.documents import IndexDocument, TagsDocument, read_documents
from kittui.disk.files import FolderFiles
from kittui.disk.reach import below
from kittui.disk.repository import FolderRepository
from kittui.disk.threads import in_thread
from kittui.errors import BadReference, KittuiError, NotFound
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.oci.manifest import Manifest
from kittui.oci.media_types import CONFIG_LIMIT
from kittui.oci.protocols import Source, TagEntry
from kittui.oci.reference import store_display
from kittui.oci.tag import Tag
from kittui.oci.target import Target, parse_target
from kittui.store.installed import installed_kit
from kittui.store.readable import check_config, check_manifest, is_modelpack
from kittui.store.root import StorePaths
from kittui.store.writer import Change, StoreWriter, plain


def is_tag(text: str) -> bool:
    """Whether it can be a tag: kit stores `dst@sha256:…` under a name that can't be requested."""
    try:
        Tag.parse(text)
    except BadReference:
        return False
    return True


_REPAIR = "Run kittui doctor --repair."


class LocalRepository(FolderRepository):
    """One repository; `store_name` is its full name, kit's default registry included."""

    def __init__(
        self, source: Source, store_name: str, paths: StorePaths, blobs: BlobFolder, writer: StoreWriter
    ) -> None:
        files = FolderFiles(blobs, paths.own_folders, mode=0o600, check=lambda: paths.check(store_name))
        super().__init__(source, store_display(store_name), blobs, files)
        self.store_name = store_name
        self._paths = paths
        self._writer = writer

    def reference(self, target: Target | None = None) -> str:
        """The reference with prefix, as in `local://fraud:v1`."""
        if target is None:
            return f"local://{self.name}"
        return f"local://{self.name}{'@' if isinstance(target, Digest) else ':'}{target}"

    async def _read(self) -> tuple[IndexDocument, TagsDocument]:
        [index] = await read_documents([self._paths.index(self.store_name)], IndexDocument.parse)
        [tags] = await read_documents([self._paths.tags(self.store_name)], TagsDocument.parse)
        if isinstance(index, KittuiError):
            raise index.at(self.reference())
        if isinstance(tags, KittuiError):
            raise tags.at(self.reference())
        return index or IndexDocument(), tags or TagsDocument()

    async def _listed(self, referred: Digest) -> Sequence[Descriptor]:
        index, _ = await self._read()
        return index.descriptors

    async def resolve(self, target: Target) -> Descriptor:
        """Return the descriptor from kit's files; manifests inside a listed index are found by digest too."""
        index, tags = await self._read()
        target = parse_target(target)
        if isinstance(target, Digest):
            found = await self._by_digest(index, target)
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

    async def tags(self) -> AsyncIterator[Sequence[TagEntry]]:
        """List tags by name, then manifests without tag in kit's order; unusable ones have a problem."""
        index, tags = await self._read()
        yield await in_thread(self._entries, index, tags)

    def _entries(self, index: IndexDocument, tags: TagsDocument) -> list[TagEntry]:
        complaints = {descriptor.digest: self._blobs.complaint(descriptor) for descriptor in index.descriptors}
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
                problem = "kit wrote a name that is not a tag; use the manifest's digest"
            entries.append(TagEntry(Tag(tag), descriptor, problem))
        seen: set[Digest] = set(tagged)
        for entry in index.entries:
            if entry.descriptor is None:
                entries.append(TagEntry(None, None, entry.problem))
            elif entry.descriptor.digest not in seen:
                seen.add(entry.descriptor.digest)
                entries.append(TagEntry(None, entry.descriptor, complaints[entry.descriptor.digest]))
        return entries

    async def put_manifest(self, raw: bytes, media_type: str, tag: Tag | None = None) -> Descriptor:
        """List the manifest here, under the tag if given; an existing tag moves, as with `kit tag`.

        Raises Unsupported for what is not a ModelKit in kit's format and Malformed for one that kit can't decode (each
        `kit list` would fail on it), NotFound if blobs of it are not in the store.
        """
        if tag is not None:
            Tag.parse(tag)
        manifest = Manifest.parse(raw, media_type)
        await self.accept(manifest)
        descriptor = plain(manifest.descriptor)
        await in_thread(self._paths.check, self.store_name)
        async with self._writer.lock():
            await in_thread(self._check_content, manifest)
            _, tags = await self._read()
            entry = tags.entries.get(tag) if tag is not None else None
            before = entry.descriptor.digest if entry is not None and entry.descriptor is not None else None
            await in_thread(self.files.write, descriptor, raw)
            await self._writer.apply(Change(self.store_name, listed=descriptor, tag=tag, before=before))
        return descriptor

    async def accept(self, manifest: Manifest) -> None:
        """Raise Unsupported for what the installed kit could not read here: each `kit list` would fail."""
        check_manifest(manifest, await in_thread(installed_kit) if is_modelpack(manifest) else None)

    def _check_content(self, manifest: Manifest) -> None:
        self._check_blobs(manifest)
        if manifest.config is not None:
            raw = self._blobs.read(manifest.config, CONFIG_LIMIT, "the config")
            check_config(raw, modelpack=is_modelpack(manifest))

    async def untag(self, tag: Tag) -> None:
        """Remove only the tag; its manifest stays, untagged if this was the last. Raises NotFound."""
        async with self._writer.lock():
            _, tags = await self._read()
            entry = tags.entries.get(tag)
            if entry is None:
                raise self._not_found(tag)
            before = entry.descriptor.digest if entry.descriptor is not None else None
            await self._writer.apply(Change(self.store_name, tag=tag, before=before))

    async def delete(self, digest: Digest) -> None:
        """Remove the manifest with all its tags here, and its blobs that no other ModelKit in the store needs.

        A manifest that another repository also lists stays there, as with `kit remove`. An interrupted deletion is
        completed. Raises NotFound.
        """
        async with self._writer.lock():
            index, tags = await self._read()
            descriptor = index.find(digest)
            if descriptor is None and not tags.on(digest):
                descriptor = await in_thread(self._writer.abandoned, digest)
                if descriptor is None:
                    raise self._not_found(digest)
            released = await in_thread(below, self._blobs, descriptor) if descriptor else [digest]
            await self._writer.apply(Change(self.store_name, dropped=digest))
            await in_thread(self._writer.collect, released)
