"""Remove as planned: untag a tag alone, or delete a ModelKit with all its tags."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace

from kittui.crashpoints import crash_point
from kittui.errors import NetworkError, NotFound, RegistryError, TagMoved, Unsupported, UsageError
from kittui.oci.content import BytesContent
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.oci.manifest import Manifest
from kittui.oci.media_types import OCI_EMPTY, OCI_MANIFEST
from kittui.oci.protocols import Power, Repository
from kittui.oci.tag import Tag
from kittui.oci.target import Target
from kittui.state.journal import Entry, Step, new_id, now
from kittui.usecases.browse.tag_names import attached_tags
from kittui.usecases.change.ledger import Ledger
from kittui.usecases.change.plan import NOBODY, Answers, Changed, ChangePlan, TagChange
from kittui.usecases.change.policy import Policy
from kittui.usecases.change.readings import digest_at, untag_power
from kittui.usecases.change.removal import RemovePlan, cannot_untag, check_known, delete_power
from kittui.usecases.change.siblings import tags_by_digest
from kittui.usecases.change.tags import apply_changes
from kittui.usecases.change.unfinished import continue_open, mark_done

PLACEHOLDER = "io.kittui.placeholder"
"""Annotation that marks a placeholder, so that a removal that was cut short is finished by deleting it."""

EMPTY_CONFIG = b"{}"
"""The content of OCI's empty descriptor (image-spec, manifest.md): what a placeholder's config is."""


async def apply_remove(
    plan: RemovePlan,
    ledger: Ledger,
    policy: Policy,
    answers: Answers = NOBODY,
) -> Changed:
    """Remove as planned, after looking again.

    Raises ReadOnly, TagProtected, TagMoved where a tag moved or joined the digest since, Unsupported with the ways
    there are where the registry can't untag or delete.
    """
    reference = plan.repository.reference()
    policy.check_write(reference)
    policy.check_tags(plan.tags, answers.typed, reference)
    if plan.mode == "untag":
        changes = ChangePlan(plan.repository, "remove", plan.changes, read_at=plan.read_at)
        try:
            return await apply_changes(changes, ledger, policy, answers)
        except Unsupported as error:
            deletes = await delete_power(plan.repository, ask=True)
            power = Power("no", error.message, error.hint or "")
            raise cannot_untag(replace(plan, deletes=deletes), power) from None
    async with ledger.journal.lock(reference):
        if plan.mode == "placeholder":
            return await _displace(plan, ledger, answers)
        return await _delete(plan, ledger, answers)


async def finish_removal(repository: Repository, target: Target, ledger: Ledger) -> Changed | None:
    """Write down a removal that an earlier run began and did not finish; None where there was none.

    What a source on this machine has left of a deleted ModelKit goes now.
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
        # Cut short after that, what is left is the record.
        await _deliver(repository, ledger)
    return None


async def finish_removals(repository: Repository, ledger: Ledger) -> None:
    """Finish every deletion in a repository that an earlier run began and did not finish."""
    for entry in await asyncio.to_thread(ledger.journal.entries, repository.reference()):
        if entry.state == "open" and entry.action == "delete" and entry.deleted:
            await finish_removal(repository, Digest.parse(entry.deleted[0]), ledger)


def _kept(ledger: Ledger, digest: str | None) -> Manifest | None:
    return ledger.journal.manifest(Digest.parse(digest)) if digest else None


async def _delete(plan: RemovePlan, ledger: Ledger, answers: Answers) -> Changed:
    repository, digest = plan.repository, plan.manifest.digest
    found = await tags_by_digest(repository)
    check_known(repository, digest, found)
    now_on_it = found.of(digest)
    for tag in {*now_on_it} ^ {*plan.tags}:
        raise TagMoved(
            f"{tag} {'points to it too now' if tag in now_on_it else 'points elsewhere now'}",
            hint="Nothing was deleted; look at its tags and plan again.",
            reference=repository.reference(tag),
        )
    going = plan.attached[::-1] if plan.referrers else ()
    attached = [one.digest for one, _ in going]
    entry = await _begin(plan, ledger, "delete", answers, (digest, *attached), plan.manifest)
    crash_point("remove.before-delete")
    try:
        await _delete_digest(repository, digest, plan.tags)
    except NetworkError as error:
        if _answered(error) or await _exists(repository, digest):
            raise
    crash_point("remove.after-delete")
    for one, own in going:
        with suppress(NotFound):
            await _delete_digest(repository, one.digest, (own,) if own else ())
    if plan.referrers:
        await _drop_list(repository, digest, attached)
    await _finish(entry, ledger)
    return Changed(repository, plan.changes, (digest, *attached))


async def _drop_list(repository: Repository, digest: Digest, gone: Collection[Digest]) -> None:
    """Delete the index that lists the referrers of a digest by its tag, where nothing that it lists is left."""
    with suppress(NotFound):
        index = await repository.manifest(digest.referrers_tag)
        if index.is_index and {one.digest for one in index.manifests} <= {*gone}:
            await _delete_digest(repository, index.digest, (digest.referrers_tag,))


async def _delete_digest(repository: Repository, digest: Digest, tags: Collection[Tag]) -> None:
    """Delete a digest with its tags; where a registry wants the tags to go first, they do."""
    try:
        await repository.delete(digest)
    except RegistryError as error:
        if error.status not in (400, 409, 412) or not tags or (await untag_power(repository)).denied:
            raise
        for tag in tags:
            await repository.untag(tag)
        await repository.delete(digest)


async def _displace(plan: RemovePlan, ledger: Ledger, answers: Answers) -> Changed:
    """Point the tag at a manifest that nothing else has and delete that one: the digest's other tags stay."""
    repository = plan.repository
    if plan.tag is None:
        raise UsageError("only a tag can be displaced by a placeholder")
    config = Descriptor(OCI_EMPTY, Digest.of(EMPTY_CONFIG), len(EMPTY_CONFIG))
    raw = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": OCI_MANIFEST,
            "config": config.to_json(),
            "layers": [],
            "annotations": {PLACEHOLDER: secrets.token_hex(16)},
        }
    ).encode()
    dummy = Manifest.parse(raw, OCI_MANIFEST)
    await _check_unmoved(repository, plan.tag, plan.manifest.digest)
    if (power := await delete_power(repository, ask=True)).denied:
        raise Unsupported(power.reason, hint=power.remedy or None, reference=repository.reference(plan.tag))
    original = plan.manifest
    if PLACEHOLDER in plan.manifest.annotations:
        dummy = plan.manifest
        displaced = await asyncio.to_thread(_displaced, ledger, repository.reference(), plan.tag)
        original = displaced or dummy
    # Its digest is written down, so that undo knows the placeholder for kittui's own.
    entry = await _begin(plan, ledger, "remove", answers, (dummy.digest,), original)
    if dummy is not plan.manifest:
        if not await repository.has_blob(config):
            await repository.put_blob(config, BytesContent(EMPTY_CONFIG))
        # Nothing lies between the last look and the PUT: no registry has compare-and-swap.
        try:
            await _check_unmoved(repository, plan.tag, plan.manifest.digest)
        except TagMoved:
            await ledger.write(replace(entry, state="abandoned"))
            raise
        crash_point("remove.before-placeholder")
        await repository.put_manifest(raw, OCI_MANIFEST, plan.tag)
        crash_point("remove.after-placeholder")
    try:
        await repository.delete(dummy.digest)
    except (Unsupported, NetworkError):
        if await _exists(repository, dummy.digest):
            if original is not dummy:
                await repository.put_manifest(original.raw, original.media_type, plan.tag)
            await ledger.write(replace(entry, state="abandoned"))
            raise
    crash_point("remove.after-placeholder-delete")
    await _finish(entry, ledger)
    await _deliver(repository, ledger)
    return Changed(repository, (TagChange(plan.tag, original, None),), (dummy.digest,))


def _displaced(ledger: Ledger, reference: str, tag: Tag) -> Manifest | None:
    """What a tag pointed to before an earlier run, which was cut short, pointed it at a placeholder. Blocks."""
    for entry in ledger.journal.entries(reference):
        if entry.state == "open" and entry.action == "remove" and [step.tag for step in entry.steps] == [tag]:
            return _kept(ledger, entry.steps[0].before)
    return None


async def _check_unmoved(repository: Repository, tag: Tag, expected: Digest) -> None:
    current = await digest_at(repository, tag)
    if current != expected:
        raise TagMoved(
            f"{tag} moved: it points to {current.short if current else 'nothing'} now",
            hint="Nothing was changed; look at the tag and plan again.",
            reference=repository.reference(tag),
        )


async def _begin(
    plan: RemovePlan, ledger: Ledger, action: str, answers: Answers, deleted: tuple[str, ...], original: Manifest
) -> Entry:
    """Write down what is about to go; the entry of an earlier run that wanted the same is continued."""
    steps = tuple(Step(tag, original.digest, None) for tag in plan.tags)
    entry = await continue_open(plan.repository, ledger, action, steps, deleted=deleted, reason=answers.reason)
    if entry is None:
        await asyncio.to_thread(ledger.journal.keep, original)
        reference = plan.repository.reference()
        entry = Entry(
            new_id(),
            now(),
            ledger.actor,
            action,
            reference,
            steps,
            answers.reason,
            deleted=deleted,
            batch=answers.batch,
        )
    for position, step in enumerate(entry.steps):
        if step.state == "planned":
            entry = entry.mark(position, "started")
    if ledger.recorder is not None and action == "remove":
        # Of a ModelKit that is deleted nothing is left that a record could be attached to.
        changes = tuple(TagChange(tag, original, None) for tag in plan.tags)
        await ledger.recorder.prepare(ChangePlan(plan.repository, action, changes), entry)
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


def _answered(error: NetworkError) -> bool:
    return isinstance(error, RegistryError) and error.status is not None and error.status < 500


async def _exists(repository: Repository, digest: Digest) -> bool:
    try:
        await repository.resolve(digest)
    except NotFound:
        return False
    return True
