"""Transfers blob bodies over its own connections (HTTP/1.1 over TCP or TLS).

Bytes go from the socket into the caller's buffer without a copy, and from a file into the socket. docs/performance.md
says what it saves.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from contextlib import nullcontext

import h11
import httpx
from aiohappyeyeballs import start_connection

from kittui.registry.transport.wire import BODY, UPLOAD, WAITS, Upload, Waiting, Wire, ready

_IDLE_SECONDS = 20.0
_MOST_IDLE = 16
_HAPPY_EYEBALLS = 0.25
"""Seconds until the next address of a name is tried in parallel (RFC 8305)."""
_Origin = tuple[str, int, bool]


class DirectTransport:
    """Sends requests, and reuses connections for those that only read; timeouts in seconds.

    `read` bounds each wait for bytes, and `connect` connecting as a whole.
    """

    def __init__(self, connect: float, read: float) -> None:
        self._connect = connect
        self._read = read
        self._idle: dict[_Origin, list[tuple[socket.socket, float]]] = {}

    async def send(
        self, request: httpx.Request, tls: ssl.SSLContext | None, seconds: float, waiting: Waiting = nullcontext
    ) -> httpx.Response:
        """Send, and read the head of the answer, for which `seconds` are given; `tls` is for https alone.

        Raises httpx's transport errors.
        """
        origin = (request.url.host, request.url.port or (80 if tls is None else 443), tls is not None)
        kept = self._take(origin) if request.method in ("GET", "HEAD") else None
        if kept is not None:
            try:
                return await self._exchange(request, kept, origin, seconds, waiting)
            except (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError):
                pass  # the registry had closed it meanwhile
        with waiting():
            connection = await self._open(origin, tls)
        return await self._exchange(request, connection, origin, seconds, waiting)

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
        """Connect to the first address of the name that answers, trying them in parallel after a delay."""
        host, port, _ = origin
        try:
            async with asyncio.timeout(self._connect):
                found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
                connection = await start_connection(found, happy_eyeballs_delay=_HAPPY_EYEBALLS)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return connection if tls is None else await _shake_hands(connection, host, tls)
        except TimeoutError as error:
            raise httpx.ConnectTimeout("no connection in time") from error
        except (OSError, UnicodeError) as error:
            raise httpx.ConnectError(str(error)) from error

    async def _exchange(
        self,
        request: httpx.Request,
        connection: socket.socket,
        origin: _Origin,
        seconds: float,
        waiting: Waiting,
    ) -> httpx.Response:
        machine = h11.Connection(h11.CLIENT, max_incomplete_event_size=64 * 1024)
        body = Wire(connection, machine, self._read, lambda: self.keep(origin, connection))
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
            with waiting():
                response = await body.head(seconds, empty=request.method == "HEAD")
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


async def _shake_hands(connection: socket.socket, host: str, tls: ssl.SSLContext) -> socket.socket:
    """Start TLS; the connection is closed if that fails."""
    try:
        tls.set_alpn_protocols(["http/1.1"])  # the pools share this context, and set theirs likewise
        connection = wrapped = tls.wrap_socket(connection, server_hostname=host, do_handshake_on_connect=False)
        while True:
            try:
                wrapped.do_handshake()
                return wrapped
            except WAITS as wait:
                await ready(wrapped, write=isinstance(wait, ssl.SSLWantWriteError))
    except BaseException:
        connection.close()
        raise


def _is_quiet(connection: socket.socket) -> bool:
    """Whether a kept connection is still open and has no unexpected bytes."""
    try:
        connection.recv(1)
    except WAITS:
        return True
    except OSError:
        return False
    return False
