"""The repositories pane: one tree over the store, registries and layouts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from time import monotonic
from typing import ClassVar

from textual import on, work
from textual.message import Message

from kittui.errors import KittuiError
from kittui.oci.protocols import Repository, RepositoryEntry
from kittui.oci.reference import Place
from kittui.terminal import clean
from kittui.tui.frame.ports import PlaceEntry, Ports
from kittui.tui.panes.queries import parse
from kittui.tui.panes.rows_pane import RowsPane
from kittui.tui.panes.state import READY, State, as_of, nothing_found, of_error, trouble_since
from kittui.tui.panes.tree import (
    FavouritesRow,
    GroupRow,
    PlaceRow,
    RepositoryRow,
    TreeRow,
    flatten,
    folds,
    group,
    place_label,
    repository_row,
    row_key,
    unfold_to,
)
from kittui.tui.panes.tree_cells import cells
from kittui.tui.widgets.columns import Column
from kittui.tui.widgets.cutting import Spans
from kittui.tui.widgets.rows import Rows

FEW = 100
"""With up to this many repositories, namespaces start unfolded."""
PAGE_PAUSE = 0.15
"""Seconds between redraws while a listing arrives."""


class RepositoriesPane(RowsPane[TreeRow]):
    """Places, namespaces, repositories."""

    NUMBER: ClassVar[int] = 1

    class Moved(Message):
        """The cursor is on another row."""

    class Rested(Message):
        """The cursor has stayed on a row."""

    class Entered(Message):
        """Enter on a repository."""

    class Refused(Message):
        """What should be opened is not a source."""

        def __init__(self, error: KittuiError) -> None:
            super().__init__()
            self.error = error

    def __init__(self, ports: Ports, favourites: set[str]) -> None:
        super().__init__()
        self._ports = ports
        self._favourites = favourites
        self._places = [PlaceRow(entry, clean(entry.label) or place_label(entry.place)) for entry in ports.places]
        self._heading = FavouritesRow([])
        self._wanted: tuple[Place, str] | None = None
        self._newest_first = False
        self._rows = Rows(
            (Column("", 10, sticky=True, flex=True), Column("", 4, "right")), self._cells, row_key, titles=False
        )

    @property
    def current(self) -> TreeRow | None:
        """The row under the cursor."""
        return self._rows.current

    @property
    def place(self) -> PlaceRow | None:
        """The place under the cursor."""
        row = self.current
        if isinstance(row, RepositoryRow | GroupRow):
            return row.place
        return row if isinstance(row, PlaceRow) else None

    @property
    def places(self) -> Sequence[PlaceRow]:
        """All places in the tree."""
        return self._places

    def on_mount(self) -> None:
        """Unfold the first place at once; the others are listed when they are opened."""
        self.rebuild()
        if self._places and self._wanted is None:
            self.unfold(self._places[0])

    def open(self, place: Place, name: str = "") -> None:
        """Put a place, and perhaps a repository in it, into the tree and under the cursor."""
        row = next((row for row in self._places if row.entry.place == place), None)
        if row is None:
            row = PlaceRow(PlaceEntry(place), place_label(place), opened=True)
            self._places.append(row)
        self._wanted = (place, name)
        if name and all(found.entry.name != name for found in row.found):
            row.entry = replace(row.entry, repositories=(*row.entry.repositories, name))
        self.clear_filter()
        self.unfold(row, again=bool(name) and row.asked)
        self.rebuild(row)

    def close(self) -> PlaceRow | None:
        """Remove the source under the cursor from the tree for this session; returns it."""
        row = self.place
        if row is None:
            return None
        if row.loading is not None:
            row.loading.cancel()
        self._places.remove(row)
        if self._wanted is not None and self._wanted[0] == row.entry.place:
            self._wanted = None
        self.rebuild()
        self._rows.settle()
        self._assess()
        self.post_message(self.Rested())
        return row

    def clear_filter(self) -> None:
        """Show everything again."""
        if self.filter:
            self.filter = ""
            self.rebuild()

    def set_filter(self, text: str) -> None:
        """Show what contains the text, with its parents."""
        self.filter = text
        self.rebuild()

    def unfold(self, row: PlaceRow, *, again: bool = False) -> None:
        """Unfold a place, listing it the first time."""
        row.unfolded = True
        if not row.asked or again:
            row.asked = True
            self._ask(row)
        self.rebuild()

    def reload(self) -> None:
        """List the place under the cursor again."""
        if place := self.place:
            self._ask(place)

    def changed(self, repository: Repository, *, counted: bool) -> None:
        """Tags of a repository were changed: list its place again where that is free, or where it is new there.

        How many there are is not known any more, unless they are `counted` by a listing that is under way.
        """
        if not counted:
            self._count(repository, None)
        for row in self._places:
            known = any(found.entry.name == repository.name for found in row.found)
            stale = row.source is not None and (row.source.traits.free or not known)
            if row.entry.place == repository.source.place and row.asked and stale:
                row.changed = True
                self._ask(row)

    def _ask(self, row: PlaceRow) -> None:
        """List a place, cancelling a running listing: two would overwrite each other's rows."""
        if row.loading is not None:
            row.loading.cancel()
        row.loading = self._load(row)

    def toggle_favourite(self) -> str | None:
        """Make the repository under the cursor a favourite, or not; returns its reference."""
        row = self.current
        if not isinstance(row, RepositoryRow):
            return None
        reference = row.repository.reference()
        self._favourites.symmetric_difference_update({reference})
        for place in self._places:
            for found in place.found:
                found.favourite = found.repository.reference() in self._favourites
        self.rebuild()
        return reference

    def count(self, repository: Repository, tags: int) -> None:
        """Show how many tags a repository has, after they were listed."""
        self._count(repository, tags)

    def _count(self, repository: Repository, tags: int | None) -> None:
        rows = [row for place in self._places for row in place.found]
        for row in (*rows, *self._heading.found):
            if row.repository.reference() == repository.reference() and row.tags != tags:
                row.tags = tags
                self._rows.touch()

    def is_match(self, row: TreeRow) -> bool:
        """Whether the filter found the repository."""
        return isinstance(row, RepositoryRow) and parse(self.filter).matches(row.entry.name)

    def cycle_sort(self) -> None:
        """Order the repositories of a place by name, forwards or backwards."""
        self._newest_first = not self._newest_first
        for place in self._places:
            self._regroup(place)
        self.rebuild()

    def rebuild(self, current: TreeRow | None = None) -> None:
        """Work out again which rows are shown."""
        loved = [found for place in self._places for found in place.found if found.favourite]
        copies = {id(row.repository): row for row in self._heading.found}
        self._heading.found = [
            copies.get(id(row.repository)) or replace(row, shown=row.entry.name, depth=1) for row in loved
        ]
        top: list[FavouritesRow | PlaceRow] = [self._heading] if loved else []
        chosen = current if current is not None else self._rows.chosen
        if isinstance(chosen, RepositoryRow) and chosen.place.unfolded:
            unfold_to(chosen.place.groups, chosen)
        self._rows.show(flatten([*top, *self._places], self.filter), current)
        self.retitle()
        self._assess()

    def retitle(self) -> None:
        """Show the number of repositories, and with a filter how many are shown."""
        total = sum(len(place.found) for place in self._places)
        shown = sum(isinstance(row, RepositoryRow) for row in self._rows.rows)
        right = f"{shown} of {total}" if self.filter else str(total or "")
        place = self.place
        self.set_title(
            "Repositories",
            ("↑ " if self._newest_first else "") + right,
            age=as_of(place.read_at if place else None, self._ports.clock()),
            trouble=place.trouble if place else "",
        )

    @work(group="repositories", exit_on_error=True, description="load")
    async def _load(self, row: PlaceRow) -> None:
        """Read a place's repositories page by page; old rows stay until the new listing is complete."""
        host = row.label
        row.state = State("loading", f"Asking {host} for its repositories …")
        self._assess()
        found: dict[str, RepositoryRow] = {}
        known = {each.entry.name: each for each in row.found}
        shown_at = 0.0
        try:
            if row.source is None:
                row.source = await self._ports.source(row.entry.place)
            for name in row.entry.repositories:
                found[name] = repository_row(row, RepositoryEntry(name), known.get(name), self._favourites, typed=True)
            if found:
                self._take(row, found)
            async for page in self._ports.repositories(row.source):
                for entry in page:
                    before = found.get(entry.name) or known.get(entry.name)
                    found[entry.name] = repository_row(row, entry, before, self._favourites)
                if monotonic() - shown_at > PAGE_PAUSE:
                    self._take(row, found)
                    shown_at = monotonic()
            row.state = READY
            row.read_at, row.trouble = self._ports.clock(), ""
            if not found:
                row.state = _empty(row)
        except KittuiError as error:
            if row.opened and row.read_at is None and row.entry.place.kind != "remote" and not row.found:
                self._drop(row, error)
                return
            row.state = of_error(error, row.entry.place.host, stale=bool(row.found))
            if row.state.kind != "absent":
                row.trouble = row.trouble or trouble_since(error, self._ports.clock())
            if found and row.state.kind == "absent":
                row.state = replace(row.state, kind="ready")
        self._take(row, found or {each.entry.name: each for each in row.found})
        if row.changed and self._rows.current is None and not self.filter:
            # The repository under the cursor has lost its last tag, and disappeared.
            self._rows.show(self._rows.rows, row)
        row.changed = False

    def _drop(self, row: PlaceRow, error: KittuiError) -> None:
        """Remove a folder that turned out not to be a source."""
        if row in self._places:
            self._places.remove(row)
        self._wanted = None
        self.rebuild()
        self._rows.settle()
        self.post_message(self.Refused(error.at(str(row.entry.place))))

    def _take(self, place: PlaceRow, found: dict[str, RepositoryRow]) -> None:
        place.found = list(found.values())
        self._regroup(place)
        current: TreeRow | None = None
        if self._wanted and self._wanted[0] == place.entry.place:
            current = found.get(self._wanted[1]) or place
            if current is not place:
                self._wanted = None
        self.rebuild(current)
        if isinstance(current, RepositoryRow):
            self.post_message(self.Entered())

    def _regroup(self, place: PlaceRow) -> None:
        place.groups = group(place.found, len(place.found) <= FEW, folds(place.groups))
        if self._newest_first:
            place.groups.reverse()

    def _assess(self) -> None:
        """Show a note if a filter matches nothing; a place's state is shown beside it."""
        if self.filter and not self._rows.rows:
            self.set_state(nothing_found("No repository", self.filter, self.filter_problem))
        elif self.state.kind != "ready":
            self.set_state(READY)
        if isinstance(self.current, PlaceRow):
            self.when_resting(lambda: self.post_message(self.Rested()))

    @on(Rows.Highlighted)
    def _moved(self, event: Rows.Highlighted) -> None:
        event.stop()
        self._assess()
        self.retitle()
        self.tell(self.Moved(), self.Rested())

    @on(Rows.Opened)
    def _opened(self, event: Rows.Opened) -> None:
        event.stop()
        row = self.current
        if isinstance(row, RepositoryRow):
            self.post_message(self.Entered())
        elif row is not None:
            self._fold(row, not row.unfolded)

    @on(Rows.Folded)
    def _folded(self, event: Rows.Folded) -> None:
        event.stop()
        row = self.current
        if row is None:
            return
        if not isinstance(row, RepositoryRow) and row.unfolded != event.unfold:
            self._fold(row, event.unfold)
        elif not event.unfold:
            self._rows.to_parent(lambda one: one.depth)
        elif isinstance(row, RepositoryRow):
            self.post_message(self.Entered())
        else:
            self._rows.action_move(1)

    def _fold(self, row: PlaceRow | GroupRow | FavouritesRow, unfold: bool) -> None:
        if isinstance(row, PlaceRow) and unfold:
            self.unfold(row)
            return
        row.unfolded = unfold
        self.rebuild()

    def _cells(self, row: TreeRow) -> Sequence[Spans]:
        found = isinstance(row, RepositoryRow) and row.favourite and row.depth > 0
        return cells(row, self._rows.room, starred=found and row not in self._heading.found)


def _empty(row: PlaceRow) -> State:
    if row.entry.place.kind == "local":
        return State(
            "empty",
            "The local store holds no ModelKits yet.",
            "ModelKits that kit pack creates or kittui pulls are shown here.",
            "Press `o` to open a registry, or try: kittui demo",
        )
    return State(
        "empty", f"{row.label} holds no repositories.", "ModelKits pushed there are shown here.", "`r` reloads."
    )
