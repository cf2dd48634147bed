"""What a gate is asked about, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from kittui.oci.digest import Digest
from kittui.oci.manifest import Manifest
from kittui.oci.protocols import Repository
from kittui.usecases.change.policy import State


@dataclass(frozen=True, slots=True)
class Answer:
    """What a gate says; `evidence` are digests of the statements it rests on."""

    state: State
    reason: str
    remedy: str = ""
    evidence: tuple[Digest, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """A tag of a repository that would move; `names` are those of the repositories whose reviews count.

    `origin` is where `after` is copied from, with what is attached to it if `carried`.
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
        """Where `after` can be read."""
        return self.origin or self.repository
