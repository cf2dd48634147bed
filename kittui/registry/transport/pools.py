"""Sends over httpcore's connections: one shared by small requests over TLS (HTTP/2), and all through proxies.

As httpcore limits each wait for bytes, but not the total, its reads are counted here, and the steps that it reports
(its `trace` extension) start and stop one deadline.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any

import httpcore
import httpx

from kittui.registry.access import Patience
from kittui.registry.transport.proxies import Proxy
from kittui.registry.transport.tls import Contexts
from kittui.registry.transport.wire import MOST_INFORMATIONAL, Waiting

_SPARE = 64 * 1024 * 1024
"""Bytes that a request may read beyond twice its answer's body: over HTTP/2 it also reads for others."""
_INFORMATIONAL = re.compile(rb"HTTP/1\.[01] 1\d\d ")


class Pools:
    """The pools of one registry, each opened when a request first needs it."""

    def __init__(self, contexts: Contexts, patience: Patience) -> None:
        self._contexts = contexts
        self._timeouts = {"connect": patience.connect, "read": patience.read, "write": patience.read}
        self._network = _Network()
        self._pools: dict[tuple[Proxy | None, bool], httpcore.AsyncConnectionPool] = {}

    async def send(
        self,
        request: httpx.Request,
        proxy: Proxy | None,
        *,
        multiplexed: bool,
        seconds: float,
        waiting: Waiting = nullcontext,
    ) -> httpx.Response:
        """Send, and read the head of the answer, for which `seconds` are given. Raises httpx's transport errors.

        `multiplexed`: HTTP/2 where the registry speaks it, which more than halves the time that many small requests
        take; bodies of blobs go by HTTP/1.1, which costs far less for each byte.
        """
        pool = await self._pool(proxy, multiplexed=multiplexed and request.url.scheme == "https")
        deadline, intake = _Deadline(seconds, waiting), _Intake()
        timeouts = {**self._timeouts, "read": max(self._timeouts["read"], seconds)}
        url = request.url
        sent = httpcore.Request(
            request.method,
            httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
            headers=request.headers.raw,
            content=request.stream,
            extensions={"timeout": timeouts, "trace": deadline.trace},
        )
        with _as_httpx():
            async with deadline:
                with intake:
                    answer = await pool.handle_async_request(sent)
        intake.awaiting_head = False
        return httpx.Response(answer.status, headers=answer.headers, stream=_Body(answer, intake))

    async def aclose(self) -> None:
        """Close every connection."""
        for pool in self._pools.values():
            await pool.aclose()
        await self._network.aclose()

    async def _pool(self, proxy: Proxy | None, *, multiplexed: bool) -> httpcore.AsyncConnectionPool:
        context = await self._contexts.registry()
        proxy_context = await self._contexts.proxy() if proxy and proxy.scheme == "https" else None
        known = self._pools.get((proxy, multiplexed))
        if known is not None:
            return known
        settings: dict[str, Any] = {
            "ssl_context": context,
            "max_connections": 64,
            "max_keepalive_connections": 32,
            "keepalive_expiry": 30.0,
            "http2": multiplexed,
            "network_backend": self._network,
        }
        if proxy is None:
            pool = httpcore.AsyncConnectionPool(**settings)
        elif proxy.scheme == "socks5":
            pool = httpcore.AsyncSOCKSProxy(proxy.url(), proxy_auth=proxy.auth, **settings)
        else:
            pool = httpcore.AsyncHTTPProxy(
                proxy.url(), proxy_auth=proxy.auth, proxy_ssl_context=proxy_context, **settings
            )
        self._pools[proxy, multiplexed] = pool
        return pool


class _Deadline:
    """The deadline for connecting, and for an answer's head; sending may take as long as it makes progress."""

    def __init__(self, seconds: float, waiting: Waiting) -> None:
        self._seconds = seconds
        self._waiting = waiting
        self._waits = ExitStack()
        self._timeout = asyncio.timeout(None)
        self._connecting = False

    async def trace(self, step: str, _: object) -> None:
        """Receive httpcore's next step."""
        name = step.partition(".")[2]
        if name in ("connect_tcp.started", "receive_response_headers.started"):
            self._connecting = name.startswith("connect")
            self._timeout.reschedule(asyncio.get_running_loop().time() + self._seconds)
            self._waits.close()
            self._waits.enter_context(self._waiting())
        elif name == "send_request_headers.started":
            self._timeout.reschedule(None)
            self._waits.close()

    async def __aenter__(self) -> None:
        await self._timeout.__aenter__()

    async def __aexit__(self, *error: Any) -> None:
        self._waits.close()
        try:
            await self._timeout.__aexit__(*error)
        except TimeoutError as late:
            kind = httpx.ConnectTimeout if self._connecting else httpx.ReadTimeout
            raise kind(f"not within {self._seconds:.0f} s") from late


class _Intake:
    """How much one request may still read; entered around whatever reads for it."""

    current: ContextVar[_Intake | None] = ContextVar("kittui_intake", default=None)

    def __init__(self) -> None:
        self.awaiting_head = True
        self._left = _SPARE
        self._informational = 0

    def took(self, data: bytes, *, framed: bool) -> None:
        """Count what was read; raises RemoteProtocolError.

        Without `framed` it is HTTP/1.1, whose heads can be distinguished.
        """
        self._left -= len(data)
        if self._left < 0:
            raise httpcore.RemoteProtocolError("far more arrives than belongs to the answer")
        if self.awaiting_head and not framed:
            for head in data.split(b"\r\n\r\n"):
                if not _INFORMATIONAL.match(head):
                    break
                self._informational += 1
            if self._informational > MOST_INFORMATIONAL:
                raise httpcore.RemoteProtocolError(f"more than {MOST_INFORMATIONAL} informational answers")

    def gave(self, size: int) -> None:
        """Count the part that was the answer's body."""
        self._left += 2 * size

    def __enter__(self) -> None:
        self._token = self.current.set(self)

    def __exit__(self, *_: object) -> None:
        self.current.reset(self._token)


class _Network(httpcore.AsyncNetworkBackend):
    """httpcore's own connections (which try all addresses of a name, close to each other), with reads counted."""

    def __init__(self) -> None:
        self._backend = httpcore.AnyIOBackend()
        self._open: set[_Stream] = set()

    async def connect_tcp(self, *args: Any, **kwargs: Any) -> httpcore.AsyncNetworkStream:
        """Connect as httpcore asks for it."""
        return _Stream(await self._backend.connect_tcp(*args, **kwargs), self._open)

    async def aclose(self) -> None:
        """Close what httpcore leaves open, as after a SOCKS proxy has refused."""
        for stream in list(self._open):
            await stream.aclose()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


class _Stream(httpcore.AsyncNetworkStream):
    """A connection whose reads are counted to the request that they are made for."""

    def __init__(self, stream: httpcore.AsyncNetworkStream, opened: set[_Stream]) -> None:
        self._stream = stream
        self._opened = opened
        opened.add(self)
        tls = stream.get_extra_info("ssl_object")
        self._framed = tls is not None and tls.selected_alpn_protocol() == "h2"

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109 - httpcore's
        """Read some bytes."""
        data = await self._stream.read(max_bytes, timeout)
        intake = _Intake.current.get()
        if intake is not None:
            intake.took(data, framed=self._framed)
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109 - httpcore's
        """Write all of it."""
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        """Close it."""
        self._opened.discard(self)
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's
    ) -> httpcore.AsyncNetworkStream:
        """Start TLS."""
        secure = await self._stream.start_tls(ssl_context, server_hostname, timeout)
        self._opened.discard(self)
        return _Stream(secure, self._opened)

    def get_extra_info(self, info: str) -> Any:
        """What httpcore wants to know of it."""
        return self._stream.get_extra_info(info)


class _Body(httpx.AsyncByteStream):
    """The body of an answer."""

    def __init__(self, answer: httpcore.Response, intake: _Intake) -> None:
        self._answer = answer
        self._intake = intake

    async def __aiter__(self) -> AsyncIterator[bytes]:
        pieces = self._answer.aiter_stream()
        while True:
            with _as_httpx(), self._intake:
                piece = await anext(pieces, None)
            if piece is None:
                return
            self._intake.gave(len(piece))
            yield piece

    async def aclose(self) -> None:
        """Give the connection back, or drop it with what was not read."""
        with _as_httpx():
            await self._answer.aclose()


@contextmanager
def _as_httpx() -> Iterator[None]:
    """Raise httpcore's errors as httpx's of the same names."""
    try:
        yield
    except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError, httpcore.ProxyError) as error:
        raise getattr(httpx, type(error).__name__)(str(error)) from error
