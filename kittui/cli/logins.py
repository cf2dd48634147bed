"""Logins over the registries and credential files of this user."""

from __future__ import annotations

from dataclasses import dataclass

from kittui.cli.compose import Composition


@dataclass(frozen=True, slots=True)
class Logins:
    """The login port: tries credentials at a registry, and saves them where kit does."""

    composition: Composition

    async def attempt(self, host: str, username: str, password: str, *, change: bool = False) -> str:
        """Try these credentials, and no others, at the registry."""
        from kittui.registry import ANONYMOUS, Credential, FixedCredentials

        token = "" if username else password
        credential = Credential(username, "" if token else password, token)
        source = self.composition.registry(host, FixedCredentials(credential) if password else ANONYMOUS)
        try:
            return await source.present(change=change)
        finally:
            await source.aclose()

    async def keep(self, host: str, username: str, password: str) -> str:
        """Save them in kit's credentials file or its helper."""
        from kittui.registry import Credential

        return await self.composition.credentials.login(host, Credential(username, password))

    async def forget(self, host: str) -> str:
        """Delete them there."""
        return await self.composition.credentials.logout(host)
