"""Deletes old records of moves from a registry; the newest of each tag always stays."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress

from kittui.errors import NotFound
from kittui.oci.digest import Digest
from kittui.oci.protocols import Repository
from kittui.usecases.trust.chain import TagEvent, counts
from kittui.usecases.trust.history import MergedHistory


def old_records(history: MergedHistory, keep: int) -> list[TagEvent]:
    """The moves whose records can go: of each tag all but the newest `keep` (at least one) that prove something.

    Only records that count are pruned: forged ones or those by unknown keys stay, and don't count as the newest.
    """
    newest: dict[str, list[TagEvent]] = defaultdict(list)
    for event in history.events:
        if event.record and event.counted and counts(event):
            newest[event.tag].append(event)
    return [event for events in newest.values() for event in events[max(1, keep) :]]


async def prune(repository: Repository, events: Sequence[TagEvent]) -> list[TagEvent]:
    """Delete the records of moves, the oldest first; returns those that are now gone.

    Raises Unsupported if the registry deletes nothing, and what the source raises; records deleted before that stay
    deleted.
    """
    done: list[TagEvent] = []
    for event in sorted(events, key=lambda each: each.time):
        # If it no longer exists, an earlier run or somebody else has deleted it.
        with suppress(NotFound):
            await repository.delete(Digest.parse(event.record))
        done.append(event)
    return done
