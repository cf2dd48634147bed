"""Handles a request and its answer on one connection: h11 frames heads, and bodies of known length bypass it."""

from __future__ import annotations

import asyncio
import io
import os
import select
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager
from typing import Protocol

import h11
import httpx

from kittui.disk.threads import in_thread

Body = Callable[[], AsyncIterator[bytes]]
"""Opens the body of a request; may be called again."""
Waiting = Callable[[], AbstractContextManager[None]]
"""A context that is entered around a wait for the other side."""
BODY = "kittui.body"
"""Response extension: the Wire, where it was."""
UPLOAD = "kittui.upload"
"""Request extension: the Upload that sends the body, whose length the head of the request states."""
MOST_INFORMATIONAL = 10
"""Informational answers (100 to 199) before the answer."""
WAITS = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
"""What a socket raises if it would block."""

_HEAD = 16 * 1024
_PIECE = 256 * 1024
_SPARE = 1024 * 1024
"""Bytes that a chunked answer may take beyond twice its body."""
_STEP_SECONDS = 0.2
"""Seconds that a thread sends from a file before it returns."""


class Pipe(Protocol):
    """The destination of a request's body. Both methods raise httpx.WriteError, WriteTimeout."""

    async def send(self, content: bytes | memoryview) -> None:
        """Send all of it."""
        ...

    async def send_file(self, file: io.FileIO, offset: int, size: int) -> int | None:
        """Send some bytes of a file, and return how many: 0 at its end; None if only `send` works."""
        ...


class Upload(Protocol):
    """The body of a request."""

    async def pour(self, pipe: Pipe) -> None:
        """Send exactly as many bytes as the head of the request stated, or raise."""
        ...


class _Answered(Exception):
    """The answer arrived before the request's body was sent."""


class Wire(httpx.AsyncByteStream):
    """One request and its answer with body on a connection.

    Closing it passes the connection to `keep` if everything was read, and drops it otherwise. No wait for bytes exceeds
    `timeout` seconds.
    """

    def __init__(
        self, connection: socket.socket, machine: h11.Connection, timeout: float, keep: Callable[[], None]
    ) -> None:
        self._connection = connection
        self._machine = machine
        self._timeout = timeout
        self._keep = keep
        self._early = memoryview(b"")
        self._left: int | None = None
        self._ended = False
        self._reusable = True
        self._unfinished = False
        """Whether a request's body was not fully sent."""
        self._closed = False
        self._spare = _SPARE
        self._answer: h11.Response | None = None
        self._informational = 0

    async def upload(self, start: bytes, upload: Upload) -> None:
        """Send a head and the body, which is cut off if the answer arrives early."""
        self._unfinished = True
        try:
            await self.send(start)
            await upload.pour(self)
            self._unfinished = False
        except _Answered:
            pass
        except httpx.WriteError:
            # A server that refuses may answer and close: its answer says more than the broken connection.
            if not self._answered():
                raise

    def _answered(self) -> bool:
        """Whether the head of the answer has arrived; informational ones are counted and skipped."""
        buffer = memoryview(bytearray(_HEAD))
        try:
            size = self._take(buffer)
        except OSError:
            return False
        if size == 0 and self._answer is None:
            raise httpx.WriteError("the connection was closed")
        if size:
            self._machine.receive_data(bytes(buffer[:size]))
            while self._answer is None and (event := self._next()) is not h11.NEED_DATA:
                self._heed(event)
        return self._answer is not None

    async def send(self, content: bytes | memoryview) -> None:
        """Send all of it. Raises httpx.WriteError, WriteTimeout."""
        if self._unfinished and self._answered():
            raise _Answered
        try:
            async with asyncio.timeout(self._timeout):
                while content:
                    try:
                        content = content[self._connection.send(content) :]
                    except WAITS as wait:
                        await ready(self._connection, write=not isinstance(wait, ssl.SSLWantReadError))
        except TimeoutError as error:
            raise httpx.WriteTimeout("not sent in time") from error
        except OSError as error:
            raise httpx.WriteError(str(error)) from error

    async def send_file(self, file: io.FileIO, offset: int, size: int) -> int | None:
        """Send bytes of a file without reading them into memory; None over TLS.

        Raises httpx.WriteError, WriteTimeout, OSError for an unreadable file.
        """
        if isinstance(self._connection, ssl.SSLSocket):
            return None
        patient = time.monotonic() + self._timeout
        while True:
            if self._answered():
                raise _Answered
            sent = await in_thread(_send_some, self._connection, file, offset, size)
            if sent is not None:
                return sent
            if time.monotonic() > patient:
                raise httpx.WriteTimeout("not sent in time")

    async def head(self, seconds: float, *, empty: bool = False) -> h11.Response:
        """Read the head of the answer within a time limit; `empty`: it has no body. Raises httpx's errors."""
        usual, self._timeout = self._timeout, max(self._timeout, seconds)
        try:
            async with asyncio.timeout(seconds):
                event = await self._head()
        except TimeoutError as error:
            raise httpx.ReadTimeout(f"no answer within {seconds:.0f} s") from error
        finally:
            self._timeout = usual
        fields = {name.lower(): value for name, value in event.headers}
        self._reusable = b"close" not in fields.get(b"connection", b"").lower() and event.http_version == b"1.1"
        length = fields.get(b"content-length", b"")
        self._reusable = self._reusable and not self._unfinished
        if empty or event.status_code in (204, 304):
            self._left = 0
        elif b"transfer-encoding" not in fields and length.isdigit():
            early = b""
            self._left = int(length)
            while self._left and isinstance(data := self._next(), h11.Data):
                early += bytes(data.data)
            self._early = memoryview(early)
        return event

    async def _head(self) -> h11.Response:
        while self._answer is None:
            self._heed(await self._event())
        return self._answer

    def _heed(self, event: object) -> None:
        """Process an event before the answer's body: the answer, or one of a few informational ones."""
        if isinstance(event, h11.Response):
            self._answer = event
            return
        self._informational += 1
        if not isinstance(event, h11.InformationalResponse):
            raise httpx.RemoteProtocolError("no answer")
        if self._informational > MOST_INFORMATIONAL:
            raise httpx.RemoteProtocolError(f"more than {MOST_INFORMATIONAL} informational answers")

    async def readinto(self, buffer: memoryview) -> int:
        """Fill some of the buffer; 0 at the end of the body. Raises httpx's transport errors."""
        while self._left is None and not self._early and not self._ended:
            await self._decode()
        if self._early:
            size = min(len(buffer), len(self._early))
            buffer[:size] = self._early[:size]
            self._early = self._early[size:]
        elif not self._left:
            return 0
        else:
            size = await self._receive(buffer[: min(len(buffer), self._left)])
            if size == 0:
                raise httpx.RemoteProtocolError("the connection was closed early")
        if self._left is not None:
            self._left -= size
        return size

    async def __aiter__(self) -> AsyncIterator[bytes]:
        buffer = memoryview(bytearray(_PIECE))
        while size := await self.readinto(buffer):
            yield bytes(buffer[:size])

    async def aclose(self) -> None:
        """Keep the connection or drop it."""
        if self._closed:
            return
        self._closed = True
        if self._reusable and (self._left == 0 or (self._left is None and self._ended and not self._early)):
            self._keep()
        else:
            self._connection.close()

    def _next(self) -> object:
        try:
            return self._machine.next_event()
        except h11.RemoteProtocolError as error:
            raise httpx.RemoteProtocolError(str(error)) from error

    async def _event(self) -> object:
        """The next event of the answer, received as far as needed."""
        buffer = memoryview(bytearray(_HEAD))
        while (event := self._next()) is h11.NEED_DATA:
            size = await self._receive(buffer)
            self._spare -= size
            if self._spare < 0:
                raise httpx.RemoteProtocolError("far more arrives than belongs to the answer")
            if size == 0 and self._machine.their_state is h11.SEND_RESPONSE:
                raise httpx.RemoteProtocolError("the connection was closed without an answer")
            self._machine.receive_data(bytes(buffer[:size]))
        return event

    async def _decode(self) -> None:
        """Read the next bytes of a body that h11 must unframe."""
        event = await self._event()
        if isinstance(event, h11.Data):
            self._early = memoryview(bytes(event.data))
            self._spare += 2 * len(event.data)
        else:
            self._ended = True

    async def _receive(self, buffer: memoryview) -> int:
        """Receive available bytes, or the next ones; lets other tasks run in between."""
        try:
            size = self._take(buffer)
            if size is not None:
                await asyncio.sleep(0)
                return size
            async with asyncio.timeout(self._timeout):
                while size is None:
                    await ready(self._connection, write=False)
                    size = self._take(buffer)
            return size
        except TimeoutError as error:
            raise httpx.ReadTimeout("nothing came in time") from error
        except OSError as error:
            raise httpx.ReadError(str(error)) from error

    def _take(self, buffer: memoryview) -> int | None:
        """Take the bytes available now, None for nothing yet.

        TLS returns one record at a time, so take as many as fit.
        """
        size = 0
        try:
            size = self._connection.recv_into(buffer)
            while isinstance(self._connection, ssl.SSLSocket) and 0 < size < len(buffer):
                more = self._connection.recv_into(buffer[size:])
                if more == 0:
                    break
                size += more
        except WAITS:
            return size or None
        return size


def _send_some(connection: socket.socket, file: io.FileIO, offset: int, size: int) -> int | None:
    """Send from a file for a moment; None if the other side accepts nothing, or has answered. Blocks."""
    until = time.monotonic() + _STEP_SECONDS
    sent = 0
    while sent < size and time.monotonic() < until:
        try:
            count = os.sendfile(connection.fileno(), file.fileno(), offset + sent, size - sent)
        except BlockingIOError:
            waiting = select.poll()
            waiting.register(connection, select.POLLOUT | select.POLLIN)
            if any(event & select.POLLIN for _, event in waiting.poll(1000 * _STEP_SECONDS)):
                break
            continue
        except (BrokenPipeError, ConnectionError) as error:
            raise httpx.WriteError(str(error)) from error
        if not count:
            return sent
        sent += count
    return sent or None


async def ready(connection: socket.socket, *, write: bool) -> None:
    """Wait until the socket can be read, or written to."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[None] = loop.create_future()
    add, remove = (loop.add_writer, loop.remove_writer) if write else (loop.add_reader, loop.remove_reader)

    def ready() -> None:
        if not future.done():
            future.set_result(None)

    add(connection.fileno(), ready)
    try:
        await future
    finally:
        remove(connection.fileno())
