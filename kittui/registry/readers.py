"""Readers of a stretch of a blob."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx

from kittui.errors import ConnectionLost, ContentError
from kittui.oci.traffic import count
from kittui.registry.calls import address
from kittui.registry.transport.faults import transport_problem
from kittui.registry.transport.wire import BODY, Wire
from kittui.registry.watch import Watch

_PIECE = 1024 * 1024


class HttpBlobReader:
    """A stretch of a blob in the body of one response, which has exactly `length` bytes if its head says so."""

    def __init__(self, response: httpx.Response, offset: int, length: int, watch: Watch) -> None:
        self.offset = offset
        self.length = length
        self._host = address(response.request.url)
        self._left = length
        self._direct: Wire | None = response.extensions.get(BODY)
        self._pieces = response.aiter_raw() if self._direct is None else None
        self._rest = memoryview(b"")
        self._watch = watch

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

    async def _straight(self, body: Wire, buffer: memoryview) -> int:
        if self._left == 0 or not buffer:
            return 0
        try:
            size = await self._watch.bring(body.readinto(buffer[: self._left]))
        except httpx.HTTPError as error:
            raise transport_problem(error, self._host, secure=False) from error
        if size == 0:
            raise self._early_end()
        self._received(size)
        return size

    async def _more(self) -> bool:
        """Take the next piece; False when the stretch is complete."""
        if self._left == 0 or self._pieces is None:
            return False
        try:
            piece = await self._watch.bring(anext(self._pieces, b""))
        except httpx.HTTPError as error:
            raise transport_problem(error, self._host, secure=False) from error
        if not piece:
            raise self._early_end()
        if len(piece) > self._left:
            raise ContentError(
                f"{self._host} sends more bytes than the blob has",
                hint="Nothing was stored: the registry is at fault.",
            )
        self._received(len(piece))
        self._rest = memoryview(piece)
        return True

    def _received(self, size: int) -> None:
        count(received=size)
        self._left -= size
        self._watch.moved(size)

    def _early_end(self) -> ConnectionLost:
        return ConnectionLost(
            f"{self._host} ended {self._left} bytes early", hint="Try again; what has been transferred is kept."
        )
