"""Whose keys count, for which repositories and until when."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from fnmatch import fnmatchcase

from kittui.trust.keys import PublicKey, key_digest, name_of


@dataclass(frozen=True, slots=True)
class TrustedKey:
    """A public key, whose it is, and where it counts.

    `repositories` are patterns over HOST/REPO, every repository where there are none. After `until` the key no longer
    counts: what it signed is shown as by a key that was trusted until then.
    """

    owner: str
    key: PublicKey
    repositories: tuple[str, ...] = ()
    until: datetime | None = None

    @property
    def digest(self) -> bytes:
        """The digest of the key, as a bundle's hint names it."""
        return key_digest(self.key)

    @property
    def name(self) -> str:
        """The key as people compare it."""
        return name_of(self.digest)

    def counts(self, now: datetime) -> bool:
        """Whether it counts at a time."""
        return self.until is None or now < self.until


@dataclass(frozen=True, slots=True)
class Keyring:
    """The keys that count for one repository; `named` where the user named one key alone for this check."""

    keys: tuple[TrustedKey, ...] = ()
    named: bool = False

    @classmethod
    def of(cls, key: PublicKey, owner: str = "") -> Keyring:
        """One key that the user named, for everything."""
        return cls((TrustedKey(owner, key),), named=True)

    def for_repository(self, name: str) -> Keyring:
        """Those of the keys that count for a repository, named HOST/REPO."""
        return replace(self, keys=tuple(key for key in self.keys if covers(key.repositories, name)))

    def candidates(self, hint: bytes) -> Sequence[TrustedKey]:
        """Keys that may have made a signature: the one its hint names, or all where it names none."""
        return [key for key in self.keys if not hint or key.digest == hint]

    def owners(self) -> tuple[str, ...]:
        """Whose keys these are, each once."""
        return tuple(dict.fromkeys(key.owner for key in self.keys if key.owner))

    def __bool__(self) -> bool:
        return bool(self.keys)


def covers(patterns: Iterable[str], name: str) -> bool:
    """Whether patterns cover a repository's name: shell patterns over HOST/REPO; no patterns cover everything."""
    patterns = tuple(patterns)
    return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)
