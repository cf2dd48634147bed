"""Logging in: tried at the registry first, and kept only when it is accepted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from kittui.errors import UsageError
from kittui.oci.reference import check_host

SECRET_LIMIT = 64 * 1024
"""Characters of a password or token at most."""


class LoginPort(Protocol):
    """What a login needs of the registries and of the places where credentials are kept."""

    async def attempt(self, host: str, username: str, password: str) -> str:
        """Ask the registry with these credentials; one line on what answered. Raises AuthError, NetworkError."""
        ...

    async def keep(self, host: str, username: str, password: str) -> str:
        """Keep them, and say where. Raises CredentialError, StorageError."""
        ...

    async def forget(self, host: str) -> str:
        """Forget what was kept, and say where it was. Raises NotFound, CredentialError."""
        ...


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """A login that was accepted: what the registry answered, and where the credentials are kept."""

    host: str
    username: str
    answer: str
    kept: str


async def login(port: LoginPort, host: str, username: str, password: str) -> LoggedIn:
    """Check credentials and keep them. An empty user name is an identity token's.

    Raises BadReference, UsageError, AuthError, NetworkError; nothing is kept then.
    """
    host = check_host(host.removeprefix("remote://").removeprefix("https://").rstrip("/"))
    if not password:
        raise UsageError("a password or token is needed", hint="Give it on stdin with --password-stdin.")
    if len(password) > SECRET_LIMIT or "\0" in password or "\n" in password:
        raise UsageError("that is no password", hint="A password is one line.")
    answer = await port.attempt(host, username, password)
    return LoggedIn(host, username, answer, await port.keep(host, username, password))


async def logout(port: LoginPort, host: str) -> str:
    """Forget a registry's login, and say where it was; raises NotFound where there was none."""
    return await port.forget(check_host(host.removeprefix("remote://").removeprefix("https://").rstrip("/")))
