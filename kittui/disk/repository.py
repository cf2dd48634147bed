"""The common part of repositories in kit's store and in OCI layouts: everything except their index files."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager

from kittui.disk.blobs import BlobFolder, FileReader
from kittui.disk.documents import IndexDocument
from kittui.disk.files import FolderFiles
from kittui.disk.listing import find_nested, referrers_among
from kittui.disk.threads import in_thread
from kittui.errors import KittuiError, NotFound
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.oci.manifest import Manifest
from kittui.oci.protocols import BlobContent, Repository, Source
from kittui.oci.target import Target
from kittui.terminal import counted


class FolderRepository(ABC):
    """A repository whose manifests and blobs are files in one folder, shared with the other repositories there."""

    def __init__(self, source: Source, name: str, blobs: BlobFolder, files: FolderFiles) -> None:
        self._source = source
        self._name = name
        self._blobs = blobs
        self._files = files

    @property
    def source(self) -> Source:
        return self._source

    @property
    def name(self) -> str:
        return self._name

    @property
    def files(self) -> FolderFiles:
        """The blobs as files."""
        return self._files

    @abstractmethod
    def reference(self, target: Target | None = None) -> str: ...

    @abstractmethod
    async def resolve(self, target: Target) -> Descriptor: ...

    @abstractmethod
    async def _listed(self, referred: Digest) -> Sequence[Descriptor]:
        """The manifests to search for those that refer to a digest."""

    async def manifest(self, target: Target) -> Manifest:
        """The manifest or index, verified against the requested digest or the tag's."""
        descriptor = await self.resolve(target)
        try:
            return await in_thread(self._blobs.manifest, descriptor)
        except KittuiError as error:
            raise error.at(self.reference(target)) from None

    async def read_blob(self, descriptor: Descriptor, limit: int) -> bytes:
        """Read a small blob whole, verified."""
        try:
            return await in_thread(self._blobs.read, descriptor, limit)
        except KittuiError as error:
            raise error.at(self.reference()) from None

    def open_blob(
        self, descriptor: Descriptor, offset: int = 0, length: int | None = None
    ) -> AbstractAsyncContextManager[FileReader]:
        """Read a range, unverified."""
        return self._blobs.open(descriptor, offset, length)

    async def has_blob(self, descriptor: Descriptor) -> bool:
        """Whether the blob exists with the right size."""
        return await in_thread(self._blobs.size, descriptor.digest) == descriptor.size

    async def referrers(self, digest: Digest) -> Sequence[Descriptor]:
        """The repository's manifests whose subject this is."""
        return await in_thread(referrers_among, self._blobs, await self._listed(digest), digest)

    async def put_blob(self, descriptor: Descriptor, content: BlobContent) -> None:
        """Store a blob, verified; content that can be read from an offset resumes there after a lost connection."""
        await self._files.store(descriptor, content)

    async def mount_blob(self, descriptor: Descriptor, origin: Repository) -> bool:
        """Take the blob from a repository whose blobs are files on this machine; False if it has none."""
        if await self.has_blob(descriptor):
            return True
        if origin.files is None:
            return False
        return await self._files.adopt(descriptor, origin.files.path(descriptor.digest))

    async def _by_digest(self, index: IndexDocument, digest: Digest) -> Descriptor | None:
        """A listed manifest, or one inside a listed index."""
        return index.find(digest) or await in_thread(find_nested, self._blobs, index.descriptors, digest)

    def _not_found(self, target: Target) -> NotFound:
        return NotFound(
            f"no {'manifest' if ':' in target else 'tag'} {target} in {self.reference()}",
            hint=f"kittui ls {self.reference()} lists its tags.",
            reference=self.reference(target),
        )

    def _check_blobs(self, manifest: Manifest) -> None:
        """Raise NotFound unless everything that a manifest refers to exists. Blocks."""
        parts = [part for part in (manifest.config, *manifest.layers, *manifest.manifests) if part is not None]
        missing = {part.digest for part in parts if self._blobs.size(part.digest) != part.size}
        if missing:
            raise NotFound(
                f"{self._source.place} lacks {counted(len(missing), 'blob')} of the manifest, such as {min(missing)}",
                hint="Run the transfer again to copy what is missing.",
                reference=self.reference(),
            )
