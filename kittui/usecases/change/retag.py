"""Retags: the same manifest bytes under other tags, in the same repository or another, moving no existing layers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from kittui.oci.digest import Digest
from kittui.oci.manifest import Manifest
from kittui.oci.protocols import Repository
from kittui.oci.tag import Tag
from kittui.oci.target import Target
from kittui.tasks import spread
from kittui.transfer.progress import Progress
from kittui.usecases.change.ledger import Ledger
from kittui.usecases.change.plan import NOBODY, Answers, Changed, ChangePlan, OnMoved, TagChange, ignore_reference
from kittui.usecases.change.policy import Policy
from kittui.usecases.change.readings import irreversible_notes, manifest_at
from kittui.usecases.change.tags import apply_changes
from kittui.usecases.change.transfer import Moved, MovePlan, apply_move, plan_move, with_attached


@dataclass(frozen=True, slots=True)
class RetagPlan:
    """Tags that would move: `here` in the ModelKit's own repository, `elsewhere` with its content copied."""

    manifest: Manifest
    here: ChangePlan | None
    elsewhere: tuple[MovePlan, ...]

    @property
    def changes(self) -> tuple[ChangePlan, ...]:
        """The tag changes per repository."""
        own = (self.here,) if self.here is not None else ()
        return (*own, *(move.changes for move in self.elsewhere))

    @property
    def overwritten(self) -> tuple[str, ...]:
        """Existing tags that would move."""
        return tuple(tag for plan in self.changes for tag in plan.overwritten)

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks to show before confirming."""
        return tuple(note for plan in self.changes for note in plan.notes)

    @property
    def missing(self) -> int:
        """Bytes to copy into other registries."""
        return sum(move.transfer.missing for move in self.elsewhere)


@dataclass(frozen=True, slots=True)
class Retagged:
    """The results per repository."""

    done: tuple[Changed, ...]
    moved: tuple[Moved, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The JSON of docs/contract.md; with more than one repository, each is in `repositories` too."""
        first = self.done[0].to_json()
        if len(self.done) > 1:
            first["repositories"] = [changed.to_json() for changed in self.done]
        return first


async def plan_retag(
    repository: Repository,
    target: Target,
    destinations: Sequence[tuple[Repository, Tag]],
    referrers: bool | None = None,
    *,
    shown: bool = True,
) -> RetagPlan:
    """Read where the tags point now, and what has to be copied into other repositories.

    `shown`: the user sees the plan before it is applied. Raises NotFound for the ModelKit.
    """
    own = list(dict.fromkeys(tag for place, tag in destinations if place.reference() == repository.reference()))
    others = [(place, tag) for place, tag in destinations if place.reference() != repository.reference()]
    manifest = await repository.manifest(target)
    before = await spread(own, partial(manifest_at, repository), at_once=repository.source.traits.at_once)
    changes = tuple(
        TagChange(tag, old, manifest)
        for tag, old in zip(own, before, strict=True)
        if old is None or old.raw != manifest.raw
    )
    watched = {} if isinstance(target, Digest) or target in own else {target: manifest.digest}
    notes = await irreversible_retag_notes(repository, changes) if shown else ()
    here = ChangePlan(repository, "tag", changes, watched, notes=notes, read_at=time.monotonic()) if own else None
    moves = [
        await with_attached(await plan_move("tag", repository, manifest.digest, place, tag), referrers)
        for place, tag in others
    ]
    return RetagPlan(manifest, here, tuple(moves))


async def irreversible_retag_notes(repository: Repository, changes: Sequence[TagChange]) -> tuple[str, ...]:
    """The notes for a plan whose new tags undo can't remove."""
    return await irreversible_notes(
        repository, changes, "kittui remove --placeholder, or kittui rollback for a champion"
    )


async def apply_retag(
    plan: RetagPlan,
    ledger: Ledger,
    policy: Policy,
    answers: Answers = NOBODY,
    progress: Progress | None = None,
    on_moved: OnMoved = ignore_reference,
) -> Retagged:
    """Retag as planned; raises as `apply_changes` and `apply_move` do."""
    done: list[Changed] = []
    moves: list[Moved] = []
    if plan.here is not None:
        done.append(await apply_changes(plan.here, ledger, policy, answers, on_moved))
    for move in plan.elsewhere:
        moved = await apply_move(move, ledger, policy, answers, progress)
        moves.append(moved)
        done.append(Changed(move.transfer.destination, move.changes.changes, unseen=moved.unseen))
    return Retagged(tuple(done), tuple(moves))
