"""Undoes the last tag change that kittui made in a repository, and redoes what was undone, from the journal."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Literal

from kittui.disk.threads import in_thread
from kittui.errors import KittuiError, NotFound, StorageError, TagMoved, Unsupported
from kittui.oci.digest import Digest
from kittui.oci.manifest import Manifest
from kittui.oci.protocols import UNKNOWN, Repository
from kittui.oci.tag import Tag
from kittui.state.journal import Entry, Step
from kittui.tasks import spread
from kittui.transfer.plan import can_read
from kittui.usecases.change.ledger import Ledger
from kittui.usecases.change.placeholder import is_placeholder
from kittui.usecases.change.plan import NOBODY, Answers, Changed, ChangePlan, TagChange
from kittui.usecases.change.policy import Policy
from kittui.usecases.change.readings import digest_at, is_at, manifest_at, untag_power
from kittui.usecases.change.tags import Recent, apply_changes, so_far

TURNS = frozenset({"undo", "redo"})
"""Actions that undo skips: they revert or repeat another entry."""

PROMOTED = 2
"""The most tags that a promotion moves, not counting the retired one."""


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


def last_change(ledger: Ledger, repository: str | None = None) -> Entry | None:
    """The newest change that can be undone, of one repository or of all; undo and redo themselves are not undone."""
    for entry in ledger.journal.entries(repository):
        happened = any(_happened(step) for step in entry.steps)
        if entry.state in ("done", "open") and entry.action not in TURNS and happened:
            return entry
    return None


async def plan_undo(repository: Repository, ledger: Ledger, entry: Entry | None = None) -> UndoPlan:
    """Plan to revert the newest change in a repository.

    Raises NotFound if kittui changed nothing there, TagMoved if a tag has moved since, Unsupported if a
    created tag can't be removed alone or the former digest's content is gone.
    """
    reference = repository.reference()
    for found in [entry] if entry is not None else await asyncio.to_thread(_to_take_back, ledger, reference):
        if found.state == "undone":
            return UndoPlan(found, ChangePlan(repository, "undo", ()))
        batch = [found] if entry is not None else await asyncio.to_thread(_batch_of, ledger, found)
        undo = await _plan_batch(repository, ledger, batch)
        # A change that never took effect can't be reverted: the change before it is.
        if undo.plan.changes or any(step.state == "done" for one in undo.entries for step in one.steps):
            return undo
    raise NotFound(
        "there is no tag change by kittui here to undo",
        hint=f"Only kittui's changes on this machine can be undone. See: kittui history {reference}.",
        reference=reference,
    )


async def _plan_batch(repository: Repository, ledger: Ledger, batch: Sequence[Entry]) -> UndoPlan:
    """Plan to revert what can be reverted of a batch; raises if nothing can."""
    plans: list[tuple[Entry, ChangePlan]] = []
    left: list[KittuiError] = []
    for entry in batch:
        try:
            plans.append((entry, await _plan_back(repository, ledger, entry)))
        except (TagMoved, Unsupported) as error:
            left.append(error)
    if not plans:
        raise left[0]
    (first, _), *others = plans
    changes = tuple(change for _, plan in plans for change in plan.changes)
    whole = ChangePlan(repository, "undo", changes, read_at=min(plan.read_at for _, plan in plans))
    return UndoPlan(first, whole, tuple(entry for entry, _ in others), tuple(left))


async def _plan_back(repository: Repository, ledger: Ledger, entry: Entry) -> ChangePlan:
    moves = [(step.tag, step.after, step.before) for step in reversed(entry.steps) if _happened(step)]
    instead = ""
    if entry.action == "promote":
        reference = repository.reference()
        instead = f"kittui rollback {reference} restores the former champion."
        if entry.state == "open" and any(step.state != "done" for step in entry.steps):
            instead = f"{so_far(entry)} {_command_of(entry)} finishes it."
    words = "it can't be undone: {} did not exist before, and this registry can't remove a tag alone"
    return await _plan(repository, ledger, "undo", moves, words, instead)


def _command_of(entry: Entry) -> str:
    """The command that repeats the same promotion."""
    names = f" --from {entry.origin} --to {entry.steps[-1].tag}" if entry.origin else ""
    return f"kittui promote {entry.repository}{names}{' --retire' if len(entry.steps) > PROMOTED else ''}"


async def can_undo(repository: Repository, ledger: Ledger) -> bool:
    """Whether undo could revert the newest change there.

    Of many tags in a registry it checks only the last, and whether created ones can be removed.
    """
    try:
        found = await asyncio.to_thread(_to_take_back, ledger, repository.reference())
        if repository.source.traits.free or not found:
            return bool((await plan_undo(repository, ledger)).plan.changes)
        entry = found[-1]
        steps = [step for step in entry.steps if _happened(step)]
        if any(step.before is None for step in steps) and (await untag_power(repository)).denied:
            return False
        entry = replace(entry, steps=tuple(steps[-1:]))
        return bool((await plan_undo(repository, ledger, entry)).plan.changes)
    except KittuiError:
        return False


def _to_take_back(ledger: Ledger, reference: str) -> list[Entry]:
    """The change that an interrupted undo was reverting, unless there is a newer one; else the newest first.

    Changes without an answer may not have taken effect; the last one returned certainly did.
    """
    interrupted = ledger.journal.undoing(reference)
    found: list[Entry] = []
    for entry in ledger.journal.entries(reference):
        if entry.action in TURNS or not any(_happened(step) for step in entry.steps):
            continue
        if not found and entry.id == interrupted:
            return [entry]
        if entry.state in ("done", "open"):
            found.append(entry)
            if any(step.state == "done" for step in entry.steps):
                break
    return found


def _batch_of(ledger: Ledger, first: Entry) -> list[Entry]:
    """An entry, followed by what else can be reverted of its batch, newest first. Blocks."""
    others = [
        entry
        for entry in ledger.journal.entries(first.repository)
        if first.batch and entry.batch == first.batch and entry.id != first.id
    ]
    return [first, *(one for one in others if one.state in ("done", "open") and any(map(_happened, one.steps)))]


async def apply_undo(
    undo: UndoPlan,
    ledger: Ledger,
    policy: Policy,
    answers: Answers = NOBODY,
) -> Changed:
    """Revert the change and mark it as undone. Run again after an interruption, it reverts nothing else."""
    policy.check_write(undo.plan.place)
    await asyncio.to_thread(ledger.journal.begin_undo, undo.entry)
    moved: list[str] = []
    try:
        done = await apply_changes(undo.plan, ledger, policy, answers, moved.append)
    except (KittuiError, asyncio.CancelledError):
        # If interrupted while records were sent, all tags are restored already.
        if undo.plan.changes and len(moved) == len(undo.plan.changes):
            with suppress(StorageError):
                await _mark_undone(ledger, undo)
        raise
    for change in undo.plan.changes:
        if change.before is not None and is_placeholder(change.before):
            # The placeholder that a removal left. It is harmless if it stays.
            with suppress(KittuiError):
                await undo.plan.repository.delete(change.before.digest)
    await _mark_undone(ledger, undo)
    return done


async def _mark_undone(ledger: Ledger, undo: UndoPlan) -> None:
    # The newest comes last: if interrupted before, the next undo finds the others with it.
    for entry in reversed(undo.entries):
        await ledger.write(replace(entry, state="undone"))
    await in_thread(ledger.journal.end_undo, undo.entry)


def last_undone(ledger: Ledger, repository: str) -> Entry | None:
    """The change to redo: the one undone last, unless something was changed since. Blocks."""
    undone: list[Entry] = []
    done: list[Entry] = []
    unfinished = False
    for entry in reversed(ledger.journal.entries(repository)):
        if entry.state == "abandoned" or not any(_happened(step) for step in entry.steps):
            continue
        unfinished = entry.action == "redo" and entry.state == "open"
        if entry.action == "undo":
            _turn(entry, done, undone)
        elif entry.action == "redo":
            if not unfinished:
                _turn(entry, undone, done)
        else:
            done.append(entry)
            undone.clear()
    return undone[-1] if undone and (unfinished or undone[-1].state == "undone") else None


def _turn(entry: Entry, origin: list[Entry], destination: list[Entry]) -> None:
    """Add the newest changes that an undo or redo reverses: those of the same moves, in either direction."""
    if entry.action == "redo":
        moves = {(step.tag, step.before, step.after) for step in entry.steps}
    else:
        moves = {(step.tag, step.after, step.before) for step in entry.steps}
    for position in range(len(origin) - 1, -1, -1):
        own = {(step.tag, step.before, step.after) for step in origin[position].steps if _happened(step)}
        if moves <= own or own <= moves:
            destination.append(origin.pop(position))
            moves -= own
        if not moves:
            return


async def plan_redo(repository: Repository, ledger: Ledger) -> UndoPlan:
    """Plan to redo what was undone last.

    Raises NotFound if there is nothing, TagMoved if a tag has moved since, Unsupported for a delete and if
    the content is gone.
    """
    reference = repository.reference()
    entry = await asyncio.to_thread(last_undone, ledger, reference)
    if entry is None:
        raise NotFound(
            "there is nothing to redo here",
            hint="Redo repeats the last undone change, until something else is changed.",
            reference=reference,
        )
    if entry.action == "delete":
        raise Unsupported(
            "redo does not repeat a delete",
            hint="Remove it again instead, to see what is removed with it.",
            reference=reference,
        )
    moves = [(step.tag, step.before, step.after) for step in entry.steps if _happened(step)]
    words = "this registry can't remove {} alone"
    return UndoPlan(entry, await _plan(repository, ledger, "redo", moves, words))


async def apply_redo(
    redo: UndoPlan,
    ledger: Ledger,
    policy: Policy,
    answers: Answers = NOBODY,
) -> Changed:
    """Redo the change. It is marked as done first: if interrupted, the next undo reverts this change and no other."""
    policy.check_write(redo.plan.place)
    earlier = await asyncio.to_thread(_closed_redos, ledger, redo.plan.place)
    try:
        await ledger.write(replace(redo.entry, state="done"))
        return await apply_changes(redo.plan, ledger, policy, answers)
    except (KittuiError, asyncio.CancelledError):
        with suppress(StorageError):
            if not await in_thread(_has_begun, ledger, redo.plan.place, earlier):
                await ledger.write(redo.entry)
        raise


def _closed_redos(ledger: Ledger, reference: str) -> frozenset[str]:
    return frozenset(entry.id for entry in _redos(ledger, reference) if entry.state != "open")


def _has_begun(ledger: Ledger, reference: str, earlier: Collection[str]) -> bool:
    """Whether a redo moved a tag, or may have; earlier ones are left out. Blocks."""
    ours = [entry for entry in _redos(ledger, reference) if entry.id not in earlier]
    return any(_happened(step) for entry in ours for step in entry.steps)


def _redos(ledger: Ledger, reference: str) -> list[Entry]:
    return [entry for entry in ledger.journal.entries(reference) if entry.action == "redo"]


async def _plan(
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


def _happened(step: Step) -> bool:
    return step.state != "planned"


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
