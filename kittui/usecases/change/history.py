"""The local history of tag changes that kittui made."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from kittui.oci.protocols import Repository
from kittui.state.history import Event
from kittui.usecases.change.ledger import Ledger


@dataclass(frozen=True, slots=True)
class TagHistory:
    """What kittui did to a repository's tags, newest first."""

    repository: str
    events: tuple[Event, ...]

    def to_json(self) -> dict[str, Any]:
        """As contract.md section 2 has it."""
        keys = ("time", "actor", "action", "tag", "before", "after", "reason")
        events = [{key: getattr(event, key) for key in keys} for event in self.events]
        return {"repository": self.repository, "events": events}


async def read_history(repository: Repository, ledger: Ledger, tag: str | None = None) -> TagHistory:
    """The events of a repository, or of one tag in it. Raises StorageError."""
    reference = repository.reference()
    events = await asyncio.to_thread(ledger.history.events, reference, tag)
    return TagHistory(reference, tuple(events))
