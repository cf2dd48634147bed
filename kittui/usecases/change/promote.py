"""Promote (champion -> rollback, then challenger -> champion, so that champion always resolves) and roll back."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace

from kittui.errors import NotFound, UsageError
from kittui.modelkit.stages import LifecycleTags
from kittui.oci.digest import Digest
from kittui.oci.manifest import Manifest
from kittui.oci.protocols import Repository
from kittui.oci.tag import Tag
from kittui.tasks import together
from kittui.usecases.change.plan import ChangePlan, TagChange
from kittui.usecases.change.readings import irreversible_notes, manifest_at
from kittui.usecases.change.siblings import keeps_a_tag

TAGS = LifecycleTags()
LOOKUPS = 2
"""The most tags resolved to find out whether a digest keeps one."""


async def plan_promote(
    repository: Repository,
    origin: Tag | None = None,
    target: Tag | None = None,
    *,
    stages: LifecycleTags = TAGS,
    retire: bool = False,
    known: Mapping[Tag, Digest] | None = None,
    lookups: int = LOOKUPS,
    shown: bool = True,
) -> ChangePlan:
    """Plan rollback := target's digest, then target := origin's; origin stays. No changes if target has it already.

    Both default to the tags in `stages`; `retire` also tags the previous rollback with the retired
    tag. `shown`: the user sees the plan before it is applied; otherwise, details only for display are not requested.
    Raises NotFound without an origin tag, UsageError for tags that can't be promoted from or to.
    """
    origin, target = origin or stages.challenger, target or stages.champion
    fallback, retired = stages.rollback, stages.retired
    if origin == target or fallback in (origin, target) or (retire and retired in (origin, target, fallback)):
        raise _not_promoted(repository, origin, target)
    falls_back = _falls_back(target, stages)
    wanted = [origin, target, *([fallback] if falls_back else []), *([retired] if retire else [])]
    tags = dict(zip(wanted, await together(*(manifest_at(repository, tag) for tag in wanted)), strict=True))
    new, old = tags[origin], tags[target]
    if new is None:
        raise NotFound(
            f"there is no tag {origin}",
            hint="Tag the ModelKit first, or name its tag with --from.",
            reference=repository.reference(origin),
        )
    names = _names(tags, known)
    watched = {origin: new.digest}
    changes = moves_of(tags, origin, target, stages)
    if not changes:
        current = {tag: manifest.digest if manifest else None for tag, manifest in tags.items()}
        return ChangePlan(repository, "promote", (), watched | current, names=names)
    orphans: tuple[Digest, ...] = ()
    notes: tuple[str, ...] = () if old is not None else (f"there is no {target} yet, so {fallback} stays unchanged",)
    fallen = changes[0].before if len(changes) > 1 else None
    if fallen is not None and fallen.raw != new.raw:
        if shown:
            leaving = {fallback, target}
            kept = await keeps_a_tag(repository, fallen.digest, leaving, _digests(tags, known), lookups)
            notes += kept.notes
            if kept.lost:
                orphans = (fallen.digest,)
            elif kept.tag is not None:
                names[fallen.digest] = (kept.tag,)
        if retire and (kept_by := _retiring(retired, tags.get(retired), fallen)):
            changes, orphans = (*kept_by, *changes), ()
    if shown:
        notes += await irreversible_notes(repository, changes, "kittui rollback")
    return ChangePlan(repository, "promote", changes, watched, orphans, names, notes, read_at=time.monotonic())


async def with_retired(plan: ChangePlan, stages: LifecycleTags = TAGS) -> ChangePlan:
    """The same promotion, with the previous rollback tagged as retired first.

    The confirmed moves stay unchanged: only the retired tag is read.
    """
    *_, change = plan.changes
    fallen = plan.changes[0].before
    if stages.retired in {*plan.watched, *(each.tag for each in plan.changes)}:
        raise _not_promoted(plan.repository, stages.challenger, change.tag)
    if len(plan.changes) == 1 or fallen is None or fallen == change.after:
        return plan
    kept_by = _retiring(stages.retired, await manifest_at(plan.repository, stages.retired), fallen)
    return replace(plan, changes=(*kept_by, *plan.changes), orphans=())


def _retiring(retired: Tag, held: Manifest | None, fallen: Manifest) -> tuple[TagChange, ...]:
    """The move of the retired tag to the previous rollback; empty if it points there already."""
    return () if held is not None and held.raw == fallen.raw else (TagChange(retired, held, fallen),)


def _not_promoted(repository: Repository, origin: Tag, target: Tag) -> UsageError:
    return UsageError(
        f"{origin} can't be promoted to {target}",
        hint=f"Promote from one tag to another; to bring rollback back, use: kittui rollback {repository.reference()}.",
        reference=repository.reference(),
    )


def moves_of(
    tags: Mapping[Tag, Manifest | None], origin: Tag, target: Tag, stages: LifecycleTags = TAGS
) -> tuple[TagChange, ...]:
    """The moves of a promotion, from manifests already read; empty if there is nothing to promote."""
    new, old = tags.get(origin), tags.get(target)
    if new is None or (old is not None and old.raw == new.raw):
        return ()
    fallen = tags.get(stages.rollback)
    if old is None or not _falls_back(target, stages) or (fallen is not None and fallen.raw == old.raw):
        return (TagChange(target, old, new),)
    return (TagChange(stages.rollback, fallen, old), TagChange(target, old, new))


def _falls_back(target: Tag, stages: LifecycleTags) -> bool:
    """Whether rollback moves to the target's old digest."""
    return target not in stages.preparing | {stages.challenger, stages.retired}


async def plan_rollback(
    repository: Repository,
    target: Tag | None = None,
    *,
    stages: LifecycleTags = TAGS,
    known: Mapping[Tag, Digest] | None = None,
    lookups: int = 5,
    shown: bool = True,
) -> ChangePlan:
    """Plan target := rollback's digest; rollback stays, so repeating it changes nothing. `shown` as in `plan_promote`.

    Raises NotFound without a rollback tag.
    """
    target, fallback = target or stages.champion, stages.rollback
    if target == fallback:
        raise UsageError(
            f"{target} can't be rolled back to itself",
            hint="Set two different tags for champion and rollback under `moves` in config.yaml.",
            reference=repository.reference(),
        )
    stored, current = await together(manifest_at(repository, fallback), manifest_at(repository, target))
    if stored is None:
        raise NotFound(
            f"there is no tag {fallback} to roll back to",
            hint=f"Tag the right ModelKit as {target} yourself: kittui tag {repository.reference()}:TAG {target}.",
            reference=repository.reference(fallback),
        )
    tags = {fallback: stored, target: current}
    watched: dict[Tag, Digest | None] = {fallback: stored.digest}
    if current is not None and current.raw == stored.raw:
        return ChangePlan(repository, "rollback", (), {**watched, target: current.digest}, names=_names(tags, known))
    names = _names(tags, known)
    orphans: tuple[Digest, ...] = ()
    notes: tuple[str, ...] = ()
    if current is not None and shown:
        kept = await keeps_a_tag(repository, current.digest, {target}, _digests(tags, known), lookups)
        notes = kept.notes
        if kept.tag is not None:
            names[current.digest] = (kept.tag,)
        elif kept.lost:
            orphans = (current.digest,)
    change = TagChange(target, current, stored)
    return ChangePlan(repository, "rollback", (change,), watched, orphans, names, notes, read_at=time.monotonic())


def _names(tags: Mapping[Tag, Manifest | None], known: Mapping[Tag, Digest] | None) -> dict[Digest, tuple[str, ...]]:
    names: dict[Digest, tuple[str, ...]] = {}
    for tag, manifest in tags.items():
        if manifest is not None:
            names[manifest.digest] = (*names.get(manifest.digest, ()), tag)
    for tag, digest in sorted((known or {}).items()):
        if digest in names and tag not in tags:
            names[digest] = (*names[digest], tag)
    return names


def _digests(tags: Mapping[Tag, Manifest | None], known: Mapping[Tag, Digest] | None) -> dict[Tag, Digest]:
    return {**(known or {}), **{tag: manifest.digest for tag, manifest in tags.items() if manifest is not None}}
