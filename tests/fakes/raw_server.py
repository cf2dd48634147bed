"""Servers that answer with whatever bytes a test wants, and proxies that lead to others."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serve(answer: Serve, *, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> AsyncIterator[str]:
    """HOST:PORT of a server on loopback that handles each connection so."""
    tasks: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            await answer(reader, writer)

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(handle(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        # A task that is cancelled before it begins closes nothing itself.
        task.add_done_callback(lambda _: writer.close())

    server = await asyncio.start_server(accept, host, 0, ssl=tls)
    try:
        yield f"{host}:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def request(reader: asyncio.StreamReader) -> str:
    """The first line of the next request, whose head is read; a TLS handshake is the end of the connection."""
    first = await reader.readexactly(1)
    if first == b"\x16":
        raise ConnectionResetError
    return (first + await reader.readuntil(b"\r\n\r\n")).split(b"\r\n", 1)[0].decode()


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Hand on what comes until it ends."""
    try:
        with suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
    finally:
        writer.close()


class Passage:
    """A proxy: SOCKS5 or CONNECT by the first byte. Every name leads to `upstream`; `login` is wanted where given."""

    def __init__(self, upstream: str, login: tuple[str, str] | None = None) -> None:
        self.upstream = upstream
        self.login = login
        self.asked: list[str] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await reader.readexactly(1)
        led = self._socks if first == b"\x05" else self._connect
        if not await led(first, reader, writer):
            return
        name, _, port = self.upstream.rpartition(":")
        theirs, ours = await asyncio.open_connection(name, int(port))
        try:
            await asyncio.gather(pump(reader, ours), pump(theirs, writer))
        finally:
            ours.close()

    async def _socks(self, _: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        await reader.readexactly((await reader.readexactly(1))[0])
        writer.write(b"\x05\x02" if self.login else b"\x05\x00")
        if self.login:
            await reader.readexactly(1)
            given = tuple([(await reader.readexactly((await reader.readexactly(1))[0])).decode() for _ in range(2)])
            writer.write(b"\x01\x00" if given == self.login else b"\x01\x01")
            if given != self.login:
                return False
        kind = (await reader.readexactly(4))[3]
        length = (await reader.readexactly(1))[0] if kind == 3 else 4
        name = await reader.readexactly(length)
        port = int.from_bytes(await reader.readexactly(2), "big")
        self.asked.append(f"{name.decode() if kind == 3 else '.'.join(map(str, name))}:{port}")
        writer.write(b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x00")
        return True

    async def _connect(self, first: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (first + await reader.readuntil(b"\r\n\r\n")).decode()
        self.asked.append(head.split(" ")[1])
        if self.login and "proxy-authorization: basic" not in head.lower():
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            return False
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        return True
