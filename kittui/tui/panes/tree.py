"""The repositories tree as values: places, namespaces and repositories, and which of them are unfolded."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from kittui.oci.protocols import Repository, RepositoryEntry, Source
from kittui.oci.reference import Place
from kittui.terminal import clean
from kittui.tui.frame.ports import PlaceEntry
from kittui.tui.panes.queries import Query, parse
from kittui.tui.panes.state import READY, State

if TYPE_CHECKING:
    from textual.worker import Worker


@dataclass(slots=True, eq=False)
class PlaceRow:
    """A source. `asked` says whether its repositories were ever listed, `loading` is the running listing."""

    entry: PlaceEntry
    label: str
    source: Source | None = None
    state: State = READY
    asked: bool = False
    found: list[RepositoryRow] = field(default_factory=list)
    groups: list[GroupRow | RepositoryRow] = field(default_factory=list)
    unfolded: bool = False
    depth: int = 0
    loading: Worker[None] | None = None
    opened: bool = False
    """Whether it was opened by hand, and is not in the configuration."""
    changed: bool = False
    """Whether it is being listed because its tags were changed here."""
    read_at: datetime | None = None
    trouble: str = ""
    """Why it can't be read, and since when."""


@dataclass(slots=True, eq=False)
class GroupRow:
    """A namespace that at least two repositories share."""

    name: str
    path: str
    place: PlaceRow
    children: list[GroupRow | RepositoryRow]
    unfolded: bool
    depth: int
    count: int


@dataclass(slots=True, eq=False)
class RepositoryRow:
    """A repository; `shown` is the part of its name after its groups."""

    place: PlaceRow
    entry: RepositoryEntry
    repository: Repository
    shown: str
    typed: bool = False
    favourite: bool = False
    depth: int = 1
    tags: int | None = None
    size: int | None = None


@dataclass(slots=True, eq=False)
class FavouritesRow:
    """The heading above favourites of all places."""

    found: list[RepositoryRow]
    unfolded: bool = True
    depth: int = 0


TreeRow = PlaceRow | GroupRow | RepositoryRow | FavouritesRow


def place_label(place: Place) -> str:
    """A place's name in the tree."""
    if place.kind == "local":
        return "Local store"
    return clean(place.host or place.directory)


def repository_row(
    place: PlaceRow,
    entry: RepositoryEntry,
    before: RepositoryRow | None,
    favourites: Collection[str],
    *,
    typed: bool = False,
) -> RepositoryRow:
    """The row of a repository that was listed in an open place; the row that it had `before` is kept."""
    if before is not None:
        before.entry, before.typed = entry, typed
        before.tags, before.size = entry.tag_count or before.tags, entry.size or before.size
        return before
    if place.source is None:
        raise AssertionError("a place is opened before its repositories are")
    repository = place.source.repository(entry.name)
    return RepositoryRow(
        place,
        entry,
        repository,
        entry.name,
        typed,
        repository.reference() in favourites,
        tags=entry.tag_count,
        size=entry.size,
    )


def row_key(row: TreeRow) -> tuple[str, ...]:
    """The identity of a row over several listings."""
    if isinstance(row, FavouritesRow):
        return ("favourites",)
    if isinstance(row, PlaceRow):
        return ("place", str(row.entry.place))
    place = str(row.place.entry.place)
    return ("group", place, row.path) if isinstance(row, GroupRow) else ("repository", place, row.entry.name)


def group(rows: Sequence[RepositoryRow], unfolded: bool, kept: dict[str, bool]) -> list[GroupRow | RepositoryRow]:
    """Group repositories by the namespaces they share; `kept` says which namespaces were folded or not before."""
    ordered = sorted(rows, key=lambda row: row.entry.name)
    return _group(ordered, "", 1, unfolded, kept)


def _group(
    rows: Sequence[RepositoryRow], prefix: str, depth: int, unfolded: bool, kept: dict[str, bool]
) -> list[GroupRow | RepositoryRow]:
    result: list[GroupRow | RepositoryRow] = []
    start = 0
    while start < len(rows):
        head, slash, _ = rows[start].entry.name[len(prefix) :].partition("/")
        end = start + 1
        while end < len(rows) and slash and rows[end].entry.name.startswith(f"{prefix}{head}/"):
            end += 1
        if end - start < 2:
            row = rows[start]
            row.shown, row.depth = row.entry.name[len(prefix) :], depth
            result.append(row)
        else:
            path = _shared(rows[start:end], f"{prefix}{head}/")
            children = _group(rows[start:end], path, depth + 1, unfolded, kept)
            name = path[len(prefix) : -1]
            result.append(
                GroupRow(name, path, rows[start].place, children, kept.get(path, unfolded), depth, end - start)
            )
        start = end
    return result


def _shared(rows: Sequence[RepositoryRow], prefix: str) -> str:
    """The longest common namespace, ending in a slash."""
    first, last = rows[0].entry.name, rows[-1].entry.name
    while True:
        head, slash, _ = first[len(prefix) :].partition("/")
        longer = f"{prefix}{head}/"
        if not slash or not all(row.entry.name.startswith(longer) for row in (rows[len(rows) // 2], rows[-1])):
            return prefix
        if not last.startswith(longer):
            return prefix
        prefix = longer


def folds(rows: Iterable[GroupRow | RepositoryRow]) -> dict[str, bool]:
    """Which namespaces are unfolded, to restore after a new listing."""
    kept: dict[str, bool] = {}
    for row in rows:
        if isinstance(row, GroupRow):
            kept[row.path] = row.unfolded
            kept.update(folds(row.children))
    return kept


def flatten(top: Sequence[FavouritesRow | PlaceRow], needle: str = "") -> list[TreeRow]:
    """The rows to show: the unfolded ones or, with a filter, matching ones with their parents."""
    query = parse(needle) if needle.strip() else None
    shown: list[TreeRow] = []
    for row in top:
        below = list(_below(row, query))
        if query is None or below or (isinstance(row, PlaceRow) and query.matches(row.label)):
            shown.append(row)
            shown.extend(below)
    return shown


def _below(row: FavouritesRow | PlaceRow | GroupRow, query: Query | None) -> Iterator[TreeRow]:
    if query is None and not row.unfolded:
        return
    if isinstance(row, FavouritesRow):
        children: Sequence[GroupRow | RepositoryRow] = row.found
    else:
        children = row.groups if isinstance(row, PlaceRow) else row.children
    for child in children:
        if isinstance(child, RepositoryRow):
            if query is None or query.matches(child.entry.name):
                yield child
        else:
            below = list(_below(child, query))
            if below or query is None:
                yield child
                yield from below


def _holds(rows: Sequence[GroupRow | RepositoryRow], wanted: TreeRow) -> bool:
    return any(row is wanted or (isinstance(row, GroupRow) and _holds(row.children, wanted)) for row in rows)


def unfold_to(rows: Sequence[GroupRow | RepositoryRow], wanted: RepositoryRow) -> None:
    """Unfold the namespaces that a repository is in."""
    for row in rows:
        if isinstance(row, GroupRow) and _holds(row.children, wanted):
            row.unfolded = True
            unfold_to(row.children, wanted)
