"""Where every use case that changes something writes down what it did."""

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
    """Writes moves of tags down where others see them, too."""

    async def prepare(self, plan: ChangePlan, entry: Entry, verdicts: Sequence[Verdict] = ()) -> None:
        """Make the records of an entry's steps, before anything moves; raises where they can't be made."""
        ...

    async def moved(self, entry: Entry, position: int) -> None:
        """The tag of a step has moved."""
        ...

    async def deliver(self, repository: Repository) -> None:
        """Send the records of what has moved, and forget the others; what goes wrong is warned of, never raised."""
        ...


@dataclass(frozen=True, slots=True)
class Ledger:
    """Journal and history of a state folder, who acts, and what else writes down what happened."""

    journal: Journal
    history: History
    actor: str
    recorder: Recorder | None = None

    @classmethod
    def open(
        cls, directory: Path, actor: str | None = None, recorder: Recorder | None = None, *, history: bool = True
    ) -> Ledger:
        """The ledger in a state folder, which is created when something is first written; `actor` is user@host.

        Without `history` nothing is added to it; the journal, which undo needs, is kept in any case.
        """
        return cls(Journal(directory), History(directory, writes=history), actor or _whoami(), recorder)

    async def write(self, entry: Entry) -> None:
        """Put a journal entry on disk without blocking the event loop; stopped, it is there all the same."""
        await in_thread(self.journal.write, entry)


def _whoami() -> str:
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        user = f"user {os.getuid()}"
    return f"{user}@{socket.gethostname()}"
