"""The keyring: whose keys count, for which repositories and until when."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Protocol

from kittui.trust.keys import PublicKey, key_digest, name_of


@dataclass(frozen=True, slots=True)
class TrustedKey:
    """A public key, its owner, and where it counts.

    `repositories` are patterns over HOST/REPO; empty means all. After `until` the key no longer counts: its signatures
    are shown as by a key that was trusted until then.
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
class TrustedIdentity:
    """An identity in certificates and its issuer, whose signatures count as `owner`'s; the rest as for keys."""

    owner: str
    identity: str
    issuer: str
    repositories: tuple[str, ...] = ()
    until: datetime | None = None

    @property
    def name(self) -> str:
        """The name, shown in place of a key's."""
        return self.identity

    def counts(self, now: datetime) -> bool:
        """Whether it counts at a time."""
        return self.until is None or now < self.until


@dataclass(frozen=True, slots=True)
class Vouched:
    """The result of verifying a bundle's certificate and its signature.

    `problem` says why it could not be verified; else `payload` was signed as one of `payload_type`, by `identity`, one
    of the trusted ones, or by somebody else if that is None.
    """

    problem: str = ""
    payload_type: str = ""
    payload: bytes = b""
    identity: TrustedIdentity | None = None


class Certificates(Protocol):
    """A root of trust for certificates. Blocks, asks no network, and never fails."""

    def check(self, bundle: bytes, identities: Sequence[TrustedIdentity]) -> Vouched:
        """Verify a Sigstore bundle around an envelope."""
        ...


@dataclass(frozen=True, slots=True)
class Keyring:
    """The keys that count for one repository; `named` where the user named one key alone for this check.

    `identities` count where `certificates` verifies what is signed with certificates.
    """

    keys: tuple[TrustedKey, ...] = ()
    named: bool = False
    identities: tuple[TrustedIdentity, ...] = ()
    certificates: Certificates | None = None

    @classmethod
    def of(cls, key: PublicKey, owner: str = "") -> Keyring:
        """One key that the user named, for everything."""
        return cls((TrustedKey(owner, key),), named=True)

    def for_repository(self, name: str) -> Keyring:
        """The keys that count for a repository, named HOST/REPO."""
        keys = tuple(key for key in self.keys if covers(key.repositories, name))
        return replace(
            self, keys=keys, identities=tuple(one for one in self.identities if covers(one.repositories, name))
        )

    def candidates(self, hint: bytes) -> Sequence[TrustedKey]:
        """Keys that may have made a signature: the one in its hint, or all if there is no hint."""
        return [key for key in self.keys if not hint or key.digest == hint]

    def owners(self) -> tuple[str, ...]:
        """The owners of the keys, each once."""
        owners = [key.owner for key in self.keys] + [identity.owner for identity in self.identities]
        return tuple(dict.fromkeys(filter(None, owners)))

    def __bool__(self) -> bool:
        return bool(self.keys or self.identities)


def covers(patterns: Iterable[str], name: str) -> bool:
    """Whether patterns cover a repository's name: shell patterns over HOST/REPO; no patterns cover everything."""
    patterns = tuple(patterns)
    return not patterns or any(fnmatchcase(name, pattern) for pattern in patterns)
