"""How far a change came, and what of that is on disk, while its steps are done side by side."""

from __future__ import annotations

import asyncio

from kittui.state.journal import Entry, StepState
from kittui.usecases.change.ledger import Ledger
from kittui.usecases.change.unfinished import close_entry, note_moved


class Course:
    """The course of one journal entry.

    `entry` is what is known at every moment, for whoever is told. What is on disk says `started` before a request is
    sent and `done` only after the history has the step, whatever other steps are written with it.
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
        """Whether it is known, and on disk or about to be, of every step whether it took effect."""
        return all(step.state != "started" for step in self._kept.steps)

    async def begin(self, position: int) -> None:
        """Write down that a step begins. Nothing was asked for yet. Raises StorageError."""
        await self._write(position, "started")

    async def leave(self, position: int) -> None:
        """A step that began asked for nothing. Raises StorageError."""
        self.entry = self.entry.mark(position, "planned")
        await self._write(position, "planned")

    def ask(self, position: int) -> None:
        """The request of a step is sent: until it is answered, nobody knows whether it took effect."""
        self.entry = self.entry.mark(position, "started")

    async def land(self, position: int) -> None:
        """A step took effect: put it into the history, then write down that it is done.

        Where that fails, it is on disk as begun, and the next run puts it into the history. Raises StorageError.
        """
        self.entry = self.entry.mark(position, "done")
        await note_moved(self._ledger, self.entry, position)
        await self._write(position, "done")

    async def close(self) -> None:
        """Nothing more is done for the entry. Raises StorageError."""
        self.entry = await close_entry(self._ledger, self.entry)

    async def _write(self, position: int, state: StepState) -> None:
        """Put a step's state on disk; one write serves all steps that wait for it."""
        self._kept = self._kept.mark(position, state)
        self._version += 1
        wanted = self._version
        async with self._writing:
            if self._written < wanted:
                version = self._version
                await self._ledger.write(self._kept)
                self._written = version
