"""The HTTP client: TLS as the user wants it, the proxies of the environment, no cookies."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import suppress
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from typing import Any

import httpx

from kittui import __version__
from kittui.errors import ConfigError, Unreachable
from kittui.registry.access import Access, Patience, is_loopback, split_host
from kittui.registry.calls import Body
from kittui.registry.direct import DIRECT, UPLOAD, DirectTransport
from kittui.registry.headers import parse_length

USER_AGENT = f"kittui/{__version__}"
_PROBE_SECONDS = 3.0
_SMALL = 64 * 1024
_LIMITS = httpx.Limits(max_connections=64, max_keepalive_connections=32, keepalive_expiry=30.0)


_HEADERS = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity", "Accept": "*/*"}


def open_client(router: Router, patience: Patience) -> httpx.AsyncClient:
    """A client that sends by a router; nothing is read or connected yet.

    It follows no redirects, keeps no cookies, sends no credentials of its own (netrc) and asks for no compression.
    """
    jar = CookieJar(DefaultCookiePolicy(allowed_domains=[]))
    return httpx.AsyncClient(
        transport=router,
        cookies=jar,
        headers=_HEADERS,
        timeout=_timeout(patience),
        follow_redirects=False,
        trust_env=False,
    )


def _timeout(patience: Patience) -> httpx.Timeout:
    return httpx.Timeout(patience.read, connect=patience.connect, pool=None)


class Router(httpx.AsyncBaseTransport):
    """Chooses the way for each request: straight, through a proxy, or by the fast reader of blobs."""

    def __init__(self, access: Access, environ: Mapping[str, str], patience: Patience) -> None:
        self._access = access
        self._proxies = _proxies(environ)
        self._tls: ssl.SSLContext | None = None
        self._ways: dict[str, httpx.AsyncBaseTransport] = {}
        self._opening = asyncio.Lock()
        self._direct = DirectTransport(patience.connect, patience.read)
        self._timeout = _timeout(patience).as_dict()

    async def pass_on(
        self, method: str, url: httpx.URL, headers: Mapping[str, str], body: Body | None = None
    ) -> httpx.Response:
        """Send a request for a blob's bytes, or with them, past the client: that takes it longer than the network.

        It is what `open_client` sends for the same call, and the caller closes the response likewise. A body that is
        an `Upload` too is poured where there is no proxy.
        """
        extensions: dict[str, Any] = {DIRECT: True, "timeout": self._timeout}
        stream = None
        if body is not None and not self._proxy(url) and hasattr(body, "pour"):
            extensions[UPLOAD] = body
        elif body is not None:
            stream = body()
        try:
            request = httpx.Request(method, url, headers={**_HEADERS, **headers}, content=stream, extensions=extensions)
            response = await self.handle_async_request(request)
        finally:
            if isinstance(stream, AsyncGenerator):
                await stream.aclose()
        response.request = request
        return response

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send by the way that the URL asks for."""
        proxy = self._proxy(request.url)
        if not proxy and (request.extensions.get(DIRECT) or _is_simple(request)):
            tls = await self._context() if request.url.scheme == "https" else None
            return await self._direct.send(request, tls)
        large = request.extensions.get(DIRECT) or (parse_length(request.headers.get("Content-Length")) or 0) > _SMALL
        way = await self._way(proxy, request.url.scheme, multiplexed=not large)
        return await way.handle_async_request(request)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._direct.aclose()
        for way in self._ways.values():
            await way.aclose()

    def _proxy(self, url: httpx.URL) -> str:
        proxy = self._proxies.get(url.scheme) or self._proxies.get("all", "")
        host = url.netloc.decode("ascii").rpartition("@")[2]
        if not proxy or is_loopback(host) or _bypasses(host, self._proxies.get("no", "")):
            return ""
        return proxy

    async def _way(self, proxy: str, scheme: str, *, multiplexed: bool) -> httpx.AsyncBaseTransport:
        """One pool per proxy and kind; TLS settings are read from disk only when the first https request needs them.

        Small requests over TLS share one connection by HTTP/2, which more than halves the time that many of them
        take; bodies of blobs go by HTTP/1.1, which costs far less per byte.
        """
        secure = scheme == "https" or proxy.startswith("https:")
        multiplexed = multiplexed and scheme == "https"
        key = f"{proxy} {secure} {multiplexed}"
        verify = await self._context() if secure else False
        way = self._ways.get(key)
        if way is None:
            way = httpx.AsyncHTTPTransport(
                verify=verify, http2=multiplexed, limits=_LIMITS, proxy=proxy or None, trust_env=False
            )
            self._ways[key] = way
        return way

    async def _context(self) -> ssl.SSLContext:
        async with self._opening:
            if self._tls is None:
                self._tls = await asyncio.to_thread(tls_context, self._access)
            return self._tls


def _is_simple(request: httpx.Request) -> bool:
    """Whether a request gains nothing from a pool of connections: without TLS there is no HTTP/2."""
    return request.url.scheme == "http" and isinstance(request.stream, httpx.ByteStream)


def _proxies(environ: Mapping[str, str]) -> Mapping[str, str]:
    """The proxy URLs by scheme, lower-case variables first, as everywhere; `no` holds the exceptions."""
    found: dict[str, str] = {}
    for name, value in environ.items():
        lower = name.lower()
        if lower.endswith("_proxy") and value and (name == lower or lower[:-6] not in found):
            found[lower[:-6]] = value if "://" in value or lower == "no_proxy" else f"http://{value}"
    return found


def _bypasses(host: str, exceptions: str) -> bool:
    """Whether NO_PROXY names the host: `*`, a name with all below it, HOST:PORT, an address, or a network (CIDR)."""
    name = split_host(host)[0]
    for entry in (part.strip().lower() for part in exceptions.split(",")):
        if not entry:
            continue
        if entry in ("*", host.lower(), name) or name.endswith("." + entry.lstrip("*.")):
            return True
        try:
            if ipaddress.ip_address(name) in ipaddress.ip_network(entry, strict=False):
                return True
        except ValueError:
            continue
    return False


def tls_context(access: Access) -> ssl.SSLContext:
    """How certificates are checked, and which one is shown; raises ConfigError for files that can't be used."""
    context = ssl.create_default_context()
    if not any(ssl.get_default_verify_paths()[:2]):
        import certifi

        context.load_verify_locations(certifi.where())
    if not access.tls_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if access.ca_cert is not None:
        _load(access.ca_cert, "the authorities' certificates", lambda: context.load_verify_locations(access.ca_cert))
    if access.cert is not None:
        cert, key = access.cert, access.key
        _load(cert, "the client certificate", lambda: context.load_cert_chain(cert, key))
    return context


def _load(path: Path, what: str, load: Callable[[], None]) -> None:
    try:
        load()
    except (OSError, ssl.SSLError) as error:
        reason = error.strerror or error.args[-1]
        raise ConfigError(
            f"{what} in {path} can't be used: {reason}",
            hint="It must be a readable PEM file, and a key must fit its certificate.",
        ) from error


async def speaks_tls(host: str) -> bool:
    """Whether a TLS handshake succeeds on loopback, whatever the certificate; raises Unreachable if nobody listens."""
    name, port = split_host(host)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        async with asyncio.timeout(_PROBE_SECONDS):
            _, writer = await asyncio.open_connection(name, port or 443, ssl=context)
    except (ssl.SSLError, TimeoutError, ConnectionResetError, ConnectionAbortedError):
        return False
    except OSError as error:
        if port is None:
            return False
        raise Unreachable(
            f"{host} can't be reached: {error.strerror or 'no connection'}", hint="Is the registry running?"
        ) from error
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return True
