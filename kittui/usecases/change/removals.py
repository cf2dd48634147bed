"""Several removals in one plan: each row is planned separately, and the totals cover all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from kittui.errors import KittuiError
from kittui.oci.digest import Digest
from kittui.oci.protocols import Repository, at_once
from kittui.oci.tag import Tag
from kittui.oci.target import Target
from kittui.tasks import spread_all
from kittui.usecases.change.freed import freed_by
from kittui.usecases.change.readings import untag_power
from kittui.usecases.change.removal import CANT_UNTAG, Mode, RemovePlan, delete_power, plan_remove
from kittui.usecases.change.siblings import Siblings, tags_by_digest

Row = tuple[Repository, Target]
"""A repository, and a tag or digest in it."""
Stays = Literal["shared", "bare", "unknown"]
"""Why a ModelKit stays: it has other tags; it is now untagged; its other tags were not read."""


@dataclass(frozen=True, slots=True)
class Removals:
    """The plans of all rows that can be planned; `refused` is why tags can't be removed alone.

    `failed` are the other rows by reference, with the reason.
    """

    plans: tuple[RemovePlan, ...]
    failed: tuple[tuple[str, KittuiError], ...] = ()
    refused: str = ""

    @property
    def tags(self) -> tuple[Tag, ...]:
        """The tags to remove; names may repeat across repositories."""
        return tuple(tag for _, tag in sorted({(plan.place, tag) for plan in self.plans for tag in plan.tags}))

    @property
    def deleted(self) -> int:
        """How many ModelKits are deleted."""
        return sum(plan.mode == "delete" for plan in self.plans)

    @property
    def freed(self) -> int | None:
        """Bytes that become free; None for a registry."""
        sizes = [plan.freed for plan in self.plans]
        return None if None in sizes else sum(size or 0 for size in sizes)

    @property
    def stays(self) -> dict[Stays, int]:
        """How many ModelKits lose a tag but stay, by reason."""
        gone = {(plan.place, tag) for plan in self.plans for tag in plan.tags}
        found: dict[tuple[str, Digest], Stays] = {}
        for plan in self.plans:
            if plan.mode == "delete":
                continue
            others = [tag for tag in plan.siblings or () if (plan.place, tag) not in gone]
            known = plan.siblings is not None and not plan.doubt
            found[plan.place, plan.manifest.digest] = "shared" if others else "bare" if known else "unknown"
        return {why: list(found.values()).count(why) for why in found.values()}


@dataclass(frozen=True, slots=True)
class _Around:
    """Shared by all rows of a repository: how its tags are removed, why not alone, and all its tags."""

    mode: Mode
    refused: str = ""
    siblings: Siblings | None = None


async def _look_around(
    repository: Repository, mode: Mode, on_read: Callable[[int, int], None]
) -> _Around | KittuiError:
    """Read once what all rows of a repository need."""
    try:
        power = await untag_power(repository) if mode == "untag" else None
        if power is not None and not power.denied and not repository.source.traits.lists_digests:
            return _Around(mode)
        refused = (power.reason or CANT_UNTAG) if power is not None and power.denied else ""
        await delete_power(repository, ask=bool(refused) or mode == "placeholder")
        return _Around("placeholder" if refused else mode, refused, await tags_by_digest(repository, on_read=on_read))
    except KittuiError as error:
        return error


async def plan_removals(
    rows: Sequence[Row],
    mode: Mode = "untag",
    *,
    referrers: bool = False,
    refused: str = "",
    on_read: Callable[[int, int], None] = lambda _done, _total: None,
    on_planned: Callable[[int], None] = lambda _: None,
) -> Removals:
    """Plan every row; rows that can't be planned are reported and left out, and each digest is deleted once.

    Tags that can't be removed alone are untagged with a placeholder: `refused` then says why. A repository's tags
    are read once: `on_read` gets how many of how many, and `on_planned` how many rows are planned.
    """
    places = {repository.reference(): repository for repository, _ in rows}
    # One repository at a time: each reads several of its tags concurrently.
    looked = [await _look_around(repository, mode, on_read) for repository in places.values()]
    around = dict(zip(places, looked, strict=True))

    async def plan(row: Row) -> RemovePlan:
        repository, target = row
        here = around[repository.reference()]
        if isinstance(here, KittuiError):
            raise here
        return await plan_remove(repository, target, here.mode, referrers=referrers, found=here.siblings, weigh=False)

    plans, failed = await spread_all(
        rows, plan, at=lambda row: row[0].source.place, at_once=at_once(places.values()), on_done=on_planned
    )
    if mode == "delete":
        plans = without_duplicates(plans)
        sizes = await freed_by([(plan.repository, plan.manifest) for plan in plans])
        plans = [replace(plan, freed=freed) for plan, freed in zip(plans, sizes, strict=True)]
    refused = next(filter(None, (refused, *(one.refused for one in looked if isinstance(one, _Around)))), "")
    named = tuple((repository.reference(target), error) for (repository, target), error in failed)
    return Removals(tuple(plans), named, refused)


def without_duplicates(plans: Sequence[RemovePlan]) -> list[RemovePlan]:
    """The plans without those whose digest another plan already deletes."""
    found = {(plan.place, plan.manifest.digest if plan.mode == "delete" else plan.tag): plan for plan in plans[::-1]}
    return list(found.values())[::-1]
