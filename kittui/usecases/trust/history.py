"""Merges and checks who moved which tag: this machine's history and the registry's records."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from kittui.errors import KittuiError
from kittui.oci.digest import Digest
from kittui.oci.protocols import Incomplete, Repository
from kittui.oci.tag import Tag
from kittui.state.history import Event
from kittui.tasks import spread
from kittui.terminal import counted
from kittui.trust.documents import write_time
from kittui.trust.keyring import Keyring
from kittui.trust.moves import MOVE, Move, read_move
from kittui.trust.reviews import SKEW
from kittui.usecases.browse.tag_names import attached_tag
from kittui.usecases.change.ledger import Ledger
from kittui.usecases.change.readings import digest_at
from kittui.usecases.trust.attachments import attachments_of
from kittui.usecases.trust.chain import TagEvent, chained, in_order
from kittui.usecases.trust.names import plain_name
from kittui.usecases.trust.verify import check

DIGESTS_LIMIT: Final = 300
"""Maximum digests whose records are read."""
TAGS_LIMIT: Final = 200
"""Maximum tags that are resolved to find records."""


@dataclass(frozen=True, slots=True)
class MergedHistory:
    """The moves of a repository's tags, newest first; `notes` are sentences on missing or omitted ones.

    `trouble` says why the registry's records could not be read.
    """

    repository: str
    events: tuple[TagEvent, ...]
    notes: tuple[str, ...] = ()
    trouble: KittuiError | None = None

    def to_json(self) -> dict[str, Any]:
        """As contract.md has it."""
        events = [event.to_json() for event in self.events]
        return {"repository": self.repository, "events": events, "notes": list(self.notes)}


async def local_history(repository: Repository, ledger: Ledger, tags: Collection[str]) -> MergedHistory:
    """Read this machine's moves, without asking the registry. Raises StorageError."""
    reference = repository.reference()

    def read() -> MergedHistory:
        local = [_local(event) for event in ledger.history.events(reference) if event.tag in tags]
        return MergedHistory(reference, tuple(reversed(in_order(local))))

    return await asyncio.to_thread(read)


async def merged_history(
    repository: Repository,
    ledger: Ledger,
    keyring: Keyring,
    tags: Collection[Tag],
    *,
    names: Collection[str] = (),
    now: datetime | None = None,
) -> MergedHistory:
    """Read the moves of these tags that this machine and the registry know. Raises StorageError.

    `keyring` holds the keys that count here; `names` are further names (HOST/REPO) of the repository. Notes say what
    the registry does not return. Records about other repositories or digests, or that contradict what this machine did,
    are left out, with a note.
    """
    now = now or datetime.now(UTC)
    own = await local_history(repository, ledger, tags)
    if repository.source.capabilities.attach.denied:
        return own
    reference, local = own.repository, own.events
    notes: list[str] = []
    current: dict[str, Digest | None] = {}
    moves: list[TagEvent] = []
    trouble: KittuiError | None = None
    try:
        found = await spread(list(tags), partial(digest_at, repository), at_once=repository.source.traits.at_once)
        current = dict(zip(tags, found, strict=True))
        here = {plain_name(repository), *names}
        start = [*current.values(), *await _subjects(repository, current, notes)]
        moves, more = await _recorded(repository, keyring, here, start, local, now)
        notes += more
    except KittuiError as error:
        trouble = error
        notes.append(f"the records in the registry could not be read: {error.message}")
    moves = [move for move in moves if move.tag in tags]
    ends = {tag: (write_time(now), current[tag]) if tag in current else None for tag in reversed(dict.fromkeys(tags))}
    # Thousands of moves take a moment, so keep the interface responsive.
    events = await asyncio.to_thread(_put_together, local, moves, ends, notes, bridged=not keyring)
    return MergedHistory(reference, events, tuple(notes), trouble)


def _put_together(
    local: Sequence[TagEvent],
    recorded: Sequence[TagEvent],
    ends: Mapping[Tag, tuple[str, str | None] | None],
    notes: list[str],
    *,
    bridged: bool,
) -> tuple[TagEvent, ...]:
    """Arrange the moves of every tag as chains, newest first; `ends` is each tag's current digest.

    Adds to the notes.
    """
    merged = _merge(local, recorded, notes)
    dated: list[tuple[str, TagEvent]] = []
    for tag, end in ends.items():
        chain, crossed = chained([event for event in merged if event.tag == tag], tag, end, bridged=bridged)
        notes += crossed
        latest = ""
        for event in chain:
            # If clocks differ, the order in which the moves happened counts.
            latest = max(latest, event.time) if event.counted else latest
            dated.append((latest if event.counted else event.time, event))
    dated.sort(key=lambda pair: pair[0])
    return tuple(event for _, event in reversed(dated))


async def _subjects(repository: Repository, known: Collection[str], notes: list[str]) -> list[Digest]:
    """Digests that may carry records; nothing else leads to those that a tag left outside kittui.

    If the registry uses fallback tags for referrers, their digests; else those of the tags.
    """
    named: list[Tag] = []
    listed: list[Digest] = []
    try:
        async for page in repository.tags():
            for entry in page:
                attached = attached_tag(entry.name) if entry.name is not None else None
                if attached is not None:
                    listed.append(attached.subject)
                elif entry.descriptor is not None:
                    listed.append(entry.descriptor.digest)
                elif entry.name is not None and entry.name not in known:
                    named.append(entry.name)
    except Incomplete as error:
        notes.append(f"not every tag could be listed: {error.reason}")
    if listed:
        return listed
    if len(named) > TAGS_LIMIT:
        notes.append(f"{counted(len(named) - TAGS_LIMIT, 'tag')} not searched for records: some may be missing")

    async def resolve(tag: Tag) -> Digest | None:
        try:
            return await digest_at(repository, tag)
        except KittuiError:
            return None

    found = await spread(named[-TAGS_LIMIT:], resolve, at_once=repository.source.traits.at_once)
    return [digest for digest in found if digest is not None]


async def _recorded(
    repository: Repository,
    keyring: Keyring,
    here: Collection[str],
    start: Iterable[Digest | None],
    local: Sequence[TagEvent],
    now: datetime,
) -> tuple[list[TagEvent], list[str]]:
    """Read the records on every digest that the tags are known to have held, and on those to which these lead."""
    waiting = [digest for digest in start if digest is not None]
    waiting += [end for event in local for end in (_digest(event.before), _digest(event.after)) if end is not None]
    # Records that prove nothing may lead to any number of digests, so follow the others first.
    doubtful: list[Digest] = []
    seen: set[Digest] = set()
    found: list[TagEvent] = []
    notes: list[str] = []
    foreign = 0
    while waiting or doubtful:
        if not waiting:
            waiting, doubtful = doubtful, []
        batch = [digest for digest in dict.fromkeys(waiting) if digest not in seen]
        if len(seen) + len(batch) > DIGESTS_LIMIT:
            notes.append(f"records of more than {DIGESTS_LIMIT} digests: some are not shown")
            batch, doubtful = batch[: DIGESTS_LIMIT - len(seen)], []
        seen.update(batch)
        waiting = []
        reading = await spread(
            batch, lambda digest: attachments_of(repository, digest, MOVE), at_once=repository.source.traits.at_once
        )
        for digest, attached in zip(batch, reading, strict=True):
            if not attached.complete:
                notes.append(f"not every record on {digest.short} could be listed")
            for one in attached.attachments:
                verdict = check(one, keyring, digest, now).verdict
                statement = verdict.statement
                if statement is None or statement.predicate_type != MOVE or verdict.status == "invalid":
                    foreign += verdict.status == "invalid"
                    continue
                move = read_move(statement.predicate)
                if move is None or move.subject != digest or move.repository not in here:
                    foreign += 1
                    continue
                proof = "dated in the future" if move.time > now + SKEW else verdict.status
                signer = verdict.signer.owner or verdict.signer.name if verdict.signer else ""
                found.append(_event(move, proof, signer, one.manifest))
                leads = waiting if proof == "verified" else doubtful
                leads.extend(end for end in (move.before, move.after) if end is not None)
    if foreign:
        notes.append(f"{counted(foreign, 'record')} left out: invalid, or about other repositories or digests")
    return found, notes


def _digest(text: str | None) -> Digest | None:
    try:
        return Digest.parse(text) if text is not None else None
    except KittuiError:
        return None


def _local(event: Event) -> TagEvent:
    return TagEvent(
        event.time, event.actor, event.action, event.tag, event.before, event.after, event.reason, event.overridden,
        event.id,
    )  # fmt: skip


def _event(move: Move, proof: str, signer: str, record: Digest) -> TagEvent:
    return TagEvent(
        write_time(move.time), move.actor, move.action, move.tag, move.before, move.after, move.reason,
        move.overridden, move.id, "registry", proof, signer, record=record,
    )  # fmt: skip


def _merge(local: Sequence[TagEvent], recorded: Sequence[TagEvent], notes: list[str]) -> list[TagEvent]:
    """Keep each move once, by its id. This machine's moves take precedence, then those that trusted keys vouch for."""
    merged = {event.id: event for event in local}
    contradicting = 0
    for event in sorted(recorded, key=lambda event: event.proof != "verified"):
        known = merged.get(event.id)
        if known is None:
            merged[event.id] = event
        elif _same(known, event):
            if known.source == "local":
                merged[event.id] = replace(
                    known, source="both", proof=event.proof, signer=event.signer, record=event.record
                )
        else:
            contradicting += 1
    if contradicting:
        notes.append(f"{counted(contradicting, 'record')} left out: contradicted by what is known of the same moves")
    return list(merged.values())


def _same(one: TagEvent, other: TagEvent) -> bool:
    return (one.tag, one.before, one.after, one.actor, one.action) == (
        other.tag,
        other.before,
        other.after,
        other.actor,
        other.action,
    )
