"""Moving tags: one plan and one apply behind retag, promote, roll back, undo, and the last step of every transfer.

No registry has compare-and-swap, so each tag is read just before its PUT and just after; a journal entry is on disk
before the first and before each PUT, so that running the command again recognises what was done and finishes it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Sequence
from dataclasses import replace

from kittui.crashpoints import crash_point
from kittui.errors import KittuiError, NetworkError, NotFound, RegistryError, TagMoved
from kittui.oci.digest import Digest
from kittui.oci.manifest import Manifest
from kittui.oci.protocols import Power, Repository, SupportsUntagProbe
from kittui.state.history import Event
from kittui.state.journal import Entry, Step, new_id, now
from kittui.tasks import together
from kittui.usecases.change.ledger import Ledger
from kittui.usecases.change.plan import Changed, ChangePlan, TagChange
from kittui.usecases.change.policy import Policy, Verdict

FRESH = 2.0
"""Seconds for which a plan's reading of a tag needs no second look before the first PUT."""


async def manifest_at(repository: Repository, tag: str) -> Manifest | None:
    """The manifest that a tag points to, None where there is no such tag."""
    try:
        return await repository.manifest(tag)
    except NotFound:
        return None


async def untag_power(repository: Repository) -> Power:
    """Whether a tag can be removed alone: as known, else asked where that can be asked without removing anything."""
    power = repository.source.capabilities.untag
    if power.state == "unknown" and isinstance(repository, SupportsUntagProbe):
        return await repository.probe_untag()
    return power


async def digest_at(repository: Repository, tag: str) -> Digest | None:
    """The digest that a tag points to, None where there is no such tag."""
    try:
        return (await repository.resolve(tag)).digest
    except NotFound:
        return None


async def apply_changes(
    plan: ChangePlan,
    ledger: Ledger,
    policy: Policy,
    *,
    reason: str = "",
    typed: Collection[str] = (),
    override: str = "",
) -> Changed:
    """Do what was planned, if the policy agrees. `typed` and `override` are the user's answers to it.

    Raises ReadOnly, TagProtected, Refused, TagMoved (naming the tag, before any PUT where it moved since the plan), and
    what the source raises; after a NetworkError the journal entry stays open and the same command finishes it.
    """
    reference = plan.repository.reference()
    verdicts = await policy.check(plan, typed, override)
    if policy.read_only:
        return Changed(plan.repository, ())
    async with ledger.journal.lock(reference):
        return await _Applying(plan, ledger, reason, verdicts, override).run()


class _Applying:
    """One run of apply_changes, under the repository's lock."""

    def __init__(
        self, plan: ChangePlan, ledger: Ledger, reason: str, verdicts: Sequence[Verdict] = (), override: str = ""
    ) -> None:
        self.plan = plan
        self.ledger = ledger
        self.verdicts = verdicts
        stopped = [verdict for verdict in verdicts if verdict.blocks and not verdict.tag]
        self.overridden = tuple(f"{verdict.rule}: {verdict.reason}" for verdict in stopped)
        self.reason = "; ".join(filter(None, (reason, f"override: {override}" if stopped else "")))
        self.repository = plan.repository
        self.reference = plan.repository.reference()
        self.seen: dict[str, Digest | None] = {}

    async def run(self) -> Changed:
        """Settle what an earlier run left open, then do the steps."""
        wanted = tuple(_step(change) for change in self.plan.changes)
        if wanted and time.monotonic() - self.plan.read_at > FRESH:
            await self._recheck()
        entry = await self._continued(wanted)
        if not wanted:
            await self._deliver()
            return Changed(self.repository, ())
        recorder = self.ledger.recorder
        if entry is None:
            for change in self.plan.changes:
                for manifest in (change.before, change.after):
                    if manifest is not None:
                        await asyncio.to_thread(self.ledger.journal.keep, manifest)
            actor, action = self.ledger.actor, self.plan.action
            entry = Entry(
                new_id(), now(), actor, action, self.reference, wanted, self.reason, overridden=self.overridden
            )
            if recorder is not None:
                await recorder.prepare(self.plan, entry, self.verdicts)
            await self.ledger.write(entry)
        elif recorder is not None:
            await recorder.prepare(self.plan, entry, self.verdicts)
        by_tag = {change.tag: change for change in self.plan.changes}
        for position, step in enumerate(entry.steps):
            if step.state != "done":
                entry = await self._do(entry, position, by_tag[step.tag])
        await self.ledger.write(replace(entry, state="done"))
        await asyncio.to_thread(self.ledger.journal.prune)
        await self._deliver()
        return Changed(self.repository, self.plan.changes)

    async def _deliver(self) -> None:
        if self.ledger.recorder is not None:
            await self.ledger.recorder.deliver(self.repository)

    async def _recheck(self) -> None:
        """Read every tag of the plan again, those to be moved last; TagMoved names the first that is elsewhere."""
        expected: dict[str, Digest | None] = dict(self.plan.watched)
        expected.update((change.tag, _digest(change.before)) for change in reversed(self.plan.changes))
        targets = {change.tag: _digest(change.after) for change in self.plan.changes}
        found = await together(*(digest_at(self.repository, tag) for tag in expected))
        for (tag, digest), current in zip(expected.items(), found, strict=True):
            if current != digest and current != targets.get(tag, digest):
                raise self._moved(tag, digest, current, "Nothing was changed; look at the tags and plan again.")
            self.seen[tag] = current
        first = self.plan.changes[0].tag
        self.seen = {first: self.seen[first]}

    async def _continued(self, wanted: tuple[Step, ...]) -> Entry | None:
        """Judge entries that a crash or a lost connection left open; return the one that this run goes on with."""
        result: Entry | None = None
        for entry in await asyncio.to_thread(self.ledger.journal.entries, self.reference):
            if entry.state != "open":
                continue
            for position, step in enumerate(entry.steps):
                if step.state == "started" and await self._current(step.tag) == step.after:
                    entry = await self._done(entry, position)
            remaining = tuple(replace(step, state="planned") for step in entry.steps if step.state != "done")
            if result is None and remaining and entry.action == self.plan.action and remaining == wanted:
                result = entry
                continue
            some = any(step.state == "done" for step in entry.steps)
            await self.ledger.write(replace(entry, state="done" if some else "abandoned"))
        return result

    async def _current(self, tag: str) -> Digest | None:
        """A tag's digest as the plan just read it, else as the source says now."""
        known = {change.tag: _digest(change.before) for change in self.plan.changes} | dict(self.plan.watched)
        return known[tag] if tag in known else await digest_at(self.repository, tag)

    async def _do(self, entry: Entry, position: int, change: TagChange) -> Entry:
        before, after = _digest(change.before), _digest(change.after)
        seen = self.seen.pop(change.tag, None) if self.seen else None
        current = seen or await digest_at(self.repository, change.tag)
        if current != before and current != after:
            some = any(step.state == "done" for step in entry.steps)
            await self.ledger.write(replace(entry, state="done" if some else "abandoned"))
            done = ", ".join(step.tag for step in entry.steps if step.state == "done")
            hint = f"{done} was moved already; " if done else "Nothing was changed; "
            raise self._moved(change.tag, before, current, hint + "look at the tags and plan again.")
        if current != after:
            entry = entry.mark(position, "started")
            await self.ledger.write(entry)
            crash_point("tags.before-put")
            await self._put(change)
            crash_point("tags.after-put")
            current = await digest_at(self.repository, change.tag)
            if current != after:
                await self.ledger.write(replace(entry, state="done"))
                raise self._moved(change.tag, after, current, "Someone else moved it at the same time; look again.")
        return await self._done(entry, position)

    async def _put(self, change: TagChange) -> None:
        """PUT or untag; where the answer was lost, what the tag says now is the answer."""
        try:
            if change.after is None:
                await self.repository.untag(change.tag)
            else:
                await self.repository.put_manifest(change.after.raw, change.after.media_type, change.tag)
        except NetworkError as error:
            if isinstance(error, RegistryError) and error.status is not None and error.status < 500:
                raise
            try:
                landed = await digest_at(self.repository, change.tag) == _digest(change.after)
            except KittuiError:
                landed = False
            if not landed:
                error.hint = f"{error.hint + ' ' if error.hint else ''}Run it again: it goes on where it stopped."
                raise error.at(self.repository.reference(change.tag)) from None

    async def _done(self, entry: Entry, position: int) -> Entry:
        step = entry.steps[position]
        event = Event(
            f"{entry.id}/{position}",
            now(),
            entry.actor,
            entry.action,
            entry.repository,
            step.tag,
            step.before,
            step.after,
            entry.reason,
            entry.overridden,
        )
        await asyncio.to_thread(self.ledger.history.append, event)
        if self.ledger.recorder is not None:
            await self.ledger.recorder.moved(entry, position)
        entry = entry.mark(position, "done")
        await self.ledger.write(entry)
        return entry

    def _moved(self, tag: str, expected: Digest | None, current: Digest | None, hint: str) -> TagMoved:
        now_at = f"now points to {current.short}" if current else "is gone now"
        was = f"pointed to {expected.short}" if expected else "did not exist"
        return TagMoved(f"{tag} moved: it {was} and {now_at}", hint=hint, reference=self.repository.reference(tag))


def _digest(manifest: Manifest | None) -> Digest | None:
    return manifest.digest if manifest else None


def _step(change: TagChange) -> Step:
    return Step(change.tag, _digest(change.before), _digest(change.after))
