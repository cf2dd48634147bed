"""One repository of a registry: manifests, tags and blobs read (distribution-spec, "Pull" and "Content Discovery")."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import httpx

from kittui.errors import (
    ConnectionLost,
    Denied,
    DigestMismatch,
    Malformed,
    RegistryError,
    TooLarge,
    Unsupported,
)
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.oci.manifest import Manifest
from kittui.oci.media_types import ACCEPT_MANIFESTS, MANIFEST_LIMIT
from kittui.oci.protocols import YES, BlobFiles, BlobReader, Power, TagEntry
from kittui.oci.reference import check_tag
from kittui.registry.auth import Scopes, repository_scope
from kittui.registry.blobs import EmptyReader, HttpBlobReader, wrong_range
from kittui.registry.headers import parse_content_range, parse_length
from kittui.registry.pages import names
from kittui.registry.session import Call, Session, origin

if TYPE_CHECKING:
    from kittui.registry.source import RegistrySource

_ACCEPT = ", ".join(ACCEPT_MANIFESTS)
_RESOLVED_SECONDS = 300.0
NO_RANGES = Power("no", "this registry does not serve parts of a blob", "Pull the ModelKit: whole layers can be read.")


class RegistryRepository:
    """A repository; `name` is checked already. Reading half: the writing half is in `uploads` and `removal`."""

    def __init__(self, source: RegistrySource, session: Session, name: str) -> None:
        self._source = source
        self._session = session
        self._name = name
        self._elsewhere: dict[Digest, tuple[httpx.URL, float]] = {}

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

    def reference(self, target: str | None = None) -> str:
        """`remote://HOST/NAME:TAG` or `@DIGEST`."""
        mark = "" if target is None else f"@{target}" if ":" in target else f":{target}"
        return f"remote://{self._session.host}/{self._name}{mark}"

    def _scopes(self, *actions: str) -> Scopes:
        return frozenset({repository_scope(self._name, *actions)})

    async def resolve(self, target: str) -> Descriptor:
        """By HEAD; by GET where the registry leaves out digest or size there. Raises NotFound."""
        target = _check_target(target)
        call = Call(
            "HEAD", f"{self._name}/manifests/{target}", f"look up {target}", self._scopes("pull"), {"Accept": _ACCEPT},
            ok=(200, 405),
        )  # fmt: skip
        answer = await self._session.ask(call)
        stated, size = answer.headers.get("Docker-Content-Digest"), parse_length(answer.headers.get("Content-Length"))
        media_type = answer.headers.get("Content-Type", "").partition(";")[0].strip()
        if answer.status == 200 and stated and size and media_type:
            digest = Digest.parse(stated)
            if ":" in target and digest != target:
                raise DigestMismatch(f"{self._session.host} answers another digest than was asked for")
            return Descriptor(media_type, digest, size)
        return (await self.manifest(target)).descriptor

    async def manifest(self, target: str) -> Manifest:
        """Verified against the digest that was asked for, or that the registry states for the tag."""
        target = _check_target(target)
        call = Call(
            "GET", f"{self._name}/manifests/{target}", f"read the manifest {target}", self._scopes("pull"),
            {"Accept": _ACCEPT},
        )  # fmt: skip
        answer = await self._session.ask(call, MANIFEST_LIMIT)
        stated = answer.headers.get("Docker-Content-Digest")
        digest = Digest.parse(target) if ":" in target else Digest.parse(stated) if stated else None
        return Manifest.parse(answer.body, answer.headers.get("Content-Type"), digest)

    async def tags(self) -> AsyncIterator[Sequence[TagEntry]]:
        """The names, each once, in the registry's order; raises NotFound for an unknown repository."""
        call = Call("GET", f"{self._name}/tags/list", f"list the tags of {self._name}", self._scopes("pull"))
        async for page in names(self._session, call, "tags", check_tag):
            yield [TagEntry(name) for name in page]

    async def read_blob(self, descriptor: Descriptor, limit: int) -> bytes:
        """Whole and verified; tried again when the connection breaks. Raises TooLarge, DigestMismatch."""
        if descriptor.size > limit:
            raise TooLarge(
                f"the blob {descriptor.digest.short} has {descriptor.size} bytes, more than the {limit} that are read"
            )
        tries = self._session.patience.tries
        for attempt in range(1, tries + 1):
            content = bytearray()
            try:
                async with self.open_blob(descriptor) as reader:
                    async for piece in reader:
                        content += piece
            except ConnectionLost:
                if attempt == tries:
                    raise
                continue
            whole = bytes(content)
            descriptor.digest.verify(whole, f"the blob {descriptor.digest.short}")
            return whole
        raise AssertionError("the last try returns or raises")

    @asynccontextmanager
    async def open_blob(
        self, descriptor: Descriptor, offset: int = 0, length: int | None = None
    ) -> AsyncIterator[BlobReader]:
        """By range where a part is asked for; a whole is asked for without. Raises Unsupported, NotFound."""
        length = descriptor.size - offset if length is None else length
        if offset < 0 or length < 0 or offset + length > descriptor.size:
            raise Malformed(f"bytes {offset} to {offset + length} are not in a blob of {descriptor.size}")
        if length == 0:
            yield EmptyReader(offset)
            return
        whole = offset == 0 and length == descriptor.size
        headers = {} if whole else {"Range": f"bytes={offset}-{offset + length - 1}"}
        async with self._blob(descriptor, headers) as response:
            self._check_stretch(response, descriptor, offset, length, whole=whole)
            yield HttpBlobReader(response, offset, length, self._session.patience)

    @asynccontextmanager
    async def _blob(self, descriptor: Descriptor, headers: dict[str, str]) -> AsyncIterator[httpx.Response]:
        """The response of a blob, from where the registry sent us lately; asked again when that has expired."""
        digest = descriptor.digest
        ranged = "Range" in headers
        call = Call(
            "GET", f"{self._name}/blobs/{digest}", f"read the blob {digest.short}", self._scopes("pull"), headers,
            ok=(200, 206, 400, 403, 416) if ranged else (200,),
        )  # fmt: skip
        lately = self._elsewhere.get(digest)
        if lately is not None and time.monotonic() - lately[1] < _RESOLVED_SECONDS:
            again = Call(
                "GET", doing=call.doing, headers=headers, ok=range(200, 500), url=lately[0], scopes=call.scopes
            )
            async with self._session.stream(again) as response:
                if response.status_code in (200, 206):
                    yield response
                    return
            del self._elsewhere[digest]
        async with self._session.stream(call) as response:
            url = response.request.url
            if response.status_code in (200, 206) and origin(url) != origin(await self._session.base()):
                self._elsewhere[digest] = (url, time.monotonic())
            yield response

    def _check_stretch(
        self, response: httpx.Response, descriptor: Descriptor, offset: int, length: int, *, whole: bool
    ) -> None:
        host = self._session.host
        if response.status_code == 206:
            written = response.headers.get("Content-Range")
            found = parse_content_range(written)
            asked = (offset, length)
            if found is None or (found.start, found.length) != asked or found.total not in (None, descriptor.size):
                raise wrong_range(host, written)
            self._source.learn(ranges=YES)
        elif response.status_code != 200:
            if response.status_code == 403:
                raise Denied(f"{host} does not allow to read the blob {descriptor.digest.short}")
            raise self._no_ranges()
        elif not whole:
            raise self._no_ranges()
        stated = parse_length(response.headers.get("Content-Length"))
        if stated is not None and stated != length:
            raise RegistryError(
                f"{host} has {stated} bytes where the manifest says {length} ({descriptor.digest.short})",
                hint="The ModelKit can't be read as its manifest describes it.",
            )

    def _no_ranges(self) -> Unsupported:
        self._source.learn(ranges=NO_RANGES)
        return Unsupported(f"{self._session.host}: {NO_RANGES.reason}", hint=NO_RANGES.remedy)

    async def has_blob(self, descriptor: Descriptor) -> bool:
        """By HEAD."""
        call = Call(
            "HEAD", f"{self._name}/blobs/{descriptor.digest}", f"look for the blob {descriptor.digest.short}",
            self._scopes("pull"), ok=(200, 404),
        )  # fmt: skip
        return (await self._session.ask(call)).status == 200


def _check_target(target: str) -> str:
    """A tag or digest before it becomes part of a URL; raises BadReference."""
    return Digest.parse(target) if ":" in target else check_tag(target)
