"""Remembers the tags of each repository shown, and lists them page by page. No widgets."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from kittui.errors import KittuiError
from kittui.oci.protocols import Incomplete, Repository
from kittui.oci.tag import Tag
from kittui.tui.frame.ports import Ports
from kittui.tui.panes.state import State, of_error, trouble_since
from kittui.tui.panes.tag_reader import TagReader
from kittui.tui.panes.tag_rows import TagList, TagRow

PAGE_PAUSE = 0.15
"""Minimum seconds between redraws while a listing arrives."""


class TagLists:
    """Every list that was read, by place and name of its repository."""

    def __init__(self, ports: Ports, reader: TagReader) -> None:
        self._ports = ports
        self._reader = reader
        self._lists: dict[tuple[str, str], TagList] = {}

    @property
    def rows(self) -> list[TagRow]:
        """The rows of all lists, with their variants after them."""
        rows = [row for tags in self._lists.values() for row in tags.rows]
        return [*rows, *(variant for row in rows for variant in row.variants or ())]

    def of(self, repository: Repository) -> TagList:
        """A repository's list; an empty one if nothing was listed before."""
        key = _key(repository)
        if key not in self._lists:
            self._lists[key] = TagList(repository, self._ports.settings.stages)
        return self._lists[key]

    def names_of(self, repository: Repository) -> list[Tag] | None:
        """A repository's tags, if all of them were listed before; no request."""
        tags = self._lists.get(_key(repository))
        return [row.entry.name for row in tags.rows if row.entry.name] if tags is not None and tags.complete else None

    def forget(self, place: str | None, name: str | None, shown: TagList | None) -> bool:
        """Drop the list of a repository, or all, except the one shown; returns whether that is affected too."""
        for key in [key for key in self._lists if place is None or key == (place, name)]:
            if self._lists[key] is not shown:
                del self._lists[key]
        return shown is not None and (place is None or _key(shown.repository) == (place, name))

    async def load(self, tags: TagList, show: Callable[[TagList, list[TagRow]], None]) -> State | None:
        """List a repository's tags again and `show` those that arrived; older ones stay until the listing is complete.

        Returns the state that an error leads to, or None.
        """
        repository = tags.repository
        before = {row.target: row for row in tags.rows}
        rows: list[TagRow] = []
        next_show = 0.0
        try:
            async for page in self._ports.tags(repository):
                rows.extend(self._reader.row_for(repository, entry, before) for entry in page)
                if not before and monotonic() > next_show:
                    start = monotonic()
                    show(tags, rows)
                    next_show = monotonic() + max(PAGE_PAUSE, 8 * (monotonic() - start))
        except KittuiError as error:
            stale = bool(before or rows)
            tags.trouble = tags.trouble or trouble_since(error, self._ports.clock())
            tags.partial = isinstance(error, Incomplete)
            show(tags, rows if len(rows) > len(before) else tags.rows)
            return of_error(error, repository.source.place.host, stale=stale)
        tags.read_at, tags.trouble = self._ports.clock(), ""
        show(tags, rows)
        tags.complete, tags.partial = True, False
        return None


def _key(repository: Repository) -> tuple[str, str]:
    return (str(repository.source.place), repository.name)
