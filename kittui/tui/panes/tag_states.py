"""The states of the tags pane in words. No widgets."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from kittui.oci.protocols import Repository
from kittui.oci.tag import Tag
from kittui.terminal import clean
from kittui.tui.panes.queries import parse
from kittui.tui.panes.state import READY, State, nothing_found
from kittui.tui.panes.tag_rows import TagList

CHOOSE: Final = State(
    "empty", "Choose a repository.", "Its tags are shown here.", "`Enter` opens the one under the cursor."
)
_COUNTED: Final = 20_000
"""Maximum tags among which the unreadable ones are counted."""


NAMED: Final = 3
"""Maximum tags named in a sentence; more are counted."""


def loading(repository: Repository) -> State:
    """The state while a repository's tags are requested."""
    host = clean(repository.source.place.host) or "the local disk"
    return State("loading", f"Asking {host} for the tags of {clean(repository.name)} …")


def listed(tags: TagList) -> State:
    """The state of a list that is complete."""
    if tags.rows:
        return READY
    return State(
        "empty",
        f"{clean(tags.repository.name)} has no tags.",
        "Tags appear here once they are pushed or packed.",
        "`r` reloads.",
    )


def assessed(tags: TagList, before: State, text: str, *, found: bool) -> State | None:
    """The state after rows or the filter changed: which tags could not be read, or that no row was found.

    None leaves the pane in the state it was in `before`.
    """
    if before.kind in ("loading", "failed", "login", "stale", "absent"):
        return None
    total = len(tags.rows)
    bad = sum(row.problem is not None for row in tags.rows) if total <= _COUNTED else 0
    if text and not found:
        return nothing_found(f"None of the {total:,} tags", text, parse(text, tags=True).problem)
    if bad:
        return State(
            "partial", f"{bad} of {total:,} tags could not be read.", "", "Put the cursor on a row to see why."
        )
    return READY if before.kind in ("empty", "partial") and tags.rows else None


def reread_words(before: Collection[Tag], now: Collection[Tag]) -> str:
    """The result of listing again: the number of tags, and which are new or gone."""
    changes = [
        f"{word}: {', '.join(found[:NAMED])}{f' and {len(found) - NAMED} more' if len(found) > NAMED else ''}"
        for word, one, other in (("new", now, before), ("gone", before, now))
        if (found := sorted(set(one) - set(other)))
    ]
    count = f"{len(now):,} tag{'' if len(now) == 1 else 's'}"
    return f"Read again: {count}, {'; '.join(changes) or 'the same names'}"
