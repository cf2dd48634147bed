"""Lifecycle stages: tags that say how far a version has come."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from kittui.oci.tag import Tag

Colour = Literal["accent", "good", "warn", "bad", "special", "muted"]
"""The meaning of a stage's colour; the theme decides which colour that is."""
Role = Literal["preparing", "challenger", "champion", "rollback", "retired", ""]
"""The role of a stage's tag in promote and roll back; nothing is rolled back from a `preparing` stage."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage: the tag it is, its mark (one cell wide), the mark for terminals without Unicode, its colour."""

    name: Tag
    mark: str
    ascii_mark: str
    colour: Colour
    meaning: str = ""
    role: Role = ""

    def shown(self, *, ascii_marks: bool) -> str:
        """The mark for a terminal."""
        return self.ascii_mark if ascii_marks else self.mark


STAGES: Final = (
    Stage(Tag("tuning"), "○", "o", "muted", "data set for tuning", "preparing"),
    Stage(Tag("validating"), "◔", "v", "muted", "data set for validation", "preparing"),
    Stage(Tag("trained"), "◑", "t", "accent", "training is done", "preparing"),
    Stage(Tag("tuned"), "◕", "T", "accent", "fine-tuning is done", "preparing"),
    Stage(Tag("challenger"), "◆", "^", "warn", "ready to replace the champion", "challenger"),
    Stage(Tag("champion"), "★", "*", "good", "in production", "champion"),
    Stage(Tag("rollback"), "↩", "<", "special", "the previous champion, ready to go back to", "rollback"),
    Stage(Tag("retired"), "✕", "x", "bad", "no longer for production", "retired"),
)
"""The stages of a ModelKit's life, in order; a configuration may replace them."""


@dataclass(frozen=True, slots=True)
class LifecycleTags:
    """The tags that promote and roll back move."""

    challenger: Tag = Tag("challenger")
    champion: Tag = Tag("champion")
    rollback: Tag = Tag("rollback")
    retired: Tag = Tag("retired")
    preparing: frozenset[Tag] = frozenset(stage.name for stage in STAGES if stage.role == "preparing")


def lifecycle_of(stages: Iterable[Stage]) -> LifecycleTags:
    """The tags by their stages' roles; roles without a stage get kittui's own names."""
    stages = tuple(stages)
    tags = {stage.role: stage.name for stage in reversed(stages) if stage.role not in ("", "preparing")}
    preparing = frozenset(stage.name for stage in stages if stage.role == "preparing")
    return LifecycleTags(**tags, preparing=preparing)


FIRST: Final = ("champion", "challenger", "rollback")
"""Roles in display order: the most important first, retired last."""


def ranks(stages: Iterable[Stage]) -> dict[str, int]:
    """Stages in display order: production first, retired last."""
    stages = tuple(stages)
    first = [stage.name for role in FIRST for stage in stages if stage.role == role]
    last = [stage.name for stage in stages if stage.role == "retired"]
    between = [stage.name for stage in reversed(stages) if stage.name not in (*first, *last)]
    return {name: rank for rank, name in enumerate([*first, *between, *last])}


def stage_of(tag: str, stages: Iterable[Stage] = STAGES) -> Stage | None:
    """The stage that a tag is; None for a tag that is not one."""
    return next((stage for stage in stages if stage.name == tag), None)


def stages_of(tags: Iterable[str], stages: Iterable[Stage] = STAGES) -> tuple[Stage, ...]:
    """The stages among some tags, in the stages' order."""
    known = set(tags)
    return tuple(stage for stage in stages if stage.name in known)
