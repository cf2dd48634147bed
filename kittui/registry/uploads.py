"""Writing blobs: whole in one PUT, big ones in chunks that are resumed where the registry can."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx

from kittui.crashpoints import crash_point
from kittui.disk.buffers import read_buffer
from kittui.disk.durable import storage_error
from kittui.errors import (
    AuthError,
    ConnectionLost,
    ContentError,
    DigestMismatch,
    KittuiError,
    NetworkError,
    NotFound,
    RegistryError,
    Unsupported,
)
from kittui.oci.descriptor import Descriptor
from kittui.oci.protocols import BlobContent, SupportsFile
from kittui.oci.traffic import count
from kittui.registry.auth import repository_scope
from kittui.registry.calls import Answer, Call
from kittui.registry.direct import DIRECT, Pipe
from kittui.registry.headers import parse_length, parse_upload_range
from kittui.registry.readers import StallWatch
from kittui.registry.session import Session

log = logging.getLogger("kittui.registry")

CHUNK = 1024 * 1024 * 1024
"""Bytes per PATCH; blobs up to twice that go in one PUT. A registry brings each to its disk before it answers, and what
it has of one that is cut it tells when it can go on with it, so that smaller ones cost more than they save."""
_BUFFER = 512 * 1024
"""Bytes read at once of what is no file."""
_OCTETS = "application/octet-stream"


@dataclass
class _Upload:
    """An upload session of the registry: where it is continued, how much it has, how long its chunks must be."""

    url: httpx.URL
    offset: int = 0
    shortest: int = 0


class _Lost(Exception):
    """The registry has forgotten the upload session: it must begin again."""


class Uploads:
    """The blobs that are put into the repository `name`."""

    def __init__(self, session: Session, name: str) -> None:
        self._session = session
        self._name = name
        self._scopes = frozenset({repository_scope(name, "pull", "push")})

    async def put(self, descriptor: Descriptor, content: BlobContent) -> None:
        """Store a blob; the registry checks its digest. Cuts are tried again, as long as there is progress.

        Raises DigestMismatch when the bytes are other ones, ContentError when there are more or fewer than the
        descriptor says, and what the last try raised. The upload session is taken back when it is left unfinished.
        """
        upload: _Upload | None = None
        furthest = failures = 0
        finished = False
        try:
            while not finished:
                try:
                    if upload is None:
                        upload = await self._begin()
                    await self._send(upload, descriptor, content)
                    finished = True
                except (NetworkError, _Lost) as error:
                    if upload is not None and upload.offset > furthest:
                        furthest, failures = upload.offset, 0
                    failures += 1
                    problem = error if isinstance(error, KittuiError) else None
                    if failures >= self._session.patience.tries or not self._worth_a_try(problem):
                        raise problem or ConnectionLost(
                            f"{self._session.host} loses the upload again and again", hint="Try again later."
                        ) from error
                    await self._session.pause(failures, problem)
                    finished = await self.has(descriptor)
                    upload = await self._resume(upload) if upload is not None and not finished else None
        finally:
            if upload is not None and not finished:
                await asyncio.shield(self._abort(upload))

    async def has(self, descriptor: Descriptor) -> bool:
        """Whether the repository holds the blob, by HEAD."""
        path = f"{self._name}/blobs/{descriptor.digest}"
        scopes = frozenset({repository_scope(self._name, "pull")})
        call = Call("HEAD", path, f"look for the blob {descriptor.digest.short}", scopes, ok=(200, 404))
        return (await self._session.ask(call)).status == 200

    async def mount(self, descriptor: Descriptor, origin: str) -> bool:
        """Have the registry take the blob over from its repository `origin`; False where it won't."""
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
        return self._continued(
            await self._session.ask(Call("POST", path, "begin an upload", self._scopes, ok=(202,), body=b""))
        )

    def _continued(self, answer: Answer, offset: int = 0) -> _Upload:
        location = answer.headers.get("Location")
        if location is None:
            raise RegistryError(f"{self._session.host} does not say where the upload goes on", status=answer.status)
        shortest = parse_length(answer.headers.get("OCI-Chunk-Min-Length")) or 0
        return _Upload(self._session.join(answer.url, location, upgrade=True), offset, shortest)

    async def _send(self, upload: _Upload, descriptor: Descriptor, content: BlobContent) -> None:
        """What is missing, then the closing PUT; `upload` follows along."""
        size = descriptor.size
        if upload.offset > size:
            raise _Lost
        chunked = size > 2 * CHUNK or upload.offset > 0
        while chunked and upload.offset < size:
            end = min(size, upload.offset + max(CHUNK, upload.shortest))
            await self._patch(upload, content, end)
        body = None if chunked else _Stretch(content, 0, size, self._watch())
        call = Call(
            "PUT",
            doing=f"store the blob {descriptor.digest.short}",
            scopes=self._scopes,
            headers={"Content-Type": _OCTETS, "Content-Length": "0" if chunked else str(size)},
            ok=(200, 201, 202, 400, 404, 416),
            body=body or b"",
            url=upload.url.copy_merge_params({"digest": str(descriptor.digest)}),
            repeat=False,
            extensions={} if chunked else {DIRECT: True},
        )
        crash_point("registry.blob.before-put")
        answer = await self._session.ask(call)
        crash_point("registry.blob.after-put")
        if answer.status in (404, 416):
            raise _Lost
        if answer.status == 400:
            raise self._bad_bytes(descriptor, answer)

    async def _patch(self, upload: _Upload, content: BlobContent, end: int) -> None:
        start = upload.offset
        call = Call(
            "PATCH",
            doing="upload a chunk",
            scopes=self._scopes,
            headers={
                "Content-Type": _OCTETS,
                "Content-Length": str(end - start),
                "Content-Range": f"{start}-{end - 1}",
            },
            ok=(202, 400, 404, 416),
            body=_Stretch(content, start, end, self._watch()),
            url=upload.url,
            repeat=False,
            extensions={DIRECT: True},
        )
        answer = await self._session.ask(call)
        if answer.status != 202:
            raise _Lost
        reached = parse_upload_range(answer.headers.get("Range"))
        if reached is None or not start < reached <= end:
            reached = end if reached is None else start
        if reached == start:
            raise _Lost
        following = self._continued(answer, reached)
        upload.url, upload.offset = following.url, following.offset

    async def _resume(self, upload: _Upload) -> _Upload | None:
        """Ask how much the registry has of it; None where it doesn't know the upload any more."""
        call = Call("GET", doing="resume the upload", scopes=self._scopes, ok=(200, 204, 404, 400, 405), url=upload.url)
        try:
            answer = await self._session.ask(call)
        except NetworkError:
            return None
        reached = parse_upload_range(answer.headers.get("Range"))
        if answer.status not in (200, 204) or reached is None or reached == 1:
            if answer.status != 404:
                await self._abort(upload)
            return None
        if "Location" not in answer.headers:
            return _Upload(upload.url, reached, upload.shortest)
        return self._continued(answer, reached)

    async def _abort(self, upload: _Upload) -> None:
        """Take the session back; a registry that can't is left to clean up by itself."""
        call = Call(
            "DELETE", doing="drop the upload", scopes=self._scopes, ok=range(200, 500), url=upload.url, repeat=False
        )
        try:
            async with asyncio.timeout(2.0):
                await self._session.ask(call)
        except (KittuiError, TimeoutError) as error:
            log.info("%s: an upload session is left behind: %s", self._session.host, error)

    def _watch(self) -> StallWatch:
        return StallWatch(self._session.patience, self._session.host)

    def _worth_a_try(self, problem: KittuiError | None) -> bool:
        if isinstance(problem, RegistryError):
            return problem.status is not None and problem.status >= 500
        return problem is None or isinstance(problem, ConnectionLost) or self._session.is_busy(problem)

    def _bad_bytes(self, descriptor: Descriptor, answer: Answer) -> KittuiError:
        complaint = answer.body[:200].decode("utf-8", "replace")
        if "DIGEST_INVALID" in complaint or "SIZE_INVALID" in complaint:
            return DigestMismatch(
                f"{self._session.host} got bytes that are not those of {descriptor.digest.short}",
                hint="The source's copy is damaged, or the network changed it; nothing was stored.",
            )
        if "UNSUPPORTED" in complaint:
            return Unsupported(f"{self._session.host} does not take uploads", hint="It may be read-only.")
        return RegistryError(
            f"could not store the blob {descriptor.digest.short}: {self._session.host} answered 400 ({complaint})",
            status=400,
        )


class _Stretch:
    """Opens the bytes from `start` to `end` of a blob as the body of one request; may be opened again.

    It is a `direct.Upload` too.
    """

    def __init__(self, content: BlobContent, start: int, end: int, watch: StallWatch) -> None:
        self._content = content
        self._start = start
        self._end = end
        self._watch = watch

    async def __call__(self) -> AsyncIterator[bytes]:
        """The pieces; the time the network takes for each is watched. Raises ContentError at a wrong length."""
        left = self._end - self._start
        if left == 0:
            return
        async with self._content.open(self._start) as reader:
            async for piece in reader:
                part = piece if len(piece) <= left else piece[:left]
                left -= len(part)
                handed = time.monotonic()
                yield part
                self._watch.saw(time.monotonic() - handed, len(part))
                count(sent=len(part))
                if left == 0:
                    return
        raise _too_short()

    async def pour(self, pipe: Pipe) -> None:
        """The same by a direct connection: from the file where there is one, else through one buffer."""
        at, end = self._start, self._end
        if at == end:
            return
        buffer = read_buffer(min(_BUFFER, end - at))
        async with self._content.open(at) as reader:
            straight = reader if isinstance(reader, SupportsFile) and reader.file is not None else None
            while at < end:
                handed = time.monotonic()
                sent = None
                if straight is not None and straight.file is not None:
                    try:
                        sent = await pipe.send_file(straight.file, at, end - at)
                    except OSError as error:
                        raise storage_error(error, "read a layer") from error
                if straight is not None and sent is not None:
                    straight.passed(sent)
                else:
                    straight = None
                    sent = await reader.readinto(buffer[: end - at])
                    handed = time.monotonic()
                    await pipe.send(buffer[:sent])
                if not sent:
                    raise _too_short()
                at += sent
                self._watch.saw(time.monotonic() - handed, sent)
                count(sent=sent)


def _too_short() -> ContentError:
    return ContentError("a layer has fewer bytes than its manifest says", hint="The source's copy is damaged.")
