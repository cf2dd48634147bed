"""Counts network traffic: requests, and bytes of response bodies as received; keeps the latest requests."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final


@dataclass
class Traffic:
    """Requests sent (redirects and token requests are requests too), body bytes received, body bytes sent, and which
    host answered last.
    """

    requests: int = 0
    bytes: int = 0
    sent: int = 0
    host: str = ""


_METERS: ContextVar[tuple[Traffic, ...]] = ContextVar("kittui_traffic", default=())


@contextmanager
def metered() -> Iterator[Traffic]:
    """Count everything that sources transfer inside the block, in this task and the tasks it starts."""
    meter = Traffic()
    token = _METERS.set((*_METERS.get(), meter))
    try:
        yield meter
    finally:
        _METERS.reset(token)


def count(*, requests: int = 0, received: int = 0, sent: int = 0) -> None:
    """Add to every meter that is open around the caller; called by sources."""
    for meter in _METERS.get():
        meter.requests += requests
        meter.bytes += received
        meter.sent += sent


@dataclass(frozen=True, slots=True)
class Request:
    """A request, with status 0 if it was not answered, and its address without secrets.

    `at` is in seconds since 1970; `size` is the answer's stated length.
    """

    at: float
    method: str
    address: str
    status: int
    size: int | None
    seconds: float


LATEST: Final[deque[Request]] = deque(maxlen=500)
"""The latest requests of this process, for the list of messages."""


def record(method: str, url: str, status: int, size: str | None, seconds: float) -> None:
    """Add a request to the latest, without its query, which may carry a signature; called by sources."""
    address = url.partition("?")[0].partition("#")[0]
    scheme, separator, rest = address.partition("://")
    host, slash, path = rest.partition("/")
    host = host.rpartition("@")[2]
    address = f"{scheme}{separator}{host}{slash}{path}"
    for meter in _METERS.get():
        meter.host = host
    length = int(size) if method != "HEAD" and size is not None and size.isascii() and size.isdigit() else None
    LATEST.append(Request(time.time() - seconds, method, address, status, length, seconds))
