"""The ledger in which every changing use case records what it did."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from kittui.disk.threads import in_thread
from kittui.state.history import History
from kittui.state.journal import Entry, Journal

if TYPE_CHECKING:
    from kittui.oci.protocols import Repository
    from kittui.usecases.change.plan import ChangePlan
    from kittui.usecases.change.policy import Verdict


class Recorder(Protocol):
    """Records tag moves where others can see them too."""

    async def prepare(self, plan: ChangePlan, entry: Entry, verdicts: Sequence[Verdict] = ()) -> None:
        """Create the records of an entry's steps before anything moves; raises if they can't be created."""
        ...

    async def moved(self, entry: Entry, position: int) -> None:
        """Note that the tag of a step has moved."""
        ...

    async def deliver(self, repository: Repository) -> None:
        """Send the records of moved tags, and drop the others; failures become warnings, never errors."""
        ...


@dataclass(frozen=True, slots=True)
class Ledger:
    """The journal and history in a state folder, the actor, and the recorder for the registry."""

    journal: Journal
    history: History
    actor: str
    recorder: Recorder | None = None

    @classmethod
    def open(
        cls, directory: Path, actor: str | None = None, recorder: Recorder | None = None, *, history: bool = True
    ) -> Ledger:
        """Open the ledger in a state folder, which is created on the first write; `actor` is user@host.

        Without `history` nothing is added to it; the journal, which undo needs, is always kept.
        """
        return cls(Journal(directory), History(directory, writes=history), actor or _whoami(), recorder)

    async def write(self, entry: Entry) -> None:
        """Write a journal entry to disk without blocking the event loop; cancelling does not stop the write."""
        await in_thread(self.journal.write, entry)


def _whoami() -> str:
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        user = f"user {os.getuid()}"
    return f"{user}@{socket.gethostname()}"
