"""Authenticates to one registry: answers challenges, fetches tokens once and keeps them until they expire.

Sources: distribution's token authentication specification (GET and the OAuth2 POST), RFC 7617 (Basic).
"""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from kittui.errors import Denied, RegistryError, Unauthorized
from kittui.registry.credentials import Credential, Credentials
from kittui.registry.headers import Challenge
from kittui.registry.problems import Complaint, http_problem
from kittui.registry.realm import Realm, UntrustedRealm, accepting, check_addresses, judge_realm
from kittui.registry.scopes import Scopes, lacking

CLIENT_ID = "kittui"
_SHORTEST = 60.0
_EARLY = 5.0
_TOKEN_LIMIT = 64 * 1024


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """A request to a realm: a GET of `url`, or a POST of `form`."""

    url: str
    authorization: str | None = None
    form: bytes | None = None


TokenSender = Callable[[TokenRequest], Awaitable[tuple[int, bytes]]]
"""Sends a token request (with retries, without following redirects) and returns status and bounded body."""


@dataclass(frozen=True, slots=True)
class _Token:
    header: str
    until: float


class Authenticator:
    """Provides the Authorization header of one registry's requests, by scopes; safe to use from many tasks at once.

    `registry` is HOST[:PORT] of the API, `secure` whether it is spoken to over TLS, `lookup` the name under which
    credentials are kept. `clock` is monotonic, in seconds.
    """

    def __init__(
        self,
        registry: str,
        lookup: str,
        credentials: Credentials,
        send: TokenSender,
        *,
        accepted: frozenset[str] = frozenset(),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.registry = registry
        self.lookup = lookup
        self.secure = True
        self._credentials = credentials
        self._send = send
        self._accepted = accepted
        self._clock = clock
        self._basic: str | None = None
        self._realm: Realm | None = None
        self._service = ""
        self._tokens: dict[Scopes, _Token] = {}
        self._pending: dict[Scopes, asyncio.Task[str]] = {}
        self._found: dict[str, Credential | None] = {}
        self._also: dict[Scopes, tuple[str, ...]] = {}
        """Scopes that challenges asked for beyond those of the requests."""

    def forget(self) -> None:
        """Look up the credentials again after a login or logout.

        The collections are replaced, so that pending requests with the old credentials can't write into the new ones.
        """
        self._basic = None
        self._tokens, self._pending, self._found = {}, {}, {}

    async def present(self) -> None:
        """Send user name and password from the first request on, for registries that never ask for them."""
        credential = await self._credential(frozenset())
        if credential is not None and credential.password:
            self._basic = _basic(credential)

    async def header(self, scopes: Scopes) -> str | None:
        """The Authorization header to send first: None until a challenge was seen."""
        if self._realm is not None:
            return await self._token(scopes)
        return self._basic

    async def answer(self, challenges: Sequence[Challenge], scopes: Scopes, rejected: str | None) -> str:
        """The Authorization header after a 401 to a request that carried `rejected`.

        Raises Unauthorized without credentials to answer with, Denied for a realm that may not be asked, or not with
        credentials.
        """
        bearer = next((each for each in challenges if each.scheme == "bearer" and each.parameters.get("realm")), None)
        if bearer is not None:
            realm = judge_realm(
                bearer.parameters["realm"],
                self.registry,
                secure=self.secure,
                accepted=self._accepted,
                known_as=self.lookup,
            )
            if self._realm is None or self._realm != realm or self._service != bearer.parameters.get("service", ""):
                await check_addresses(realm, self.registry, self.lookup)
                self._realm, self._service = realm, bearer.parameters.get("service", "")
                self._tokens.clear()
            also = lacking(bearer.parameters.get("scope", ""), scopes)
            if also:
                self._also[scopes] = also
            self._drop(rejected)
            return await self._token(scopes)
        if any(each.scheme == "basic" for each in challenges):
            credential = await self._credential(scopes)
            if credential is None or not credential.password:
                raise Unauthorized(f"{self.lookup} wants a login", hint=f"Run: kittui login {self.lookup}")
            header = _basic(credential)
            if header == rejected:
                raise await self.refusal(scopes, Complaint())
            self._basic = header
            return header
        raise Unauthorized(
            f"{self.lookup} requires an authentication scheme that kittui does not support",
            hint="kittui supports Bearer and Basic.",
        )

    async def refusal(
        self, scopes: Scopes, complaint: Complaint, doing: str = "read", status: int = 401
    ) -> Unauthorized | Denied:
        """The error for a 401 or 403 despite all credentials, with their origin."""
        credential = await self._credential(scopes)
        said = f" ({complaint})" if str(complaint) else ""
        if credential is None:
            what = "wants a login" if status == 401 else f"does not allow to {doing} without a login"
            return Unauthorized(f"{self.lookup} {what}{said}", hint=f"Run: kittui login {self.lookup}")
        if status == 401:
            return self._refused(f"{self.lookup} refused", credential, said)
        return Denied(
            f"{self.lookup} does not allow to {doing} with {credential.described}{said}",
            hint=f"Ask for access, or log in as someone else: kittui login {self.lookup}",
        )

    def _refused(self, who: str, credential: Credential, said: str = "") -> Denied:
        """The error for rejected credentials: their origin, and how to remove them."""
        away = f" Without them: {credential.removal}." if credential.removal else ""
        return Denied(
            f"{who} {credential.described}{said}",
            hint=f"Log in again: kittui login {self.lookup}, or ask for access to this repository.{away}",
        )

    def _drop(self, header: str | None) -> None:
        for scopes in [scopes for scopes, token in self._tokens.items() if token.header == header]:
            del self._tokens[scopes]

    async def _credential(self, scopes: Scopes) -> Credential | None:
        repository = next((scope.name for scope in sorted(scopes, key=str) if scope.kind == "repository"), "")
        found = self._found
        if repository not in found:
            found[repository] = await self._credentials.find(self.lookup, repository)
        return found[repository]

    async def _token(self, scopes: Scopes) -> str:
        now = self._clock()
        for held, token in list(self._tokens.items()):
            if token.until <= now:
                del self._tokens[held]
            elif all(any(have.covers(need) for have in held) for need in scopes):
                return token.header
        task = self._pending.get(scopes)
        if task is None:
            task = asyncio.create_task(self._fetch(scopes), name="kittui token")
            self._pending[scopes] = task
            task.add_done_callback(partial(self._settled, self._pending, scopes))
        return await asyncio.shield(task)

    def _settled(self, pending: dict[Scopes, asyncio.Task[str]], scopes: Scopes, task: asyncio.Task[str]) -> None:
        pending.pop(scopes, None)
        if not task.cancelled():
            task.exception()

    async def _fetch(self, scopes: Scopes) -> str:
        realm, service, tokens = self._realm, self._service, self._tokens
        if realm is None:
            raise Unauthorized(f"{self.lookup} did not name a token service")
        credential = await self._credential(scopes)
        if credential is not None and credential.registry_token:
            return self._keep(tokens, scopes, credential.registry_token, _SHORTEST)
        if credential is not None and not realm.trusted:
            raise UntrustedRealm(
                f"{self.lookup} wants its credentials sent to {realm.host}",
                realm=realm.host,
                hint=f"kittui did not send them. {accepting(self.lookup, realm.host)}",
            )
        own = tuple(str(scope) for scope in sorted(scopes, key=str))
        also = self._also.get(scopes, ())
        status, body = await self._send(_token_request(realm.url, service, (*also, *own), credential))
        if status in (400, 403) and also:
            # Some services refuse a token altogether for a name that only their gateway knows.
            status, body = await self._send(_token_request(realm.url, service, also, credential))
        if status != 200:
            raise self._token_problem(status, body, credential)
        token, lifetime = _parse_token(body, self.lookup)
        return self._keep(tokens, scopes, token, lifetime)

    def _keep(self, tokens: dict[Scopes, _Token], scopes: Scopes, token: str, lifetime: float) -> str:
        header = f"Bearer {token}"
        tokens[scopes] = _Token(header, self._clock() + max(lifetime, _SHORTEST) - _EARLY)
        return header

    def _token_problem(self, status: int, body: bytes, credential: Credential | None) -> Exception:
        complaint = Complaint.parse(body)
        if status in (400, 401, 403) and credential is not None:
            said = f" ({complaint})" if str(complaint) else ""
            return self._refused(f"the token service of {self.lookup} refused", credential, said)
        if status in (400, 401, 403):
            return Unauthorized(f"{self.lookup} wants a login", hint=f"Run: kittui login {self.lookup}")
        return http_problem(status, complaint, self.lookup, "fetch a token")


def _basic(credential: Credential) -> str:
    pair = f"{credential.username}:{credential.password}".encode()
    return "Basic " + base64.b64encode(pair).decode("ascii")


def _token_request(realm: str, service: str, words: Sequence[str], credential: Credential | None) -> TokenRequest:
    if credential is not None and credential.identity_token:
        form = {
            "grant_type": "refresh_token",
            "service": service,
            "client_id": CLIENT_ID,
            "refresh_token": credential.identity_token,
        }
        if words:
            form["scope"] = " ".join(words)
        return TokenRequest(realm, form=urlencode(form).encode("ascii"))
    parts = urlsplit(realm)
    query = parse_qsl(parts.query, keep_blank_values=True)
    if service:
        query.append(("service", service))
    query += [("scope", word) for word in words]
    authorization = None
    if credential is not None and credential.password:
        query.append(("account", credential.username))
        authorization = _basic(credential)
    return TokenRequest(urlunsplit(parts._replace(query=urlencode(query))), authorization)


def _parse_token(body: bytes, registry: str) -> tuple[str, float]:
    try:
        document = json.loads(body)
        token = document.get("token") or document.get("access_token")
        lifetime = document.get("expires_in")
    except (ValueError, RecursionError, AttributeError):
        token, lifetime = None, None
    usable = isinstance(token, str) and len(token) <= _TOKEN_LIMIT and token.isascii() and token.isprintable()
    if not isinstance(token, str) or not usable or not token:
        raise RegistryError(f"the token service of {registry} gave no usable token", hint="Try again later.")
    if isinstance(lifetime, bool) or not isinstance(lifetime, int | float) or not 0 < lifetime < 10**9:
        lifetime = _SHORTEST
    return token, float(lifetime)
