"""Routes requests: over direct connections, over shared ones, or through a proxy from the environment."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, Final

import httpx

from kittui import __version__
from kittui.registry.access import Access, Patience
from kittui.registry.transport.direct import DirectTransport
from kittui.registry.transport.proxies import Proxies, Proxy
from kittui.registry.transport.tls import Contexts
from kittui.registry.transport.wire import UPLOAD, Body, Waiting

if TYPE_CHECKING:
    from kittui.registry.transport.pools import Pools

USER_AGENT: Final = f"kittui/{__version__}"
_HEADERS: Final = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity", "Accept": "*/*"}


class Router:
    """Sends the requests of one registry, without following redirects, keeping cookies, or asking for compression."""

    def __init__(self, access: Access, environ: Mapping[str, str], patience: Patience) -> None:
        self.contexts = Contexts(access)
        self._patience = patience
        self._proxies = Proxies(environ)
        self._direct = DirectTransport(patience.connect, patience.read)
        self._opened: Pools | None = None

    def proxy(self, url: httpx.URL) -> Proxy | None:
        """The proxy that a request goes through; raises ConfigError for one that can't be used."""
        return self._proxies.way(url)

    async def send(
        self,
        method: str,
        url: httpx.URL,
        headers: Mapping[str, str],
        body: bytes | Body | None = None,
        *,
        blob: bool = False,
        longer: float = 0.0,
        waiting: Waiting = nullcontext,
    ) -> httpx.Response:
        """Send, and read the head of the answer; the caller closes the response. Raises httpx's transport errors.

        `blob`: a blob's bytes are sent or requested. A body that is also an `Upload` is poured unless there is a proxy.
        The head must arrive in the usual time after the request was sent, plus `longer` seconds.
        `waiting` is entered around waits for the other side.
        """
        proxy = self.proxy(url)
        # Without TLS there is no HTTP/2, so shared connections save nothing, and importing them takes long.
        straight = proxy is None and (blob or url.scheme == "http")
        seconds = self._patience.read + longer
        extensions: dict[str, Any] = {}
        content: bytes | AsyncIterator[bytes] | None = None
        if body is None or isinstance(body, bytes):
            content = body
        elif straight and hasattr(body, "pour"):
            extensions[UPLOAD] = body
        else:
            content = body()
        headers = {**_HEADERS, **headers}
        try:
            request = httpx.Request(method, url, headers=headers, content=content, extensions=extensions)
            if straight:
                tls = await self.contexts.registry() if url.scheme == "https" else None
                response = await self._direct.send(request, tls, seconds, waiting)
            else:
                response = await self._pools.send(
                    request, proxy, multiplexed=not blob, seconds=seconds, waiting=waiting
                )
        finally:
            if isinstance(content, AsyncGenerator):
                await content.aclose()
        response.request = request
        return response

    async def aclose(self) -> None:
        """Close every connection."""
        await self._direct.aclose()
        if self._opened is not None:
            await self._opened.aclose()

    @property
    def _pools(self) -> Pools:
        if self._opened is None:
            from kittui.registry.transport.pools import Pools  # plain HTTP needs none of what this imports

            self._opened = Pools(self.contexts, self._patience)
        return self._opened
