"""A transport under httpx for the bodies of blobs: bytes go from the socket into the caller's own buffer, with no copy,
and from a file into the socket.

HTTP/1.1 over TCP or TLS; h11 makes the head of the request and reads the answer's head and chunks.
"""

from __future__ import annotations

import asyncio
import io
import os
import select
import socket
import ssl
import time
from collections.abc import AsyncIterator
from typing import Protocol

import h11
import httpx

from kittui.disk.threads import in_thread

DIRECT = "kittui.direct"
"""Request extension: this request may be sent by the DirectTransport."""
BODY = "kittui.body"
"""Response extension: the DirectBody, where it was."""
UPLOAD = "kittui.upload"
"""Request extension: the Upload that sends the body, whose length the head of the request states."""

_HEAD = 16 * 1024
_PIECE = 256 * 1024
_IDLE_SECONDS = 20.0
_MOST_IDLE = 16
_Origin = tuple[str, int, bool]
_WAITS = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
_STEP_SECONDS = 0.2
"""How long a thread sends from a file before it is looked at again."""


class Pipe(Protocol):
    """Where the body of a request goes. Both raise httpx.WriteError, WriteTimeout."""

    async def send(self, content: bytes | memoryview) -> None:
        """Send all of it."""
        ...

    async def send_file(self, file: io.FileIO, offset: int, size: int) -> int | None:
        """Send some bytes of a file, and say how many: 0 at its end; None where only `send` works."""
        ...


class Upload(Protocol):
    """The body of a request."""

    async def pour(self, pipe: Pipe) -> None:
        """Send exactly as many bytes as the head of the request stated, or raise."""
        ...


class DirectTransport:
    """Sends requests, those that only read over connections that it keeps for the next one; timeouts in seconds."""

    def __init__(self, connect: float, read: float) -> None:
        self._connect = connect
        self._read = read
        self._idle: dict[_Origin, list[tuple[socket.socket, float]]] = {}

    async def send(self, request: httpx.Request, tls: ssl.SSLContext | None) -> httpx.Response:
        """Send, and read the head of the answer. Raises httpx's transport errors; `tls` is for https alone."""
        origin = (request.url.host, request.url.port or (80 if tls is None else 443), tls is not None)
        kept = self._take(origin) if request.method in ("GET", "HEAD") else None
        if kept is not None:
            try:
                return await self._exchange(request, kept, origin)
            except (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError):
                pass  # the registry had closed it meanwhile
        return await self._exchange(request, await self._open(origin, tls), origin)

    async def aclose(self) -> None:
        """Close the connections that are kept."""
        for idle in self._idle.values():
            for connection, _ in idle:
                connection.close()
        self._idle.clear()

    def keep(self, origin: _Origin, connection: socket.socket) -> None:
        """Take back a connection whose answer was read to its end."""
        idle = self._idle.setdefault(origin, [])
        if len(idle) < _MOST_IDLE:
            idle.append((connection, time.monotonic()))
        else:
            connection.close()

    def _take(self, origin: _Origin) -> socket.socket | None:
        idle = self._idle.get(origin, [])
        while idle:
            connection, since = idle.pop()
            if time.monotonic() - since < _IDLE_SECONDS and _is_quiet(connection):
                return connection
            connection.close()
        return None

    async def _open(self, origin: _Origin, tls: ssl.SSLContext | None) -> socket.socket:
        host, port, _ = origin
        problem: OSError | None = None
        try:
            async with asyncio.timeout(self._connect):
                for found in await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM):
                    try:
                        return await self._dial(found[0], found[4], host, tls)
                    except ssl.SSLError:
                        raise
                    except OSError as error:
                        problem = error
        except TimeoutError as error:
            raise httpx.ConnectTimeout("no connection in time") from error
        except OSError as error:
            problem = error
        raise httpx.ConnectError(str(problem or "no address")) from problem

    async def _dial(
        self, family: int, address: tuple[object, ...], host: str, tls: ssl.SSLContext | None
    ) -> socket.socket:
        connection = socket.socket(family, socket.SOCK_STREAM)
        try:
            connection.setblocking(False)
            await asyncio.get_running_loop().sock_connect(connection, address)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if tls is None:
                return connection
            tls.set_alpn_protocols(["http/1.1"])  # the pools of httpx share this context and set theirs alike
            wrapped = tls.wrap_socket(connection, server_hostname=host, do_handshake_on_connect=False)
            connection = wrapped
            while True:
                try:
                    wrapped.do_handshake()
                    return wrapped
                except _WAITS as wait:
                    await _ready(wrapped, write=isinstance(wait, ssl.SSLWantWriteError))
        except BaseException:
            connection.close()
            raise

    async def _exchange(self, request: httpx.Request, connection: socket.socket, origin: _Origin) -> httpx.Response:
        machine = h11.Connection(h11.CLIENT, max_incomplete_event_size=64 * 1024)
        body = DirectBody(self, origin, connection, machine, self._read)
        upload: Upload | None = request.extensions.get(UPLOAD)
        try:
            head = h11.Request(method=request.method, target=request.url.raw_path, headers=list(request.headers.raw))
            start = machine.send(head) or b""
            if upload is None:
                content = await request.aread()
                start += (machine.send(h11.Data(content)) or b"") if content else b""
                await body.send(start + (machine.send(h11.EndOfMessage()) or b""))
            else:
                await body.upload(start, upload)
            response = await body.head(empty=request.method == "HEAD")
        except h11.LocalProtocolError as error:
            connection.close()
            raise httpx.LocalProtocolError(str(error)) from error
        except BaseException:
            connection.close()
            raise
        return httpx.Response(
            response.status_code,
            headers=list(response.headers.raw_items()),
            stream=body,
            extensions={BODY: body, "http_version": b"HTTP/1.1"},
        )


class DirectBody(httpx.AsyncByteStream):
    """The body of one answer; closing it keeps the connection when everything was read, and drops it otherwise."""

    def __init__(
        self,
        transport: DirectTransport,
        origin: _Origin,
        connection: socket.socket,
        machine: h11.Connection,
        timeout: float,
    ) -> None:
        self._transport = transport
        self._origin = origin
        self._connection = connection
        self._machine = machine
        self._timeout = timeout
        self._early = memoryview(b"")
        self._left: int | None = None
        self._ended = False
        self._reusable = True
        self._kept_busy = False
        """Whether a request's body was left unfinished."""
        self._closed = False

    async def upload(self, start: bytes, upload: Upload) -> None:
        """Send a head and the body after it; who gets an answer before its end is not kept waiting for it."""
        self._kept_busy = True
        await self.send(start)
        try:
            await upload.pour(self)
            self._kept_busy = False
        except (httpx.WriteError, httpx.WriteTimeout):
            # A server that refuses answers and closes: its answer says more than the broken connection does.
            if not self._has_answer():
                raise

    def _has_answer(self) -> bool:
        try:
            return bool(self._connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
        except (OSError, ValueError):
            return False

    async def send(self, content: bytes | memoryview) -> None:
        """Send all of it. Raises httpx.WriteError, WriteTimeout."""
        try:
            async with asyncio.timeout(self._timeout):
                while content:
                    try:
                        content = content[self._connection.send(content) :]
                    except _WAITS as wait:
                        await _ready(self._connection, write=not isinstance(wait, ssl.SSLWantReadError))
        except TimeoutError as error:
            raise httpx.WriteTimeout("not sent in time") from error
        except OSError as error:
            raise httpx.WriteError(str(error)) from error

    async def send_file(self, file: io.FileIO, offset: int, size: int) -> int | None:
        """Send bytes of a file without reading them into memory; None over TLS.

        Raises httpx.WriteError, WriteTimeout, OSError for a file that can't be read.
        """
        if isinstance(self._connection, ssl.SSLSocket):
            return None
        patient = time.monotonic() + self._timeout
        while True:
            sent = await in_thread(_send_some, self._connection, file, offset, size)
            if sent is not None:
                return sent
            if time.monotonic() > patient:
                raise httpx.WriteTimeout("not sent in time")

    async def head(self, *, empty: bool = False) -> h11.Response:
        """The head of the answer; what came with it of the body is kept, `empty` has none. Raises httpx's errors."""
        while not isinstance(event := await self._event(), h11.Response):
            if not isinstance(event, h11.InformationalResponse):
                raise httpx.RemoteProtocolError("no answer")
        fields = {name.lower(): value for name, value in event.headers}
        self._reusable = b"close" not in fields.get(b"connection", b"").lower() and event.http_version == b"1.1"
        length = fields.get(b"content-length", b"")
        self._reusable = self._reusable and not self._kept_busy
        if empty or event.status_code in (204, 304):
            self._left = 0
        elif b"transfer-encoding" not in fields and length.isdigit():
            early = b""
            self._left = int(length)
            while self._left and isinstance(data := self._next(), h11.Data):
                early += bytes(data.data)
            self._early = memoryview(early)
        return event

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
            self._transport.keep(self._origin, self._connection)
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
            if size == 0 and self._machine.their_state is h11.SEND_RESPONSE:
                raise httpx.RemoteProtocolError("the connection was closed without an answer")
            self._machine.receive_data(bytes(buffer[:size]))
        return event

    async def _decode(self) -> None:
        """The next bytes of a body that h11 has to take out of its frame."""
        event = await self._event()
        if isinstance(event, h11.Data):
            self._early = memoryview(bytes(event.data))
        else:
            self._ended = True

    async def _receive(self, buffer: memoryview) -> int:
        """What the socket has, or the next that it gets; lets other tasks run in between."""
        try:
            size = self._take(buffer)
            if size is not None:
                await asyncio.sleep(0)
                return size
            async with asyncio.timeout(self._timeout):
                while size is None:
                    await _ready(self._connection, write=False)
                    size = self._take(buffer)
            return size
        except TimeoutError as error:
            raise httpx.ReadTimeout("nothing came in time") from error
        except OSError as error:
            raise httpx.ReadError(str(error)) from error

    def _take(self, buffer: memoryview) -> int | None:
        """What can be had at once, None for nothing yet; TLS gives one record a time, so as many as fit."""
        size = 0
        try:
            size = self._connection.recv_into(buffer)
            while isinstance(self._connection, ssl.SSLSocket) and 0 < size < len(buffer):
                more = self._connection.recv_into(buffer[size:])
                if more == 0:
                    break
                size += more
        except _WAITS:
            return size or None
        return size


def _send_some(connection: socket.socket, file: io.FileIO, offset: int, size: int) -> int | None:
    """Send from a file for a moment; None where the other side took nothing. Blocks."""
    until = time.monotonic() + _STEP_SECONDS
    sent = 0
    while sent < size and time.monotonic() < until:
        try:
            count = os.sendfile(connection.fileno(), file.fileno(), offset + sent, size - sent)
        except BlockingIOError:
            waiting = select.poll()
            waiting.register(connection, select.POLLOUT | select.POLLIN)
            if any(event == select.POLLIN for _, event in waiting.poll(1000 * _STEP_SECONDS)):
                raise httpx.WriteError("the other side answers before it has read everything") from None
            continue
        except (BrokenPipeError, ConnectionError) as error:
            raise httpx.WriteError(str(error)) from error
        if not count:
            return sent
        sent += count
    return sent or None


async def _ready(connection: socket.socket, *, write: bool) -> None:
    """Until the socket can be read, or written to."""
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


def _is_quiet(connection: socket.socket) -> bool:
    """Whether a kept connection is still open and has nothing unasked to say."""
    try:
        connection.recv(1)
    except _WAITS:
        return True
    except OSError:
        return False
    return False
