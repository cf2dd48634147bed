"""Where a user's credentials are: kit's file, $REGISTRY_AUTH_FILE, Docker's config and helpers, Podman's file."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from kittui.errors import CredentialError, NotFound
from kittui.registry.credential_files import CredentialFile, lookup_keys, store_key
from kittui.registry.credentials import Credential
from kittui.registry.helpers import Helper

log = logging.getLogger("kittui.registry")

KIT_FILE = "credentials.json"


def credential_paths(root: Path, environ: Mapping[str, str]) -> tuple[Path, ...]:
    """The files in the order they are asked; `root` is kit's home. Files that aren't there are listed too."""
    home = environ.get("HOME")
    paths = [root / KIT_FILE]
    if environ.get("REGISTRY_AUTH_FILE"):
        paths.append(Path(environ["REGISTRY_AUTH_FILE"]))
    if environ.get("DOCKER_CONFIG"):
        paths.append(Path(environ["DOCKER_CONFIG"]) / "config.json")
    elif home:
        paths.append(Path(home) / ".docker" / "config.json")
    if environ.get("XDG_RUNTIME_DIR"):
        paths.append(Path(environ["XDG_RUNTIME_DIR"]) / "containers" / "auth.json")
    if home:
        paths.append(Path(home) / ".config" / "containers" / "auth.json")
    return tuple(paths)


class CredentialStore:
    """The credentials of this user; `root` is kit's home ($KITOPS_HOME), which holds kit's own credentials.json.

    `on_warning` hears once of each file that others may read, and of helpers and files that can't be used while
    looking something up: the next place is asked then, so that public registries stay open.
    """

    def __init__(
        self,
        root: Path,
        environ: Mapping[str, str],
        on_warning: Callable[[str], None] = lambda _: None,
        helper_seconds: float = 10.0,
    ) -> None:
        self._kit_file = root / KIT_FILE
        self._paths = credential_paths(root, environ)
        self._on_warning = on_warning
        self._seconds = helper_seconds
        self._warned: set[str] = set()

    async def find(self, host: str, repository: str = "") -> Credential | None:
        """The first credentials that any place has for HOST[:PORT]; None where no place has."""
        for path in self._paths:
            try:
                file = await asyncio.to_thread(CredentialFile.read, path)
                if file is None:
                    continue
                if file.exposed:
                    self._warn(f"{path} holds passwords and others on this machine may read it: chmod 600 {path}")
                found = await self._in_file(file, host, repository)
            except CredentialError as error:
                self._warn(error.message)
                continue
            if found is not None:
                log.debug("credentials for %s come from %s", host, found.origin)
                return found
        return None

    async def _in_file(self, file: CredentialFile, host: str, repository: str) -> Credential | None:
        written = file.entry(host, repository)
        name = file.helper(host)
        if written is not None or not name:
            return written
        helper = Helper(name, self._seconds)
        for key in dict.fromkeys((store_key(host), next(lookup_keys(host)))):
            found = await helper.get(key)
            if found is not None:
                return found
        return None

    async def login(self, host: str, credential: Credential) -> str:
        """Keep credentials as kit does, and say where: the helper that kit's file names, else that file (0600).

        A password without a user name is kept as an identity token. Raises CredentialError, StorageError.
        """
        if not credential.username and credential.password:
            credential = replace(credential, password="", identity_token=credential.password)
        if ":" in credential.username:
            raise CredentialError("a user name with a colon can't be kept", hint="Check the user name.")
        file = await self._own_file()
        name = file.helper(host)
        if name:
            helper = Helper(name, self._seconds)
            await helper.store(store_key(host), credential)
            if file.has_entry(host):
                await asyncio.to_thread(file.with_entry(host, None).write)
            return f"the credential helper {name}"
        await asyncio.to_thread(file.with_entry(host, credential).write)
        return str(self._kit_file)

    async def logout(self, host: str) -> str:
        """Forget what login kept, and say where it was. Raises NotFound where there was nothing, CredentialError.

        Credentials in Docker's or Podman's files are those programs' own: they are named in the hint, not removed.
        """
        file = await self._own_file()
        places = []
        name = file.helper(host)
        if name:
            helper = Helper(name, self._seconds)
            if await helper.get(store_key(host)) is not None:
                await helper.erase(store_key(host))
                places.append(f"the credential helper {name}")
        if file.has_entry(host):
            await asyncio.to_thread(file.with_entry(host, None).write)
            places.append(str(self._kit_file))
        if places:
            return " and ".join(places)
        elsewhere = await self.find(host)
        raise NotFound(
            f"not logged in to {host} in {self._kit_file}",
            hint=f"Its credentials come from {elsewhere.origin}: log out there." if elsewhere else None,
        )

    async def _own_file(self) -> CredentialFile:
        return await asyncio.to_thread(CredentialFile.read, self._kit_file) or CredentialFile(self._kit_file)

    def _warn(self, text: str) -> None:
        if text not in self._warned:
            self._warned.add(text)
            log.warning("%s", text)
            self._on_warning(text)
