"""Answers and exceptions of HTTP, put into kittui's errors."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus

import httpx

from kittui.errors import (
    ConnectionLost,
    Denied,
    KittuiError,
    NotFound,
    RateLimited,
    RegistryError,
    TlsError,
    Unauthorized,
    Unreachable,
)

BODY_LIMIT = 64 * 1024
"""Bytes read of an error's body at most."""


@dataclass(frozen=True, slots=True)
class Complaint:
    """What a registry says is wrong (distribution-spec, "Error codes"); both empty where it says nothing usable."""

    code: str = ""
    message: str = ""

    def __str__(self) -> str:
        return ": ".join(part for part in (self.code, self.message) if part)

    @classmethod
    def parse(cls, body: bytes) -> Complaint:
        """The first entry of `errors`; HTML, text and nothing at all are as good as silence."""
        try:
            document = json.loads(body)
            entry = document["errors"][0]
            code, message, detail = entry.get("code"), entry.get("message"), entry.get("detail")
        except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
            return cls()
        words = [text for text in (message, detail) if isinstance(text, str) and text]
        return cls(code[:100] if isinstance(code, str) else "", " - ".join(words)[:500])


@contextmanager
def naming(reference: str) -> Iterator[None]:
    """Have every error of the block name the reference it happened on."""
    try:
        yield
    except KittuiError as error:
        error.at(reference)
        raise


def http_problem(status: int, complaint: Complaint, host: str, doing: str) -> KittuiError:
    """The error of an answer that was not expected; `doing` completes "could not ..."."""
    said = f" ({complaint})" if str(complaint) else ""
    if status == 401:
        return Unauthorized(f"{host} wants a login{said}", hint=f"Run: kittui login {host}")
    if status == 403:
        return Denied(
            f"{host} does not allow to {doing}{said}",
            hint=f"Ask for access, or log in as someone else: kittui login {host}",
        )
    if status == 404:
        return NotFound(f"could not {doing}: not found{said}", hint="Check the repository, tag or digest.")
    if status == 429:
        return RateLimited(
            f"{host} limits the rate of requests and goes on refusing{said}",
            hint="Wait a while; a login often raises the limit.",
        )
    try:
        phrase = f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        phrase = str(status)
    hint = "The registry is in trouble; try again later." if status >= 500 else "See the registry's log for why."
    return RegistryError(f"could not {doing}: {host} answered {phrase}{said}", status=status, hint=hint)


def transport_problem(error: httpx.HTTPError | httpx.InvalidURL | OSError, host: str, *, secure: bool) -> KittuiError:
    """The error of a connection that failed, without any URL in its text (they can hold signatures)."""
    tls = _tls_cause(error)
    if isinstance(tls, ssl.SSLCertVerificationError):
        return TlsError(
            f"the certificate of {host} is not accepted: {tls.verify_message or tls.reason}",
            hint="Name the authority with --ca-cert FILE; only for a registry you trust: --tls-verify=false.",
        )
    if tls is not None and secure:
        return TlsError(
            f"{host} does not speak TLS as expected: {tls.reason or tls.strerror or 'handshake failed'}",
            hint="If this registry really speaks plain HTTP, allow it: --plain-http, or plain_http in config.yaml.",
        )
    if isinstance(error, httpx.ProxyError):
        return Unreachable(f"the proxy would not connect to {host}", hint="Check HTTP_PROXY, HTTPS_PROXY and NO_PROXY.")
    if isinstance(error, httpx.ConnectTimeout | httpx.PoolTimeout):
        return Unreachable(f"{host} does not answer", hint="Check the host, the network and the proxy.")
    if isinstance(error, httpx.ConnectError):
        return Unreachable(
            f"{host} can't be reached: {_reason(error)}", hint="Check the host, the network and the proxy."
        )
    if isinstance(error, httpx.TimeoutException):
        return ConnectionLost(f"{host} stopped answering", hint="Try again; what has been transferred is kept.")
    if isinstance(error, httpx.TransportError | OSError):
        return ConnectionLost(
            f"the connection to {host} broke: {_reason(error)}", hint="Try again; what has been transferred is kept."
        )
    return RegistryError(f"{host} answered with something that is no HTTP: {type(error).__name__}")


def _tls_cause(error: BaseException | None) -> ssl.SSLError | None:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, ssl.SSLError):
            return error
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return None


def _reason(error: BaseException) -> str:
    text = str(error) or type(error).__name__
    return text.replace("All connection attempts failed", "connection refused, or no route")[:200]
