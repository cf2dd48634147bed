"""Uploads blobs: in one PUT if the registry accepts that, else in chunks, resumed if possible."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

import httpx

from kittui.crashpoints import crash_point
from kittui.errors import (
    AuthError,
    ConnectionLost,
    DigestMismatch,
    KittuiError,
    NetworkError,
    NotFound,
    RegistryError,
    Unsupported,
)
from kittui.oci.descriptor import Descriptor
from kittui.oci.protocols import BlobContent
from kittui.registry.bodies import Stretch
from kittui.registry.calls import Answer, Call, origin
from kittui.registry.headers import parse_length, parse_upload_range
from kittui.registry.problems import Complaint, too_long
from kittui.registry.redirects import REDIRECTS
from kittui.registry.refusals import NOT_TAKEN, not_taken
from kittui.registry.scopes import repository_scope
from kittui.registry.session import Session
from kittui.registry.upload_ways import Way

log = logging.getLogger("kittui.registry")

CHUNK = 64 * 1024 * 1024
"""Bytes of the first chunks: below the limit of most proxies."""
SHORTEST = 1024 * 1024
"""Bytes of the shortest chunk: nginx's default limit."""
_STORED_A_SECOND = 20 * 1024 * 1024
"""A registry gets one more second to answer for each so many bytes, which it must write to its storage."""
_OCTETS = "application/octet-stream"
_REFUSALS = (400, 404, 405, 411, 413, 416, 501)


@dataclass
class _Upload:
    """An upload session of the registry: its address, the bytes received, and the limits for chunks."""

    url: httpx.URL
    offset: int = 0
    least: int = 0
    most: int | None = None


NO_HEAD = (400, 403, 405, 501)
"""Answers to a HEAD that say nothing about the blob: some registries and gateways still serve it by GET."""


class _Refused(Exception):
    """A request of so many bytes was refused in a way that another way of uploading may avoid."""

    def __init__(self, answer: Answer, length: int) -> None:
        super().__init__(answer.status)
        self.answer = answer
        self.length = length


class Uploads:
    """Uploads blobs into the repository `name`."""

    def __init__(self, session: Session, name: str) -> None:
        self._session = session
        self._name = name
        self._scopes = frozenset({repository_scope(name, "pull", "push")})

    async def put(self, descriptor: Descriptor, content: BlobContent) -> None:
        """Store a blob; the registry checks its digest.

        Broken connections are retried as long as there is progress. Raises DigestMismatch for different bytes,
        ContentError for more or fewer than the descriptor says, and what the last attempt raised. An unfinished upload
        session is cancelled.
        """
        limits = self._session.limits
        await asyncio.to_thread(limits.recall)
        way = Way(limits, descriptor.size, CHUNK, SHORTEST)
        upload: _Upload | None = None
        furthest = 0
        finished = failed = False
        with self._session.retries() as retries:
            try:
                while not finished:
                    try:
                        if failed and await self.has(descriptor):
                            break
                        if failed and upload is not None:
                            upload = await self._resumed(upload, way)
                        failed = False
                        upload = upload or await self._begin()
                        await self._send(upload, descriptor, content, way)
                        finished = True
                    except _Refused as refused:
                        if not way.refuse(refused.answer.status, refused.length):
                            raise self._refusal(descriptor, refused) from None
                        log.info("%s: an upload is refused (%s): another way", self._session.host, refused)
                        if upload is not None:
                            await self._abort(upload)
                        upload = None
                    except NetworkError as error:
                        failed = True
                        reached = upload.offset if upload is not None else 0
                        await retries.after(error, progress=reached > furthest)
                        furthest = max(furthest, reached)
                if way.succeed():
                    await asyncio.to_thread(limits.keep, limits.refused, limits.chunk)
            finally:
                if upload is not None and not finished:
                    await asyncio.shield(self._abort(upload))

    async def has(self, descriptor: Descriptor) -> bool | None:
        """Whether the repository holds the blob, by HEAD: a redirect to its storage is also a yes.

        None if the registry refuses the HEAD itself, which says nothing about the blob.
        """
        path = f"{self._name}/blobs/{descriptor.digest}"
        scopes = frozenset({repository_scope(self._name, "pull")})
        known = (200, 404, *NO_HEAD, *REDIRECTS)
        call = Call("HEAD", path, f"look for the blob {descriptor.digest.short}", scopes, ok=known)
        answer = await self._session.ask(call)
        if answer.status in NO_HEAD:
            return None
        if answer.status not in REDIRECTS:
            return answer.status == 200
        target = self._session.join(answer.url, answer.headers.get("Location", ""))
        if origin(target) != origin(answer.url) and not target.path.startswith("/v2/"):
            return True
        again = Call("HEAD", doing=call.doing, scopes=scopes, ok=(200, 404), url=target)
        return (await self._session.ask(again)).status == 200

    async def mount(self, descriptor: Descriptor, origin: str) -> bool:
        """Mount the blob from the registry's repository `origin`; False if it won't."""
        scopes = self._scopes | {repository_scope(origin, "pull")}
        path = f"{self._name}/blobs/uploads/?mount={descriptor.digest}&from={origin}"
        call = Call("POST", path, f"mount the blob {descriptor.digest.short}", scopes, ok=(201, 202), repeat=False)
        try:
            answer = await self._session.ask(call)
        except (NotFound, AuthError) as error:
            log.info("%s: no mount from %s: %s", self._session.host, origin, error.message)
            return False
        except RegistryError as error:
            if error.status is None or error.status >= 500:
                raise
            return False
        if answer.status == 201:
            return True
        await self._abort(self._continued(answer))
        return False

    async def _begin(self) -> _Upload:
        path = f"{self._name}/blobs/uploads/"
        call = Call("POST", path, "begin an upload", self._scopes, ok=(202, *NOT_TAKEN), body=b"")
        answer = await self._session.ask(call)
        if answer.status in NOT_TAKEN:
            raise not_taken(answer, self._session.host, call.doing)
        return self._continued(answer)

    def _continued(self, answer: Answer, offset: int = 0) -> _Upload:
        location = answer.headers.get("Location")
        if location is None:
            raise RegistryError(f"{self._session.host} does not say where the upload continues", status=answer.status)
        url = self._session.join(answer.url, location, upgrade=True)
        least = parse_length(answer.headers.get("OCI-Chunk-Min-Length")) or 0
        return _Upload(url, offset, least, parse_length(answer.headers.get("OCI-Chunk-Max-Length")))

    async def _send(self, upload: _Upload, descriptor: Descriptor, content: BlobContent, way: Way) -> None:
        """Send what is missing, then the closing PUT; updates `upload`."""
        size = descriptor.size
        if upload.offset > size:
            raise self._lost()
        chunk = way.chunk(upload.least, upload.most)
        while chunk is not None and upload.offset < size:
            await self._patch(upload, content, min(size, upload.offset + chunk), way)
        crash_point("registry.blob.before-put")
        url = upload.url.copy_merge_params({"digest": str(descriptor.digest)})
        doing = f"store the blob {descriptor.digest.short}"
        answer = await self._transfer("PUT", doing, url, content, upload.offset, size, way, stored=size)
        crash_point("registry.blob.after-put")
        if answer.status < 300:
            return
        if answer.status == 400 and chunk is None:
            raise self._bad_bytes(descriptor, answer)
        if answer.status in (404, 416) and chunk is None:
            raise self._lost()
        raise _Refused(answer, size - upload.offset if chunk is None else chunk)

    async def _patch(self, upload: _Upload, content: BlobContent, end: int, way: Way) -> None:
        start = upload.offset
        answer = await self._transfer(
            "PATCH", "upload a chunk", upload.url, content, start, end, way, stored=end - start
        )
        if answer.status >= 300:
            if start and answer.status in (400, 404, 416):
                raise self._lost()
            raise _Refused(answer, end - start)
        following = self._continued(answer) if "Location" in answer.headers else upload
        upload.url = following.url
        reached = parse_upload_range(answer.headers.get("Range"))
        if reached is not None and reached != end:
            # Some registries count from the chunk's start, or stay at the first one's end: ask for the upload's state.
            reached = await self._held(upload)
        if reached is not None and reached - start < (end - start) // 2:
            raise _Refused(answer, end - start)
        upload.offset = end if reached is None else min(end, reached)

    async def _transfer(
        self,
        method: str,
        doing: str,
        url: httpx.URL,
        content: BlobContent,
        start: int,
        end: int,
        way: Way,
        *,
        stored: int,
    ) -> Answer:
        """Send a part of the blob; the registry then writes `stored` bytes to its storage. Reports cuts to the way."""
        headers = {"Content-Type": _OCTETS, "Content-Length": str(end - start)}
        if method == "PATCH":
            headers["Content-Range"] = f"{start}-{end - 1}"
        body = Stretch(content, start, end, self._session.watch(doing))
        call = Call(
            method,
            doing=doing,
            scopes=self._scopes,
            headers=headers,
            ok=(200, 201, 202, 204, *_REFUSALS),
            body=body if end > start else b"",
            url=url,
            repeat=False,
            blob=True,
            longer=stored / _STORED_A_SECOND,
        )
        try:
            return await self._session.ask(call)
        except ConnectionLost:
            way.cut(end - start, on_the_way=not body.reading)
            raise

    async def _held(self, upload: _Upload) -> int | None:
        """How many bytes the registry has of an upload; None if it does not say."""
        ok = (200, 202, 204, *_REFUSALS)
        answer = await self._session.ask(
            Call("GET", doing="resume the upload", scopes=self._scopes, ok=ok, url=upload.url)
        )
        if answer.status >= 300:
            return None
        if "Location" in answer.headers:
            upload.url = self._continued(answer).url
        return parse_upload_range(answer.headers.get("Range"))

    async def _resumed(self, upload: _Upload, way: Way) -> _Upload | None:
        """Resume the upload from where the registry has it; None, and it is dropped, if it must start again."""
        if way.chunk() is not None:
            held = await self._held(upload)
            if held is not None and held > 1:  # an empty upload is reported to end at byte 0
                return _Upload(upload.url, held, upload.least, upload.most)
        await self._abort(upload)
        return None

    async def _abort(self, upload: _Upload) -> None:
        """Cancel the session; a registry that can't do that cleans up by itself."""
        call = Call(
            "DELETE", doing="drop the upload", scopes=self._scopes, ok=range(200, 500), url=upload.url, repeat=False
        )
        try:
            async with asyncio.timeout(2.0):
                await self._session.ask(call)
        except (KittuiError, TimeoutError) as error:
            log.info("%s: an upload session remains: %s", self._session.host, error)

    def _lost(self) -> ConnectionLost:
        return ConnectionLost(f"{self._session.host} has lost the upload", hint="Try again later.")

    def _refusal(self, descriptor: Descriptor, refused: _Refused) -> KittuiError:
        answer = refused.answer
        if answer.status == 413:
            return too_long(self._session.host, refused.length, answer.headers.get("Server", ""))
        if answer.status == 400:
            return self._bad_bytes(descriptor, answer)
        return RegistryError(
            f"{self._session.host} takes the blob {descriptor.digest.short} neither whole nor in chunks "
            f"(the last answer: {answer.status}{_said(answer)})",
            status=answer.status,
            hint="The registry, or a proxy before it, blocks uploads.",
        )

    def _bad_bytes(self, descriptor: Descriptor, answer: Answer) -> KittuiError:
        code = Complaint.parse(answer.body).code
        if code in ("DIGEST_INVALID", "SIZE_INVALID"):
            return DigestMismatch(
                f"{self._session.host} received bytes that don't match {descriptor.digest.short}",
                hint="The source's copy is damaged, or the network altered it; nothing was stored.",
            )
        if code == "UNSUPPORTED":
            return Unsupported(f"{self._session.host} does not accept uploads", hint="It may be read-only.")
        return RegistryError(
            f"could not store the blob {descriptor.digest.short}: {self._session.host} answered 400{_said(answer)}",
            status=400,
        )


def _said(answer: Answer) -> str:
    complaint = str(Complaint.parse(answer.body))
    return f" ({complaint})" if complaint else ""
