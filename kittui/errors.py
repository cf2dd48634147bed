"""Every error that kittui raises on purpose.

Each says what failed, on which reference, and what to do next; the command line turns the class into
an exit status, the interface into a marked row or a panel.

    KittuiError                   code              exit status
    ├── UsageError                usage             2
    │   ├── BadReference          bad-reference     2
    │   ├── AmbiguousReference    ambiguous         2
    │   ├── ConfigError           bad-config        2
    │   └── TerminalNeeded        terminal-needed   2
    ├── NotFound                  not-found         1
    ├── Refused                   refused           1
    │   ├── ReadOnly              read-only         1
    │   ├── TagMoved              tag-moved         1
    │   ├── TagProtected          tag-protected     1
    │   ├── Unsupported           unsupported       1
    │   └── Conflict              conflict          1
    ├── ContentError              bad-content       1
    │   ├── DigestMismatch        digest-mismatch   1
    │   ├── TooLarge              too-large         1
    │   ├── Malformed             malformed         1
    │   └── UnsafePath            unsafe-path       1
    ├── StorageError              storage           1
    │   └── DiskFull              disk-full         1
    ├── AuthError                 auth              3
    │   ├── Unauthorized          unauthorized      3
    │   ├── Denied                denied            3
    │   └── CredentialError       credentials       3
    ├── NetworkError              network           4
    │   ├── Unreachable           unreachable       4
    │   ├── TlsError              tls               4
    │   ├── ConnectionLost        connection-lost   4
    │   ├── RateLimited           rate-limited      4
    │   └── RegistryError         registry          4
    └── Interrupted               interrupted       130
"""

from __future__ import annotations

import re
from typing import ClassVar


class KittuiError(Exception):
    """Base of all expected failures.

    `message` is one sentence of what failed, `hint` one of what to do, `reference` the place it failed on
    (as a user would type it). All three are raw text: clean them where they meet a terminal.
    """

    code: ClassVar[str] = "error"
    exit_status: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str | None = None, reference: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.reference = reference

    def at(self, reference: str) -> KittuiError:
        """Name the reference that was being worked on, unless one is named already; returns self."""
        if self.reference is None:
            self.reference = reference
        return self


def sentences(error: KittuiError) -> str:
    """What failed and what to do, as one text for a single line."""
    return ". ".join(filter(None, (error.message.removesuffix("."), error.hint)))


_AGAIN = re.compile(r"(?:try|run (?:it|this)) again(?: later| in a moment| then)?[.;:]", re.IGNORECASE)


def without_again(hint: str | None) -> str:
    """A hint without its advice to try again, for where better advice on that follows."""
    kept: list[str] = []
    dropped = False
    for clause in re.split(r"(?<=[.;:]) ", hint or ""):
        if _AGAIN.fullmatch(clause):
            dropped = True
            if kept:
                kept[-1] = f"{kept[-1][:-1]}."
            continue
        begins = dropped and not clause.startswith("kittui ")  # a command is typed as it is written
        kept.append(f"{clause[:1].upper()}{clause[1:]}" if begins else clause)
        dropped = False
    return " ".join(kept)


class UsageError(KittuiError):
    """The call itself is wrong: an option, an argument, a combination."""

    code = "usage"
    exit_status = 2


class BadReference(UsageError):
    """A reference, tag, repository name or digest is not of its form."""

    code = "bad-reference"


class AmbiguousReference(UsageError):
    """A reference without prefix names two places, and the command would change one of them."""

    code = "ambiguous"


class ConfigError(UsageError):
    """config.yaml holds a mistake: names file, key and what is allowed."""

    code = "bad-config"


class TerminalNeeded(UsageError):
    """The interface or a question needs a terminal and there is none."""

    code = "terminal-needed"


class NotFound(KittuiError):
    """No such repository, tag, digest, file, key."""

    code = "not-found"


class Refused(KittuiError):
    """kittui, the registry or the user would not do it."""

    code = "refused"


class ReadOnly(Refused):
    """A change was asked for in read-only mode."""

    code = "read-only"


class TagMoved(Refused):
    """A tag no longer points where the plan saw it point."""

    code = "tag-moved"


class TagProtected(Refused):
    """The configuration protects the tag, or the registry has it immutable."""

    code = "tag-protected"


class Unsupported(Refused):
    """This source has no such power (no catalog, no deletes, no ranges); the hint says what works instead."""

    code = "unsupported"


class Conflict(Refused):
    """A file or a tag exists already."""

    code = "conflict"


class ParentMissing(KittuiError):
    """The ModelKit was pulled, but not the one that its model.path refers to."""

    code = "parent-missing"


class ContentError(KittuiError):
    """What was read is not what it should be."""

    code = "bad-content"


class DigestMismatch(ContentError):
    """Bytes do not hash to the digest they were asked by."""

    code = "digest-mismatch"


class TooLarge(ContentError):
    """Something is over the bound that kittui reads of its kind."""

    code = "too-large"


class Malformed(ContentError):
    """A manifest, config, Kitfile, index, archive or header can't be parsed."""

    code = "malformed"


class UnsafePath(ContentError):
    """A path in an archive or Kitfile leads outside its place, or is of a kind that is not written."""

    code = "unsafe-path"


class StorageError(KittuiError):
    """The local disk would not: permissions, half-written files, a store of another shape."""

    code = "storage"


class DiskFull(StorageError):
    """Not enough room, found before or while writing."""

    code = "disk-full"


class AuthError(KittuiError):
    """Who you are, or what you may."""

    code = "auth"
    exit_status = 3


class Unauthorized(AuthError):
    """The registry wants a login."""

    code = "unauthorized"


class Denied(AuthError):
    """The registry knows you and refuses, or a token realm is not to be trusted."""

    code = "denied"


class CredentialError(AuthError):
    """A credentials file or helper can't be used."""

    code = "credentials"


class NetworkError(KittuiError):
    """The network or the registry is in trouble.

    `passing`: trying again may help. `retry_after`: for how many seconds the registry asked to be left alone.
    """

    code = "network"
    exit_status = 4
    passing: bool = True
    retry_after: float | None = None


class Unreachable(NetworkError):
    """No connection: name, route, refused, timed out."""

    code = "unreachable"
    refused: bool = False
    """Nobody listens there: an answer that comes at once."""


class TlsError(NetworkError):
    """The certificate is not accepted, or TLS is not spoken there."""

    code = "tls"
    passing = False


class ConnectionLost(NetworkError):
    """The connection broke, stalled or ended early."""

    code = "connection-lost"


class RateLimited(NetworkError):
    """429, and the bounded waits are used up."""

    code = "rate-limited"


GONE = (Unreachable, ConnectionLost, RateLimited)
"""Errors that every other request to the same place would end in too, once it has been tried again."""
_BUSY = frozenset({408, 425, 429})
_NEVER = frozenset({501, 505, 507, 508, 510, 511})
"""Statuses from 500 on that say what the server can't do, rather than that it can't do it now."""


class RegistryError(NetworkError):
    """The registry answered what it should not, or with a 5xx; `status` is the HTTP status."""

    code = "registry"

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        hint: str | None = None,
        reference: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint, reference=reference)
        self.status = status
        self.passing = status is not None and (status in _BUSY or (status >= 500 and status not in _NEVER))


class Interrupted(KittuiError):
    """The user stopped it."""

    code = "interrupted"
    exit_status = 130
