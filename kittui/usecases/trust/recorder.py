"""Records moves of tags in their registry: records are prepared before the move, and sent after it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from kittui import __version__
from kittui.crashpoints import crash_point
from kittui.errors import KittuiError, RegistryError, Unsupported
from kittui.oci.digest import Digest
from kittui.oci.manifest import Manifest
from kittui.oci.protocols import Repository
from kittui.state.journal import Entry, Journal
from kittui.state.outbox import Outbox, Outgoing
from kittui.tasks import spread
from kittui.trust.bundles import write_referrer
from kittui.trust.documents import parse_time, write_time
from kittui.trust.moves import MOVE, Move, write_move
from kittui.trust.statements import write_statement
from kittui.usecases.change.plan import ChangePlan
from kittui.usecases.change.policy import Verdict
from kittui.usecases.trust.names import plain_name
from kittui.usecases.trust.sign import attach, sealed
from kittui.usecases.trust.signer import Signer
from kittui.usecases.trust.summary import Summaries

TOOL: Final = f"kittui {__version__}"
_PASSING: Final = frozenset({401, 403, 408, 425, 429})
"""Client errors that may be temporary."""


@dataclass(frozen=True)
class Recorder:
    """Records moves of the tags in `stages`; `signer` opens the signing key, None without one.

    `summaries` writes the gates' results beside the record of a promotion.
    """

    outbox: Outbox
    journal: Journal
    stages: Collection[str]
    signer: Callable[[], Awaitable[Signer | None]]
    warn: Callable[[str], None]
    summaries: Summaries = field(default_factory=Summaries)

    async def prepare(self, plan: ChangePlan, entry: Entry, verdicts: Sequence[Verdict] = ()) -> None:
        """Write the signed records of an entry's steps to disk; existing ones stay unchanged.

        Raises CredentialError if the key can't sign: then nothing has moved yet.
        """
        repository = plan.repository
        if repository.source.capabilities.attach.denied:
            return
        changes = {change.tag: change for change in plan.changes}
        known = {record.id for record in await asyncio.to_thread(self.outbox.records, entry.repository)}
        signer: Signer | None = None
        opened = False
        for position, step in enumerate(entry.steps):
            change, name = changes.get(step.tag), f"{entry.id}/{position}"
            if change is None or step.tag not in self.stages or step.state == "done" or name in known:
                continue
            subject = change.after or change.before
            if subject is None:
                continue
            if not opened:
                signer, opened = await self.signer(), True
            move = _move(repository, entry, name, step.tag, change.before, change.after)
            await self._prepare(repository, entry, name, subject, MOVE, write_move(move), signer)
            summary = self.summaries.of(repository, plan, change, verdicts)
            if summary is not None:
                kind, predicate = summary
                await self._prepare(repository, entry, f"{name}/summary", subject, kind, predicate, signer)

    async def _prepare(
        self,
        repository: Repository,
        entry: Entry,
        name: str,
        subject: Manifest,
        kind: str,
        predicate: dict[str, object],
        signer: Signer | None,
    ) -> None:
        payload = write_statement(subject.digest, plain_name(repository), kind, predicate)
        content = await sealed(payload, signer)
        raw = write_referrer(subject.descriptor, content, kind, write_time(datetime.now(UTC)))
        outgoing = Outgoing(name, entry.repository, raw.decode("latin-1"), content.decode("latin-1"))
        await asyncio.to_thread(self.outbox.put, outgoing)

    async def moved(self, entry: Entry, position: int) -> None:
        """Mark a step's records as ready to be sent, after its tag has moved."""
        await asyncio.to_thread(self.outbox.ready, f"{entry.id}/{position}")

    async def deliver(self, repository: Repository) -> None:
        """Send ready records to a repository, and drop those of moves that never happened.

        Never raises, since the tags have moved already. Records that a registry does not accept at all are dropped
        (this machine's history has them); those that it may accept later stay. Both cause a warning.
        """
        try:
            await self._deliver(repository)
        except KittuiError as error:
            self.warn(f"the move could not be recorded in the registry: {error.message}")

    async def _deliver(self, repository: Repository) -> None:
        reference = repository.reference()
        records = await asyncio.to_thread(self.outbox.records, reference)
        if not records:
            return
        entries = {entry.id: entry for entry in await asyncio.to_thread(self.journal.entries, reference)}
        sending: dict[Digest, list[Outgoing]] = {}
        for record in records:
            entry = entries.get(record.entry)
            if record.state == "ready":
                subject = Manifest.parse(record.manifest.encode("latin-1")).subject
                sending.setdefault(subject.digest if subject else Digest.of(b""), []).append(record)
            elif entry is None or entry.state != "open":
                await asyncio.to_thread(self.outbox.drop, record)
        first, *others = sending.values() or ((),)
        # Send the first one alone: it also uploads what all of them need.
        told = [await self._send(repository, first)]
        told += await spread(
            others, lambda group: self._send(repository, group), at_once=repository.source.traits.at_once
        )
        for note in dict.fromkeys(note for notes in told for note in notes):
            self.warn(note)

    async def _send(self, repository: Repository, records: Sequence[Outgoing]) -> list[str]:
        """Send the records about one manifest, one after the other: each changes its list of referrers."""
        notes: list[str] = []
        for record in records:
            try:
                await attach(repository, record.manifest.encode("latin-1"), record.content.encode("latin-1"))
                crash_point("outbox.sent")
            except KittuiError as error:
                if not _for_good(error):
                    notes.append(
                        f"the move will be recorded in the registry with the next change here: {error.message}"
                    )
                    continue
                notes.append(f"the registry keeps no record of the move, this machine does: {error.message}")
            await asyncio.to_thread(self.outbox.drop, record)
        return notes


def _for_good(error: KittuiError) -> bool:
    """Whether the refusal is permanent."""
    if isinstance(error, RegistryError):
        return error.status is not None and 400 <= error.status < 500 and error.status not in _PASSING
    return isinstance(error, Unsupported)


def _move(
    repository: Repository, entry: Entry, name: str, tag: str, before: Manifest | None, after: Manifest | None
) -> Move:
    return Move(
        id=name,
        time=parse_time(entry.time) or datetime.now(UTC),
        actor=entry.actor,
        action=entry.action,
        repository=plain_name(repository),
        tag=tag,
        before=before.digest if before else None,
        after=after.digest if after else None,
        reason=entry.reason,
        overridden=entry.overridden,
        tool=TOOL,
    )
