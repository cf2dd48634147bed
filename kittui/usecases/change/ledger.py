"""Where every use case that changes something writes down what it did."""

from __future__ import annotations

import asyncio
import getpass
import socket
from dataclasses import dataclass
from pathlib import Path

from kittui.state.history import History
from kittui.state.journal import Entry, Journal


@dataclass(frozen=True, slots=True)
class Ledger:
    """Journal and history of a state folder, and who acts."""

    journal: Journal
    history: History
    actor: str

    @classmethod
    def open(cls, directory: Path, actor: str | None = None) -> Ledger:
        """The ledger in a state folder, which is made when something is first written; `actor` is user@host."""
        return cls(Journal(directory), History(directory), actor or _whoami())

    async def write(self, entry: Entry) -> None:
        """Put a journal entry on disk without blocking the event loop."""
        await asyncio.to_thread(self.journal.write, entry)


def _whoami() -> str:
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        user = "unknown"
    return f"{user}@{socket.gethostname()}"
