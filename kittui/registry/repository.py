"""One repository of a registry: implements kittui.oci.protocols with the parts of this package."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from typing import TYPE_CHECKING

from kittui.errors import NotFound, Unsupported
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.oci.manifest import Manifest
from kittui.oci.protocols import BlobContent, BlobFiles, BlobReader, Power, Repository, TagEntry
from kittui.oci.tag import Tag
from kittui.oci.target import Target
from kittui.registry.blobs import Blobs
from kittui.registry.calls import Call
from kittui.registry.manifests import Manifests
from kittui.registry.pages import names
from kittui.registry.problems import naming
from kittui.registry.referrers import UNREADABLE, Referrers
from kittui.registry.removal import Removal
from kittui.registry.scopes import repository_scope
from kittui.registry.session import Session
from kittui.registry.uploads import Uploads

if TYPE_CHECKING:
    from kittui.registry.source import RegistrySource


class RegistryRepository:
    """A repository, its name checked already. Errors name the reference concerned."""

    def __init__(self, source: RegistrySource, session: Session, name: str) -> None:
        self._source = source
        self._session = session
        self._name = name
        self._manifests = Manifests(session, name)
        self._blobs = Blobs(session, name, source.learn)
        self._uploads = Uploads(session, name)
        self._referrers = Referrers(session, name, self._manifests, lambda: source.capabilities.referrers, source.learn)
        self._removal = Removal(session, self._manifests, source.learn)

    @property
    def source(self) -> RegistrySource:
        """The registry."""
        return self._source

    @property
    def name(self) -> str:
        """The name, without the registry."""
        return self._name

    @property
    def files(self) -> BlobFiles | None:
        """None: the blobs are not on this machine."""
        return None

    def reference(self, target: Target | None = None) -> str:
        """`remote://HOST/NAME:TAG` or `@DIGEST`."""
        mark = "" if target is None else f"@{target}" if isinstance(target, Digest) else f":{target}"
        return f"remote://{self._session.host}/{self._name}{mark}"

    async def resolve(self, target: Target) -> Descriptor:
        """Resolve by HEAD, or by GET if the registry leaves out digest or size there. Raises NotFound."""
        with naming(self.reference(target)):
            return await self._manifests.resolve(target)

    async def manifest(self, target: Target) -> Manifest:
        """Read a manifest, verified against the requested digest, or the one that the registry states for the tag."""
        with naming(self.reference(target)):
            return await self._manifests.read(target)

    async def tags(self) -> AsyncIterator[Sequence[TagEntry]]:
        """List the names, each once, in the registry's order; raises NotFound for an unknown repository."""
        scopes = frozenset({repository_scope(self._name, "pull")})
        call = Call("GET", f"{self._name}/tags/list", f"list the tags of {self._name}", scopes)
        with naming(self.reference()):
            async for page in names(self._session, call, "tags", Tag.parse):
                yield [TagEntry(Tag(name)) for name in page]

    async def read_blob(self, descriptor: Descriptor, limit: int) -> bytes:
        """Read a whole blob, verified; retries if the connection breaks. Raises TooLarge, DigestMismatch."""
        with naming(self.reference(descriptor.digest)):
            return await self._blobs.read(descriptor, limit)

    def open_blob(
        self, descriptor: Descriptor, offset: int = 0, length: int | None = None
    ) -> AbstractAsyncContextManager[BlobReader]:
        """Open a stretch, by range unless whole; raises Unsupported at enter if only wholes are served."""
        return self._blobs.open(descriptor, offset, length)

    async def has_blob(self, descriptor: Descriptor) -> bool:
        """Check by HEAD, or by the head of a GET if the registry refuses that."""
        with naming(self.reference(descriptor.digest)):
            found = await self._uploads.has(descriptor)
            if found is not None or not descriptor.size:
                return bool(found)
            try:
                async with self._blobs.open(descriptor, 0, min(1, descriptor.size)):
                    return True
            except Unsupported:
                return True
            except NotFound:
                return False

    async def put_blob(self, descriptor: Descriptor, content: BlobContent) -> None:
        """Upload in one PUT, or in chunks that are resumed if possible; raises DigestMismatch for different bytes."""
        with naming(self.reference(descriptor.digest)):
            await self._uploads.put(descriptor, content)

    async def mount_blob(self, descriptor: Descriptor, origin: Repository) -> bool:
        """Mount from another repository of this registry; False for any other origin, and if the registry won't."""
        if not isinstance(origin, RegistryRepository) or origin.source.place != self._source.place:
            return False
        with naming(self.reference(descriptor.digest)):
            return await self._uploads.mount(descriptor, origin.name)

    async def put_manifest(self, raw: bytes, media_type: str, tag: Tag | None = None) -> Descriptor:
        """Store exactly these bytes; a manifest with a subject is listed among its referrers.

        Raises TooLarge and others.
        """
        manifest = Manifest.parse(raw, media_type)
        with naming(self.reference(tag or manifest.digest)):
            answer = await self._manifests.put(raw, media_type, tag or manifest.digest)
            if manifest.subject is not None:
                known = answer is not None and "OCI-Subject" in answer.headers
                await self._referrers.announce(manifest, known=known)
            return manifest.descriptor

    async def untag(self, tag: Tag) -> None:
        """Remove only the tag, never its digest: raises Unsupported if the registry only deletes by digest."""
        with naming(self.reference(tag)):
            await self._removal.untag(tag)

    async def delete(self, digest: Digest) -> None:
        """Delete the manifest and with it every tag on it; raises Unsupported if deletes are switched off.

        If referrers are listed under fallback tags, it is first removed from its list; if that fails, nothing is
        deleted. A manifest that can't be read is deleted without that.
        """
        with naming(self.reference(digest)):
            held = None
            if self._source.capabilities.referrers.denied and not (await self._removal.probe_deletes()).denied:
                with suppress(NotFound, *UNREADABLE):
                    held = await self._manifests.read(digest)
            if held is not None:
                # Change the list first: once the manifest is gone, nobody can tell what its entry stood for.
                await self._referrers.withdraw(held)
            await self._removal.delete(digest)
            if held is not None:
                # Somebody who read the list before may have written the entry back while the manifest existed.
                await self._referrers.withdraw(held)

    async def probe_deletes(self) -> Power:
        """Check whether deletes are allowed, without deleting anything."""
        with naming(self.reference()):
            return await self._removal.probe_deletes()

    async def probe_untag(self) -> Power:
        """Check whether a single tag can be removed, without removing anything."""
        with naming(self.reference()):
            return await self._removal.probe_untag()

    async def referrers(self, digest: Digest) -> Sequence[Descriptor]:
        """List referrers by the API, or the fallback tag with each subject checked; at most 100, unverified claims."""
        with naming(self.reference(digest)):
            return await self._referrers.of(digest)
