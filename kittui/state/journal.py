"""The journal of tag changes: plans are on disk before anything is done, so that a rerun can finish them.

`journal/<id>.json` is one change of one or several tags, `journal/manifests/<algorithm>-<hex>` the bytes of every
manifest that a tag pointed to before or points to after it, which undo puts back.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, get_args

from kittui.disk.drafts import sweep
from kittui.disk.durable import make_private_folder, replace_file, storage_error
from kittui.disk.locks import file_lock
from kittui.disk.threads import in_thread
from kittui.errors import ContentError, DiskFull, KittuiError, StorageError
from kittui.oci.digest import Digest
from kittui.oci.manifest import Manifest
from kittui.oci.tag import Tag

ENTRY_LIMIT = 64 * 1024 * 1024
"""Maximum bytes of a journal entry."""
KEPT = 500
"""Number of entries kept; older ones are dropped with the manifests that no other entry needs."""

StepState = Literal["planned", "started", "done"]
EntryState = Literal["open", "done", "undone", "abandoned"]


@dataclass(frozen=True, slots=True)
class Step:
    """A tag to move: digests before and after, None for no such tag; `started` is written before the PUT."""

    tag: Tag
    before: str | None
    after: str | None
    state: StepState = "planned"


@dataclass(frozen=True, slots=True)
class Entry:
    """One change: its steps in the order they are done. `deleted` are digests removed with their tags.

    `overridden` says which rules did not pass when it was done anyway. Entries of one `batch` were confirmed together,
    and are undone together. `origin` is the tag that is promoted.
    """

    id: str
    time: str
    actor: str
    action: str
    repository: str
    steps: tuple[Step, ...]
    reason: str = ""
    state: EntryState = "open"
    deleted: tuple[str, ...] = ()
    overridden: tuple[str, ...] = ()
    batch: str = ""
    origin: str = ""

    def mark(self, position: int, state: StepState) -> Entry:
        """The entry with one step in another state."""
        steps = list(self.steps)
        steps[position] = replace(steps[position], state=state)
        return replace(self, steps=tuple(steps))


class Journal:
    """The entries in a state folder; every write is durable when the call returns. Errors are StorageError."""

    def __init__(self, directory: Path) -> None:
        self._top = directory
        self.directory = directory / "journal"
        self._manifests = self.directory / "manifests"

    def write(self, entry: Entry) -> None:
        """Write the entry to disk, replacing its former state."""
        self._replace(self.directory / f"{entry.id}.json", json.dumps(asdict(entry), indent=1).encode())

    def keep(self, manifest: Manifest) -> None:
        """Store a manifest's bytes for undo."""
        path = self._path(manifest.digest)
        if not path.exists():
            document = {"mediaType": manifest.media_type, "raw": manifest.raw.decode("latin-1")}
            self._replace(path, json.dumps(document).encode())

    def manifest(self, digest: Digest) -> Manifest | None:
        """Return the stored manifest, verified; None if it was not stored or can't be read any more."""
        try:
            document = json.loads(self._path(digest).read_bytes())
            return Manifest.parse(document["raw"].encode("latin-1"), document["mediaType"], digest)
        except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError, AttributeError, ContentError):
            return None
        except OSError as error:
            raise storage_error(error, f"read {self._path(digest)}") from error

    def entries(self, repository: str | None = None) -> list[Entry]:
        """Read entries, newest first; other files are skipped."""
        try:
            paths = sorted((path for path in self.directory.glob("*.json")), reverse=True)
            found = [entry for path in paths if (entry := _read(path)) is not None]
        except OSError as error:
            raise storage_error(error, f"read {self.directory}") from error
        return [entry for entry in found if repository is None or entry.repository == repository]

    def begin_undo(self, entry: Entry) -> None:
        """Record that an entry is being undone. Blocks."""
        self._replace(self._undoing(entry.repository), entry.id.encode())

    def undoing(self, repository: str) -> str | None:
        """Return the id of the entry whose undo was interrupted. Blocks."""
        try:
            return self._undoing(repository).read_bytes()[:200].decode("ascii")
        except (OSError, ValueError):
            return None

    def end_undo(self, entry: Entry) -> None:
        """Record that the undo is done and reported.

        Blocks. This need not be durable: if it is lost, the next undo says that there is nothing to do.
        """
        with suppress(OSError):
            self._undoing(entry.repository).unlink()

    def _undoing(self, repository: str) -> Path:
        return self.directory / f"undo-{_short(repository)}"

    def prune(self) -> None:
        """Drop what is older than the newest KEPT entries; open ones stay."""
        entries = self.entries()
        kept = [entry for position, entry in enumerate(entries) if position < KEPT or entry.state == "open"]
        if len(kept) == len(entries):
            return
        ids = {entry.id for entry in kept}
        for entry in entries:
            if entry.id not in ids:
                (self.directory / f"{entry.id}.json").unlink(missing_ok=True)
        named = {digest for entry in kept for step in entry.steps for digest in (step.before, step.after)}
        named.update(digest for entry in kept for digest in entry.deleted)
        names = {digest.replace(":", "-") for digest in named if digest}
        for path in self._manifests.iterdir():
            if path.name not in names:
                path.unlink(missing_ok=True)

    def prepare(self) -> None:
        """Create the folder, so that write errors surface before anything is done. Blocks.

        Raises StorageError.
        """
        try:
            make_private_folder(self._manifests, self._top)
            for folder in (self.directory, self._manifests):
                sweep(folder)
        except DiskFull:
            raise
        except StorageError as error:
            error.hint = "Set XDG_STATE_HOME to a folder that can be written: what is changed is written down there."
            raise

    @asynccontextmanager
    async def lock(self, repository: str) -> AsyncIterator[None]:
        """Let only one kittui process at a time change a repository's tags; raises Conflict after waiting 20 s."""
        await in_thread(self.prepare)
        path = self.directory / f"{_short(repository)}.lock"
        async with file_lock(path, f"the tags of {repository}", top=self._top, patience=20):
            yield

    def _replace(self, path: Path, content: bytes) -> None:
        make_private_folder(path.parent, self._top)
        replace_file(path, content, temporary=path.parent, point="journal")

    def _path(self, digest: Digest) -> Path:
        return self._manifests / f"{digest.algorithm}-{digest.hex}"


def _short(repository: str) -> str:
    return sha256(repository.encode()).hexdigest()[:16]


def new_id() -> str:
    """Create an entry's id: it sorts by time and is unique among processes."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{secrets.token_hex(3)}"


def now(back: float = 0) -> str:
    """The time so many seconds ago, as history and journal write it: UTC, seconds, ISO 8601."""
    return (datetime.now(UTC) - timedelta(seconds=back)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _read(path: Path) -> Entry | None:
    try:
        with path.open("rb") as file:
            document = json.loads(file.read(ENTRY_LIMIT))
        return _entry(document)
    except (FileNotFoundError, ValueError, KeyError, TypeError, RecursionError, KittuiError):
        return None


def _entry(document: dict[str, Any]) -> Entry:
    steps = tuple(
        Step(Tag(step["tag"]), _digest(step["before"]), _digest(step["after"]), step["state"])
        for step in document["steps"]
    )
    if any(step.state not in get_args(StepState) for step in steps) or document["state"] not in get_args(EntryState):
        raise ValueError(document["state"])
    texts = {name: str(document[name]) for name in ("id", "time", "actor", "action", "repository", "reason")}
    deleted = tuple(Digest.parse(digest) for digest in document["deleted"])
    overridden = tuple(str(rule) for rule in document.get("overridden", ()))
    texts |= {name: str(document.get(name, "")) for name in ("batch", "origin")}
    return Entry(steps=steps, state=document["state"], deleted=deleted, overridden=overridden, **texts)


def _digest(value: Any) -> Digest | None:
    return None if value is None else Digest.parse(value)
