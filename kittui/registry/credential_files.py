"""Reads and writes credential files in Docker's format (kit's, Docker's, Podman's), keeping unknown keys.

Sources: docker config.json (`auths`, `credHelpers`, `credsStore`), containers-auth.json(5) (keys with a repository),
the older .dockercfg (only the content of `auths`).
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from kittui.disk.durable import replace_file
from kittui.disk.paths import open_regular
from kittui.errors import CredentialError
from kittui.registry.access import DOCKER_HUB, DOCKER_NAMES
from kittui.registry.credentials import Credential

DOCKER_HUB_KEY: Final = "https://index.docker.io/v1/"
_LIMIT: Final = 4 * 1024 * 1024


def store_key(host: str) -> str:
    """The key under which a registry's credentials are stored; Docker Hub has a special one."""
    return DOCKER_HUB_KEY if host in DOCKER_NAMES else host


def read_key(key: str) -> tuple[str, str]:
    """Read the registry and repositories ("" for all) from a key, however a tool has written it.

    A key may have a scheme, upper-case letters, a default port and the path of an API version; with a scheme, any path.
    """
    scheme, mark, rest = key.strip().partition("://")
    host, _, path = (rest if mark else key.strip()).partition("/")
    host = host.lower().removesuffix(":80" if scheme.lower() == "http" else ":443")
    path = path.strip("/")
    if mark or path in ("v1", "v2"):
        path = ""
    return DOCKER_HUB if host in DOCKER_NAMES else host, path


def fitting_keys(keys: Mapping[str, Any], host: str, repository: str = "") -> list[str]:
    """The keys that cover a repository in a registry, the most specific first, then those in our own form."""
    wanted = read_key(host)[0]
    found: list[tuple[int, bool, bool, int, str]] = []
    for position, key in enumerate(keys):
        at, path = read_key(key)
        if at == wanted and (not path or f"{repository}/".startswith(f"{path}/")):
            found.append((-len(path), key != store_key(host), key != host, position, key))
    return [key for *_, key in sorted(found)]


@dataclass(frozen=True, slots=True)
class CredentialFile:
    """One file's content.

    `document` is everything in it, `exposed` whether others on this machine may read it. `origin` is its name for
    users; `path` is None for what came from the environment.
    """

    path: Path | None
    document: Mapping[str, Any] = field(default_factory=dict, repr=False)
    exposed: bool = False
    origin: str = ""

    @classmethod
    def read(cls, path: Path) -> CredentialFile | None:
        """Read a file; None if there is none. Raises CredentialError for one that can't be read or understood."""
        try:
            with open_regular(path) as file:
                mode = os.fstat(file.fileno()).st_mode
                raw = file.read(_LIMIT + 1)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise CredentialError(
                f"{path} can't be read: {error.strerror}", hint="Check its owner and permissions."
            ) from error
        found = cls.parse(raw, str(path), legacy=path.name == ".dockercfg")
        exposed = bool(mode & (stat.S_IRGRP | stat.S_IROTH)) and bool(_map(found.document, "auths"))
        return cls(path, found.document, exposed, str(path))

    @classmethod
    def parse(cls, raw: bytes, origin: str, *, legacy: bool = False) -> CredentialFile:
        """Parse the text of a file; `legacy`: it holds only the content of `auths`. Raises CredentialError."""
        try:
            document = json.loads(raw) if raw.strip() else {}
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict) or len(raw) > _LIMIT:
            raise CredentialError(
                f"{origin} is not a credentials file: not a JSON object",
                hint="Fix it or move it away; kittui does not change it.",
            )
        return cls(None, {"auths": document} if legacy else document, origin=origin)

    def helper(self, host: str, repository: str = "") -> str:
        """The credential helper for a registry: its own, else the general one; empty if there is none."""
        helpers = _map(self.document, "credHelpers")
        for key in fitting_keys(helpers, host, repository):
            if isinstance(name := helpers[key], str) and name:
                return name
        name = self.document.get("credsStore")
        return name if isinstance(name, str) else ""

    def entry(
        self, host: str, repository: str = "", on_warning: Callable[[str], None] = lambda _: None
    ) -> Credential | None:
        """The entry of `auths` in the file itself; `on_warning` gets unusable entries."""
        auths = _map(self.document, "auths")
        for key in fitting_keys(auths, host, repository):
            found = _credential(auths[key], self.origin)
            if isinstance(found, Credential):
                return found
            if found:
                on_warning(f"{self.origin}: the entry {key!r} can't be used: {found}")
        return None

    def with_entry(self, host: str, credential: Credential | None) -> CredentialFile:
        """Return the file with a registry's entry replaced, or removed everywhere for None."""
        auths = dict(_map(self.document, "auths"))
        for key in fitting_keys(auths, host):
            del auths[key]
        if credential is not None:
            auths[store_key(host)] = _written(credential)
        return CredentialFile(self.path, {**self.document, "auths": auths}, self.exposed, self.origin)

    def has_entry(self, host: str) -> bool:
        """Whether the file itself stores anything for the registry."""
        return bool(fitting_keys(_map(self.document, "auths"), host))

    def write(self) -> None:
        """Replace the file, readable only by its owner.

        Raises StorageError, DiskFull. If it is a link, its target is replaced: other programs read that, and a removed
        password must not stay there.
        """
        assert self.path is not None  # noqa: S101 - only files are changed
        path = self.path.resolve()
        raw = json.dumps(self.document, indent="\t").encode() + b"\n"
        replace_file(path, raw, temporary=path.parent, point="registry.credentials", mode=0o600)


def _map(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = document.get(key)
    return value if isinstance(value, dict) else {}


def _credential(entry: object, origin: str) -> Credential | str:
    """Read one entry of `auths`, or why it can't be used; an empty string if it is empty, as beside a helper.

    `auth` is base64 of user:password; a token goes before both.
    """
    if not isinstance(entry, dict):
        return "it is not an object"
    wrong = [
        key for key in ("auth", "username", "password", "identitytoken") if not isinstance(entry.get(key, ""), str)
    ]
    if wrong:
        return f"its {wrong[0]} is not a string"
    words: dict[str, str] = {key: value for key, value in entry.items() if isinstance(value, str) and value}
    username, password, problem = words.get("username", ""), words.get("password", ""), ""
    if "auth" in words:
        pair = _decoded(words["auth"])
        if pair is None:
            problem = "its auth is not base64 of text"
        elif ":" not in pair:
            problem = "its auth has no colon between user name and password"
        else:
            username, _, password = pair.partition(":")
            problem = "" if password else "its auth has no password"
    if token := words.get("identitytoken"):
        return Credential(username, identity_token=token, origin=origin)
    if token := words.get("registrytoken"):
        return Credential(username, registry_token=token, origin=origin)
    if password:
        return Credential(username, password, origin=origin)
    return problem or ("it has a user name and no password" if username else "")


def _decoded(auth: str) -> str | None:
    """Decode `auth`, however it was written: padded or not, wrapped, in either alphabet."""
    letters = "".join(auth.split()).rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(letters + "=" * (-len(letters) % 4), validate=True).decode("utf-8").strip("\0")
    except (binascii.Error, ValueError):
        return None


def _written(credential: Credential) -> dict[str, str]:
    if credential.identity_token:
        return {"identitytoken": credential.identity_token}
    pair = f"{credential.username}:{credential.password}".encode()
    return {"auth": base64.b64encode(pair).decode("ascii")}
