"""Keeps records for a registry on disk, from before the tag moves until the registry has them.

A record's bytes are created once. Sent again after a crash they have the same digest, so no move is recorded twice.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final, Literal, get_args

from kittui.disk.durable import make_private_folder, remove_file, replace_file, storage_error

State = Literal["prepared", "ready"]
LIMIT: Final = 4 * 1024 * 1024
"""Maximum bytes of a record."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A record: its manifest and the one blob that it holds, as they are sent to a repository (a reference).

    It is `prepared` before the tag moves, and `ready` afterwards; `id` is that of the history's event, plus the kind of
    record if there are several.
    """

    id: str
    repository: str
    manifest: str
    content: str
    state: State = "prepared"

    @property
    def entry(self) -> str:
        """The journal's entry that it belongs to."""
        return self.id.partition("/")[0]

    @property
    def event(self) -> str:
        """The history's event that it belongs to."""
        return "/".join(self.id.split("/")[:2])


class Outbox:
    """The records in a state folder that no registry has yet. Errors are StorageError; all methods block."""

    def __init__(self, directory: Path) -> None:
        self._top = directory
        self._directory = directory / "records"

    def put(self, record: Outgoing) -> None:
        """Store a record durably."""
        make_private_folder(self._directory, self._top)
        content = json.dumps(asdict(record), indent=1).encode()
        replace_file(self._path(record.id), content, temporary=self._directory, point="outbox")

    def ready(self, event: str) -> None:
        """Mark the records of an event as ready to be sent."""
        for record in self.records():
            if record.event == event and record.state != "ready":
                self.put(replace(record, state="ready"))

    def drop(self, record: Outgoing) -> None:
        """Delete a record."""
        remove_file(self._path(record.id), point="outbox")

    def records(self, repository: str | None = None) -> list[Outgoing]:
        """Read records, oldest first, of one repository if given; other files are skipped."""
        try:
            found = [record for path in sorted(self._directory.glob("*.json")) if (record := _read(path)) is not None]
        except OSError as error:
            raise storage_error(error, f"read {self._directory}") from error
        return [record for record in found if repository is None or record.repository == repository]

    def _path(self, name: str) -> Path:
        return self._directory / f"{name.replace('/', '.')}.json"


def _read(path: Path) -> Outgoing | None:
    try:
        with path.open("rb") as file:
            document = json.loads(file.read(LIMIT))
        record = Outgoing(**document)
    except (FileNotFoundError, ValueError, TypeError, RecursionError):
        return None
    texts = (record.id, record.repository, record.manifest, record.content)
    return record if all(isinstance(text, str) for text in texts) and record.state in get_args(State) else None
