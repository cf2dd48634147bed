"""Sends to one registry, its token service and its storage; names failures, and reports silence."""

from __future__ import annotations

import logging
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx

from kittui.errors import NetworkError, TlsError, Unreachable
from kittui.oci.traffic import count, record
from kittui.registry.access import Access, Listeners, Patience, Wait
from kittui.registry.calls import address, loggable, origin
from kittui.registry.transport.faults import (
    refuses_certificate,
    speaks_plain_http,
    transport_problem,
    unverified,
    wants_certificate,
)
from kittui.registry.transport.router import Router
from kittui.registry.transport.tls import speaks_tls, why_no_tls
from kittui.registry.transport.wire import Body
from kittui.registry.watch import Watch

log = logging.getLogger("kittui.registry")

_QUIET_SECONDS = 10.0
"""Minimum seconds between reports of silence, however many requests wait."""
_ELSEWHERE = (
    "The registry keeps its blobs at that address, which must be reachable from here as well; or its operator lets it "
    "send them itself (Distribution, Harbor, GitLab: storage.redirect.disable: true; Quay: FEATURE_PROXY_STORAGE)."
)


@dataclass(frozen=True, slots=True)
class Errand:
    """One request.

    `doing` completes "could not ...", `blob`: a blob's bytes are sent or requested. `longer` is added to the time limit
    for the head of the answer.
    """

    method: str
    url: httpx.URL
    doing: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | Body | None = None
    blob: bool = False
    longer: float = 0.0


class Courier:
    """Sends for the registry `host`; addresses that have answered once count as reachable."""

    def __init__(
        self, host: str, access: Access, listeners: Listeners, patience: Patience, environ: Mapping[str, str]
    ) -> None:
        self.host = host
        self.patience = patience
        self._has_certificate = access.cert is not None
        self._listeners = listeners
        self._router = Router(access, environ, patience)
        self._reached: set[tuple[str, str, int]] = set()
        self._reported = 0.0
        self._waited_for = False
        self._warned: set[str] = set()

    async def aclose(self) -> None:
        """Close every connection."""
        await self._router.aclose()

    def has_reached(self, url: httpx.URL) -> bool:
        """Whether this address has answered yet."""
        return origin(url) in self._reached

    def watch(self, doing: str) -> Watch:
        """A watch for one transfer."""
        return Watch(self.patience, self.host, lambda: self._report_silence(doing), self._heard)

    def warn(self, text: str) -> None:
        """Pass on a warning once; raw text."""
        if text not in self._warned and len(self._warned) < 100:
            self._warned.add(text)
            self._listeners.on_warning(text)

    def report(self, wait: Wait) -> None:
        """Have a wait shown."""
        self._waited_for = True
        self._listeners.on_wait(wait)

    def _heard(self) -> None:
        """Update the report of waits after a request was answered, or failed."""
        if self._waited_for:
            self._waited_for = False
            self._listeners.on_waited(self.host)

    async def send(self, errand: Errand, name: str = "") -> httpx.Response:
        """Send, and read the head of the answer; `name` is the other side's name if it isn't the registry.

        Raises NetworkError, whose `passing` is False if it never answered, and ConfigError.
        """
        began = time.monotonic()
        try:
            response = await self._send(errand, name)
        except NetworkError:
            record(errand.method, str(errand.url), 0, None, time.monotonic() - began)
            raise
        size = response.headers.get("content-length")
        record(errand.method, str(errand.url), response.status_code, size, time.monotonic() - began)
        return response

    async def _send(self, errand: Errand, name: str) -> httpx.Response:
        url = errand.url
        count(requests=1, sent=len(errand.body) if isinstance(errand.body, bytes) else 0)
        try:
            response = await self._router.send(
                errand.method,
                url,
                errand.headers,
                errand.body,
                blob=errand.blob,
                longer=errand.longer,
                waiting=self.watch(errand.doing).waiting,
            )
        except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError) as error:
            log.info("%s %s: %s", errand.method, loggable(url), type(error).__name__)
            raise await self._problem(error, url, name) from error
        if log.isEnabledFor(logging.DEBUG):
            log.debug("%s %s: %d", errand.method, loggable(url), response.status_code)
        self._reached.add(origin(url))
        return response

    async def _problem(
        self, error: httpx.HTTPError | httpx.InvalidURL | ssl.SSLError, url: httpx.URL, name: str
    ) -> NetworkError:
        secure = url.scheme == "https"
        proxy = self._router.proxy(url)
        who = name or address(url)
        problem = transport_problem(error, who, secure=secure, proxy=proxy)
        if secure and refuses_certificate(error):
            return wants_certificate(who, shown=self._has_certificate)
        if self.has_reached(url):
            return problem
        if proxy is None and not unverified(error) and not isinstance(error, httpx.TimeoutException):
            problem = await self._explained(problem, url, who)
        if name and isinstance(problem, Unreachable):
            problem.hint = _ELSEWHERE
        if isinstance(problem, Unreachable) or isinstance(error, httpx.TimeoutException):
            problem.passing = False
        return problem

    async def _explained(self, problem: NetworkError, url: httpx.URL, who: str) -> NetworkError:
        """Explain why a first contact failed, if another attempt shows it."""
        if url.scheme == "https":
            why = await why_no_tls(url.host, url.port or 443, await self._router.contexts.registry())
            if why == "plain HTTP":
                return speaks_plain_http(who)
            return wants_certificate(who, shown=self._has_certificate) if why == "certificate" else problem
        try:
            secure = await speaks_tls(f"{url.netloc.decode('ascii')}" if url.port else f"{url.host}:80")
        except Unreachable:
            return problem
        if not secure:
            return problem
        return TlsError(
            f"{who} speaks TLS, not plain HTTP",
            hint="Leave out --plain-http, and plain_http for it in config.yaml.",
        )

    def _report_silence(self, doing: str) -> None:
        now = time.monotonic()
        if now - self._reported >= _QUIET_SECONDS:
            self._reported = now
            self.report(Wait(self.host, f"no answer yet (to {doing})"))
