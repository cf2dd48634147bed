"""Remembers keys that were trusted once, so that a key removed from the configuration is still recognized."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from kittui.disk.durable import make_folder, replace_file
from kittui.errors import StorageError

_LIMIT: Final = 1024 * 1024
_MOST: Final = 1000


@dataclass(frozen=True, slots=True)
class OnceTrusted:
    """A public key (PEM), its owner, where it counted, and when it was last in the configuration (ISO 8601)."""

    owner: str
    pem: str
    repositories: tuple[str, ...]
    seen: str


class TrustedKeys:
    """The keys in a state folder, by name; what can't be read or written counts as not stored."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "trusted.json"

    def read(self) -> dict[str, OnceTrusted]:
        """Read all keys that were ever seen."""
        try:
            with self._path.open("rb") as file:
                document = json.loads(file.read(_LIMIT))
            return {
                str(name): OnceTrusted(
                    str(entry["owner"]),
                    str(entry["pem"]),
                    tuple(str(pattern) for pattern in entry["repositories"]),
                    str(entry["seen"]),
                )
                for name, entry in document.items()
            }
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return {}

    def write(self, keys: dict[str, OnceTrusted]) -> None:
        """Store these keys; of too many, those seen last."""
        newest = sorted(keys.items(), key=lambda item: item[1].seen)[-_MOST:]
        content = json.dumps({name: asdict(key) for name, key in newest}, indent=1).encode()
        try:
            make_folder(self._path.parent)
            replace_file(self._path, content, temporary=self._path.parent, point="trusted")
        except StorageError:
            return
