"""The line that a search is typed into, and the way from match to match."""

from __future__ import annotations

import threading
from collections.abc import Callable

from textual import on, work

from kittui.tasks import aside
from kittui.tui.compare.panes import ChangePanes
from kittui.tui.compare.searching import Search, holding
from kittui.tui.frame.program import program_of
from kittui.tui.panes.filtering import FilterInput


class SearchInput(FilterInput):
    """Searches both panes as you type. `on_search` is called when it finds something else, `on_place` at each match."""

    def __init__(self, panes: ChangePanes, on_search: Callable[[], None], on_place: Callable[[], None]) -> None:
        super().__init__()
        self.placeholder = "search"
        self._panes = panes
        self._on_search = on_search
        self._on_place = on_place
        self._search = Search()
        panes.on_layout = self._count

    @property
    def searching(self) -> bool:
        """Whether something is searched."""
        return bool(self._search.needle)

    @property
    def words(self) -> str:
        """Which match this is, of how many in all of the comparison."""
        row = self._panes.rows.current
        return self._search.words(row.entry.key if row else None, self._panes.detail.match[0])

    def ask(self) -> None:
        """Ask for a text."""
        self.add_class("asked")
        self.focus()

    def end(self) -> None:
        """End the search."""
        self.workers.cancel_group(self, "search")
        self.workers.cancel_group(self, "count")
        self._set(Search())
        self.value = ""
        self._panes.detail.find("")
        self._on_search()

    def go_to_match(self, step: int) -> None:
        """The next or previous match: in this row's lines, then in the next row that holds the text."""
        row = self._panes.rows.current
        at, count = self._panes.detail.match if row is not None and row.entry.key in self._search.found else (0, 0)
        if 1 <= at + step <= count:
            self._panes.detail.find_next(step)
            self._on_place()
        else:
            self._go_to_row(step)

    def _set(self, search: Search) -> None:
        self._search = search
        self._panes.needle = search.needle

    @on(FilterInput.Typed)
    def _typed(self, event: FilterInput.Typed) -> None:
        self._seek(event.text)

    @on(FilterInput.Left)
    def _left(self, event: FilterInput.Left) -> None:
        self.remove_class("asked")
        self._panes.rows.focus()
        if not event.keep:
            self.end()

    @work(group="search", exclusive=True, description="seek")
    async def _seek(self, text: str) -> None:
        """Find a text, and go to the first place from the cursor on."""
        self._set(await self._found(text.strip().casefold()))
        found = self._search.found
        row = self._panes.rows.current
        if row is not None and row.entry.key in found:
            self._panes.show_detail()
        elif found:
            self._go_to_row(1)
        else:
            self._panes.detail.find("")
        self._on_search()

    async def _found(self, needle: str) -> Search:
        if not needle:
            return Search()
        entries, stop = list(self._panes.change_tree.entries), threading.Event()
        try:
            return Search(needle, await aside(holding, entries, needle, self._panes.searched, stop.is_set))
        finally:
            stop.set()

    def _count(self) -> None:
        """Look for the same again, in what is shown now."""
        if self.searching:
            self._seek_again()

    @work(group="count", exclusive=True)
    async def _seek_again(self) -> None:
        again = await self._found(self._search.needle)
        if again.needle == self._search.needle:
            self._set(again)
            self._on_place()

    def _go_to_row(self, step: int) -> None:
        row = self._panes.rows.current
        order = [entry.key for entry in self._panes.change_tree.entries]
        key, around = self._search.next(order, row.entry.key if row else None, step)
        if key is None:
            program_of(self.screen).toast("No match in this comparison.")
            return
        if around and row is not None:
            program_of(self.screen).toast(f"Wrapped around to the {'first' if step > 0 else 'last'} match.")
        self._panes.go_to_row(key)
        if step < 0:
            self._panes.detail.find_next(-1)
        self._on_place()
