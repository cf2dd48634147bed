"""Plans of tag changes and their results. Pure: a plan is shown, then applied by change/tags.py."""

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
    """A tag and the manifests it points to before and after; None if the tag does not exist."""

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
    """The planned changes of one repository's tags, in order.

    `watched` are other tags that the plan depends on, with the digests they had; `orphans` are digests that are
    known to lose their last tag; `notes` are further remarks. `origin` is where the tags' new content is
    copied from, with its attachments if `carried`.
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
        """The place, as in the first line of a plan."""
        return self.repository.reference()

    @property
    def requests(self) -> int:
        """Requests needed to apply it after review, without authentication."""
        return len(self.changes) * 4 + len(self.watched) if self.changes else 0

    @property
    def size(self) -> int:
        """Bytes of manifests that applying it uploads."""
        return sum(len(change.after.raw) for change in self.changes if change.after)

    @property
    def ordered(self) -> bool:
        """Whether the steps have to be done in their order.

        One gives a tag a digest that another takes from a tag, or restores a manifest that another's index lists:
        registries refuse an index whose manifests are missing.
        """
        afters = [change.after for change in self.changes if change.after]
        needed = {change.before.digest for change in self.changes if change.before}
        needed |= {listed.digest for after in afters for listed in after.manifests}
        return any(after.digest in needed for after in afters)

    @property
    def overwritten(self) -> tuple[str, ...]:
        """Existing tags that would move or be removed."""
        return tuple(change.tag for change in self.changes if change.before is not None)


@dataclass(frozen=True, slots=True)
class Answers:
    """The user's answers to a plan: the `reason` for the history, the names of protected tags that were `typed`,
    and the reason to `override` rules. `asked`: the user reviewed the plan since it was created, so every tag of it
    is read again first. Changes with the same `batch` (see `new_batch`) are undone together."""

    reason: str = ""
    typed: Collection[str] = ()
    override: str = ""
    asked: bool = False
    batch: str = ""


def new_batch() -> str:
    """An id for several changes that were confirmed with one answer."""
    return secrets.token_hex(8)


NOBODY = Answers()
"""The answers if the user was not asked."""


OnMoved = Callable[[str], None]
"""Called with the reference of each tag as soon as it was moved or removed, whatever happens to the rest."""


def ignore_reference(_: str) -> None:
    """Ignore the report, for callers that only need the result."""


@dataclass(frozen=True, slots=True)
class Changed:
    """The result. `unseen` are tags whose move the source accepted although it still shows their old state."""

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
