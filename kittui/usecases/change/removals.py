"""Several removals in one plan: each row planned by itself, what goes and what stays counted over all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from kittui.errors import KittuiError, Unsupported
from kittui.oci.digest import Digest
from kittui.oci.protocols import Repository
from kittui.oci.tag import Tag
from kittui.oci.target import Target
from kittui.usecases.change.freed import freed_by
from kittui.usecases.change.ledger import Ledger
from kittui.usecases.change.plan import Answers, ChangePlan
from kittui.usecases.change.policy import Policy
from kittui.usecases.change.removal import Mode, RemovePlan, plan_remove
from kittui.usecases.change.siblings import Siblings, tags_by_digest
from kittui.usecases.change.tags import apply_changes

Row = tuple[Repository, Target]
"""A repository, and a tag or digest in it."""
Stays = Literal["shared", "bare", "unknown"]
"""Why a ModelKit stays: other tags are on it; it has none left; what else is on it was not looked for."""


@dataclass(frozen=True, slots=True)
class Removals:
    """The plans of all rows that can be planned, and the errors of the others; `refused`: why tags can't go alone."""

    plans: tuple[RemovePlan, ...]
    failed: tuple[KittuiError, ...] = ()
    refused: str = ""

    @property
    def tags(self) -> tuple[Tag, ...]:
        """The tags that go; those of several repositories may have one name."""
        return tuple(tag for _, tag in sorted({(plan.place, tag) for plan in self.plans for tag in plan.tags}))

    @property
    def deleted(self) -> int:
        """How many ModelKits go."""
        return sum(plan.mode == "delete" for plan in self.plans)

    @property
    def freed(self) -> int | None:
        """Bytes that become free; None where only a registry knows."""
        sizes = [plan.freed for plan in self.plans]
        return None if None in sizes else sum(size or 0 for size in sizes)

    @property
    def stays(self) -> dict[Stays, int]:
        """How many ModelKits stay that lose a tag, by the reason."""
        gone = {(plan.place, tag) for plan in self.plans for tag in plan.tags}
        found: dict[tuple[str, Digest], Stays] = {}
        for plan in self.plans:
            if plan.mode == "delete":
                continue
            others = [tag for tag in plan.siblings or () if (plan.place, tag) not in gone]
            known = plan.siblings is not None and not plan.doubt
            found[plan.place, plan.manifest.digest] = "shared" if others else "bare" if known else "unknown"
        return {why: list(found.values()).count(why) for why in found.values()}


async def plan_removals(
    rows: Sequence[Row], mode: Mode = "untag", *, referrers: bool = False, refused: str = ""
) -> Removals:
    """Plan every row; what can't be planned is named and left out, and a digest is deleted once.

    To untag is to displace by a placeholder where a tag can't go alone: `refused` then says why.
    """
    plans: list[RemovePlan] = []
    failed: list[KittuiError] = []
    known: dict[str, Siblings] = {}
    for repository, target in rows:
        reference = repository.reference()
        try:
            if mode == "untag":
                try:
                    plan = await plan_remove(repository, target, found=known.get(reference))
                except Unsupported as error:
                    refused = refused or error.message
                    if reference not in known:
                        known[reference] = await tags_by_digest(repository)
                    plan = await plan_remove(repository, target, "placeholder", found=known[reference])
            else:
                if reference not in known:
                    known[reference] = await tags_by_digest(repository)
                plan = await plan_remove(
                    repository, target, mode, referrers=referrers, found=known[reference], weigh=False
                )
        except KittuiError as error:
            failed.append(error.at(repository.reference(target)))
            continue
        plans.append(plan)
    if mode == "delete":
        plans = once_each(plans)
        sizes = await freed_by([(plan.repository, plan.manifest) for plan in plans])
        plans = [replace(plan, freed=freed) for plan, freed in zip(plans, sizes, strict=True)]
    return Removals(tuple(plans), tuple(failed), refused)


async def untag_all(plans: Sequence[RemovePlan], ledger: Ledger, policy: Policy, answers: Answers) -> None:
    """Untag several tags of one repository as one change, which one undo takes back."""
    changes = tuple(change for plan in plans for change in plan.changes)
    whole = ChangePlan(plans[0].repository, "remove", changes, read_at=min(plan.read_at for plan in plans))
    await apply_changes(whole, ledger, policy, answers)


def once_each(plans: Sequence[RemovePlan]) -> list[RemovePlan]:
    """The plans without those that delete what another deletes already."""
    found = {(plan.place, plan.manifest.digest if plan.mode == "delete" else plan.tag): plan for plan in plans[::-1]}
    return list(found.values())[::-1]
