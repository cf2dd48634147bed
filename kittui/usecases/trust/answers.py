"""The question that a gate evaluates, and its answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from kittui.oci.digest import Digest
from kittui.oci.manifest import Manifest
from kittui.oci.protocols import Repository
from kittui.usecases.change.policy import State


@dataclass(frozen=True, slots=True)
class Answer:
    """A gate's answer; `evidence` are the digests of the statements on which it is based."""

    state: State
    reason: str
    remedy: str = ""
    evidence: tuple[Digest, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """A tag of a repository that would move; `names` are the repositories whose reviews count.

    `origin` is where `after` is copied from, with its attachments if `carried`.
    """

    repository: Repository
    names: frozenset[str]
    tag: str
    before: Manifest | None
    after: Manifest
    now: datetime
    origin: Repository | None = None
    carried: bool = False

    @property
    def content(self) -> Repository:
        """The repository in which `after` can be read."""
        return self.origin or self.repository
