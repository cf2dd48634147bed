"""What every use case that changes something is handed: what it may do, and where it writes down what it did."""

from __future__ import annotations

import asyncio
import getpass
import socket
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from kittui.errors import ReadOnly, TagProtected
from kittui.state.history import History
from kittui.state.journal import Entry, Journal


@dataclass(frozen=True, slots=True)
class Rules:
    """What the user's configuration allows: nothing in read-only mode, protected tags only with their name typed."""

    read_only: bool = False
    protected: frozenset[str] = frozenset()

    def check_write(self, reference: str) -> None:
        """Raise ReadOnly where nothing may be changed."""
        if self.read_only:
            raise ReadOnly(
                "kittui is in read-only mode",
                hint="Start it without --read-only, and without read_only in config.yaml, to change things.",
                reference=reference,
            )

    def guarded(self, tags: Collection[str]) -> tuple[str, ...]:
        """Those of the tags whose names must be typed before they are moved or removed."""
        return tuple(tag for tag in tags if tag in self.protected)

    def check_tags(self, tags: Collection[str], typed: Collection[str], reference: str) -> None:
        """Raise TagProtected for the first protected tag whose name was not typed."""
        for tag in self.guarded(tags):
            if tag not in typed:
                raise TagProtected(
                    f"the tag {tag} is protected",
                    hint=f"Type its name when asked, or give --confirm {tag}.",
                    reference=reference,
                )


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
