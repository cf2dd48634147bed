"""Undoes the last tag change that kittui made in a repository, from the journal."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from kittui.disk.threads import in_thread
from kittui.errors import KittuiError, NotFound, StorageError, TagMoved, Unsupported
from kittui.oci.protocols import Repository
from kittui.state.journal import Entry
from kittui.usecases.change.half_way import so_far
from kittui.usecases.change.ledger import Ledger
from kittui.usecases.change.placeholder import is_placeholder
from kittui.usecases.change.plan import NOBODY, Answers, Changed, ChangePlan, TagChange
from kittui.usecases.change.policy import Policy
from kittui.usecases.change.readings import untag_power
from kittui.usecases.change.tags import apply_changes
from kittui.usecases.change.turns import UndoPlan, happened, plan_turn

TURNS = frozenset({"undo", "redo"})
"""Actions that undo skips: they revert or repeat another entry."""

PROMOTED = 2
"""The most tags that a promotion moves, not counting the retired one."""


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
    # Restored indexes come last, because registries refuse one whose manifests are missing.
    changes = sorted((change for _, plan in plans for change in plan.changes), key=_restores_index)
    whole = ChangePlan(repository, "undo", tuple(changes), read_at=min(plan.read_at for _, plan in plans))
    return UndoPlan(first, whole, tuple(entry for entry, _ in others), tuple(left))


def _restores_index(change: TagChange) -> bool:
    return change.before is None and change.after is not None and change.after.is_index


async def _plan_back(repository: Repository, ledger: Ledger, entry: Entry) -> ChangePlan:
    moves = [(step.tag, step.after, step.before) for step in reversed(entry.steps) if happened(step)]
    instead = ""
    if entry.action == "promote":
        reference = repository.reference()
        instead = f"kittui rollback {reference} restores the former champion."
        if entry.state == "open" and any(step.state != "done" for step in entry.steps):
            instead = f"{so_far(entry)} {_command_of(entry)} finishes it."
    words = "it can't be undone: {} did not exist before, and this registry can't remove a tag alone"
    return await plan_turn(repository, ledger, "undo", moves, words, instead)


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
        steps = [step for step in entry.steps if happened(step)]
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
        if entry.action in TURNS or not any(happened(step) for step in entry.steps):
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
    return [first, *(one for one in others if one.state in ("done", "open") and any(map(happened, one.steps)))]


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
