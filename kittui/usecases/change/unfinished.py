"""Journal entries that a crash or a lost connection left open: finds what took effect, and which one to continue."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

from kittui.disk.threads import in_thread
from kittui.oci.digest import Digest
from kittui.oci.protocols import Repository
from kittui.oci.tag import Tag
from kittui.state.history import Event
from kittui.state.journal import Entry, Step, now
from kittui.usecases.change.ledger import Ledger
from kittui.usecases.change.placeholder import stands_in
from kittui.usecases.change.readings import digest_at, is_at, look_at


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

    async def landed(step: Step, current: Digest | None) -> bool:
        return await is_at(repository, step.tag, current, step.after)

    async def landed_late(step: Step) -> bool:
        return await landed(step, await look_at(repository, step.tag, lambda current: current != step.before))

    for entry in await asyncio.to_thread(ledger.journal.entries, repository.reference()):
        if entry.state != "open":
            continue
        for position, step in enumerate(entry.steps):
            if step.state != "started":
                continue
            current = known[step.tag] if step.tag in known else await digest_at(repository, step.tag)
            if await landed(step, current):
                entry = await mark_done(ledger, entry, position)
        remaining = tuple(replace(step, state="planned") for step in entry.steps if step.state != "done")
        same = (entry.action, entry.deleted, remaining) == (action, deleted, wanted)
        if result is None and remaining and same:
            result = replace(entry, reason=reason or entry.reason, overridden=overridden)
            continue
        for position, step in enumerate(entry.steps):
            if step.state == "started" and await landed_late(step):
                entry = await mark_done(ledger, entry, position)
        begun = [step.tag for step in entry.steps if step.state == "started" and entry.action == "remove"]
        if not any([await stands_in(repository, tag) for tag in begun]):
            await close_entry(ledger, entry)
    return result


async def mark_done(ledger: Ledger, entry: Entry, position: int) -> Entry:
    """Record a step that took effect: first in the history, then as done in the journal."""
    step = entry.steps[position]
    event = Event(
        f"{entry.id}/{position}", now(), entry.actor, entry.action, entry.repository, step.tag, step.before,
        step.after, entry.reason, entry.overridden,
    )  # fmt: skip
    await in_thread(ledger.history.append, event)
    if ledger.recorder is not None:
        await ledger.recorder.moved(entry, position)
    entry = entry.mark(position, "done")
    await ledger.write(entry)
    return entry


async def close_entry(ledger: Ledger, entry: Entry) -> Entry:
    """Close an entry as it is, and return it."""
    some = any(step.state == "done" for step in entry.steps)
    entry = replace(entry, state="done" if some else "abandoned")
    await ledger.write(entry)
    return entry
