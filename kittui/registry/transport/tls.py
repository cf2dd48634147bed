"""Sets up TLS as configured: trusted authorities, client certificate, and the reason of a failed handshake."""

from __future__ import annotations

import asyncio
import shlex
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Literal, NoReturn

from kittui.errors import ConfigError, Unreachable
from kittui.registry.access import Access, split_host

_PROBE_SECONDS = 3.0
_HAPPY_EYEBALLS = 0.25


class Contexts:
    """The TLS contexts of one registry and of the proxies before it, read from disk when the first is needed."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._made: dict[bool, ssl.SSLContext] = {}
        self._opening = asyncio.Lock()

    async def registry(self) -> ssl.SSLContext:
        """For the registry and where it redirects to; raises ConfigError for files that can't be used."""
        return await self._context(ours=True)

    async def proxy(self) -> ssl.SSLContext:
        """The context for a proxy over TLS: always verified, without a client certificate."""
        return await self._context(ours=False)

    async def _context(self, *, ours: bool) -> ssl.SSLContext:
        async with self._opening:
            if ours not in self._made:
                access = self._access if ours else replace(Access(), ca_cert=self._access.ca_cert)
                self._made[ours] = await asyncio.to_thread(tls_context, access)
            return self._made[ours]


def tls_context(access: Access) -> ssl.SSLContext:
    """Create a context that checks certificates and holds the client's; raises ConfigError for unusable files.

    Blocks.
    """
    context = ssl.create_default_context()
    # Python 3.13 refuses what older ones, curl and Go accept: authorities made without an Authority Key Identifier.
    # And it trusts a certificate that is named itself, without its issuer, which older ones don't.
    context.verify_flags = (context.verify_flags & ~ssl.VERIFY_X509_STRICT) | ssl.VERIFY_X509_PARTIAL_CHAIN
    if not _has_authorities(context):
        import certifi

        context.load_verify_locations(certifi.where())
    if not access.tls_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if access.ca_cert is not None:
        _load(access.ca_cert, "the authorities' certificates", lambda: context.load_verify_locations(access.ca_cert))
    if access.cert is not None:
        _show_certificate(context, access.cert, access.key)
    return context


def _has_authorities(context: ssl.SSLContext) -> bool:
    """Whether the system has authorities: in the file that was read, or in a folder that is read on demand."""
    folder = ssl.get_default_verify_paths().capath
    return bool(context.cert_store_stats()["x509_ca"]) or (folder is not None and any(Path(folder).glob("*.[0-9]")))


def _show_certificate(context: ssl.SSLContext, cert: Path, key: Path | None) -> None:
    """Load a client certificate with its key, from one file or two."""
    holder = key or cert
    command = f"(umask 077; openssl pkey -in {shlex.quote(str(holder))} -out KEY.pem)"

    def passphrase() -> NoReturn:
        # Without this, OpenSSL asks for the passphrase on the terminal, over the interface.
        raise ConfigError(
            f"the key in {holder} is encrypted, and kittui does not ask for passphrases",
            hint=f"Write it without one, readable by you alone, and name that file with --key: {command}",
        )

    with suppress(OSError):
        if key is None and b"PRIVATE KEY-----" not in cert.read_bytes():
            raise ConfigError(
                f"the client certificate in {cert} comes without a private key",
                hint="Name the file that holds its key with --key FILE (key in config.yaml).",
            )
    _load(cert, "the client certificate", lambda: context.load_cert_chain(cert, key, passphrase), key)


def _load(path: Path, what: str, load: Callable[[], None], key: Path | None = None) -> None:
    try:
        load()
    except (OSError, ssl.SSLError) as error:
        where = str(path) if key is None else f"{path} with the key in {key}"
        reason = error.reason if isinstance(error, ssl.SSLError) else error.strerror
        if reason == "KEY_VALUES_MISMATCH":
            reason = "the key belongs to another certificate"
        elif isinstance(error, ssl.SSLError):
            reason = "not a PEM file, or a damaged one"
        raise ConfigError(
            f"{what} in {where} can't be used: {reason}",
            hint="It must be a readable PEM file; openssl x509 -inform DER (openssl pkey for a key) converts others.",
        ) from error


async def speaks_tls(host: str) -> bool:
    """Whether a loopback port uses TLS, whatever the certificate; raises Unreachable if nobody listens."""
    name, port = split_host(host)
    try:
        async with asyncio.timeout(_PROBE_SECONDS):
            _, writer = await asyncio.open_connection(
                name, port or 443, ssl=_accept_all(), happy_eyeballs_delay=_HAPPY_EYEBALLS
            )
    except ssl.SSLError as error:
        return "ALERT" in (error.reason or "") or error.reason == "UNSUPPORTED_PROTOCOL"
    except (TimeoutError, ConnectionResetError, ConnectionAbortedError):
        return False
    except OSError as error:
        if port is None:
            return False
        raise Unreachable(
            f"{host} can't be reached: {error.strerror or 'no connection'}", hint="Is the registry running?"
        ) from error
    await _close(writer)
    return True


async def why_no_tls(host: str, port: int, context: ssl.SSLContext) -> Literal["plain HTTP", "certificate", ""]:
    """Probe why a handshake failed or an answer never came, without sending anything of ours.

    The answer is "plain HTTP" if the server uses that instead of TLS, "certificate" if it wants a client
    certificate, or a different one.
    """
    try:
        async with asyncio.timeout(_PROBE_SECONDS):
            try:
                reader, writer = await asyncio.open_connection(
                    host, port, ssl=context, happy_eyeballs_delay=_HAPPY_EYEBALLS
                )
            except (ssl.SSLError, ConnectionError) as error:
                if asks_for_certificate(error):
                    return "certificate"
                reader, writer = await asyncio.open_connection(host, port, happy_eyeballs_delay=_HAPPY_EYEBALLS)
                writer.write(f"GET /v2/ HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode("idna"))
                answer = await reader.read(7)
                await _close(writer)
                return "plain HTTP" if answer.startswith(b"HTTP/1.") else ""
            try:
                # With TLS 1.3, a client's certificate is refused after the handshake.
                await reader.read(1)
            finally:
                await _close(writer)
    except ssl.SSLError as error:
        return "certificate" if asks_for_certificate(error) else ""
    except (OSError, ValueError):
        return ""
    return ""


_ABOUT_CERTIFICATES = (
    "CERTIFICATE",
    "UNKNOWN_CA",
    "ACCESS_DENIED",
    "HANDSHAKE_FAILURE",
    "DECRYPT_ERROR",
)


def asks_for_certificate(error: OSError) -> bool:
    """Whether the other side refused our certificate or its absence, by an alert."""
    reason = (error.reason if isinstance(error, ssl.SSLError) else "") or ""
    return "ALERT" in reason and any(word in reason for word in _ABOUT_CERTIFICATES)


def _accept_all() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
