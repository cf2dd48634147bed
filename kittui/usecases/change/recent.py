"""What kittui itself has lately done to tags, for readings that come late."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from kittui.oci.digest import Digest
from kittui.oci.tag import Tag
from kittui.state.history import Event
from kittui.state.journal import now
from kittui.usecases.change.ledger import Ledger

RECENT: Final = 120.0
"""Seconds for which a reading that contradicts kittui's own write counts as stale."""


class Recent:
    """kittui's own recent tag moves in a repository, to recognise stale readings."""

    def __init__(self, events: Sequence[Event] = ()) -> None:
        self._events: dict[str, list[Event]] = {}
        for event in events:
            self._events.setdefault(event.tag, []).append(event)

    @classmethod
    async def of(cls, ledger: Ledger, reference: str) -> Recent:
        """Read them from the history. Raises StorageError."""
        return cls(await asyncio.to_thread(ledger.history.since, now(RECENT), reference))

    def last(self, tag: Tag) -> Event | None:
        """The latest move of a tag."""
        return next(iter(self._events.get(tag, ())), None)

    def is_late(self, tag: Tag, reading: Digest | None) -> bool:
        """Whether a reading is older than our own latest move of the tag."""
        events = self._events.get(tag, ())
        if not events or reading == events[0].after:
            return False
        return any(reading in (event.before, event.after) for event in events)
