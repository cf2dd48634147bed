"""Credential files in Docker's format: kit's, Docker's own, Podman's; read and changed, unknown keys kept.

Source: docker config.json (`auths`, `credHelpers`, `credsStore`), containers-auth.json(5) (keys with a repository).
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kittui.disk.durable import replace_file
from kittui.errors import CredentialError
from kittui.registry.access import DOCKER_HUB
from kittui.registry.credentials import Credential

DOCKER_HUB_KEY = "https://index.docker.io/v1/"
_DOCKER_KEYS = (
    DOCKER_HUB_KEY,
    *(
        f"{scheme}{name}"
        for name in ("index.docker.io", "docker.io", "registry-1.docker.io")
        for scheme in ("", "https://")
    ),
    "https://registry-1.docker.io/v2/",
)
_LIMIT = 4 * 1024 * 1024


def store_key(host: str) -> str:
    """The key under which a registry's credentials are stored; Docker Hub has one of its own."""
    return DOCKER_HUB_KEY if host in (DOCKER_HUB, "index.docker.io", "registry-1.docker.io") else host


def lookup_keys(host: str, repository: str = "") -> Iterator[str]:
    """The keys that may hold a registry's credentials, the most particular first."""
    parts = repository.split("/") if repository else []
    for end in range(len(parts), 0, -1):
        yield f"{host}/{'/'.join(parts[:end])}"
    if store_key(host) == DOCKER_HUB_KEY:
        yield from _DOCKER_KEYS
    else:
        yield from (host, f"https://{host}", f"https://{host}/", f"https://{host}/v1/", f"https://{host}/v2/")
        yield from (f"http://{host}", f"http://{host}/", f"http://{host}/v1/", f"http://{host}/v2/")


@dataclass(frozen=True, slots=True)
class CredentialFile:
    """What one file holds. `document` is everything in it, `exposed` whether others on this machine may read it."""

    path: Path
    document: Mapping[str, Any] = field(default_factory=dict, repr=False)
    exposed: bool = False

    @classmethod
    def read(cls, path: Path) -> CredentialFile | None:
        """Read a file; None where there is none. Raises CredentialError for one that can't be read or understood."""
        try:
            with path.open("rb") as file:
                mode = os.fstat(file.fileno()).st_mode
                raw = file.read(_LIMIT + 1)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise CredentialError(
                f"{path} can't be read: {error.strerror}", hint="Check its owner and permissions."
            ) from error
        try:
            document = json.loads(raw) if raw.strip() else {}
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict) or len(raw) > _LIMIT:
            raise CredentialError(
                f"{path} is no credentials file: not a JSON object",
                hint="Mend it or move it away; kittui does not change it.",
            )
        exposed = bool(mode & (stat.S_IRGRP | stat.S_IROTH)) and bool(_map(document, "auths")) and os.name != "nt"
        return cls(path, document, exposed)

    def helper(self, host: str) -> str:
        """The credential helper for a registry: its own, else the one for all; empty where there is none."""
        helpers = _map(self.document, "credHelpers")
        for key in lookup_keys(host):
            if isinstance(name := helpers.get(key), str) and name:
                return name
        name = self.document.get("credsStore")
        return name if isinstance(name, str) else ""

    def entry(self, host: str, repository: str = "") -> Credential | None:
        """What `auths` holds in the file itself."""
        auths = _map(self.document, "auths")
        for key in lookup_keys(host, repository):
            found = _credential(auths.get(key), str(self.path))
            if found is not None:
                return found
        return None

    def with_entry(self, host: str, credential: Credential | None) -> CredentialFile:
        """The same file with a registry's entry replaced, or taken out everywhere for None."""
        auths = dict(_map(self.document, "auths"))
        for key in lookup_keys(host):
            auths.pop(key, None)
        if credential is not None:
            auths[store_key(host)] = _written(credential)
        return CredentialFile(self.path, {**self.document, "auths": auths}, self.exposed)

    def has_entry(self, host: str) -> bool:
        """Whether anything is kept for the registry in the file itself."""
        auths = _map(self.document, "auths")
        return any(key in auths for key in lookup_keys(host))

    def write(self) -> None:
        """Replace the file, readable by its owner alone. Raises StorageError, DiskFull."""
        raw = json.dumps(self.document, indent="\t", ensure_ascii=False).encode("utf-8") + b"\n"
        folder = self.path.parent
        replace_file(self.path, raw, temporary=folder, point="registry.credentials", mode=0o600)


def _map(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = document.get(key)
    return value if isinstance(value, dict) else {}


def _credential(entry: object, origin: str) -> Credential | None:
    """One entry of `auths`: `auth` is base64 of user:password; identitytoken goes before both."""
    if not isinstance(entry, dict):
        return None
    words: dict[str, str] = {key: value for key, value in entry.items() if isinstance(value, str) and value}
    username, password = words.get("username", ""), words.get("password", "")
    if "auth" in words:
        try:
            pair = base64.b64decode(words["auth"], validate=True).decode("utf-8").rstrip("\0")
        except (binascii.Error, ValueError):
            pair = ""
        first, colon, second = pair.partition(":")
        if colon:
            username, password = first, second
    token = words.get("identitytoken", "")
    if not token and not password:
        return None
    return Credential(username, "" if token else password, token, origin)


def _written(credential: Credential) -> dict[str, str]:
    if credential.identity_token:
        return {"identitytoken": credential.identity_token}
    pair = f"{credential.username}:{credential.password}".encode()
    return {"auth": base64.b64encode(pair).decode("ascii")}
