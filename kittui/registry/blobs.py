"""Reads blobs of one repository: stretches by HTTP range, never more than requested; small ones whole and verified."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager, suppress

import httpx

from kittui.errors import Malformed, NetworkError, RegistryError, TooLarge, Unsupported
from kittui.oci.content import BytesReader
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.oci.protocols import YES, BlobReader, Power
from kittui.registry.calls import Call, read_some
from kittui.registry.headers import parse_content_range, parse_length
from kittui.registry.problems import Complaint, http_problem
from kittui.registry.readers import HttpBlobReader
from kittui.registry.scopes import repository_scope
from kittui.registry.session import Session

_RESOLVED_SECONDS = 300.0
NO_RANGES = Power("no", "this registry does not serve parts of a blob", "Pull the ModelKit: whole layers can be read.")


class Blobs:
    """Reads the blobs of the repository `name`; `learn` is called with whether the registry serves ranges."""

    def __init__(self, session: Session, name: str, learn: Callable[..., None]) -> None:
        self._session = session
        self._name = name
        self._scopes = frozenset({repository_scope(name, "pull")})
        self._learn = learn
        self._elsewhere: dict[Digest, tuple[httpx.URL, float]] = {}

    async def read(self, descriptor: Descriptor, limit: int) -> bytes:
        """Read a whole blob, verified; retries if the connection breaks. Raises TooLarge, DigestMismatch."""
        if descriptor.size > limit:
            raise TooLarge(
                f"the blob {descriptor.digest.short} has {descriptor.size} bytes, more than the {limit} that are read",
                hint="A config or similar blob is never that large: the manifest may be wrong.",
            )
        with self._session.retries() as retries:
            while True:
                try:
                    async with self.open(descriptor) as reader:
                        content = b"".join([piece async for piece in reader])
                except NetworkError as error:
                    await retries.after(error)
                    continue
                descriptor.digest.verify(content, f"the blob {descriptor.digest.short}")
                return content

    @asynccontextmanager
    async def open(
        self, descriptor: Descriptor, offset: int = 0, length: int | None = None
    ) -> AsyncIterator[BlobReader]:
        """Open a stretch, by range unless it is the whole blob. Raises Unsupported, NotFound."""
        length = descriptor.size - offset if length is None else length
        if offset < 0 or length < 0 or offset + length > descriptor.size:
            raise Malformed(f"bytes {offset} to {offset + length} are not in a blob of {descriptor.size}")
        if length == 0:
            yield BytesReader(b"", offset)
            return
        whole = offset == 0 and length == descriptor.size
        headers = {} if whole else {"Range": f"bytes={offset}-{offset + length - 1}"}
        response = await self._response(descriptor, headers)
        doing = f"read the blob {descriptor.digest.short}"
        watch = self._session.watch(doing)
        try:
            if response.status_code == 403 and self._session.is_home(response):
                complaint = Complaint.parse(await read_some(response, watch))
                raise http_problem(403, complaint, self._session.host, doing)
            self._check(response, descriptor, offset, length, whole=whole)
            yield HttpBlobReader(response, offset, length, watch)
        finally:
            await response.aclose()

    async def _response(self, descriptor: Descriptor, headers: dict[str, str]) -> httpx.Response:
        """Request the blob from the last redirect target; ask the registry again once that has expired."""
        digest = descriptor.digest
        doing = f"read the blob {digest.short}"
        lately = self._elsewhere.pop(digest, None)
        if lately is not None and time.monotonic() - lately[1] < _RESOLVED_SECONDS:
            ok: Collection[int] = range(200, 600)
            again = Call("GET", doing=doing, headers=headers, ok=ok, url=lately[0], repeat=False, blob=True)
            with suppress(NetworkError):
                response = await self._session.begin(again)
                if response.status_code in (200, 206):
                    self._elsewhere[digest] = lately
                    return response
                await response.aclose()
        ok = (200, 206, 400, 403, 416) if headers else (200,)
        call = Call("GET", f"{self._name}/blobs/{digest}", doing, self._scopes, headers, ok=ok, blob=True)
        response = await self._session.begin(call)
        if response.status_code in (200, 206) and not self._session.is_home(response):
            self._elsewhere[digest] = (response.request.url, time.monotonic())
        return response

    def _check(
        self, response: httpx.Response, descriptor: Descriptor, offset: int, length: int, *, whole: bool
    ) -> None:
        """Raise unless the body is exactly the requested stretch."""
        host = self._session.host
        if response.status_code == 206:
            written = response.headers.get("Content-Range")
            found = parse_content_range(written)
            asked = (offset, length)
            if found is None or (found.start, found.length) != asked or found.total not in (None, descriptor.size):
                raise RegistryError(
                    f"{host} returned a different range than requested ({(written or 'none stated')[:100]})",
                    status=206,
                    hint="The registry or a proxy in front of it is at fault; the whole layer can still be pulled.",
                )
            self._learn(ranges=YES)
        elif response.status_code != 200 or not whole:
            self._learn(ranges=NO_RANGES)
            raise Unsupported(f"{host}: {NO_RANGES.reason}", hint=NO_RANGES.remedy)
        stated = parse_length(response.headers.get("Content-Length"))
        if stated is not None and stated != length:
            raise RegistryError(
                f"{host} has {stated} bytes instead of the requested {length} ({descriptor.digest.short})",
                hint="The ModelKit can't be read as its manifest describes it.",
            )
