"""Credentials as values: what is known of one registry, and where it came from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Credential:
    """A user name and password, or an identity token (an OAuth2 refresh token). Its repr shows no secret.

    `origin` names the file or helper it came from.
    """

    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)
    origin: str = ""


class Credentials(Protocol):
    """Where a registry's credentials are looked up."""

    async def find(self, host: str, repository: str = "") -> Credential | None:
        """The credentials for HOST[:PORT], for one repository of it where the file tells them apart."""
        ...


@dataclass(frozen=True, slots=True)
class FixedCredentials:
    """The same credentials for whichever registry is asked: to try a login before it is kept."""

    credential: Credential | None = None

    async def find(self, host: str, repository: str = "") -> Credential | None:
        """The credential, whatever the host."""
        return self.credential


ANONYMOUS = FixedCredentials()
