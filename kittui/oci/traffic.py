"""Counting what crossed the network: requests, and bytes of response bodies as received."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass
class Traffic:
    """Requests sent (redirects and token requests are requests too), body bytes received, body bytes sent."""

    requests: int = 0
    bytes: int = 0
    sent: int = 0


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
    """Called by sources: add to every meter that is open around the caller."""
    for meter in _METERS.get():
        meter.requests += requests
        meter.bytes += received
        meter.sent += sent
