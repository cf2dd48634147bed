"""A misbehaving HTTP proxy in front of a real registry: cuts, stalls, trickles, flips, lies, and drops answers.

    async with FaultyProxy(upstream="127.0.0.1:5000") as proxy:      # proxy.host is HOST:PORT, for references
        proxy.add(Fault(path="/blobs/", cut_after=1000, times=2))
        ...
        assert proxy.count("GET", "/blobs/") == 3

Every request is matched against the faults in order: the first that fits, and has `times` left, is applied; else the
request passes through. Requests and responses are HTTP/1.1 with Content-Length or chunks; one upstream connection each.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field

PIECE = 64 * 1024


@dataclass
class Fault:
    """What to do to a request whose method and path (a regular expression, searched) fit, `times` times (-1: always).

    `skip` requests that fit are let through first. Offsets count bytes of the response's body (of the request's for
    `cut_upload_after`).

    - `cut_after`: close the connection after so many bytes of the body (0: right after the head); -1: not at all
    - `cut_upload_after`: close it after so many bytes of the request's body
    - `stall_after`: send so many bytes, then nothing more while the connection stays open
    - `trickle`: bytes per second of the body
    - `rate`: the same for a limit per connection, in bytes per second, in bigger pieces
    - `delay`: seconds before the request is handed on
    - `flip`: the byte at this offset of the body is inverted
    - `ignore_range`: the request's Range is taken away: the answer is a 200 with the whole
    - `content_range`: replace the answer's Content-Range by this
    - `status`: answer with this status (and `headers`, `body`) instead of asking the registry
    - `drop_answer`: hand the request on, wait for the whole answer, then close without sending any of it
    - `edit`: change the answer's head: takes and returns the list of (name, value)
    """

    method: str = ""
    path: str = ""
    times: int = 1
    skip: int = 0
    cut_after: int = -1
    cut_upload_after: int = -1
    stall_after: int = -1
    trickle: int = 0
    rate: int = 0
    delay: float = 0.0
    flip: int = -1
    ignore_range: bool = False
    content_range: str = ""
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    drop_answer: bool = False
    edit: Callable[[list[tuple[str, str]]], list[tuple[str, str]]] | None = None
    hits: int = 0

    def fits(self, method: str, path: str) -> bool:
        if self.times == 0 or (self.method and self.method != method) or not re.search(self.path, path):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.times -= 1
        self.hits += 1
        return True


@dataclass
class Seen:
    """A request that arrived: `received` bytes of its body, `sent` bytes of body answered to it."""

    method: str
    path: str
    headers: dict[str, str]
    status: int = 0
    received: int = 0
    sent: int = 0


class FaultyProxy:
    """See the module's text. `rate` limits every connection, in bytes per second; `requests` is what arrived.

    `gate` sees every request first: the fault it returns is applied, None lets the request continue.
    """

    def __init__(
        self, upstream: str, *, rate: int = 0, gate: Callable[[FaultyProxy, Seen], Fault | None] | None = None
    ) -> None:
        self.upstream = upstream
        self.rate = rate
        self.gate = gate
        self.faults: list[Fault] = []
        self.requests: list[Seen] = []
        self.host = ""
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> FaultyProxy:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=4 * PIECE)
        self.host = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def add(self, fault: Fault) -> Fault:
        """Apply a fault from now on; returns it, so that its `hits` can be read."""
        self.faults.append(fault)
        return fault

    def count(self, method: str = "", path: str = "") -> int:
        """How many requests fit."""
        return len([seen for seen in self.requests if method in ("", seen.method) and re.search(path, seen.path)])

    def body_bytes(self, path: str = "") -> int:
        """Bytes of response bodies that were sent for the requests that fit."""
        return sum(seen.sent for seen in self.requests if re.search(path, seen.path))

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        # A task that is cancelled before it begins closes nothing itself.
        task.add_done_callback(lambda _: writer.close())

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            first = await reader.read(1)
            if first == b"\x16":
                return  # a TLS handshake: not spoken here
            while first and await self._one(first, reader, writer):
                first = await reader.read(1)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _one(self, first: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request; whether the connection may carry another."""
        line, headers = parse_head(first + await reader.readuntil(b"\r\n\r\n"))
        method, path, _ = line.split(" ", 2)
        seen = Seen(method, path, {name.lower(): value for name, value in headers})
        self.requests.append(seen)
        turned_away = self.gate(self, seen) if self.gate is not None else None
        fault = turned_away or next((each for each in self.faults if each.fits(method, path)), None) or Fault()
        if fault.delay:
            await asyncio.sleep(fault.delay)
        if fault.status:
            async for piece in body_of(reader, headers):
                seen.received += len(piece)
            seen.status, seen.sent = fault.status, len(fault.body)
            writer.write(render_head(f"HTTP/1.1 {fault.status} Scripted", [
                *fault.headers.items(), ("Content-Length", str(len(fault.body)))
            ]))  # fmt: skip
            writer.write(b"" if method == "HEAD" else fault.body)
            await writer.drain()
            return True
        if fault.ignore_range:
            headers = [(name, value) for name, value in headers if name.lower() != "range"]
        name, _, port = self.upstream.rpartition(":")
        upstream_reader, upstream_writer = await asyncio.open_connection(name, int(port), limit=4 * PIECE)
        try:
            upstream_writer.write(render_head(line, [*_without(headers, "connection"), ("Connection", "close")]))
            pump = asyncio.ensure_future(self._upload(reader, headers, upstream_writer, fault, seen))
            try:
                answering = asyncio.ensure_future(upstream_reader.readuntil(b"\r\n\r\n"))
                await asyncio.wait({pump, answering}, return_when=asyncio.FIRST_COMPLETED)
                if pump.done() and pump.result() is False:
                    answering.cancel()
                    return False
                head = await answering
                return await self._answer(method, head, upstream_reader, writer, fault, seen) and await pump
            finally:
                pump.cancel()
        finally:
            upstream_writer.close()

    async def _upload(
        self,
        reader: asyncio.StreamReader,
        headers: list[tuple[str, str]],
        upstream: asyncio.StreamWriter,
        fault: Fault,
        seen: Seen,
    ) -> bool:
        """Hand the request's body on; False when it is to be cut."""
        chunked = _header(headers, "transfer-encoding").lower() == "chunked"
        async for piece in body_of(reader, headers):
            part = piece
            if fault.cut_upload_after >= 0 and seen.received + len(piece) > fault.cut_upload_after:
                part = piece[: fault.cut_upload_after - seen.received]
            seen.received += len(part)
            upstream.write(b"%x\r\n%b\r\n" % (len(part), part) if chunked and part else part)
            await upstream.drain()
            if len(part) < len(piece):
                return False
        if chunked:
            upstream.write(b"0\r\n\r\n")
        await upstream.drain()
        return True

    async def _answer(
        self,
        method: str,
        head: bytes,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        fault: Fault,
        seen: Seen,
    ) -> bool:
        line, headers = parse_head(head)
        seen.status = int(line.split(" ", 2)[1])
        headers = _without(headers, "connection")
        if fault.content_range:
            headers = [*_without(headers, "content-range"), ("Content-Range", fault.content_range)]
        if fault.edit is not None:
            headers = fault.edit(headers)
        bodiless = method == "HEAD" or seen.status in (204, 304)
        if fault.drop_answer:
            if not bodiless:
                async for _ in body_of(reader, headers, response=True):
                    pass
            return False
        framed = bodiless or _header(headers, "content-length") != ""
        headers = headers if framed else [*_without(headers, "transfer-encoding"), ("Transfer-Encoding", "chunked")]
        writer.write(render_head(line, headers))
        await writer.drain()
        if bodiless:
            return True
        async for piece in body_of(reader, headers, response=True):
            rate = fault.trickle or fault.rate or self.rate
            part = bytearray(piece)
            if 0 <= fault.flip - seen.sent < len(part):
                part[fault.flip - seen.sent] ^= 0xFF
            for stop in (fault.cut_after, fault.stall_after):
                if stop >= 0:
                    part = part[: max(0, stop - seen.sent)]
            await _paced(writer, bytes(part), rate, seen, chunked=not framed, small=bool(fault.trickle))
            if len(part) < len(piece) or (fault.cut_after >= 0 and seen.sent >= fault.cut_after):
                if fault.stall_after >= 0:
                    await asyncio.sleep(3600)
                return False
        if not framed:
            writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True


async def _paced(
    writer: asyncio.StreamWriter, content: bytes, rate: int, seen: Seen, *, chunked: bool, small: bool
) -> None:
    step = max(1, rate // 10 if small else rate // 50) if rate else PIECE
    for start in range(0, len(content), step):
        part = content[start : start + step]
        writer.write(b"%x\r\n%b\r\n" % (len(part), part) if chunked else part)
        seen.sent += len(part)
        await writer.drain()
        if rate:
            await asyncio.sleep(len(part) / rate)


async def body_of(reader: asyncio.StreamReader, headers: list[tuple[str, str]], *, response: bool = False):  # type: ignore[no-untyped-def]
    """The pieces of a body framed by these headers; a response without frame lasts until the end of the stream."""
    if _header(headers, "transfer-encoding").lower() == "chunked":
        while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            yield await reader.readexactly(size)
            await reader.readexactly(2)
        await reader.readuntil(b"\r\n")
        return
    length = _header(headers, "content-length")
    left = int(length) if length else (-1 if response else 0)
    while left:
        piece = await reader.read(PIECE if left < 0 else min(PIECE, left))
        if not piece:
            return
        left -= len(piece) if left > 0 else 0
        yield piece


def parse_head(raw: bytes) -> tuple[str, list[tuple[str, str]]]:
    """The first line, and the fields of a request's or response's head."""
    lines = raw.decode("latin-1").split("\r\n")
    fields = [line.partition(":") for line in lines[1:] if line]
    return lines[0], [(name, value.strip()) for name, _, value in fields]


def render_head(line: str, headers: list[tuple[str, str]]) -> bytes:
    """The bytes of a head."""
    return "\r\n".join([line, *(f"{name}: {value}" for name, value in headers), "", ""]).encode("latin-1")


def _header(headers: list[tuple[str, str]], name: str) -> str:
    return next((value for key, value in headers if key.lower() == name), "")


def _without(headers: list[tuple[str, str]], name: str) -> list[tuple[str, str]]:
    return [(key, value) for key, value in headers if key.lower() != name]
