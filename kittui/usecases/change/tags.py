"""Moves tags: one apply for retag, promote, roll back, undo, and the last step of every transfer.

No registry has compare-and-swap, so each tag is read just before and after its PUT. A journal entry is on disk
before each PUT, so that running the command again recognises what was done and finishes it.
"""

from __future__ import annotations

import asyncio
import functools
import operator
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress

from kittui.crashpoints import crash_point
from kittui.errors import (
    KittuiError,
    NetworkError,
    NotFound,
    RegistryError,
    StorageError,
    TagMoved,
    without_again,
)
from kittui.oci.digest import Digest
from kittui.oci.manifest import Manifest
from kittui.oci.protocols import Repository
from kittui.oci.tag import Tag
from kittui.state.journal import Entry, Step, new_id, now
from kittui.tasks import spread, to_its_end, together
from kittui.usecases.change.course import Course
from kittui.usecases.change.half_way import hint_first, may_have_landed, note_stop, so_far
from kittui.usecases.change.ledger import Ledger
from kittui.usecases.change.plan import NOBODY, Answers, Changed, ChangePlan, OnMoved, TagChange, ignore_reference
from kittui.usecases.change.policy import Policy, Verdict
from kittui.usecases.change.readings import digest_at, is_at, look_at
from kittui.usecases.change.recent import Recent
from kittui.usecases.change.unfinished import continue_open

FRESH = 0.25
"""Seconds for which a plan's reading of a tag is fresh enough for the first PUT, if the user was not asked."""
STOPPING = 2.0
"""Seconds that a cancelled change waits for the answer to its last request."""
LOOK = "Check the tags and plan again."


Untag = Callable[[Repository, TagChange], Awaitable[None]]
"""How a tag is removed."""


async def untag(repository: Repository, change: TagChange) -> None:
    """Remove the tag alone."""
    with suppress(NotFound):
        await repository.untag(change.tag)


async def apply_changes(
    plan: ChangePlan,
    ledger: Ledger,
    policy: Policy,
    answers: Answers = NOBODY,
    on_moved: OnMoved = ignore_reference,
    untag: Untag = untag,
) -> Changed:
    """Apply a plan if the policy allows it; `untag` is how tags are removed.

    Raises ReadOnly, TagProtected, Refused, TagMoved (naming the tag; before any PUT if it moved since the plan), and
    the source's errors. After a NetworkError the journal entry stays open, and the same command finishes it.
    """
    reference = plan.repository.reference()
    verdicts = await policy.check(plan, answers.typed, answers.override)
    if policy.read_only:
        return Changed(plan.repository, ())
    async with ledger.journal.lock(reference):
        return await _Applying(plan, ledger, answers, verdicts, on_moved, untag).run()


class _Applying:
    """One run of apply_changes, under the repository's lock."""

    course: Course
    """The journal entry, and how far it got."""

    def __init__(
        self,
        plan: ChangePlan,
        ledger: Ledger,
        answers: Answers,
        verdicts: Sequence[Verdict],
        on_moved: OnMoved,
        untag: Untag,
    ) -> None:
        self.plan = plan
        self.on_moved = on_moved
        self.untag = untag
        self.ledger = ledger
        self.asked, self.batch = answers.asked, answers.batch
        self.verdicts = verdicts
        stopped = [verdict for verdict in verdicts if verdict.blocks and not verdict.tag]
        self.overridden = tuple(f"{verdict.rule}: {verdict.reason}" for verdict in stopped)
        self.reason = "; ".join(filter(None, (answers.reason, f"override: {answers.override}" if stopped else "")))
        self.repository = plan.repository
        self.reference = plan.repository.reference()
        self.recent = Recent()
        self.unseen: set[str] = set()
        self.told: set[Tag] = set()
        self.failed: list[KittuiError] = []
        self.ends = False
        """Whether a step was refused or its tag has moved: the entry is closed then."""

    async def run(self) -> Changed:
        """Close what an earlier run left open, then do the steps."""
        wanted = tuple(_step(change) for change in self.plan.changes)
        # First what an earlier run did without an answer: a reading that shows it is not stale.
        found = await continue_open(
            self.repository,
            self.ledger,
            self.plan.action,
            wanted,
            known=self._known(),
            reason=self.reason,
            overridden=self.overridden,
        )
        self.recent = await Recent.of(self.ledger, self.reference)
        await self._check_recent()
        if wanted and (self.asked or time.monotonic() - self.plan.read_at > FRESH):
            await self._recheck()
        if not wanted:
            await self._deliver()
            return Changed(self.repository, ())
        entry = found or await self._new_entry(wanted)
        self.course = Course(self.ledger, entry)
        if self.ledger.recorder is not None:
            await self.ledger.recorder.prepare(self.plan, entry, self.verdicts)
        if found is None:
            await self.ledger.write(entry)
        try:
            await self._do_all()
        except asyncio.CancelledError as stopped:
            note_stop(stopped, so_far(self.entry), *self.failed)
            for step in self.entry.steps:
                if step.state == "done":
                    self._tell(step.tag)
            raise
        except KittuiError as error:
            if len(self.entry.steps) > 1 or isinstance(error, StorageError):
                hint_first(error, so_far(self.entry))
            raise
        ours = {step.tag for step in self.entry.steps if step.state == "done"}
        changes = tuple(change for change in self.plan.changes if change.tag in ours)
        unseen = tuple(change.tag for change in changes if change.tag in self.unseen)
        return Changed(self.repository, changes, unseen=unseen)

    @property
    def entry(self) -> Entry:
        """How far it came."""
        return self.course.entry

    async def _new_entry(self, wanted: tuple[Step, ...]) -> Entry:
        for change in self.plan.changes:
            for manifest in (change.before, change.after):
                if manifest is not None:
                    await asyncio.to_thread(self.ledger.journal.keep, manifest)
        actor, action = self.ledger.actor, self.plan.action
        origin = next(iter(self.plan.watched), "") if action == "promote" else ""
        return Entry(
            new_id(),
            now(),
            actor,
            action,
            self.reference,
            wanted,
            self.reason,
            overridden=self.overridden,
            batch=self.batch,
            origin=origin,
        )

    async def _do_all(self) -> None:
        """Do the steps, in parallel unless one depends on another, then the follow-up.

        `entry` always says how far it got. After a failure no further step begins; those that have begun are finished.
        """
        by_tag = {change.tag: change for change in self.plan.changes}
        steps = enumerate(self.entry.steps)
        left = iter([(position, by_tag[step.tag]) for position, step in steps if step.state != "done"])
        traits = self.repository.source.traits
        # Distribution 2.8 keeps listing some tags forever if their manifests are deleted in parallel.
        displaces = self.untag is not untag
        at_once = 1 if traits.free or displaces or self.plan.ordered else traits.at_once
        try:
            await together(*(self._do_each(left) for _ in range(at_once)))
        except asyncio.CancelledError:
            if self.ends and self.course.settled:
                with suppress(StorageError):
                    await self.course.close()
            raise
        if not self.failed or (self.ends and self.course.settled):
            await self.course.close()
        if self.failed:
            # What was done stays done, whatever happens next.
            if self.entry.state != "open":
                await self._deliver()
            raise self.failed[0]
        await asyncio.to_thread(self.ledger.journal.prune)
        await self._deliver()

    async def _do_each(self, left: Iterator[tuple[int, TagChange]]) -> None:
        for position, change in left:
            try:
                await self._do(position, change)
            except KittuiError as error:
                self.failed.append(error)
            except asyncio.CancelledError as stopped:
                if isinstance(stopped.__cause__, KittuiError):
                    self.failed.append(stopped.__cause__)
                raise
            if self.failed:
                return

    async def _check_recent(self) -> None:
        """Raise TagMoved if the plan missed our own last move of a tag, and wants something else."""
        planned = dict(self.plan.watched) | {change.tag: _digest(change.before) for change in self.plan.changes}
        targets = {change.tag: _digest(change.after) for change in self.plan.changes}
        for tag, reading in planned.items():
            last = self.recent.last(tag)
            if last is None or not self.recent.is_late(tag, reading):
                continue
            if tag in targets and targets[tag] == last.after:
                continue
            await look_at(self.repository, tag, functools.partial(operator.eq, last.after))
            raise TagMoved(
                f"kittui moved {tag} at {last.time}, but the registry did not show that yet when this was planned",
                hint="Nothing was changed; run it again in a moment.",
                reference=self.repository.reference(tag),
            )

    async def _deliver(self) -> None:
        if self.ledger.recorder is not None:
            await self.ledger.recorder.deliver(self.repository)

    async def _recheck(self) -> None:
        """Read every tag of the plan again, except the first to be moved, which is read next.

        Raises TagMoved, naming the first tag that has moved.
        """
        expected: dict[Tag, Digest | None] = dict(self.plan.watched)
        expected.update((change.tag, _digest(change.before)) for change in reversed(self.plan.changes[1:]))
        targets = {change.tag: _digest(change.after) for change in self.plan.changes}
        at_once = self.repository.source.traits.at_once
        found = await spread(list(expected), lambda tag: digest_at(self.repository, tag), at_once=at_once)
        for (tag, digest), current in zip(expected.items(), found, strict=True):
            if self.recent.is_late(tag, current):
                continue
            if not await self._is_one_of(tag, current, digest, targets.get(tag, digest)):
                raise self._moved(tag, digest, current, "Nothing was changed. Check the tags and plan again.")

    def _known(self) -> dict[Tag, Digest | None]:
        return {change.tag: _digest(change.before) for change in self.plan.changes} | dict(self.plan.watched)

    async def _is_one_of(self, tag: Tag, current: Digest | None, *expected: Digest | None) -> bool:
        return any([await is_at(self.repository, tag, current, each) for each in expected])

    async def _do(self, position: int, change: TagChange) -> None:
        """Do one step: record it as begun, read the tag, and only then move it."""
        tag, before, after = change.tag, _digest(change.before), _digest(change.after)
        begun = self.course.is_begun(position)
        try:
            await self.course.begin(position)
            current = await digest_at(self.repository, tag)
            late = self.recent.is_late(tag, current)
            there = not late and await is_at(self.repository, tag, current, after)
            moved = not (late or there) and not await is_at(self.repository, tag, current, before)
        except (KittuiError, asyncio.CancelledError):
            if not begun:
                # No request was sent: neither undo nor a later run has to check whether it took effect.
                with suppress(StorageError):
                    await self.course.leave(position)
            raise
        if there:
            # Someone else, or an earlier run of ours that crashed, has done it.
            await (self.course.land(position) if begun else self.course.leave(position))
            return
        if moved:
            self.ends = True
            await self.course.leave(position)
            alone = len(self.entry.steps) == 1
            hint = "Nothing was changed. Check the tags and plan again." if alone else LOOK
            raise self._moved(tag, before, current, hint)
        crash_point("tags.before-put")
        await to_its_end(self._move(position, change), STOPPING)
        await self._verify(change)
        self._tell(tag)

    def _tell(self, tag: Tag) -> None:
        """Report a moved tag, once."""
        if tag not in self.told:
            self.told.add(tag)
            self.on_moved(self.repository.reference(tag))

    async def _move(self, position: int, change: TagChange) -> None:
        """Move a tag, and record that."""
        self.course.ask(position)
        try:
            await self._put(change)
        except KittuiError as error:
            if not may_have_landed(error):
                self.ends = True
                await self.course.leave(position)
            raise
        crash_point("tags.after-put")
        await self.course.land(position)

    async def _verify(self, change: TagChange) -> None:
        """Check whether an accepted move is visible. Only a digest of neither side comes from someone else."""
        tag, before, after = change.tag, _digest(change.before), _digest(change.after)

        def old(current: Digest | None) -> bool:
            return current == before or self.recent.is_late(tag, current)

        try:
            current = await look_at(self.repository, tag, lambda current: current == after or not old(current))
            if await is_at(self.repository, tag, current, after):
                return
        except KittuiError:
            current = before
        if old(current):
            if change.after is not None and not await self._is_there(change.after):
                self.ends = True
                raise RegistryError(
                    f"{self.repository.source.place} accepted {tag} but can't return its manifest",
                    hint="Its cache lists content that was garbage-collected. Have the cache cleared (restart "
                    "Distribution or its Redis), then run this again.",
                    reference=self.repository.reference(tag),
                )
            self.unseen.add(tag)
            return
        self.ends = True
        hint = "It was moved as planned, and then by someone else at the same time. Check it again."
        raise self._moved(tag, after, current, hint)

    async def _is_there(self, manifest: Manifest) -> bool:
        """Whether an accepted manifest can be read by its digest; it can if only the tag lags."""
        for digest in dict.fromkeys((manifest.digest, Digest.of(manifest.raw))):
            try:
                await self.repository.manifest(digest)
            except NotFound:
                continue
            except KittuiError:
                return True
            return True
        return False

    async def _put(self, change: TagChange) -> None:
        """PUT or untag; if the answer was lost, the tag's current digest decides."""
        after = _digest(change.after)
        try:
            if change.after is None:
                await self.untag(self.repository, change)
            else:
                await self.repository.put_manifest(change.after.raw, change.after.media_type, change.tag)
        except NetworkError as error:
            if not may_have_landed(error):
                raise
            try:
                current = await look_at(self.repository, change.tag, lambda current: current == after)
                landed = await is_at(self.repository, change.tag, current, after)
            except KittuiError:
                landed = False
            if not landed:
                error.hint = f"{without_again(error.hint)} Run it again: it continues where it stopped.".lstrip()
                raise error.at(self.repository.reference(change.tag)) from None

    def _moved(self, tag: Tag, expected: Digest | None, current: Digest | None, hint: str) -> TagMoved:
        now_at = f"now points to {current.short}" if current else "is gone now"
        was = f"pointed to {expected.short}" if expected else "did not exist"
        return TagMoved(f"{tag} moved: it {was} and {now_at}", hint=hint, reference=self.repository.reference(tag))


def _digest(manifest: Manifest | None) -> Digest | None:
    return manifest.digest if manifest else None


def _step(change: TagChange) -> Step:
    return Step(change.tag, _digest(change.before), _digest(change.after))
