"""A registry as a source of ModelKits: ping, catalog, repositories, and capabilities."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace

from kittui.errors import Denied, KittuiError, NotFound, RegistryError, Unauthorized, Unsupported
from kittui.oci.protocols import YES, Capabilities, Power, RepositoryEntry, Traits
from kittui.oci.reference import Place, check_host, check_repository
from kittui.registry.access import DOCKER_HUB, Access, Listeners, OnWait, OnWaited, OnWarning, Patience
from kittui.registry.calls import Call
from kittui.registry.credentials import ANONYMOUS, Credentials
from kittui.registry.manifests import Manifests
from kittui.registry.pages import names
from kittui.registry.removal import NOBODY
from kittui.registry.repository import RegistryRepository
from kittui.registry.scopes import CATALOG
from kittui.registry.session import Session
from kittui.registry.upload_ways import UploadLimits

_WITHOUT_CATALOG = frozenset({DOCKER_HUB, "ghcr.io", "public.ecr.aws"})
"""Registries that refuse their catalog to everybody, so a login would not help."""
NO_CATALOG = Power(
    "no",
    "this registry does not list its repositories",
    "Type a repository's name, or name it for this registry in config.yaml (repositories).",
)


class RegistrySource:
    """One registry, HOST[:PORT] as users write it; `docker.io` is Docker Hub.

    Owns its HTTP client: call `aclose`, or use it as an async context manager. Nothing is sent before it is used.
    `on_wait` gets waits for a busy registry, `on_waited` their ends, `on_warning` its own warnings (raw text). `limits`
    are its upload limits from an earlier run.
    """

    def __init__(
        self,
        host: str,
        *,
        access: Access | None = None,
        credentials: Credentials = ANONYMOUS,
        on_wait: OnWait = lambda _: None,
        on_warning: OnWarning = lambda _: None,
        on_waited: OnWaited = lambda _: None,
        patience: Patience | None = None,
        environ: Mapping[str, str] = os.environ,
        limits: UploadLimits | None = None,
    ) -> None:
        self._host = check_host(host)
        self._capabilities = Capabilities(mount=YES)
        listeners = Listeners(on_wait, on_waited, on_warning)
        self._session = Session(
            host, access or Access(), credentials, listeners, patience or Patience(), environ, limits
        )
        self._repositories: dict[str, RegistryRepository] = {}

    async def __aenter__(self) -> RegistrySource:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close every connection."""
        await self._session.aclose()

    def forget_login(self) -> None:
        """Look up the credentials again after a login or logout."""
        self._session.forget_login()

    @property
    def place(self) -> Place:
        """The registry's host."""
        return Place("remote", host=self._host)

    @property
    def traits(self) -> Traits:
        """The traits: reading costs traffic, and a listing has only names."""
        return Traits(self._host, at_once=self._session.at_once, kit_options=self._session.kit_options)

    @property
    def capabilities(self) -> Capabilities:
        """The abilities as known so far; requests turn `unknown` into yes or no."""
        return self._capabilities

    def learn(self, **powers: Power) -> None:
        """Remember an ability that an answer has shown."""
        self._capabilities = replace(self._capabilities, **powers)

    @property
    def secure(self) -> bool | None:
        """Whether TLS is used (perhaps without checking the certificate); None before the first request."""
        return self._session.secure

    async def ping(self) -> str:
        """Ask `/v2/`, and describe what answered in one line. Raises Unauthorized, Denied, NetworkError."""
        answer = await self._session.ask(Call("GET", "", "open the registry"))
        base = await self._session.base()
        version = answer.headers.get("Docker-Distribution-Api-Version", "")[:60]
        server = answer.headers.get("Server", "")[:60]
        details = ", ".join(part for part in (version, server) if part)
        return f"{base.scheme}://{self._session.api} answers" + (f" ({details})" if details else "")

    async def present(self, *, change: bool = False) -> str:
        """Ask `/v2/` with credentials unasked, and describe what answered in one line.

        Raises AuthError, NetworkError. `change` asks to delete something that does not exist instead: some registries
        let everybody read, and check no credentials for it.
        """
        await self._session.present()
        answer = await self.ping()
        if change:
            await Manifests(self._session, "kittui/login").delete(NOBODY)
        return answer

    async def repositories(self) -> AsyncIterator[Sequence[RepositoryEntry]]:
        """The catalog, page by page; raises Unsupported if there is none, Unauthorized if a login is missing.

        Raises Incomplete after the last page that could be read, if there may be more.
        """
        call = Call("GET", "_catalog", "list the repositories", frozenset({CATALOG}))
        try:
            async for page in names(self._session, call, "repositories", check_repository):
                self.learn(catalog=YES)
                yield [RepositoryEntry(name) for name in page]
        except Unauthorized as error:
            if self._host in _WITHOUT_CATALOG:
                raise self._no_catalog(error) from error
            raise Unauthorized(
                f"{self._host} lists its repositories only for users who are logged in",
                hint=f"Run: kittui login {self._host}. {NO_CATALOG.remedy}",
            ) from error
        except Denied as error:
            await self.ping()
            raise self._no_catalog(error) from error
        except NotFound as error:
            raise self._no_catalog(error) from error
        except RegistryError as error:
            if error.status not in (400, 405, 501):
                raise
            raise self._no_catalog(error) from error

    def _no_catalog(self, error: KittuiError) -> Unsupported:
        who = "" if isinstance(error, NotFound | Unauthorized) else f" ({error.message})"
        self.learn(catalog=NO_CATALOG)
        return Unsupported(f"{self._host}: {NO_CATALOG.reason}{who}", hint=NO_CATALOG.remedy)

    def repository(self, name: str) -> RegistryRepository:
        """A repository by name; raises BadReference for a name that can't be one."""
        known = self._repositories.get(name)
        if known is None:
            known = RegistryRepository(self, self._session, check_repository(name))
            self._repositories[name] = known
        return known
