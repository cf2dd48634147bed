"""HTTP with one registry: authentication, checked redirects, bounded retries, and a pause that all tasks share."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Final, TypeVar

import httpx

from kittui.errors import ConnectionLost, Denied, KittuiError, NetworkError, RateLimited, RegistryError
from kittui.registry.access import Access, Listeners, Patience, Wait, api_host, is_loopback
from kittui.registry.auth import Authenticator, TokenRequest
from kittui.registry.calls import Answer, Call, address, origin, read_bounded, read_some
from kittui.registry.courier import Courier, Errand
from kittui.registry.credentials import Credentials
from kittui.registry.headers import parse_challenges, parse_retry_after, parse_warnings
from kittui.registry.problems import BODY_LIMIT, Complaint, http_problem
from kittui.registry.redirects import REDIRECTS, Hops, join
from kittui.registry.transport.tls import speaks_tls
from kittui.registry.upload_ways import UploadLimits
from kittui.registry.watch import Watch
from kittui.retry import Retries, retried

log = logging.getLogger("kittui.registry")

_LIMITED: Final = "the rate of requests is limited"
REFUSED: Final = 4
"""Consecutive refused connections before that is reported, within two seconds."""
_TOKEN_LIMIT: Final = 1024 * 1024
T = TypeVar("T")


class Session:
    """The exchange with one registry, HOST[:PORT] as users write it. Nothing is sent before the first call."""

    def __init__(
        self,
        host: str,
        access: Access,
        credentials: Credentials,
        listeners: Listeners,
        patience: Patience,
        environ: Mapping[str, str] = os.environ,
        limits: UploadLimits | None = None,
    ) -> None:
        self.host = host
        self.api = api_host(host)
        self.patience = patience
        self._access = access.completed(environ)
        self._courier = Courier(host, self._access, listeners, patience, environ)
        self._auth = Authenticator(self.api, host, credentials, self._send_token, accepted=access.realms)
        self._base: httpx.URL | None = None
        self._locating = asyncio.Lock()
        self._introduced = asyncio.Lock()
        self._free_at = 0.0
        self.limits = limits or UploadLimits()
        """The upload limits that the registry has shown."""

    async def aclose(self) -> None:
        """Close every connection."""
        await self._courier.aclose()

    @property
    def secure(self) -> bool | None:
        """Whether TLS is used; None before the first request."""
        return None if self._base is None else self._base.scheme == "https"

    @property
    def at_once(self) -> int:
        """Maximum concurrent requests."""
        return self._access.at_once

    @property
    def kit_options(self) -> tuple[str, ...]:
        """The options with which kit reaches the registry in the same way, as far as known."""
        plain = self._access.plain_http or self.secure is False
        unverified = not plain and not self._access.tls_verify
        return ("--plain-http",) * plain + ("--tls-verify=false",) * unverified

    async def base(self) -> httpx.URL:
        """`https://API-HOST/v2/`; HTTP where the user allows it, or on loopback when TLS is not spoken there."""
        async with self._locating:
            if self._base is None:
                secure = not self._access.plain_http
                if secure and is_loopback(self.api):
                    secure = await speaks_tls(self.api)
                self._base = httpx.URL(f"{'https' if secure else 'http'}://{self.api}/v2/")
                self._auth.secure = secure
        return self._base

    async def present(self) -> None:
        """Send the credentials from the first request on, even to a registry that does not ask for them."""
        await self._auth.present()

    def forget_login(self) -> None:
        """Look up the credentials again before the next request."""
        self._auth.forget()

    async def ask(self, call: Call, limit: int = BODY_LIMIT) -> Answer:
        """Send and read the whole answer; raises TooLarge above `limit` bytes, and what http_problem says."""

        async def once() -> Answer:
            response, hops = await self._obtain(call)
            try:
                body = b"" if call.method == "HEAD" else await self._read(response, limit, call.doing)
                hops.check(response, body)
                return Answer(response.status_code, response.headers, body, response.request.url)
            finally:
                await response.aclose()

        return await self._retried(call, once)

    async def begin(self, call: Call) -> httpx.Response:
        """Send, and return the response with its body unread; closing it drops the rest of the body."""

        async def once() -> httpx.Response:
            return (await self._obtain(call))[0]

        return await self._retried(call, once)

    def watch(self, doing: str) -> Watch:
        """A watch for a transfer that continues after the head of an answer, or before it."""
        return self._courier.watch(doing)

    def retries(self) -> Retries:
        """The retries of an operation that has several calls, or continues to read after one."""
        return Retries(self.patience.pace, self._report)

    async def _retried(self, call: Call, once: Callable[[], Awaitable[T]]) -> T:
        async def attempt() -> T:
            if self._free_at:
                await asyncio.sleep(self._free_at - asyncio.get_running_loop().time())
            return await once()

        def may(error: NetworkError) -> bool:
            # A rate-limited request has done nothing, so even a change may be sent again.
            return call.repeat or isinstance(error, RateLimited)

        pace = replace(self.patience.pace, refused=REFUSED)
        return await retried(attempt, pace, self._report, may=may)

    def _report(self, error: NetworkError, seconds: float, _: int) -> None:
        log.info("%s: %s; trying again in %.1f s", self.host, error.message, seconds)
        if error.retry_after is None:  # otherwise it was reported with the request
            status = error.status if isinstance(error, RegistryError) else None
            self._courier.report(Wait(self.host, f"answered {status}" if status else error.message, seconds))

    async def _read(self, response: httpx.Response, limit: int, doing: str) -> bytes:
        try:
            async with asyncio.timeout(self.patience.whole):
                return await read_bounded(response, limit, doing, self.watch(doing))
        except TimeoutError as error:
            raise ConnectionLost(
                f"{self.host} takes longer than {self.patience.whole:.0f} s to {doing}", hint="Try again later."
            ) from error

    async def _obtain(self, call: Call) -> tuple[httpx.Response, Hops]:
        """One try: the response of the last hop, its status one of `ok`, and the way there."""
        base = await self.base()
        if self._courier.has_reached(base):
            response, hops = await self._follow(call, base)
        else:
            async with self._introduced:
                response, hops = await self._follow(call, base)
        for text in parse_warnings(response.headers.get_list("Warning")):
            self._courier.warn(text)
        if response.status_code in call.ok:
            hops.report_move(self._courier.warn)
            return response, hops
        try:
            raise await self._complain(call, response, hops)
        finally:
            await response.aclose()

    async def _complain(self, call: Call, response: httpx.Response, hops: Hops) -> KittuiError:
        status = response.status_code
        complaint = Complaint.parse(await read_some(response, self.watch(call.doing)))
        home = self.is_home(response)
        if hops.new is not None and not home:
            return hops.moved(response)
        missing = status == 403 and complaint.lacks_repository
        if status in (401, 403) and home and not missing:
            return await self._auth.refusal(call.scopes, complaint, call.doing, status)
        host = self.host if home else f"{address(response.request.url)}, where {self.host} sends for it,"
        if not home and status in (401, 403):
            return Denied(
                f"could not {call.doing}: {host} refused it ({status})",
                hint="Try again; if that fails, its storage is misconfigured. No credentials were sent there.",
            )
        problem = http_problem(status, complaint, host, call.doing)
        seconds = parse_retry_after(response.headers.get("Retry-After"))
        if isinstance(problem, NetworkError) and problem.passing and seconds is not None:
            problem.retry_after = seconds
            asked = min(seconds, self.patience.longest_wait)
            self._free_at = max(self._free_at, asyncio.get_running_loop().time() + asked)
            limited = isinstance(problem, RateLimited)
            self._courier.report(Wait(self.host, _LIMITED if limited else f"answered {status}", asked))
        return problem

    async def _follow(self, call: Call, base: httpx.URL) -> tuple[httpx.Response, Hops]:
        """Follow a few redirects, never from https to http, and never with credentials off the registry."""
        url = call.url or httpx.URL(f"{base}{call.path}")
        hops = Hops(self.host, call, base, url)
        response = await self._authorised(call, url, base)
        while response.status_code in REDIRECTS and response.status_code not in call.ok:
            location = response.headers.get("Location")
            await response.aclose()
            url = hops.next(url, response.status_code, location)
            response = await self._authorised(call, url, base)
        return response, hops

    def join(self, url: httpx.URL, location: str, *, upgrade: bool = False) -> httpx.URL:
        """The absolute form of a Location; raises RegistryError for what is not followed."""
        return join(self.host, url, location, upgrade=upgrade)

    async def _authorised(self, call: Call, url: httpx.URL, base: httpx.URL) -> httpx.Response:
        """Send with credentials to the registry's own origin, and without to any other."""
        if origin(url) != origin(base):
            return await self._send(call, url, None, f"{address(url)}, where {self.host} sends for it,")
        authorization = await self._auth.header(call.scopes)
        response = await self._send(call, url, authorization)
        if response.status_code != 401:
            return response
        challenges = parse_challenges(response.headers.get_list("WWW-Authenticate"))
        await read_some(response, self.watch(call.doing))
        await response.aclose()
        authorization = await self._auth.answer(challenges, call.scopes, authorization)
        return await self._send(call, url, authorization)

    async def _send(self, call: Call, url: httpx.URL, authorization: str | None, name: str = "") -> httpx.Response:
        headers = dict(call.headers)
        if authorization is not None:
            headers["Authorization"] = authorization
        errand = Errand(call.method, url, call.doing, headers, call.body, call.blob, call.longer)
        return await self._courier.send(errand, name)

    async def _send_token(self, request: TokenRequest) -> tuple[int, bytes]:
        """Ask a token realm, with retries, without following redirects."""
        headers = {"Accept": "application/json"}
        if request.authorization:
            headers["Authorization"] = request.authorization
        if request.form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        doing = "fetch a token"
        try:
            url = httpx.URL(request.url)
        except (httpx.InvalidURL, ValueError) as error:
            raise RegistryError(f"the token realm of {self.host} is not a usable address") from error
        errand = Errand("GET" if request.form is None else "POST", url, doing, headers, request.form)

        async def once() -> tuple[int, bytes]:
            response = await self._courier.send(errand, f"{address(url)}, which gives out tokens for {self.host},")
            try:
                body = await self._read(response, _TOKEN_LIMIT, doing)
            finally:
                await response.aclose()
            problem = http_problem(response.status_code, Complaint.parse(body), self.host, doing)
            if response.status_code >= 400 and isinstance(problem, NetworkError) and problem.passing:
                problem.retry_after = parse_retry_after(response.headers.get("Retry-After"))
                raise problem
            return response.status_code, body

        return await self._retried(Call(errand.method), once)

    def is_home(self, response: httpx.Response) -> bool:
        """Whether a response came from the registry itself, not from a redirect's target."""
        return self._base is not None and origin(response.request.url) == origin(self._base)
