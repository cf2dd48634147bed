"""Turns transport failures into kittui's errors; their texts never hold an address with its query."""

from __future__ import annotations

import errno
import os
import socket
import ssl
from collections.abc import Iterator
from typing import Final

import httpx

from kittui.errors import ConnectionLost, NetworkError, RegistryError, TlsError, Unreachable
from kittui.registry.transport.proxies import Proxy
from kittui.registry.transport.tls import asks_for_certificate

_CHECK: Final = "Check the host, the network and the proxy."
_KEPT: Final = "Try again; what has been transferred is kept."
_CERTIFICATES: Final = {
    9: "It is not valid yet: check this machine's clock.",
    10: "It has expired: it must be renewed there; or this machine's clock is wrong.",
    62: "It was issued for another name: use that name, or have it reissued for this one.",
    64: "It was issued for another address: use its name, or have it reissued for this address.",
}
"""What to do, by OpenSSL's number for a certificate's problem."""
_AUTHORITY: Final = (
    "Give the authority's certificate with --ca-cert FILE; only for a registry you trust: --tls-verify=false."
)
_CLIENT_CERTIFICATE: Final = (
    "Name it with --cert FILE and --key FILE, or as cert and key of the registry in config.yaml."
)


def transport_problem(
    error: httpx.HTTPError | httpx.InvalidURL | OSError, host: str, *, secure: bool, proxy: Proxy | None = None
) -> NetworkError:
    """The error for a failed connection; `host` is the other side's name."""
    tls = _tls_cause(error)
    if isinstance(tls, ssl.SSLCertVerificationError):
        return TlsError(
            f"the certificate of {host} is not accepted: {tls.verify_message or tls.reason}",
            hint=_CERTIFICATES.get(tls.verify_code, _AUTHORITY),
        )
    if tls is not None and secure and not isinstance(tls, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return TlsError(
            f"{host} does not speak TLS as expected: {tls.reason or tls.strerror or 'handshake failed'}",
            hint="It may require a TLS version that is too old, or not use TLS on this port at all.",
        )
    if isinstance(error, httpx.ProxyError):
        return _proxy_problem(str(error), host, proxy)
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout):
        who = host if proxy is None else f"{proxy}, by which {host} is asked,"
        if _numbers(error) == {errno.ECONNREFUSED}:
            refused = Unreachable(f"{who} refused the connection", hint=_CHECK)
            refused.refused = True
            return refused
        reason = "no answer" if isinstance(error, httpx.TimeoutException) else _reason(error)
        return Unreachable(f"{who} can't be reached: {reason}", hint=_CHECK)
    if isinstance(error, httpx.TimeoutException):
        return ConnectionLost(f"{host} stopped answering: {error or 'nothing came in time'}", hint=_KEPT)
    if isinstance(error, httpx.NetworkError | OSError):
        return ConnectionLost(f"the connection to {host} broke: {_reason(error)}", hint=_KEPT)
    if isinstance(error, httpx.RemoteProtocolError) and ("disconnected" in str(error) or "closed" in str(error)):
        return ConnectionLost(f"{host} ended the connection early", hint=_KEPT)
    said = str(error)[:200] or type(error).__name__
    return RegistryError(f"{host} does not answer as HTTP has it: {said}", hint=_CHECK)


def wants_certificate(host: str, *, shown: bool) -> TlsError:
    """The error for a registry that requires a client certificate; `shown`: ours was sent."""
    if shown:
        return TlsError(
            f"{host} refused the client certificate",
            hint="It may have expired, or come from another authority than the registry trusts.",
        )
    return TlsError(f"{host} requires a client certificate", hint=_CLIENT_CERTIFICATE)


def speaks_plain_http(host: str) -> TlsError:
    """The error for a registry that was asked over TLS and uses plain HTTP."""
    return TlsError(
        f"{host} speaks plain HTTP, not TLS",
        hint="If nobody can eavesdrop, allow that: --plain-http, or plain_http for it in config.yaml.",
    )


def refuses_certificate(error: BaseException) -> bool:
    """Whether the other side closed the connection because of a missing or rejected client certificate."""
    tls = _tls_cause(error)
    return tls is not None and asks_for_certificate(tls)


def unverified(error: BaseException) -> bool:
    """Whether the other side's certificate was rejected."""
    return isinstance(_tls_cause(error), ssl.SSLCertVerificationError)


def _proxy_problem(said: str, host: str, proxy: Proxy | None) -> Unreachable:
    hint = "Check $HTTPS_PROXY, $HTTP_PROXY, $ALL_PROXY and $NO_PROXY."
    if "407" in said or "auth" in said.lower():
        hint = f"Put its name and password into ${proxy.variable if proxy else 'HTTPS_PROXY'}: NAME:PASSWORD@HOST:PORT."
    return Unreachable(f"{proxy or 'the proxy'} would not connect to {host}: {said[:200]}", hint=hint)


def _tls_cause(error: BaseException | None) -> ssl.SSLError | None:
    return next((one for one in _causes(error) if isinstance(one, ssl.SSLError)), None)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error with its causes; several if several addresses were tried."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        found = waiting.pop(0)
        if found is None or id(found) in seen:
            continue
        seen.add(id(found))
        yield found
        waiting += found.exceptions if isinstance(found, BaseExceptionGroup) else ()
        waiting.append(found.__cause__ or found.__context__)


def _numbers(error: BaseException) -> set[int]:
    """The system's error numbers, one for each address that was tried."""
    others = (socket.gaierror, ssl.SSLError)  # they number on their own
    return {
        one.errno for one in _causes(error) if isinstance(one, OSError) and not isinstance(one, others) and one.errno
    }


def _reason(error: BaseException) -> str:
    resolving = next((one.strerror for one in _causes(error) if isinstance(one, socket.gaierror)), None)
    if resolving:
        return resolving
    if numbers := _numbers(error):
        return ", ".join(sorted(os.strerror(number).lower() for number in numbers))
    return (str(error) or "the connection was closed").removeprefix("Multiple exceptions: ")[:200]
