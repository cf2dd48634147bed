"""What would be done to tags, and what was done. Pure: a plan is shown, and then applied by change/tags.py."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from kittui.oci.digest import Digest
from kittui.oci.manifest import Manifest
from kittui.oci.protocols import Repository
from kittui.oci.tag import Tag


@dataclass(frozen=True, slots=True)
class TagChange:
    """A tag and the manifests it points to before and after; None where there is no such tag."""

    tag: Tag
    before: Manifest | None
    after: Manifest | None

    def to_json(self) -> dict[str, str | None]:
        """The JSON of docs/contract.md."""
        return {
            "tag": self.tag,
            "before": str(self.before.digest) if self.before else None,
            "after": str(self.after.digest) if self.after else None,
        }


@dataclass(frozen=True, slots=True)
class ChangePlan:
    """What would be done to the tags of one repository, in this order.

    `watched` are other tags that the plan hangs on, with the digests they were read at; `orphans` digests that are
    known to lose their last tag; `notes` what else there is to know. `origin` is where what the tags will point to is
    copied from, with what is attached to it if `carried`.
    """

    repository: Repository
    action: str
    changes: tuple[TagChange, ...]
    watched: Mapping[Tag, Digest | None] = field(default_factory=dict)
    orphans: tuple[Digest, ...] = ()
    names: Mapping[Digest, tuple[str, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    read_at: float = field(default_factory=time.monotonic)
    origin: Repository | None = None
    carried: bool = False

    @property
    def place(self) -> str:
        """Where it happens, as the first line of a plan says it."""
        return self.repository.reference()

    @property
    def requests(self) -> int:
        """Requests that applying it takes after someone looked at it, without authentication."""
        return len(self.changes) * 4 + len(self.watched) if self.changes else 0

    @property
    def size(self) -> int:
        """Bytes of manifests that applying it sends."""
        return sum(len(change.after.raw) for change in self.changes if change.after)

    @property
    def overwritten(self) -> tuple[str, ...]:
        """Tags that exist and would point elsewhere, or go."""
        return tuple(change.tag for change in self.changes if change.before is not None)


@dataclass(frozen=True, slots=True)
class Answers:
    """What the user said to a plan: the `reason` that the history keeps, the names of protected tags that were `typed`,
    and the reason to `override` rules. `asked`: a person looked at the plan since it was made, so every tag of it is
    read again before anything is done. What is done with one `batch` (see `new_batch`) is undone at once."""

    reason: str = ""
    typed: Collection[str] = ()
    override: str = ""
    asked: bool = False
    batch: str = ""


def new_batch() -> str:
    """A name for what one answer agrees to, where that takes several changes."""
    return secrets.token_hex(8)


NOBODY = Answers()
"""Nobody was asked."""


OnMoved = Callable[[str], None]
"""Called with the reference of each tag that was moved or removed: that is known then, whatever becomes of the rest."""


def unheard(_: str) -> None:
    """For whoever waits for the end alone."""


@dataclass(frozen=True, slots=True)
class Changed:
    """What was done. `unseen` are tags whose move the source accepted, though it still shows where they were."""

    repository: Repository
    changes: tuple[TagChange, ...]
    deleted: tuple[Digest, ...] = ()
    unseen: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The JSON of docs/contract.md for tag, promote, rollback and remove."""
        return {
            "repository": self.repository.reference(),
            "changes": [change.to_json() for change in self.changes],
            "deleted": [str(digest) for digest in self.deleted],
            "not_visible_yet": list(self.unseen),
        }
