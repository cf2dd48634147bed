"""One registry's HTTP: authentication, redirects by hand, bounded retries, and a pause that all tasks share."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import Any

import httpx

from kittui.errors import ConnectionLost, Denied, KittuiError, RateLimited, RegistryError, Unreachable
from kittui.oci.traffic import count
from kittui.registry.access import Access, Listeners, Patience, Wait, api_host, is_loopback
from kittui.registry.auth import Authenticator, TokenRequest
from kittui.registry.calls import Answer, Call, loggable, origin, read_bounded, read_some
from kittui.registry.credentials import Credentials
from kittui.registry.direct import DIRECT
from kittui.registry.headers import parse_challenges, parse_retry_after, parse_warnings
from kittui.registry.network import Router, open_client, speaks_tls
from kittui.registry.problems import BODY_LIMIT, Complaint, http_problem, transport_problem

log = logging.getLogger("kittui.registry")

REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 5
_RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})


class _Again(Exception):
    """A try failed in a way that another may not; `seconds` is how long the registry wants to be left alone.

    `harmless`: the request was turned away before anything was done, so that even a change may be sent again.
    """

    def __init__(self, problem: KittuiError, reason: str, seconds: float | None = None) -> None:
        super().__init__(reason)
        self.harmless = isinstance(problem, RateLimited)
        self.problem = problem
        self.reason = reason
        self.seconds = seconds


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
    ) -> None:
        self.host = host
        self.api = api_host(host)
        self.patience = patience
        self._access = access.completed(environ)
        self._listeners = listeners
        self._router = Router(self._access, environ, patience)
        self._client = open_client(self._router, patience)
        self._auth = Authenticator(self.api, host, credentials, self._send_token, accepted=access.realms)
        self._base: httpx.URL | None = None
        self._locating = asyncio.Lock()
        self._introduced = asyncio.Lock()
        self._known = False
        self._free_at = 0.0
        self._warned: set[str] = set()

    async def aclose(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    @property
    def secure(self) -> bool | None:
        """Whether TLS is spoken; None while nothing was asked yet."""
        return None if self._base is None else self._base.scheme == "https"

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

    async def ask(self, call: Call, limit: int = BODY_LIMIT) -> Answer:
        """Send and read the whole answer; raises TooLarge above `limit` bytes, and what http_problem says."""

        async def once() -> Answer:
            response = await self._obtain(call)
            try:
                body = await read_bounded(response, limit, call.doing) if call.method != "HEAD" else b""
                return Answer(response.status_code, response.headers, body, response.request.url)
            finally:
                await response.aclose()

        answer: Answer = await self._retrying(call, once)
        return answer

    async def begin(self, call: Call) -> httpx.Response:
        """Send and give the response with its body unread: close it, which drops what is left of the body."""
        response: httpx.Response = await self._retrying(call, lambda: self._obtain(call))
        return response

    async def _retrying(self, call: Call, once: Callable[[], Any]) -> Any:
        attempt = self._tried(call, once)
        try:
            return await attempt()
        except _Again as failure:
            first: list[_Again] = [failure]

        async def later() -> Any:
            if first:
                raise first.pop()
            return await attempt()

        import tenacity  # most runs see no failure, and this is slow to import

        def again(failure: BaseException) -> bool:
            return isinstance(failure, _Again) and (call.repeat or failure.harmless)

        def pause(state: tenacity.RetryCallState) -> float:
            failure = state.outcome.exception() if state.outcome else None
            jitter = tenacity.wait_random_exponential(multiplier=self.patience.backoff, max=8.0)(state)
            asked = failure.seconds if isinstance(failure, _Again) else None
            return jitter if asked is None else min(asked, self.patience.longest_wait) + min(jitter, 0.25)

        def told(state: tenacity.RetryCallState) -> None:
            failure = state.outcome.exception() if state.outcome else None
            seconds = state.next_action.sleep if state.next_action else 0.0
            log.info("%s: %s; trying again in %.1f s", self.host, failure, seconds)
            if isinstance(failure, _Again) and failure.seconds is not None:
                self._free_at = max(self._free_at, asyncio.get_running_loop().time() + seconds)
            self._listeners.on_wait(Wait(self.host, seconds, str(failure), state.attempt_number))

        retrying = tenacity.AsyncRetrying(
            stop=tenacity.stop_after_attempt(self.patience.tries),
            wait=pause,
            retry=tenacity.retry_if_exception(again),
            before_sleep=told,
            reraise=True,
        )
        try:
            return await retrying(later)
        except _Again as failure:
            raise failure.problem from failure.problem.__cause__

    def _tried(self, call: Call, once: Callable[[], Any]) -> Callable[[], Any]:
        """Make failures that another try may cure into _Again, and wait while the registry wants to be left alone."""

        async def attempt() -> Any:
            if self._free_at:
                await asyncio.sleep(self._free_at - asyncio.get_running_loop().time())
            try:
                return await once()
            except ConnectionLost as error:
                raise _Again(error, error.message) from error
            except Unreachable as error:
                if not self._known:
                    raise
                raise _Again(error, error.message) from error

        return attempt

    async def _obtain(self, call: Call) -> httpx.Response:
        """One try: the response of the last hop, its status one of `ok`."""
        base = await self.base()
        if self._known:
            response = await self._follow(call, base)
        else:
            async with self._introduced:
                response = await self._follow(call, base)
                self._known = True
        self._notice(response)
        if response.status_code in call.ok:
            return response
        try:
            raise await self._complain(call, response)
        finally:
            await response.aclose()

    async def _complain(self, call: Call, response: httpx.Response) -> Exception:
        status = response.status_code
        complaint = Complaint.parse(await read_some(response))
        home = origin(response.request.url) == origin(await self.base())
        if status in (401, 403) and home:
            return await self._auth.refusal(call.scopes, complaint, call.doing, status)
        host = self.host if home else response.request.url.host
        if not home and status in (401, 403):
            return Denied(
                f"{host}, where {self.host} keeps its blobs, refuses to give one",
                hint="Try again; if it stays so, the registry's storage is set up wrongly. No credentials went there.",
            )
        problem = http_problem(status, complaint, host, call.doing)
        if status in _RETRIED:
            seconds = parse_retry_after(response.headers.get("Retry-After"))
            reason = "the rate of requests is limited" if isinstance(problem, RateLimited) else f"answered {status}"
            return _Again(problem, reason, seconds)
        return problem

    async def _follow(self, call: Call, base: httpx.URL) -> httpx.Response:
        """Redirects of reads, by hand: at most five, never from https to http, no credentials off the registry."""
        url = call.url or httpx.URL(f"{base}{call.path}")
        home = origin(base)
        response = await self._authorised(call, url, home)
        hops = 0
        while response.status_code in REDIRECTS and response.status_code not in call.ok:
            location = response.headers.get("Location")
            await response.aclose()
            hops += 1
            if call.method not in ("GET", "HEAD") or location is None or hops > _MOST_REDIRECTS:
                raise RegistryError(
                    f"could not {call.doing}: {self.host} redirects in a way that is not followed",
                    status=response.status_code,
                )
            url = self.join(url, location)
            response = await self._authorised(call, url, home)
        return response

    def join(self, url: httpx.URL, location: str, *, upgrade: bool = False) -> httpx.URL:
        """The absolute form of a Location; raises RegistryError for other schemes and for https turned into http.

        `upgrade`: an http address on the very host that was asked over https is taken to be https, as registries
        behind a proxy that ends TLS name themselves.
        """
        try:
            target = url.join(location)
        except (httpx.InvalidURL, ValueError) as error:
            raise RegistryError(f"{self.host} sends to an address that can't be used") from error
        if target.scheme not in ("http", "https") or not target.host or target.userinfo:
            raise RegistryError(f"{self.host} sends to an address that can't be used")
        if upgrade and url.scheme == "https" and target.scheme == "http" and target.host == url.host:
            target = target.copy_with(scheme="https", port=url.port)
        if url.scheme == "https" and target.scheme == "http":
            raise RegistryError(
                f"{self.host} sends from https to plain http on {target.host}", hint="That is never followed."
            )
        return target

    async def _authorised(self, call: Call, url: httpx.URL, home: tuple[str, str, int]) -> httpx.Response:
        """Send with our credentials to the registry's own origin, and to any other place without."""
        if origin(url) != home:
            return await self._send(call, url, None)
        authorization = await self._auth.header(call.scopes)
        response = await self._send(call, url, authorization)
        if response.status_code != 401:
            return response
        challenges = parse_challenges(response.headers.get_list("WWW-Authenticate"))
        await read_some(response)
        await response.aclose()
        authorization = await self._auth.answer(challenges, call.scopes, authorization)
        return await self._send(call, url, authorization)

    async def _send(self, call: Call, url: httpx.URL, authorization: str | None) -> httpx.Response:
        headers = dict(call.headers)
        if authorization is not None:
            headers["Authorization"] = authorization
        if DIRECT in call.extensions and not isinstance(call.body, bytes):
            sending = self._router.pass_on(call.method, url, headers, call.body)
            return await self._transmit(call.method, url, sending)
        body = call.body if isinstance(call.body, bytes) or call.body is None else call.body()
        request = self._client.build_request(
            call.method, url, headers=headers, content=body, extensions=dict(call.extensions)
        )
        try:
            response = self._client.send(request, stream=True, auth=None)
            return await self._transmit(call.method, url, response, len(body) if isinstance(body, bytes) else 0)
        finally:
            if isinstance(body, AsyncGenerator):
                await body.aclose()

    async def _transmit(
        self, method: str, url: httpx.URL, sending: Awaitable[httpx.Response], sent: int = 0
    ) -> httpx.Response:
        count(requests=1, sent=sent)
        try:
            response = await sending
        except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError) as error:
            log.info("%s %s: %s", method, loggable(url), type(error).__name__)
            raise transport_problem(error, url.host, secure=url.scheme == "https") from error
        if log.isEnabledFor(logging.DEBUG):
            log.debug("%s %s: %d", method, loggable(url), response.status_code)
        return response

    async def _send_token(self, request: TokenRequest) -> tuple[int, bytes]:
        """Ask a token realm: retried like everything, redirects not followed."""
        headers = {"Accept": "application/json"}
        if request.authorization:
            headers["Authorization"] = request.authorization
        if request.form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        method = "GET" if request.form is None else "POST"

        async def once() -> tuple[int, bytes]:
            try:
                built = self._client.build_request(method, request.url, headers=headers, content=request.form)
            except (httpx.InvalidURL, ValueError) as error:
                raise RegistryError(f"the token realm of {self.host} is no usable address") from error
            sending = self._client.send(built, stream=True, auth=None)
            response = await self._transmit(method, built.url, sending, len(request.form or b""))
            try:
                body = await read_bounded(response, 1024 * 1024, "fetch a token")
            finally:
                await response.aclose()
            if response.status_code in _RETRIED:
                problem = http_problem(response.status_code, Complaint.parse(body), self.host, "fetch a token")
                raise _Again(problem, "no token yet", parse_retry_after(response.headers.get("Retry-After")))
            return response.status_code, body

        result: tuple[int, bytes] = await self._retrying(Call(method), once)
        return result

    async def pause(self, attempt: int, problem: KittuiError | None) -> None:
        """Wait before a caller's own next try, longer each time; the listener is told."""
        seconds = random.uniform(0.5, 1.0) * min(self.patience.backoff * 2**attempt, 8.0)  # noqa: S311 - jitter
        reason = problem.message if problem else "the upload is begun again"
        self._listeners.on_wait(Wait(self.host, seconds, reason, attempt))
        await asyncio.sleep(seconds)

    def is_busy(self, problem: KittuiError | None) -> bool:
        """Whether a registry that has answered before is out of reach or limits the rate: trying again may help."""
        return isinstance(problem, RateLimited) or (self._known and isinstance(problem, Unreachable))

    def is_home(self, response: httpx.Response) -> bool:
        """Whether a response came from the registry itself, not from where it redirected to."""
        return self._base is not None and origin(response.request.url) == origin(self._base)

    def _notice(self, response: httpx.Response) -> None:
        for text in parse_warnings(response.headers.get_list("Warning")):
            if text not in self._warned and len(self._warned) < 100:
                self._warned.add(text)
                self._listeners.on_warning(text)
