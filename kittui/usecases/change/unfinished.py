"""Journal entries that a crash or a lost connection left open: finds what took effect, and which one to continue."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from kittui.disk.threads import in_thread
from kittui.oci.digest import Digest
from kittui.oci.protocols import Repository
from kittui.oci.tag import Tag
from kittui.state.history import Event
from kittui.state.journal import Entry, Step, now
from kittui.tasks import spread
from kittui.usecases.change.ledger import Ledger
from kittui.usecases.change.placeholder import is_on_placeholder
from kittui.usecases.change.readings import digest_at, is_at, look_at


@dataclass(frozen=True, slots=True)
class HalfDone:
    """A change that was cut short: the tags that moved, and those that are left."""

    action: str
    time: str
    moved: tuple[Tag, ...]
    left: tuple[Tag, ...]


def half_done(entries: Iterable[Entry], held: Mapping[str, str]) -> HalfDone | None:
    """The newest of some entries that was cut short, where the tags still hold what it left; `held` is what is known.

    Where somebody has moved one of its tags since, nothing is left to be finished.
    """
    for entry in entries:
        if entry.state != "open":
            continue
        moved = [s for s in entry.steps if s.state == "done" or held.get(s.tag, s.before) == s.after]
        left = [step for step in entry.steps if step not in moved]
        as_left = all(held.get(step.tag, step.after) == step.after for step in moved)
        if moved and left and as_left and all(held.get(step.tag, step.before) == step.before for step in left):
            tags = (tuple(step.tag for step in steps) for steps in (moved, left))
            return HalfDone(entry.action, entry.time, *tags)
    return None


async def continue_open(
    repository: Repository,
    ledger: Ledger,
    action: str,
    wanted: tuple[Step, ...],
    *,
    deleted: tuple[str, ...] = (),
    known: Mapping[Tag, Digest | None] | None = None,
    reason: str = "",
    overridden: tuple[str, ...] = (),
) -> Entry | None:
    """Close the open entries of a repository; return the one for the same change, to be continued.

    Its remaining steps get the `reason` given now, if any, and the overridden rules of now.

    The steps of all others that took effect without an answer go into the history. The entries are closed, except
    those that left a tag on a placeholder: only they know what it pointed to. `known` is what was read a moment ago.
    Call it under the repository's lock, before a new entry is written.
    """
    known = known or {}
    result: Entry | None = None

    at_once = repository.source.traits.at_once

    async def landed(step: Step) -> bool:
        current = known[step.tag] if step.tag in known else await digest_at(repository, step.tag)
        return await is_at(repository, step.tag, current, step.after)

    async def landed_late(step: Step) -> bool:
        current = await look_at(repository, step.tag, lambda current: current != step.before)
        return await is_at(repository, step.tag, current, step.after)

    async def settle(entry: Entry, landed: Callable[[Step], Awaitable[bool]]) -> Entry:
        begun = [position for position, step in enumerate(entry.steps) if step.state == "started"]
        found = await spread([entry.steps[position] for position in begun], landed, at_once=at_once)
        for position in (position for position, done in zip(begun, found, strict=True) if done):
            entry = await mark_done(ledger, entry, position)
        return entry

    for entry in await asyncio.to_thread(ledger.journal.entries, repository.reference()):
        if entry.state != "open":
            continue
        entry = await settle(entry, landed)
        remaining = tuple(replace(step, state="planned") for step in entry.steps if step.state != "done")
        same = (entry.action, entry.deleted, remaining) == (action, deleted, wanted)
        if result is None and remaining and same:
            result = replace(entry, reason=reason or entry.reason, overridden=overridden)
            continue
        entry = await settle(entry, landed_late)
        begun = [step.tag for step in entry.steps if step.state == "started" and entry.action == "remove"]
        if not any(await spread(begun, partial(is_on_placeholder, repository), at_once=at_once)):
            await close_entry(ledger, entry)
    return result


async def mark_done(ledger: Ledger, entry: Entry, position: int) -> Entry:
    """Record a step that took effect: first in the history, then as done in the journal."""
    await note_moved(ledger, entry, position)
    entry = entry.mark(position, "done")
    await ledger.write(entry)
    return entry


async def note_moved(ledger: Ledger, entry: Entry, position: int) -> None:
    """Add a step that took effect to the history, once."""
    step = entry.steps[position]
    event = Event(
        f"{entry.id}/{position}", now(), entry.actor, entry.action, entry.repository, step.tag, step.before,
        step.after, entry.reason, entry.overridden,
    )  # fmt: skip
    await in_thread(ledger.history.append, event)
    if ledger.recorder is not None:
        await ledger.recorder.moved(entry, position)


async def close_entry(ledger: Ledger, entry: Entry) -> Entry:
    """Close an entry as it is, and return it."""
    some = any(step.state == "done" for step in entry.steps)
    entry = replace(entry, state="done" if some else "abandoned")
    await ledger.write(entry)
    return entry
