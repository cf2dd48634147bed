"""Redoes the change that undo last reverted in a repository, from the journal."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace

from kittui.disk.threads import in_thread
from kittui.errors import KittuiError, NotFound, StorageError, Unsupported
from kittui.oci.protocols import Repository
from kittui.state.journal import Entry
from kittui.usecases.change.ledger import Ledger
from kittui.usecases.change.plan import NOBODY, Answers, Changed
from kittui.usecases.change.policy import Policy
from kittui.usecases.change.tags import apply_changes
from kittui.usecases.change.turns import UndoPlan, happened, plan_turn


def last_undone(ledger: Ledger, repository: str) -> Entry | None:
    """The change to redo: the one undone last, unless something was changed since. Blocks."""
    undone: list[Entry] = []
    done: list[Entry] = []
    unfinished = False
    for entry in reversed(ledger.journal.entries(repository)):
        if entry.state == "abandoned" or not any(happened(step) for step in entry.steps):
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
        own = {(step.tag, step.before, step.after) for step in origin[position].steps if happened(step)}
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
    moves = [(step.tag, step.before, step.after) for step in entry.steps if happened(step)]
    words = "this registry can't remove {} alone"
    return UndoPlan(entry, await plan_turn(repository, ledger, "redo", moves, words))


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
    return any(happened(step) for entry in ours for step in entry.steps)


def _redos(ledger: Ledger, reference: str) -> list[Entry]:
    return [entry for entry in ledger.journal.entries(reference) if entry.action == "redo"]
