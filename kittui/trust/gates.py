"""Gates: conditions from the configuration for moving a tag. Values only; a use case evaluates them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Literal

from kittui.trust.keyring import covers

Better = Literal["higher", "lower"]
Scanner = Literal["kittui", "modelscan"]


@dataclass(frozen=True, slots=True)
class SignedBy:
    """One of these people signed it."""

    people: tuple[str, ...]

    @property
    def name(self) -> str:
        """How the gate is called."""
        return f"signed by {' or '.join(self.people)}"


@dataclass(frozen=True, slots=True)
class Attested:
    """One of these people (or any trusted key, if none are listed) made a statement of a type, with a result."""

    type: str
    by: tuple[str, ...] = ()
    result: str = ""
    short: str = ""

    @property
    def name(self) -> str:
        """How the gate is called."""
        result = f" {self.result}" if self.result else ""
        return f"attested {self.short or self.type}{result}" + (f" by {' or '.join(self.by)}" if self.by else "")


@dataclass(frozen=True, slots=True)
class ApprovedBy:
    """This many of these people approve, and none of them rejects."""

    count: int
    people: tuple[str, ...]

    @property
    def name(self) -> str:
        """How the gate is called."""
        return f"approved by {self.count} of {', '.join(self.people)}"


@dataclass(frozen=True, slots=True)
class Reviewed:
    """One of the approvers reviewed every change against what the tag holds now."""

    @property
    def name(self) -> str:
        """How the gate is called."""
        return "reviewed"


@dataclass(frozen=True, slots=True)
class LicenseIn:
    """The Kitfile names a license, and all of its licenses are among these."""

    licenses: tuple[str, ...]

    @property
    def name(self) -> str:
        """How the gate is called."""
        return "license"


@dataclass(frozen=True, slots=True)
class KitfileHas:
    """The Kitfile has values at these paths, the required parts, and no forbidden ones."""

    paths: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    stage: bool = False

    @property
    def name(self) -> str:
        """How the gate is called."""
        return "Kitfile"


@dataclass(frozen=True, slots=True)
class Metric:
    """A number in the Kitfile is large or small enough, or not worse than in what the tag holds now."""

    path: str
    at_least: float | None = None
    at_most: float | None = None
    not_worse: Better | None = None

    @property
    def name(self) -> str:
        """How the gate is called."""
        return f"metric {self.path}"


@dataclass(frozen=True, slots=True)
class NotOlderThan:
    """The ModelKit was created within this many days."""

    days: int

    @property
    def name(self) -> str:
        """How the gate is called."""
        return f"not older than {self.days} days"


@dataclass(frozen=True, slots=True)
class Scanned:
    """Its files were scanned, and nothing was found that could run code when loaded."""

    by: Scanner

    @property
    def name(self) -> str:
        """How the gate is called."""
        return f"scanned by {self.by}"


Gate = SignedBy | Attested | ApprovedBy | Reviewed | LicenseIn | KitfileHas | Metric | NotOlderThan | Scanned
COSTS: tuple[type, ...] = (
    LicenseIn,
    KitfileHas,
    NotOlderThan,
    Metric,
    SignedBy,
    Attested,
    ApprovedBy,
    Reviewed,
    Scanned,
)
"""The kinds of gates, cheapest first."""


def cost(gate: Gate) -> int:
    """A gate's position in the order of evaluation, the cheapest first."""
    return COSTS.index(type(gate))


@dataclass(frozen=True, slots=True)
class GateSet:
    """Gates of one move, for repositories that match patterns over HOST/REPO; advisory unless enforced.

    They apply to every move of `target`, whatever the command or origin. Returning to an earlier digest of the tag
    (rollback, undo) is exempt, unless `origin` is the rollback tag.
    """

    name: str
    target: str
    gates: tuple[Gate, ...]
    origin: str = ""
    repositories: tuple[str, ...] = ()
    enforce: bool = False

    def concerns(self, repository: str, tag: str) -> bool:
        """Whether it applies when a tag of a repository moves."""
        return tag == self.target and covers(self.repositories, repository)


def text_of(sets: Iterable[GateSet]) -> bytes:
    """The gates as bytes, for their digest: the same for the same gates."""
    said = [{**asdict(one), "gates": [{type(gate).__name__: asdict(gate)} for gate in one.gates]} for one in sets]
    return json.dumps(said, sort_keys=True, separators=(",", ":")).encode() if said else b""
