"""A source in dicts: the protocols without disk or network, with every request logged and hooks to misbehave."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from kittui.errors import ConnectionLost, DigestMismatch, NotFound, RegistryError, TooLarge, Unsupported
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.oci.manifest import Manifest
from kittui.oci.media_types import KIT_CONFIG, OCI_MANIFEST
from kittui.oci.protocols import (
    AT_ONCE,
    UNKNOWN,
    YES,
    BlobContent,
    BlobReader,
    Capabilities,
    Power,
    Repository,
    RepositoryEntry,
    TagEntry,
    Traits,
)
from kittui.oci.reference import Place
from kittui.oci.tag import Tag
from kittui.oci.target import Target, parse_target
from kittui.oci.traffic import count

Hook = Callable[["MemoryRepository", str, str], None]


class MemoryReader:
    def __init__(self, content: bytes, offset: int, length: int, cut: int | None, piece: int) -> None:
        self.offset = offset
        self.length = length
        self._content = content[offset : offset + length]
        self._cut = cut
        self._piece = piece
        self._at = 0

    async def readinto(self, buffer: memoryview) -> int:
        if self._cut is not None and self._at >= self._cut and self._at < len(self._content):
            raise ConnectionLost("the connection was cut")
        end = min(self._at + len(buffer), self._at + self._piece, len(self._content))
        if self._cut is not None:
            end = min(end, self._cut)
        piece = self._content[self._at : end]
        buffer[: len(piece)] = piece
        self._at += len(piece)
        count(received=len(piece))
        return len(piece)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            buffer = bytearray(self._piece)
            got = await self.readinto(memoryview(buffer))
            if not got:
                return
            yield bytes(buffer[:got])


class MemoryRepository:
    files = None

    def __init__(self, source: MemorySource, name: str) -> None:
        self._source = source
        self._name = name
        self.manifests: dict[Digest, tuple[str, bytes]] = {}
        self.tagged: dict[str, Digest] = {}
        self.blobs: dict[Digest, bytes] = {}
        self.subjects: dict[Digest, list[Descriptor]] = {}

    @property
    def source(self) -> MemorySource:
        return self._source

    @property
    def name(self) -> str:
        return self._name

    def reference(self, target: Target | None = None) -> str:
        suffix = "" if target is None else f"@{target}" if ":" in target else f":{target}"
        return f"remote://{self._source.place.host}/{self._name}{suffix}"

    def _ask(self, verb: str, what: str) -> None:
        count(requests=1)
        self._source.requests.append((verb, f"{self._name}/{what}"))
        for hook in list(self._source.hooks):
            hook(self, verb, what)

    def _digest(self, target: Target) -> Digest:
        digest = Digest.parse(target) if ":" in target else self.tagged.get(target)
        if digest is None or digest not in self.manifests:
            raise NotFound(f"no {target} in {self._name}", reference=self.reference(target))
        return digest

    async def resolve(self, target: Target) -> Descriptor:
        self._ask("HEAD", target)
        digest = self._digest(target)
        media_type, raw = self.manifests[digest]
        return Descriptor(media_type, digest, len(raw))

    async def manifest(self, target: Target) -> Manifest:
        self._ask("GET", target)
        digest = self._digest(target)
        media_type, raw = self.manifests[digest]
        count(received=len(raw))
        return Manifest.parse(raw, media_type, digest)

    async def tags(self) -> AsyncIterator[Sequence[TagEntry]]:
        self._ask("GET", "tags")
        if self._source.describes_tags:
            entries = [TagEntry(Tag(tag), await self.resolve(parse_target(tag))) for tag in sorted(self.tagged)]
            untagged = set(self.manifests) - set(self.tagged.values())
            entries += [
                TagEntry(None, Descriptor(self.manifests[digest][0], digest, len(self.manifests[digest][1])))
                for digest in sorted(untagged)
            ]
            yield entries
        else:
            yield [TagEntry(Tag(tag)) for tag in sorted(self.tagged)]

    async def read_blob(self, descriptor: Descriptor, limit: int) -> bytes:
        self._ask("GET", descriptor.digest)
        if descriptor.digest not in self.blobs:
            raise NotFound(f"no blob {descriptor.digest}")
        content = self.blobs[descriptor.digest]
        if descriptor.size > limit:
            raise TooLarge(f"the blob has {descriptor.size} bytes, of which {limit} are read")
        descriptor.digest.verify(content, "the blob")
        count(received=len(content))
        return content

    @asynccontextmanager
    async def open_blob(
        self, descriptor: Descriptor, offset: int = 0, length: int | None = None
    ) -> AsyncIterator[BlobReader]:
        self._ask("GET", descriptor.digest)
        if descriptor.digest not in self.blobs:
            raise NotFound(f"no blob {descriptor.digest}")
        content = self.blobs[descriptor.digest]
        whole = offset == 0 and (length is None or length == len(content))
        if not whole and not self._source.serves_ranges:
            raise Unsupported("ranges are not served")
        wanted = len(content) - offset if length is None else length
        cut = self._source.cuts.pop(0) if self._source.cuts else None
        yield MemoryReader(content, offset, min(wanted, len(content) - offset), cut, self._source.piece)

    async def has_blob(self, descriptor: Descriptor) -> bool:
        self._ask("HEAD", descriptor.digest)
        return descriptor.digest in self.blobs

    async def put_blob(self, descriptor: Descriptor, content: BlobContent) -> None:
        self._ask("PUT", descriptor.digest)
        pieces = []
        async with content.open() as reader:
            async for piece in reader:
                count(sent=len(piece))
                pieces.append(piece)
        raw = b"".join(pieces)
        if Digest.of(raw) != descriptor.digest:
            raise DigestMismatch("the registry refused the blob")
        self.blobs[descriptor.digest] = raw

    async def mount_blob(self, descriptor: Descriptor, origin: Repository) -> bool:
        self._ask("POST", descriptor.digest)
        if not isinstance(origin, MemoryRepository) or origin.source is not self._source or not self._source.mounts:
            return False
        if descriptor.digest not in origin.blobs:
            return False
        self.blobs[descriptor.digest] = origin.blobs[descriptor.digest]
        return True

    async def put_manifest(self, raw: bytes, media_type: str, tag: str | None = None) -> Descriptor:
        digest = Digest.of(raw)
        self._ask("PUT", tag or digest)
        manifest = Manifest.parse(raw, media_type)
        for blob in (*((manifest.config,) if manifest.config else ()), *manifest.layers):
            if blob.digest not in self.blobs:
                raise RegistryError("MANIFEST_BLOB_UNKNOWN", status=404)
        self.manifests[digest] = (media_type, raw)
        if tag is not None:
            self.tagged[tag] = digest
        if manifest.subject is not None:
            self.subjects.setdefault(manifest.subject.digest, []).append(manifest.descriptor)
        for hook in list(self._source.after_put):
            hook(self, "PUT", tag or digest)
        return Descriptor(media_type, digest, len(raw))

    async def untag(self, tag: str) -> None:
        self._ask("DELETE", tag)
        if self._source.powers["untag"].denied:
            power = self._source.powers["untag"]
            raise Unsupported(power.reason, hint=power.remedy)
        if self.tagged.pop(tag, None) is None:
            raise NotFound(f"no tag {tag}")

    async def delete(self, digest: Digest) -> None:
        self._ask("DELETE", digest)
        if self._source.powers["delete"].denied:
            power = self._source.powers["delete"]
            raise Unsupported(power.reason, hint=power.remedy)
        if self.manifests.pop(digest, None) is None:
            raise NotFound(f"no {digest}")
        self.tagged = {tag: at for tag, at in self.tagged.items() if at != digest}

    async def referrers(self, digest: Digest) -> Sequence[Descriptor]:
        self._ask("GET", f"referrers/{digest}")
        return tuple(self.subjects.get(digest, ()))

    # What tests fill it with.

    def add_kit(
        self,
        name: str,
        *tags: str,
        layers: Sequence[tuple[str, bytes]] = (),
        annotations: Mapping[str, str] | None = None,
        **kitfile: Any,
    ) -> Manifest:
        """A ModelKit with a package name and (media type, content) layers, under the tags."""
        config = json.dumps({"manifestVersion": "1.0.0", "package": {"name": name}, **kitfile}).encode()
        blobs = [(KIT_CONFIG, config), *layers]
        documents = []
        for media_type, content in blobs:
            digest = Digest.of(content)
            self.blobs[digest] = content
            documents.append({"mediaType": media_type, "digest": digest, "size": len(content)})
        document: dict[str, Any] = {"schemaVersion": 2, "config": documents[0], "layers": documents[1:]}
        document |= {"annotations": dict(annotations)} if annotations else {}
        raw = json.dumps(document).encode()
        manifest = Manifest.parse(raw, OCI_MANIFEST)
        self.manifests[manifest.digest] = (OCI_MANIFEST, raw)
        for tag in tags:
            self.tagged[tag] = manifest.digest
        return manifest


def traits_of(place: Place) -> Traits:
    """What a real source in that place would say of itself."""
    near = place.kind != "remote"
    title = "the local store" if place.kind == "local" else place.host or f"the layout {place.directory}"
    return Traits(title, free=near, lists_digests=near, is_store=place.kind == "local")


class MemorySource:
    """`hooks` run before each request and may raise or change things, `after_put` once a manifest is stored."""

    def __init__(self, host: str = "registry.test") -> None:
        self.place = Place("remote", host=host)
        self.requests: list[tuple[str, str]] = []
        self.hooks: list[Hook] = []
        self.after_put: list[Hook] = []
        self.cuts: list[int | None] = []
        self.piece = 65536
        self.serves_ranges = True
        self.describes_tags = False
        self.at_once = AT_ONCE
        self.mounts = True
        self.powers: dict[str, Power] = {"untag": YES, "delete": YES, "write": YES}
        self.found: dict[str, MemoryRepository] = {}
        self.closed = False

    @property
    def traits(self) -> Traits:
        return replace(traits_of(self.place), at_once=self.at_once)

    @property
    def capabilities(self) -> Capabilities:
        ranges = YES if self.serves_ranges else UNKNOWN
        return Capabilities(catalog=YES, ranges=ranges, mount=YES, referrers=YES, **self.powers)

    async def repositories(self) -> AsyncIterator[Sequence[RepositoryEntry]]:
        yield [RepositoryEntry(name) for name in sorted(self.found)]

    def repository(self, name: str) -> MemoryRepository:
        return self.found.setdefault(name, MemoryRepository(self, name))

    async def aclose(self) -> None:
        self.closed = True
