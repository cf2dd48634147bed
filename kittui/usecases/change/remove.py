"""Applies removals: untags a tag alone, or deletes a ModelKit with all its tags."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import replace

from kittui.crashpoints import crash_point
from kittui.errors import KittuiError, NotFound, RegistryError, TagMoved, Unsupported
from kittui.oci.digest import Digest
from kittui.oci.manifest import Manifest
from kittui.oci.protocols import Power, Repository
from kittui.oci.tag import Tag
from kittui.oci.target import Target
from kittui.state.journal import Entry, Step, new_id, now
from kittui.tasks import to_its_end
from kittui.usecases.browse.tag_names import attached_tags
from kittui.usecases.change.half_way import NOTHING, hint_first, may_have_landed, note_stop
from kittui.usecases.change.ledger import Ledger
from kittui.usecases.change.placeholder import delete_leftover_placeholders, displace, prepare_displacing
from kittui.usecases.change.plan import NOBODY, Answers, Changed, ChangePlan, OnMoved, TagChange, ignore_reference
from kittui.usecases.change.policy import Policy
from kittui.usecases.change.readings import digest_at, exists, untag_power
from kittui.usecases.change.removal import RemovePlan, cannot_untag, check_known, delete_power
from kittui.usecases.change.siblings import TagsOfBatch, tags_by_digest
from kittui.usecases.change.tags import STOPPING, apply_changes
from kittui.usecases.change.unfinished import continue_open, mark_done


async def apply_remove(
    plan: RemovePlan,
    ledger: Ledger,
    policy: Policy,
    answers: Answers = NOBODY,
    on_moved: OnMoved = ignore_reference,
    tags: TagsOfBatch | None = None,
) -> Changed:
    """Apply a removal after checking again; `tags` are those of a batch that deletes several.

    Raises ReadOnly, TagProtected, TagMoved if a tag moved or was added to the digest since, Unsupported with the
    alternatives if the registry can't untag or delete.
    """
    if plan.mode != "delete":
        return await untag_all([plan], ledger, policy, answers, on_moved)
    reference = plan.repository.reference()
    policy.check_write(reference)
    policy.check_tags(plan.tags, answers.typed, reference)
    async with ledger.journal.lock(reference):
        return await _Deletion(plan, ledger, answers, on_moved, tags or TagsOfBatch(plan.repository)).run()


async def untag_all(
    plans: Sequence[RemovePlan],
    ledger: Ledger,
    policy: Policy,
    answers: Answers = NOBODY,
    on_moved: OnMoved = ignore_reference,
) -> Changed:
    """Remove several tags of one repository as a single change, which one undo reverts."""
    first = plans[0]
    repository = first.repository
    changes = tuple(change for plan in plans for change in plan.changes)
    whole = ChangePlan(repository, "remove", changes, read_at=min(plan.read_at for plan in plans))
    if first.mode == "placeholder":
        policy.check_write(first.place)
        policy.check_tags(whole.overwritten, answers.typed, first.place)
        if (power := await delete_power(repository, ask=True)).denied:
            raise Unsupported(power.reason, hint=power.remedy or None, reference=repository.reference(first.tag))
        await prepare_displacing(repository)
        whole = replace(whole, changes=await delete_leftover_placeholders(repository, ledger.journal, changes))
        return await apply_changes(whole, ledger, policy, answers, on_moved, displace)
    try:
        return await apply_changes(whole, ledger, policy, answers, on_moved)
    except Unsupported as error:
        if len(plans) > 1:
            raise
        deletes = await delete_power(repository, ask=True)
        power = Power("no", error.message, error.hint or "")
        raise cannot_untag(replace(first, deletes=deletes), power) from None


async def finish_removal(repository: Repository, target: Target, ledger: Ledger) -> Changed | None:
    """Record a removal that an earlier run began and did not finish; None if there was none.

    A local source deletes the remains of a deleted ModelKit now.
    """
    reference = repository.reference()
    async with ledger.journal.lock(reference):
        for entry in await asyncio.to_thread(ledger.journal.entries, reference):
            named = (*(step.tag for step in entry.steps), *entry.deleted)
            if entry.state != "open" or entry.action not in ("remove", "delete") or target not in named:
                continue
            if any([await digest_at(repository, step.tag) is not None for step in entry.steps]):
                continue
            deleted = tuple(Digest.parse(digest) for digest in entry.deleted)
            for digest in deleted:
                ours = repository.files is not None or digest != deleted[0]
                if ours and not {*(await tags_by_digest(repository)).of(digest)} - {*attached_tags(deleted[0])}:
                    with suppress(NotFound):
                        await repository.delete(digest)
            await _finish(entry, ledger)
            await _deliver(repository, ledger)
            kept = [await asyncio.to_thread(_kept, ledger, step.before) for step in entry.steps]
            pairs = zip(entry.steps, kept, strict=True)
            return Changed(repository, tuple(TagChange(step.tag, before, None) for step, before in pairs), deleted)
        # If interrupted after this, only the record is missing.
        await _deliver(repository, ledger)
    return None


async def finish_removals(repository: Repository, ledger: Ledger) -> None:
    """Finish every deletion in a repository that an earlier run began and did not finish."""
    for entry in await asyncio.to_thread(ledger.journal.entries, repository.reference()):
        if entry.state == "open" and entry.action == "delete" and entry.deleted:
            await finish_removal(repository, Digest.parse(entry.deleted[0]), ledger)


def _kept(ledger: Ledger, digest: str | None) -> Manifest | None:
    return ledger.journal.manifest(Digest.parse(digest)) if digest else None


class _Deletion:
    """One run of a delete, under the repository's lock."""

    def __init__(
        self, plan: RemovePlan, ledger: Ledger, answers: Answers, on_moved: OnMoved, tags: TagsOfBatch
    ) -> None:
        self.plan = plan
        self.ledger = ledger
        self.answers = answers
        self.on_moved = on_moved
        self.tags = tags
        self.repository = plan.repository
        self.digest = plan.manifest.digest
        self.going = plan.attached[::-1] if plan.referrers else ()
        self.gone = False
        self.so_far = NOTHING
        """The message if it is interrupted."""

    async def run(self) -> Changed:
        """Check again, record what is deleted, and delete it. A request in flight is waited for."""
        try:
            await self._check()
            attached = [one.digest for one, _ in self.going]
            gone = (self.digest, *attached)
            entry = await _begin(self.plan, self.ledger, self.answers, gone)
            crash_point("remove.before-delete")
            self.so_far = f"It is unknown whether {self.digest.short} was deleted."
            await to_its_end(self._delete(entry, attached), STOPPING)
        except asyncio.CancelledError as stopped:
            note_stop(stopped, self.so_far)
            raise
        except KittuiError as error:
            if self.gone:
                hint_first(error, self.so_far)
            raise
        return Changed(self.repository, self.plan.changes, gone)

    async def _check(self) -> None:
        """Raise TagMoved if the digest's tags differ from the plan."""
        found = await self.tags.before_delete(self.plan.tags)
        check_known(self.repository, self.digest, found)
        now_on_it = found.of(self.digest)
        for tag in sorted({*now_on_it} ^ {*self.plan.tags}):
            raise TagMoved(
                f"{tag} {'points to it too now' if tag in now_on_it else 'points elsewhere now'}",
                hint="Nothing was deleted. Check its tags and plan again.",
                reference=self.repository.reference(tag),
            )

    async def _delete(self, entry: Entry, attached: Sequence[Digest]) -> None:
        try:
            await _delete_digest(self.repository, self.digest, self.plan.tags)
        except KittuiError as error:
            if not may_have_landed(error):
                self.so_far = f"{self.digest.short} was not deleted."
                raise
            if await exists(self.repository, self.digest):
                raise
        crash_point("remove.after-delete")
        self.gone = True
        self.so_far = f"Done: {self.digest.short} deleted."
        self.on_moved(self.repository.reference(self.plan.tag or self.digest))
        for one, own in self.going:
            with suppress(NotFound):
                await _delete_digest(self.repository, one.digest, (own,) if own else ())
        if self.plan.referrers:
            await _drop_list(self.repository, self.digest, attached)
        await _finish(entry, self.ledger)


async def _drop_list(repository: Repository, digest: Digest, gone: Collection[Digest]) -> None:
    """Delete the referrers-tag index of a digest if nothing that it lists is left."""
    with suppress(NotFound):
        index = await repository.manifest(digest.referrers_tag)
        if index.is_index and {one.digest for one in index.manifests} <= {*gone}:
            await _delete_digest(repository, index.digest, (digest.referrers_tag,))


async def _delete_digest(repository: Repository, digest: Digest, tags: Collection[Tag]) -> None:
    """Delete a digest with its tags; the tags first if the registry requires that."""
    try:
        await repository.delete(digest)
    except RegistryError as error:
        if error.status not in (400, 409, 412) or not tags or (await untag_power(repository)).denied:
            raise
        for tag in tags:
            await repository.untag(tag)
        await repository.delete(digest)


async def _begin(plan: RemovePlan, ledger: Ledger, answers: Answers, deleted: tuple[str, ...]) -> Entry:
    """Record what is about to be deleted; continues an earlier run's entry for the same deletion.

    Afterwards nothing is left that a record could be attached to.
    """
    steps = tuple(Step(tag, plan.manifest.digest, None) for tag in plan.tags)
    entry = await continue_open(plan.repository, ledger, "delete", steps, deleted=deleted, reason=answers.reason)
    if entry is None:
        await asyncio.to_thread(ledger.journal.keep, plan.manifest)
        reference = plan.repository.reference()
        entry = Entry(
            new_id(),
            now(),
            ledger.actor,
            "delete",
            reference,
            steps,
            answers.reason,
            deleted=deleted,
            batch=answers.batch,
        )
    for position, step in enumerate(entry.steps):
        if step.state == "planned":
            entry = entry.mark(position, "started")
    await ledger.write(entry)
    return entry


async def _deliver(repository: Repository, ledger: Ledger) -> None:
    if ledger.recorder is not None:
        await ledger.recorder.deliver(repository)


async def _finish(entry: Entry, ledger: Ledger) -> None:
    for position, step in enumerate(entry.steps):
        if step.state != "done":
            entry = await mark_done(ledger, entry, position)
    await ledger.write(replace(entry, state="done"))
