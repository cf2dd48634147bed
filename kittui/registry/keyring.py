"""Finds a user's credentials: in kit's file, the environment, Docker's config and helpers, Podman's files."""

from __future__ import annotations

import asyncio
import logging
import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from kittui.disk.drafts import sweep
from kittui.errors import CredentialError, NotFound
from kittui.registry.credential_files import CredentialFile, store_key
from kittui.registry.credentials import Credential
from kittui.registry.helpers import PATIENCE, Helper, OnMessage

log = logging.getLogger("kittui.registry")

KIT_FILE = "credentials.json"


ENVIRONMENT = "DOCKER_AUTH_CONFIG"
"""The variable that holds the text of a Docker config file, as in GitLab's jobs and for Docker itself."""


def credential_places(root: Path, environ: Mapping[str, str]) -> tuple[Path | None, ...]:
    """The files in the order of lookup, whether they exist or not; None stands for the variable.

    `root` is kit's home. They are kit's own, the one in the environment, Docker's, and Podman's in the order of
    containers-auth.json(5).
    """
    home = Path(environ["HOME"]) if environ.get("HOME") else None
    runtime = environ.get("XDG_RUNTIME_DIR")
    docker = Path(environ["DOCKER_CONFIG"]) if environ.get("DOCKER_CONFIG") else home and home / ".docker"
    podman = Path(environ["XDG_CONFIG_HOME"]) if environ.get("XDG_CONFIG_HOME") else home and home / ".config"
    explicit = [Path(environ["REGISTRY_AUTH_FILE"])] if environ.get("REGISTRY_AUTH_FILE") else []
    written: list[Path | None] = [None] if environ.get(ENVIRONMENT) else []
    paths = [
        docker and docker / "config.json",
        Path(runtime or f"/run/containers/{os.getuid()}", *(("containers",) if runtime else ()), "auth.json"),
        podman and podman / "containers" / "auth.json",
        home and home / ".config" / "containers" / "auth.json",
        home and home / ".dockercfg",
    ]
    return tuple(dict.fromkeys([root / KIT_FILE, *explicit, *written, *(path for path in paths if path)]))


def podman_helpers(environ: Mapping[str, str]) -> CredentialFile | None:
    """Read credential-helpers in Podman's registries.conf, which add to its auth files. Blocks.

    The helpers are given as those of the whole file, the first that is named: containers-registries.conf(5).
    """
    home = environ.get("HOME")
    paths = [environ.get("CONTAINERS_REGISTRIES_CONF"), home and f"{home}/.config/containers/registries.conf"]
    for path in [*(Path(text) for text in paths if text), Path("/etc/containers/registries.conf")]:
        try:
            document = tomllib.loads(path.read_text("utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, ValueError) as error:
            log.info("%s can't be read: %s", path, error)
            return None
        named = document.get("credential-helpers")
        names = [name for name in named if name != "containers-auth.json"] if isinstance(named, list) else []
        return CredentialFile(None, {"credsStore": names[0]}, origin=str(path)) if names else None
    return None


class CredentialStore:
    """The credentials of this user; `root` is kit's home ($KITOPS_HOME), which holds kit's own credentials.json.

    `on_warning` is called once for each file that others may read, and for unusable helpers, files and entries; then
    the next place is tried, so that public registries keep working. `on_message` gets a helper's messages to its user,
    and notes on waiting for it.
    """

    def __init__(
        self,
        root: Path,
        environ: Mapping[str, str],
        on_warning: Callable[[str], None] = lambda _: None,
        on_message: OnMessage = lambda _: None,
        helper_seconds: float = PATIENCE,
    ) -> None:
        self._kit_file = root / KIT_FILE
        self._environ = environ
        self._places = credential_places(root, environ)
        self._written = environ.get(ENVIRONMENT, "")
        self._on_warning = on_warning
        self._on_message = on_message
        self._seconds = helper_seconds
        self._warned: set[str] = set()

    async def find(self, host: str, repository: str = "") -> Credential | None:
        """Find the first credentials in any place for HOST[:PORT]; None if there are none."""
        await asyncio.to_thread(sweep, self._kit_file.resolve().parent)
        for place in self._places:
            try:
                file = await asyncio.to_thread(self._read, place)
                found = await self._in_file(file, host, repository) if file is not None else None
            except CredentialError as error:
                self._warn(error.message)
                continue
            if found is not None:
                log.debug("credentials for %s come from %s", host, found.origin)
                return replace(found, removal=self._removal(place, host))
        last = await asyncio.to_thread(podman_helpers, self._environ)
        return None if last is None else await self._in_file(last, host, repository)

    def _read(self, place: Path | None) -> CredentialFile | None:
        if place is None:
            return CredentialFile.parse(self._written.encode("utf-8", "replace"), f"${ENVIRONMENT}")
        file = CredentialFile.read(place)
        if file is not None and file.exposed:
            self._warn(f"{place} holds passwords and others on this machine may read it: chmod 600 {place}")
        return file

    async def _in_file(self, file: CredentialFile, host: str, repository: str) -> Credential | None:
        """Look in one file: a helper takes precedence over the file's own entries, as in docker and podman."""
        if name := file.helper(host, repository):
            try:
                found = await self._helper(name).get(*dict.fromkeys((store_key(host), host)))
            except CredentialError as error:
                self._warn(f"{file.origin}: {error.message}")
                found = None
            if found is not None:
                return found
        return file.entry(host, repository, self._warn)

    def _helper(self, name: str) -> Helper:
        return Helper(name, self._seconds, self._on_message)

    def _removal(self, place: Path | None, host: str) -> str:
        """The command that removes the credentials."""
        if place is None:
            return f"unset {ENVIRONMENT}"
        if place == self._kit_file:
            return f"kittui logout {host}"
        if place.name == "config.json":
            return f"docker logout {store_key(host)}"
        if place.name == "auth.json":
            return f"podman logout --authfile {place} {host}"
        return f"take the entry out of {place}"

    async def login(self, host: str, credential: Credential) -> str:
        """Store credentials as kit does, and return where: in the helper from kit's file, else in that file (0600).

        A password without a user name is stored as an identity token. Raises CredentialError, StorageError.
        """
        if not credential.username and credential.password:
            credential = replace(credential, password="", identity_token=credential.password)
        if ":" in credential.username:
            raise CredentialError("a user name with a colon can't be kept", hint="Check the user name.")
        file = await self._own_file()
        name = file.helper(host)
        if name:
            await self._helper(name).store(store_key(host), credential)
            if file.has_entry(host):
                await asyncio.to_thread(file.with_entry(host, None).write)
            return f"the credential helper {name}"
        await asyncio.to_thread(file.with_entry(host, credential).write)
        return str(self._kit_file)

    async def logout(self, host: str) -> str:
        """Remove what login stored, and return where it was.

        Raises NotFound if there was nothing, CredentialError. Credentials in Docker's or Podman's files belong to those
        programs: the hint names them, and they stay.
        """
        file = await self._own_file()
        places = []
        name = file.helper(host)
        if name:
            helper = self._helper(name)
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
            hint=f"Its credentials come from {elsewhere.origin}: {elsewhere.removal}." if elsewhere else None,
        )

    async def _own_file(self) -> CredentialFile:
        await asyncio.to_thread(sweep, self._kit_file.resolve().parent)
        found = await asyncio.to_thread(CredentialFile.read, self._kit_file)
        return found or CredentialFile(self._kit_file, origin=str(self._kit_file))

    def _warn(self, text: str) -> None:
        if text not in self._warned:
            self._warned.add(text)
            log.warning("%s", text)
            self._on_warning(text)
