"""A repository with a lifecycle: three versions, each at its stage."""

from __future__ import annotations

from typing import TypeVar

from kittui.state.journal import Entry
from kittui.usecases.change.ledger import Ledger
from tests.fakes.memory import MemoryRepository, MemorySource

Kept = TypeVar("Kept", bound=MemoryRepository)


def repository_of_three() -> MemoryRepository:
    """v0.9.0 at rollback, v1.0.0 at champion, v1.1.0 at challenger."""
    return with_stages(MemorySource().repository("fraud"))


def with_stages(repository: Kept) -> Kept:
    """Give a repository those three versions."""
    repository.add_kit("nine", "v0.9.0", "rollback")
    repository.add_kit("one", "v1.0.0", "champion")
    repository.add_kit("two", "v1.1.0", "challenger")
    return repository


def stages_of(repository: MemoryRepository) -> dict[str, str]:
    """Each stage with the version that it points to; empty where that has no tag of its own."""
    versions = {digest: tag for tag, digest in repository.tagged.items() if tag.startswith("v")}
    return {tag: versions.get(digest, "") for tag, digest in repository.tagged.items() if not tag.startswith("v")}


def last_change(ledger: Ledger) -> Entry | None:
    """The newest change in the journal that can be undone."""
    for entry in ledger.journal.entries():
        moved = any(step.state != "planned" for step in entry.steps)
        if entry.state in ("done", "open") and entry.action not in ("undo", "redo") and moved:
            return entry
    return None
