"""How far a change got, and what of that is on disk, while its steps run in parallel."""

from __future__ import annotations

import asyncio

from kittui.state.journal import Entry, StepState
from kittui.usecases.change.ledger import Ledger
from kittui.usecases.change.unfinished import close_entry, note_moved


class Course:
    """The course of one journal entry.

    `entry` is what is known right now, for messages. The journal on disk says `started` before a request is sent, and
    `done` only after the history has the step, whatever other steps are written with it.
    """

    def __init__(self, ledger: Ledger, entry: Entry) -> None:
        self.entry = entry
        self._ledger = ledger
        self._kept = entry
        self._version = self._written = 0
        self._writing = asyncio.Lock()

    def is_begun(self, position: int) -> bool:
        """Whether a step may have taken effect in an earlier run."""
        return self.entry.steps[position].state == "started"

    @property
    def settled(self) -> bool:
        """Whether it is known of every step whether it took effect."""
        return all(step.state != "started" for step in self._kept.steps)

    async def begin(self, position: int) -> None:
        """Record that a step begins; no request was sent yet. Raises StorageError."""
        await self._write(position, "started")

    async def leave(self, position: int) -> None:
        """Record that a step did nothing. Raises StorageError."""
        self.entry = self.entry.mark(position, "planned")
        await self._write(position, "planned")

    def ask(self, position: int) -> None:
        """The request of a step is sent: until it is answered, it is unknown whether it took effect."""
        self.entry = self.entry.mark(position, "started")

    async def land(self, position: int) -> None:
        """Record a step that took effect: first in the history, then as done in the journal.

        If recording fails, the journal has it as begun, and the next run adds it to the history. Raises StorageError.
        """
        self.entry = self.entry.mark(position, "done")
        await note_moved(self._ledger, self.entry, position)
        await self._write(position, "done")

    async def close(self) -> None:
        """Close the entry as it is. Raises StorageError."""
        self.entry = await close_entry(self._ledger, self.entry)

    async def _write(self, position: int, state: StepState) -> None:
        """Write a step's state to disk; one write serves all steps that wait for it."""
        self._kept = self._kept.mark(position, state)
        self._version += 1
        wanted = self._version
        async with self._writing:
            if self._written < wanted:
                version = self._version
                await self._ledger.write(self._kept)
                self._written = version
