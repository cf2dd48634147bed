"""Credentials of one registry as values, with their origin."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Credential:
    """A user name and password, an identity token (an OAuth2 refresh token) or a registry token (a bearer token).

    Its repr shows no secret. `origin` names the file or helper it came from, `removal` how to get rid of it there.
    """

    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)
    origin: str = ""
    registry_token: str = field(default="", repr=False)
    removal: str = field(default="", compare=False)

    @property
    def described(self) -> str:
        """Its user and origin, without the secret."""
        who = f" of {self.username}" if self.username else ""
        return f"the credentials{who}{f' from {self.origin}' if self.origin else ''}"


class Credentials(Protocol):
    """Where a registry's credentials are looked up."""

    async def find(self, host: str, repository: str = "") -> Credential | None:
        """Find the credentials for HOST[:PORT], for one repository if the file distinguishes them."""
        ...


@dataclass(frozen=True, slots=True)
class FixedCredentials:
    """The same credentials for any registry, to try a login before it is stored."""

    credential: Credential | None = None

    async def find(self, host: str, repository: str = "") -> Credential | None:
        """The credential, whatever the host."""
        return self.credential


ANONYMOUS = FixedCredentials()
