"""Who moved which tag: the history of this machine and the records in the registry, put together and checked."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

from kittui.errors import KittuiError
from kittui.oci.digest import Digest
from kittui.oci.protocols import Incomplete, Repository
from kittui.oci.tag import Tag
from kittui.state.history import Event
from kittui.tasks import together
from kittui.trust.documents import parse_time, write_time
from kittui.trust.keyring import Keyring
from kittui.trust.moves import MOVE, Move, read_move
from kittui.trust.reviews import SKEW
from kittui.usecases.browse.tag_names import attached_tag
from kittui.usecases.change.ledger import Ledger
from kittui.usecases.change.readings import digest_at
from kittui.usecases.trust.attachments import AT_ONCE, attachments_of
from kittui.usecases.trust.names import plain_name
from kittui.usecases.trust.verify import check

DIGESTS_LIMIT: Final = 300
"""Digests whose records are read at most."""
TAGS_LIMIT: Final = 200
"""Tags that are looked up for records at most."""
CLOSE: Final = timedelta(minutes=5)
"""Moves so close to each other may be in another order than the clocks of two machines say."""

Source = Literal["local", "registry", "both", "none"]


@dataclass(frozen=True, slots=True)
class TagEvent:
    """A move of a tag, newest knowledge of it put together.

    `source` says where it is written down, `proof` what its record in the registry proves (a signature's status, or
    `dated in the future`; empty where there is none), `signer` who vouches for it. With the source `none` somebody
    moved the tag outside kittui: at some time from `since` to `time`. What is not `counted` proves nothing and fits
    nowhere between what is certain. `record` is the digest of the manifest that its record came in.
    """

    time: str
    actor: str
    action: str
    tag: str
    before: str | None
    after: str | None
    reason: str = ""
    overridden: tuple[str, ...] = ()
    id: str = ""
    source: Source = "local"
    proof: str = ""
    signer: str = ""
    since: str = ""
    counted: bool = True
    record: str = ""

    @property
    def when(self) -> str:
        """The time, or the window in which somebody moved the tag outside kittui."""
        return f"{self.since} .. {self.time}" if self.since else self.time

    @property
    def vouched(self) -> str:
        """What says so: a record and what it proves, or this machine alone; nothing for a move outside kittui."""
        if self.proof:
            return f"{self.proof} {self.signer}".strip()
        return "this machine" if self.source == "local" else ""

    def to_json(self) -> dict[str, Any]:
        """As contract.md has it."""
        return {
            "time": self.time or None,
            "actor": self.actor,
            "action": self.action,
            "tag": self.tag,
            "before": self.before,
            "after": self.after,
            "reason": self.reason,
            "overridden": list(self.overridden),
            "source": self.source,
            "proof": self.proof,
            "signer": self.signer,
            "since": self.since or None,
            "counted": self.counted,
        }


@dataclass(frozen=True, slots=True)
class MergedHistory:
    """The moves of a repository's tags, newest first; `notes` are sentences on what is missing or was left out."""

    repository: str
    events: tuple[TagEvent, ...]
    notes: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """As contract.md has it."""
        events = [event.to_json() for event in self.events]
        return {"repository": self.repository, "events": events, "notes": list(self.notes)}


async def local_history(repository: Repository, ledger: Ledger, tags: Collection[str]) -> MergedHistory:
    """What this machine moved, without asking the registry. Raises StorageError."""
    reference = repository.reference()
    known = await asyncio.to_thread(ledger.history.events, reference)
    local = [_local(event) for event in known if event.tag in tags]
    return MergedHistory(reference, tuple(reversed(_ordered(local))))


async def merged_history(
    repository: Repository,
    ledger: Ledger,
    keyring: Keyring,
    tags: Collection[Tag],
    *,
    names: Collection[str] = (),
    now: datetime | None = None,
) -> MergedHistory:
    """The moves of these tags as far as this machine and the registry know them. Raises StorageError.

    `keyring` holds the keys that count here; `names` are further names (HOST/REPO) of the repository. What the registry
    does not give is noted. Records about other repositories, about other digests, or that contradict what this machine
    did are left out, and noted as well.
    """
    now = now or datetime.now(UTC)
    own = await local_history(repository, ledger, tags)
    if repository.source.capabilities.attach.denied:
        return own
    reference, local = own.repository, own.events
    notes: list[str] = []
    current: dict[str, Digest | None] = {}
    moves: list[TagEvent] = []
    try:
        found = await together(*(digest_at(repository, tag) for tag in tags))
        current = dict(zip(tags, found, strict=True))
        here = {plain_name(repository), *names}
        start = [*current.values(), *await _subjects(repository, current, notes)]
        moves, more = await _recorded(repository, keyring, here, start, local, now)
        notes += more
    except KittuiError as error:
        notes.append(f"the records in the registry could not be read: {error.message}")
    merged = _merge(local, [move for move in moves if move.tag in tags], notes)
    events: list[TagEvent] = []
    for tag in dict.fromkeys(tags):
        moved = _ordered(event for event in merged if event.tag == tag)
        gaps = _with_gaps(moved, tag, current.get(tag), write_time(now), asked=tag in current, bridged=not keyring)
        events += reversed(gaps)
    events.sort(key=lambda event: event.time, reverse=True)
    return MergedHistory(reference, tuple(events), tuple(notes))


async def _subjects(repository: Repository, known: Collection[str], notes: list[str]) -> list[Digest]:
    """Digests that may carry records, as nothing leads to those that a tag was moved away from outside kittui.

    Where the registry keeps lists of what belongs to digests under tags, those digests; else those of the tags.
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
        notes.append(f"records of {len(named) - TAGS_LIMIT} tags are looked for only where others lead to them")
    gate = asyncio.Semaphore(AT_ONCE)

    async def resolve(tag: Tag) -> Digest | None:
        async with gate:
            try:
                return await digest_at(repository, tag)
            except KittuiError:
                return None

    return [found for found in await together(*(resolve(tag) for tag in named[-TAGS_LIMIT:])) if found is not None]


async def _recorded(
    repository: Repository,
    keyring: Keyring,
    here: Collection[str],
    start: Iterable[Digest | None],
    local: Sequence[TagEvent],
    now: datetime,
) -> tuple[list[TagEvent], list[str]]:
    """The records on every digest that the tags are known to have held, and on those that these lead to."""
    waiting = [digest for digest in start if digest is not None]
    waiting += [end for event in local for end in (_digest(event.before), _digest(event.after)) if end is not None]
    # Records that prove nothing may lead to any number of digests: those that do come first.
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
        for digest, attached in zip(
            batch, await together(*(attachments_of(repository, digest, MOVE) for digest in batch)), strict=True
        ):
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
                leads += [end for end in (move.before, move.after) if end is not None]
    if foreign:
        notes.append(f"{foreign} records are left out: they are invalid, or about other repositories or digests")
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
    """Each move once, by its id. What this machine did beats what trusted keys vouch for, and that all the rest."""
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
        notes.append(f"{contradicting} records are left out: they contradict what is known of the same moves")
    return list(merged.values())


def _same(one: TagEvent, other: TagEvent) -> bool:
    return (one.tag, one.before, one.after, one.actor, one.action) == (
        other.tag,
        other.before,
        other.after,
        other.actor,
        other.action,
    )


def _ordered(events: Iterable[TagEvent]) -> list[TagEvent]:
    """Oldest first by time; two close to each other that fit only the other way round are swapped."""
    # Several in one second: the beginnings of their ids are finer.
    found = sorted(events, key=lambda event: (event.time, event.id))
    for at in range(len(found) - 1):
        first, second = found[at], found[at + 1]
        fits = first.after == second.before
        if not fits and second.after == first.before and _apart(first.time, second.time) < CLOSE:
            found[at], found[at + 1] = second, first
    return found


def _apart(one: str, other: str) -> timedelta:
    first, second = parse_time(one), parse_time(other)
    return abs(second - first) if first is not None and second is not None else timedelta.max


def _with_gaps(
    events: Sequence[TagEvent], tag: str, current: Digest | None, now: str, *, asked: bool, bridged: bool
) -> list[TagEvent]:
    """The moves of one tag in a chain, with what must have happened between them.

    What this machine did and what trusted keys vouch for is certain. Where no keys are trusted at all (`bridged`), a
    record that proves nothing joins the chain if it leads from one of those to the next. Others are shown beside it.
    """
    certain = [event for event in events if counts(event)]
    others = [event for event in events if not counts(event) and event.proof != "dated in the future" and bridged]
    ends: list[tuple[str, str | None]] = [(event.time, event.before) for event in certain]
    if asked:
        ends.append((now, current))
    chain: list[TagEvent] = []
    last: tuple[str, str | None] | None = None
    for number, (time, wanted) in enumerate(ends):
        between = [event for event in others if (last is None or event.time >= last[0]) and event.time <= time]
        bridge = _bridge(between, last[1] if last else (between[0].before if between else wanted), wanted)
        if bridge is None and last is not None:
            chain.append(_outside(tag, last[1], wanted, last[0], time))
        chain += bridge or ()
        if number < len(certain):
            chain.append(certain[number])
            last = (certain[number].time, certain[number].after)
    joined = {event.id for event in chain}
    return chain + [replace(event, counted=False) for event in events if event.id not in joined]


def _bridge(between: Sequence[TagEvent], start: str | None, end: str | None) -> list[TagEvent] | None:
    """The moves that lead from one digest to another, none where they are the same; None where nothing leads there."""
    at, steps = start, list[TagEvent]()
    for event in between:
        if at == end and not steps:
            break
        if event.before == at:
            steps.append(event)
            at = event.after
    return steps if at == end else None


def counts(event: TagEvent) -> bool:
    """Whether a move is known to have happened: this machine made it, or a trusted key vouches for it."""
    return event.source in ("local", "both") or event.proof == "verified"


def _outside(tag: str, before: str | None, after: str | None, since: str, until: str) -> TagEvent:
    return TagEvent(until, "", "moved outside kittui", tag, before, after, source="none", since=since)
