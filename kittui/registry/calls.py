"""Calls to a registry and their answers, with bodies read within bounds."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import httpx

from kittui.errors import NetworkError, TooLarge
from kittui.oci.traffic import count
from kittui.registry.headers import parse_length
from kittui.registry.problems import BODY_LIMIT
from kittui.registry.scopes import Scopes
from kittui.registry.transport.faults import transport_problem
from kittui.registry.transport.wire import Body
from kittui.registry.watch import Watch


@dataclass(frozen=True, slots=True)
class Call:
    """One request of the distribution-spec. `path` is below /v2/, or an absolute URL in `url` is used instead.

    `body` is bytes, or opens a fresh stream for every try. `doing` completes "could not ...", `ok` are the statuses
    that are not errors. `repeat`: retrying is harmless. `blob`: a blob's bytes are sent or requested, and the answer
    may take `longer` more seconds.
    """

    method: str
    path: str = ""
    doing: str = "ask"
    scopes: Scopes = frozenset()
    headers: Mapping[str, str] = field(default_factory=dict)
    ok: Collection[int] = (200,)
    body: bytes | Body | None = None
    url: httpx.URL | None = None
    repeat: bool = True
    blob: bool = False
    longer: float = 0.0


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer: its body is bounded and as received, `url` is where it finally came from."""

    status: int
    headers: httpx.Headers
    body: bytes
    url: httpx.URL


def origin(url: httpx.URL) -> tuple[str, str, int]:
    """The origin of a URL: scheme, host and port. Credentials never leave it."""
    return url.scheme, url.host.lower(), url.port or (443 if url.scheme == "https" else 80)


def loggable(url: httpx.URL) -> str:
    """A URL for the log: queries hold signatures and upload states, so they are left out."""
    return str(url.copy_with(query=None, fragment=None, username=None, password=None))


def address(url: httpx.URL) -> str:
    """HOST[:PORT] of a URL, as users write it."""
    return url.netloc.decode("ascii").rpartition("@")[2]


async def read_bounded(response: httpx.Response, limit: int, doing: str, watch: Watch) -> bytes:
    """Read the body as received; raises TooLarge above `limit` bytes, ConnectionLost if it ends early or stalls."""
    stated = parse_length(response.headers.get("Content-Length"))
    if stated is not None and stated > limit:
        raise TooLarge(f"could not {doing}: the answer has {stated} bytes, over the limit of {limit}")
    parts: list[bytes] = []
    size = 0
    pieces = response.aiter_raw()
    try:
        while True:
            part = await watch.bring(anext(pieces, None))
            if part is None:
                return b"".join(parts)
            size += len(part)
            count(received=len(part))
            if size > limit:
                raise TooLarge(f"could not {doing}: the answer is over the limit of {limit} bytes")
            watch.moved(len(part))
            parts.append(part)
    except httpx.HTTPError as error:
        raise transport_problem(error, address(response.request.url), secure=False) from error


async def read_some(response: httpx.Response, watch: Watch) -> bytes:
    """Read the first 64 KiB of an error's body; empty if it can't be read."""
    try:
        return await read_bounded(response, BODY_LIMIT, "read the error", watch)
    except (TooLarge, NetworkError):
        return b""
