"""Reverting or repeating a change: the moves of its tags, unless something has moved them since."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from kittui.errors import KittuiError, NotFound, TagMoved, Unsupported
from kittui.oci.digest import Digest
from kittui.oci.manifest import Manifest
from kittui.oci.protocols import UNKNOWN, Repository
from kittui.oci.tag import Tag
from kittui.state.journal import Entry, Step
from kittui.tasks import spread
from kittui.transfer.plan import can_read
from kittui.usecases.change.ledger import Ledger
from kittui.usecases.change.placeholder import is_placeholder
from kittui.usecases.change.plan import ChangePlan, TagChange
from kittui.usecases.change.readings import digest_at, is_at, manifest_at, untag_power
from kittui.usecases.change.recent import Recent


@dataclass(frozen=True, slots=True)
class UndoPlan:
    """The changes that revert an entry (last step first) or redo it.

    `others` of its batch are reverted with it; `left` says which can't be, and why.
    """

    entry: Entry
    plan: ChangePlan
    others: tuple[Entry, ...] = ()
    left: tuple[KittuiError, ...] = ()

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All entries to revert, newest first."""
        return (self.entry, *self.others)


def happened(step: Step) -> bool:
    """Whether a step moved its tag, or may have."""
    return step.state != "planned"


async def plan_turn(
    repository: Repository,
    ledger: Ledger,
    action: Literal["undo", "redo"],
    moves: Sequence[tuple[Tag, str | None, str | None]],
    kept: str,
    instead: str = "",
) -> ChangePlan:
    """Plan moving tags from the digest where kittui left them to another; tags already there are left out.

    `kept` is the message for a tag ({}) that would have to be removed but can't, `instead` its hint. Such a tag may be
    on a placeholder if its removal was interrupted.
    """
    recent = await Recent.of(ledger, repository.reference())
    power = await untag_power(repository) if any(wanted is None for _, _, wanted in moves) else UNKNOWN

    async def change_of(move: tuple[Tag, str | None, str | None]) -> TagChange | None:
        tag, left, wanted = move
        current = await digest_at(repository, tag)
        # A tag moved just now may still show its old state: it is moved anyway.
        late = recent.is_late(tag, current)
        if not late and await is_at(repository, tag, current, wanted):
            return None
        standing = await _placeholder_at(repository, tag) if left is None and current is not None else None
        if not late and standing is None and not await is_at(repository, tag, current, left):
            raise TagMoved(
                f"{tag} moved since: it points to {current.short if current else 'nothing'} now",
                hint=f"{action.capitalize()} would overwrite someone's change. Check it and retag by hand.",
                reference=repository.reference(tag),
            )
        if wanted is None and power.denied:
            raise Unsupported(
                kept.format(tag),
                hint=instead or power.remedy or "Remove it with: kittui remove --placeholder REF.",
                reference=repository.reference(tag),
            )
        before = standing or await _manifest(repository, ledger, left)
        return TagChange(tag, before, await _manifest(repository, ledger, wanted))

    found = await spread(moves, change_of, at_once=repository.source.traits.at_once)
    changes = tuple(change for change in found if change is not None)
    return ChangePlan(repository, action, changes, read_at=time.monotonic())


async def _placeholder_at(repository: Repository, tag: Tag) -> Manifest | None:
    """The placeholder that an interrupted removal left under a tag; None if the tag holds anything else."""
    manifest = await manifest_at(repository, tag)
    return manifest if manifest is not None and is_placeholder(manifest) else None


async def _manifest(repository: Repository, ledger: Ledger, digest: str | None) -> Manifest | None:
    """The manifest of a step's digest: from the source, else from the journal if its content still exists."""
    if digest is None:
        return None
    checked = Digest.parse(digest)
    try:
        return await repository.manifest(checked)
    except NotFound:
        kept = await asyncio.to_thread(ledger.journal.manifest, checked)
    if kept is not None:
        blobs = (*((kept.config,) if kept.config else ()), *kept.layers)
        if all([await repository.has_blob(blob) and await can_read(repository, blob) for blob in blobs]):
            return kept
    raise Unsupported(
        f"the content of {checked.short} is gone",
        hint="Push or pull that ModelKit again, then tag it.",
        reference=repository.reference(checked),
    )
