"""Lifecycle stages: tags that say where a project stands."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

Role = Literal["accent", "good", "warn", "bad", "special", "muted"]
"""What a stage's colour says; the theme decides which colour that is."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage: the tag it is, its mark (one cell wide), the mark for terminals without Unicode, its colour's role."""

    name: str
    mark: str
    ascii_mark: str
    role: Role
    meaning: str = ""

    def shown(self, *, ascii_marks: bool) -> str:
        """The mark for a terminal."""
        return self.ascii_mark if ascii_marks else self.mark


STAGES: Final = (
    Stage("tuning", "○", "o", "muted", "data set for tuning"),
    Stage("validating", "◔", "v", "muted", "data set for validation"),
    Stage("trained", "◑", "t", "accent", "training is done"),
    Stage("tuned", "◕", "T", "accent", "fine-tuning is done"),
    Stage("challenger", "◆", "?", "warn", "ready to replace the champion"),
    Stage("champion", "★", "*", "good", "in production"),
    Stage("rollback", "↩", "<", "special", "the previous champion, ready to go back to"),
    Stage("retired", "✕", "x", "bad", "no longer for production"),
)
"""The stages of a ModelKit's life, in order; a configuration may replace them."""


@dataclass(frozen=True, slots=True)
class LifecycleTags:
    """The tags that promote and roll back move."""

    challenger: str = "challenger"
    champion: str = "champion"
    rollback: str = "rollback"
    retired: str = "retired"


def stage_of(tag: str, stages: Iterable[Stage] = STAGES) -> Stage | None:
    """The stage that a tag is; None for a tag that is none."""
    return next((stage for stage in stages if stage.name == tag), None)


def stages_of(tags: Iterable[str], stages: Iterable[Stage] = STAGES) -> tuple[Stage, ...]:
    """The stages among some tags, in the stages' order."""
    known = set(tags)
    return tuple(stage for stage in stages if stage.name in known)
