"""Readers of a stretch of a blob, and the watch that gives up on connections that trickle."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import httpx

from kittui.errors import ConnectionLost, ContentError
from kittui.oci.traffic import count
from kittui.registry.access import Patience
from kittui.registry.direct import BODY, DirectBody
from kittui.registry.problems import transport_problem

_PIECE = 1024 * 1024


class StallWatch:
    """Notices a connection that trickles: only time spent waiting for the network counts."""

    def __init__(self, patience: Patience, host: str) -> None:
        self._window = patience.stall
        self._rate = patience.stall_rate
        self._host = host
        self._waited = 0.0
        self._received = 0

    def saw(self, seconds: float, received: int) -> None:
        """Note one read; raises ConnectionLost when a whole window brought less than the lowest rate."""
        self._waited += seconds
        self._received += received
        if self._waited < self._window:
            return
        if self._received < self._rate * self._waited:
            raise ConnectionLost(
                f"{self._host} has almost stopped sending ({self._received} bytes in {self._waited:.0f} s)",
                hint="Try again; what has been transferred is kept.",
            )
        self._waited = 0.0
        self._received = 0


class HttpBlobReader:
    """A stretch of a blob in the body of one response, which has exactly `length` bytes if its head tells."""

    def __init__(self, response: httpx.Response, offset: int, length: int, patience: Patience) -> None:
        self.offset = offset
        self.length = length
        self._host = response.request.url.host
        self._left = length
        self._direct: DirectBody | None = response.extensions.get(BODY)
        self._pieces = response.aiter_raw() if self._direct is None else None
        self._rest = memoryview(b"")
        self._watch = StallWatch(patience, self._host)

    async def readinto(self, buffer: memoryview) -> int:
        """Fill some of the buffer; 0 only at the end of the stretch. Raises ConnectionLost, ContentError."""
        if self._direct is not None:
            return await self._straight(self._direct, buffer)
        if not self._rest and not await self._more():
            return 0
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The stretch in pieces of the transport's own size."""
        if self._direct is not None:
            buffer = memoryview(bytearray(min(_PIECE, max(self._left, 1))))
            while size := await self._straight(self._direct, buffer):
                yield bytes(buffer[:size])
            return
        while self._rest or await self._more():
            piece, self._rest = bytes(self._rest), memoryview(b"")
            yield piece

    async def _straight(self, body: DirectBody, buffer: memoryview) -> int:
        if self._left == 0 or not buffer:
            return 0
        started = time.monotonic()
        try:
            size = await body.readinto(buffer[: self._left])
        except httpx.HTTPError as error:
            raise transport_problem(error, self._host, secure=False) from error
        if size == 0:
            raise self._early_end()
        self._received(started, size)
        return size

    async def _more(self) -> bool:
        """Take the next piece; False when the stretch is complete."""
        if self._left == 0 or self._pieces is None:
            return False
        started = time.monotonic()
        try:
            piece = await anext(self._pieces, b"")
        except httpx.HTTPError as error:
            raise transport_problem(error, self._host, secure=False) from error
        if not piece:
            raise self._early_end()
        if len(piece) > self._left:
            raise ContentError(
                f"{self._host} sends more bytes than the blob has",
                hint="Nothing of it was kept: the registry is at fault.",
            )
        self._received(started, len(piece))
        self._rest = memoryview(piece)
        return True

    def _received(self, started: float, size: int) -> None:
        count(received=size)
        self._left -= size
        self._watch.saw(time.monotonic() - started, size)

    def _early_end(self) -> ConnectionLost:
        return ConnectionLost(
            f"{self._host} ended {self._left} bytes early", hint="Try again; what has been transferred is kept."
        )
