"""The append-only local history of tag changes: one JSON object per line in `history.jsonl`."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from kittui.crashpoints import crash_point
from kittui.disk.durable import storage_error, sync_file, write_fully
from kittui.disk.locks import thread_lock

LINE_LIMIT = 64 * 1024
"""Maximum bytes of a line; a reason that is too long for it is cut when written."""


@dataclass(frozen=True, slots=True)
class Event:
    """One tag that kittui moved: `before` and `after` are digests, None if there was or is no such tag.

    `time` is UTC in ISO 8601, `repository` the prefixed reference without tag, `id` unique to the step that did it;
    `overridden` are the rules that did not pass when it was done anyway.
    """

    id: str
    time: str
    actor: str
    action: str
    repository: str
    tag: str
    before: str | None
    after: str | None
    reason: str = ""
    overridden: tuple[str, ...] = ()


_FIELDS = frozenset(field.name for field in fields(Event))


class History:
    """Events in the order they happened; safe to append to from several processes. It may grow without bound."""

    def __init__(self, directory: Path, *, writes: bool = True) -> None:
        self.path = directory / "history.jsonl"
        self._writes = writes

    def append(self, event: Event) -> None:
        """Append an event durably, once: an id among the last events is not added again.

        Raises StorageError.
        """
        if not self._writes:
            return
        record = asdict(event)
        record["reason"] = event.reason[:4096]
        line = json.dumps(record).encode() + b"\n"
        with thread_lock(self.path.with_suffix(".lock"), "the history of tag changes", patience=30):
            if any(known.id == event.id for known in self._tail()):
                return
            try:
                self._append(line)
            except OSError as error:
                raise storage_error(error, f"write {self.path}") from error

    def _append(self, line: bytes) -> None:
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            size = os.fstat(descriptor).st_size
            torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
            write_fully(descriptor, b"\n" + line if torn else line)
            crash_point("history.before-fsync")
            sync_file(descriptor)
        finally:
            os.close(descriptor)

    def events(self, repository: str | None = None, tag: str | None = None) -> list[Event]:
        """Read events, newest first, of one repository and tag if given. Lines cut off by a crash are skipped."""
        found = [
            event
            for event in self._read(0)
            if (repository is None or event.repository == repository) and (tag is None or event.tag == tag)
        ]
        found.reverse()
        return found

    def since(self, time: str, repository: str) -> list[Event]:
        """Read a repository's events since a time, newest first; only the last few hundred are searched."""
        found = [event for event in self._tail() if event.repository == repository and event.time >= time]
        found.reverse()
        return found

    def _tail(self) -> Iterator[Event]:
        """Read the last events, which include any that a rerun might write again."""
        try:
            size = self.path.stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            return iter(())
        return self._read(max(0, size - 4 * LINE_LIMIT))

    def _read(self, offset: int) -> Iterator[Event]:
        try:
            with self.path.open("rb") as file:
                file.seek(offset)
                while line := file.readline(LINE_LIMIT):
                    event = _parse(line)
                    if event is not None:
                        yield event
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            raise storage_error(error, f"read {self.path}") from error


def _parse(line: bytes) -> Event | None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict):
        return None
    known = {key: value for key, value in record.items() if key in _FIELDS}
    overridden = known.get("overridden")
    known["overridden"] = tuple(map(str, overridden)) if isinstance(overridden, list) else ()
    try:
        event = Event(**known)
    except TypeError:
        return None
    texts = (event.id, event.time, event.actor, event.action, event.repository, event.tag, event.reason)
    ends = (event.before, event.after)
    if all(isinstance(text, str) for text in texts) and all(end is None or isinstance(end, str) for end in ends):
        return event
    return None
