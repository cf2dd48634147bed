"""Plans the removal of a tag or a ModelKit; planning changes nothing."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Literal

from kittui.errors import KittuiError, Unsupported, UsageError
from kittui.oci.digest import Digest
from kittui.oci.manifest import Manifest
from kittui.oci.protocols import UNKNOWN, Incomplete, Power, Repository, SupportsDeleteProbe
from kittui.oci.tag import Tag
from kittui.oci.target import Target
from kittui.usecases.change.carry import carriers_of
from kittui.usecases.change.freed import freed_by
from kittui.usecases.change.plan import TagChange
from kittui.usecases.change.readings import untag_power
from kittui.usecases.change.siblings import Siblings, tags_by_digest

Mode = Literal["untag", "delete", "placeholder"]
CANT_UNTAG = "this registry can't remove a tag alone"


@dataclass(frozen=True, slots=True)
class RemovePlan:
    """What would be removed: `tags` for good; `siblings` are the digest's other tags, which only a delete removes.

    `siblings` is None if they were not read, because the registry can remove a tag alone;
    `doubt` is why there may be more. `deletes`: whether the source can delete, probed if it can't
    untag. `attached` is what refers to a deleted digest, each with the tag it was found by; with `referrers` it is
    deleted too. `freed`: bytes that no other ModelKit of a local source needs, None if
    only the registry knows.
    """

    repository: Repository
    mode: Mode
    tag: Tag | None
    manifest: Manifest
    siblings: tuple[Tag, ...] | None
    freed: int | None
    doubt: str = ""
    deletes: Power = UNKNOWN
    attached: tuple[tuple[Manifest, Tag | None], ...] = ()
    referrers: bool = False
    read_at: float = field(default_factory=time.monotonic)

    @property
    def place(self) -> str:
        """Where it happens, as the first line of a plan says it."""
        return self.repository.reference()

    @property
    def tags(self) -> tuple[Tag, ...]:
        """The tags to remove."""
        own = (self.tag,) if self.tag else ()
        return tuple(sorted({*own, *(self.siblings or ())})) if self.mode == "delete" else own

    @property
    def undo(self) -> Literal["yes", "for now", "no"]:
        """Whether undo can restore it: "for now" means until the registry collects untagged content."""
        if self.mode != "delete":
            last = self.siblings == () and not self.doubt and self.repository.files is None
            return "for now" if last else "yes"
        if not self.tags:
            return "no"
        if self.freed is None:
            return "for now"
        return "no" if self.freed > len(self.manifest.raw) else "yes"

    @property
    def changes(self) -> tuple[TagChange, ...]:
        """The removal as tag changes."""
        return tuple(TagChange(tag, self.manifest, None) for tag in self.tags)


async def plan_remove(
    repository: Repository,
    target: Target,
    mode: Mode = "untag",
    *,
    referrers: bool = False,
    found: Siblings | None = None,
    weigh: bool = True,
) -> RemovePlan:
    """Plan the removal of a tag or digest, with `referrers` also of what refers to it; changes nothing.

    `found` are the repository's tags, if already read; with `weigh`, the freed bytes are counted.

    Raises NotFound, UsageError for untagging a digest, Unsupported if the source is known not to support it, and
    Incomplete for deleting a digest whose tags are not all known.
    """
    tag = target if isinstance(target, Tag) else None
    if tag is None and mode != "delete":
        raise UsageError(
            "a digest has no tag to remove",
            hint="Give --delete to remove the ModelKit with all its tags, or name a tag.",
            reference=repository.reference(target),
        )
    manifest = await repository.manifest(target)
    power = await untag_power(repository) if mode == "untag" else UNKNOWN
    if mode == "untag" and not power.denied and not repository.source.traits.lists_digests:
        return RemovePlan(repository, mode, tag, manifest, None, 0)
    deletes = await delete_power(repository, ask=power.denied or mode == "placeholder")
    if mode == "delete" and deletes.denied:
        raise Unsupported(
            deletes.reason or "this source does not delete",
            hint=deletes.remedy or None,
            reference=repository.reference(target),
        )
    found = found or await tags_by_digest(repository, {tag: manifest.digest} if tag else None)
    if mode == "delete":
        check_known(repository, manifest.digest, found)
    others = tuple(name for name in found.of(manifest.digest) if name != tag)
    freed = (await freed_by([(repository, manifest)]))[0] if mode == "delete" and weigh else 0
    attached: list[tuple[Manifest, Tag | None]] = []
    if mode == "delete":
        attached, notes = await _attached(repository, manifest.digest, referrers=referrers)
        # An attachment with another tag of its own belongs to someone: it stays.
        attached = [(one, own) for one, own in attached if {*found.of(one.digest)} <= {own}]
        if notes and referrers:
            raise Incomplete(f"list what refers to {manifest.digest.short}", "; ".join(notes))
    plan = RemovePlan(repository, mode, tag, manifest, others, freed, found.doubt, deletes, tuple(attached), referrers)
    if power.denied:
        raise cannot_untag(plan, power)
    return plan


async def _attached(
    repository: Repository, digest: Digest, *, referrers: bool
) -> tuple[list[tuple[Manifest, Tag | None]], list[str]]:
    """What refers to a deleted digest; a failure to list it is an error only if it is to be removed too."""
    try:
        return await carriers_of(repository, digest)
    except KittuiError:
        if referrers:
            raise
        return [], []


async def delete_power(repository: Repository, *, ask: bool) -> Power:
    """Whether the source can delete: if known, else probed if that is possible without deleting anything."""
    power = repository.source.capabilities.delete
    if ask and power.state == "unknown" and isinstance(repository, SupportsDeleteProbe):
        return await repository.probe_deletes()
    return power


def check_known(repository: Repository, digest: Digest, found: Siblings) -> None:
    """Raise Incomplete if not all tags of a digest are known: deleting it would remove tags that no plan has shown."""
    if found.doubt:
        error = Incomplete(f"list the tags of {repository.name}", found.doubt)
        error.hint = "Nothing was deleted: a deletion removes every tag on the digest, and not all of them are known."
        raise error.at(repository.reference(digest)) from (found.incomplete and found.incomplete.__cause__)


def cannot_untag(plan: RemovePlan, power: Power) -> Unsupported:
    """The error that explains the alternatives and what each would remove."""
    if plan.deletes.denied:
        hint = plan.deletes.remedy or power.remedy or None
        return Unsupported(power.reason, hint=hint, reference=plan.repository.reference(plan.tag))
    others = f" and with it {', '.join(plan.siblings)}" if plan.siblings else ""
    others += " and perhaps other tags" if plan.doubt else " and every tag on it" if plan.siblings is None else ""
    return Unsupported(
        power.reason or CANT_UNTAG,
        hint=(
            f"--placeholder points {plan.tag} at an empty manifest and deletes that: other tags stay. "
            f"--delete removes {plan.manifest.digest.short}{others}."
        ),
        reference=plan.repository.reference(plan.tag),
    )
