"""A registry as a source of ModelKits: ping, catalog, repositories, and what it is known to be able to do."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace

from kittui.errors import Denied, NotFound, RegistryError, Unauthorized, Unsupported
from kittui.oci.protocols import YES, Capabilities, Power, RepositoryEntry
from kittui.oci.reference import Place, check_host, check_repository
from kittui.registry.access import Access, Listeners, OnWait, OnWarning, Patience
from kittui.registry.auth import CATALOG
from kittui.registry.calls import Call
from kittui.registry.credentials import ANONYMOUS, Credentials
from kittui.registry.pages import names
from kittui.registry.repository import RegistryRepository
from kittui.registry.session import Session

NO_CATALOG = Power(
    "no",
    "this registry does not list its repositories",
    "Type a repository's name, or name it for this registry in config.yaml (repositories).",
)


class RegistrySource:
    """One registry, HOST[:PORT] as users write it; `docker.io` is Docker Hub.

    Owns its HTTP client: call `aclose`, or use it as an async context manager. Nothing is sent before it is asked for
    something. `on_wait` hears of waits for a busy registry, `on_warning` of the registry's own warnings (raw text).
    """

    def __init__(
        self,
        host: str,
        *,
        access: Access | None = None,
        credentials: Credentials = ANONYMOUS,
        on_wait: OnWait = lambda _: None,
        on_warning: OnWarning = lambda _: None,
        patience: Patience | None = None,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        self._host = check_host(host)
        self._capabilities = Capabilities(mount=YES)
        listeners = Listeners(on_wait, on_warning)
        self._session = Session(host, access or Access(), credentials, listeners, patience or Patience(), environ)
        self._repositories: dict[str, RegistryRepository] = {}

    async def __aenter__(self) -> RegistrySource:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close every connection."""
        await self._session.aclose()

    @property
    def place(self) -> Place:
        """The registry's host."""
        return Place("remote", host=self._host)

    @property
    def capabilities(self) -> Capabilities:
        """What is known so far; asking turns `unknown` into yes or no."""
        return self._capabilities

    def learn(self, **powers: Power) -> None:
        """Keep what an answer has shown of the registry's powers."""
        self._capabilities = replace(self._capabilities, **powers)

    @property
    def secure(self) -> bool | None:
        """Whether TLS is spoken (its certificate may still go unchecked); None while nothing was asked."""
        return self._session.secure

    async def ping(self) -> str:
        """Ask `/v2/`: one line on what answered. Raises Unauthorized, Denied, NetworkError."""
        answer = await self._session.ask(Call("GET", "", "open the registry"))
        base = await self._session.base()
        version = answer.headers.get("Docker-Distribution-Api-Version", "")[:60]
        server = answer.headers.get("Server", "")[:60]
        details = ", ".join(part for part in (version, server) if part)
        return f"{base.scheme}://{self._session.api} answers" + (f" ({details})" if details else "")

    async def repositories(self) -> AsyncIterator[Sequence[RepositoryEntry]]:
        """The catalog, page by page; raises Unsupported where there is none, Unauthorized where a login is missing."""
        call = Call("GET", "_catalog", "list the repositories", frozenset({CATALOG}))
        try:
            async for page in names(self._session, call, "repositories", check_repository):
                self.learn(catalog=YES)
                yield [RepositoryEntry(name) for name in page]
        except (NotFound, Unauthorized, Denied) as error:
            if not isinstance(error, NotFound):
                await self.ping()
            self.learn(catalog=NO_CATALOG)
            raise Unsupported(f"{self._host}: {NO_CATALOG.reason}", hint=NO_CATALOG.remedy) from error
        except RegistryError as error:
            if error.status not in (400, 405, 501):
                raise
            self.learn(catalog=NO_CATALOG)
            raise Unsupported(f"{self._host}: {NO_CATALOG.reason}", hint=NO_CATALOG.remedy) from error

    def repository(self, name: str) -> RegistryRepository:
        """A repository by name; raises BadReference for a name that can't be one."""
        known = self._repositories.get(name)
        if known is None:
            known = RegistryRepository(self, self._session, check_repository(name))
            self._repositories[name] = known
        return known
