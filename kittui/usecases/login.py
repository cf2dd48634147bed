"""Logs in: tries the credentials at the registry first, and saves them only if they are accepted."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Protocol

from kittui.errors import AuthError, Refused, UsageError
from kittui.oci.reference import check_host

SECRET_LIMIT = 64 * 1024
"""The most characters of a password or token."""


class LoginPort(Protocol):
    """What a login needs of the registries and of the places where credentials are kept."""

    async def attempt(self, host: str, username: str, password: str, *, change: bool = False) -> str:
        """Ask the registry with these credentials, nobody's where both are empty; one line on what answered.

        `change`: ask for something that only users who may change things get, without changing anything. Raises
        AuthError, NetworkError.
        """
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
    """Check credentials and save them. With an empty user name, the secret is an identity token.

    Raises BadReference, UsageError, AuthError, NetworkError, and Refused where the registry takes any password;
    nothing is kept then.
    """
    host = _host(host)
    if not password:
        raise UsageError("a password or token is needed", hint="Give it on stdin with --password-stdin.")
    if len(password) > SECRET_LIMIT or "\0" in password:
        raise UsageError("not a valid password", hint=f"A password has at most {SECRET_LIMIT} characters and no NUL.")
    answer = await port.attempt(host, username, password)
    if not (await _proven(port, host, username, password)):
        raise Refused(
            f"{host} accepts any password or none, so it did not check yours; nothing was saved",
            hint="Reading there needs no login. If changes need one, ask its operator.",
        )
    return LoggedIn(host, username, answer, await port.keep(host, username, password))


async def _proven(port: LoginPort, host: str, username: str, password: str) -> bool:
    """Whether the registry was seen to accept these credentials: it refuses nobody's, or those of a user it hasn't got.

    Where everybody may read, that is asked for a change as well.
    """
    stranger, secret = f"kittui-{secrets.token_hex(8)}" if username else "", secrets.token_urlsafe(16)
    if await _is_refused(port, host, "", "") or await _is_refused(port, host, stranger, secret):
        return True
    if not await _is_refused(port, host, stranger, secret, change=True):
        return False
    await port.attempt(host, username, password, change=True)
    return True


async def _is_refused(port: LoginPort, host: str, username: str, password: str, *, change: bool = False) -> bool:
    try:
        await port.attempt(host, username, password, change=change)
    except AuthError:
        return True
    return False


async def logout(port: LoginPort, host: str) -> str:
    """Delete a registry's login, and return where it was; raises NotFound without one."""
    return await port.forget(_host(host))


def _host(text: str) -> str:
    """The registry that a user typed, as they write it elsewhere. Raises BadReference."""
    return check_host(text.removeprefix("remote://").removeprefix("https://").rstrip("/"))
