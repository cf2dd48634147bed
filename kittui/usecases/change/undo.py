"""Undo of the last tag change that kittui made in a repository, from the journal."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection
from dataclasses import dataclass, replace

from kittui.errors import NotFound, TagMoved, Unsupported
from kittui.oci.digest import Digest
from kittui.oci.manifest import Manifest
from kittui.oci.protocols import Repository
from kittui.state.journal import Entry, Step
from kittui.transfer.plan import can_read
from kittui.usecases.change.ledger import Ledger
from kittui.usecases.change.plan import Changed, ChangePlan, TagChange
from kittui.usecases.change.policy import Policy
from kittui.usecases.change.readings import digest_at, is_at, untag_power
from kittui.usecases.change.tags import Recent, apply_changes


@dataclass(frozen=True, slots=True)
class UndoPlan:
    """The changes that take an entry back, last step first."""

    entry: Entry
    plan: ChangePlan


def last_change(ledger: Ledger, repository: str | None = None) -> Entry | None:
    """The newest change that can be undone, of one repository or of all; an undo itself is not undone."""
    for entry in ledger.journal.entries(repository):
        if entry.state in ("done", "open") and entry.action != "undo" and any(_happened(step) for step in entry.steps):
            return entry
    return None


async def plan_undo(repository: Repository, ledger: Ledger, entry: Entry | None = None) -> UndoPlan:
    """Plan to take back the newest change in a repository.

    Raises NotFound where kittui changed nothing there, TagMoved where a tag is elsewhere by now, Unsupported where a
    created tag can't be removed alone or the content behind the former digest is gone.
    """
    reference = repository.reference()
    entry = entry or await asyncio.to_thread(_to_take_back, ledger, reference)
    if entry is not None and entry.state == "undone":
        return UndoPlan(entry, ChangePlan(repository, "undo", ()))
    if entry is None:
        raise NotFound(
            "kittui has changed no tag here that could be undone",
            hint="Only changes by kittui on this machine can be undone; see: kittui history REPO.",
            reference=reference,
        )
    recent = await Recent.of(ledger, reference)
    changes: list[TagChange] = []
    for step in reversed([step for step in entry.steps if _happened(step)]):
        current = await digest_at(repository, step.tag)
        # What was moved just now may still show its former state: it is taken back all the same.
        late = recent.is_late(step.tag, current)
        if not late and await is_at(repository, step.tag, current, step.before):
            continue
        if not late and not await is_at(repository, step.tag, current, step.after):
            raise TagMoved(
                f"{step.tag} moved since: it points to {current.short if current else 'nothing'} now",
                hint="Undo would overwrite someone's change; look at it and retag by hand.",
                reference=repository.reference(step.tag),
            )
        before, after = (
            await _manifest(repository, ledger, step.before),
            await _manifest(repository, ledger, step.after),
        )
        if before is None and (power := await untag_power(repository)).denied:
            raise Unsupported(
                f"{step.tag} did not exist before, and this registry can't remove a tag alone",
                hint="kittui rollback REPO brings the former champion back."
                if entry.action == "promote"
                else power.remedy or "Remove it with: kittui remove --placeholder REF.",
                reference=repository.reference(step.tag),
            )
        changes.append(TagChange(step.tag, after, before))
    return UndoPlan(entry, ChangePlan(repository, "undo", tuple(changes), read_at=time.monotonic()))


def _to_take_back(ledger: Ledger, reference: str) -> Entry | None:
    """The change that an undo which was cut short was taking back, unless there is a newer one; else the newest."""
    interrupted = ledger.journal.undoing(reference)
    for entry in ledger.journal.entries(reference):
        if entry.action != "undo" and any(_happened(step) for step in entry.steps):
            if entry.id == interrupted:
                return entry
            break
    return last_change(ledger, reference)


async def apply_undo(
    undo: UndoPlan,
    ledger: Ledger,
    policy: Policy,
    *,
    reason: str = "",
    typed: Collection[str] = (),
    override: str = "",
    asked: bool = False,
) -> Changed:
    """Take the change back and mark it as undone. Run again after it was cut short, it takes nothing else back."""
    policy.check_write(undo.plan.place)
    await asyncio.to_thread(ledger.journal.begin_undo, undo.entry)
    done = await apply_changes(undo.plan, ledger, policy, reason=reason, typed=typed, override=override, asked=asked)
    await ledger.write(replace(undo.entry, state="undone"))
    await asyncio.to_thread(ledger.journal.end_undo, undo.entry)
    return done


def _happened(step: Step) -> bool:
    return step.state != "planned"


async def _manifest(repository: Repository, ledger: Ledger, digest: str | None) -> Manifest | None:
    """The manifest of a step's digest: from the source, else as the journal kept it, with its content still there."""
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
        f"the content of {checked.short} is no longer there",
        hint="Push or pull that ModelKit again, then tag it.",
        reference=repository.reference(checked),
    )
