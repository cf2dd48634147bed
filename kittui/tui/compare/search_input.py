"""The line that a search is typed into, and the way from match to match."""

from __future__ import annotations

from collections.abc import Callable

from textual import on, work

from kittui.tasks import aside
from kittui.terminal import counted
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

    @property
    def searching(self) -> bool:
        """Whether something is searched."""
        return bool(self._search.needle)

    @property
    def words(self) -> str:
        """Which match this is, of how many."""
        at, count = self._panes.detail.match
        rows = len(self._search.found)
        if not rows:
            return "not found"
        return f"match {at} of {count}, in {counted(rows, 'place')}" if count else f"found in {rows}"

    def ask(self) -> None:
        """Ask for a text."""
        self.add_class("asked")
        self.focus()

    def end(self) -> None:
        """End the search."""
        self.workers.cancel_group(self, "search")
        self._set(Search())
        self.value = ""
        self._panes.detail.find("")
        self._on_search()

    def go_to_match(self, step: int) -> None:
        """The next or previous match: in this row's lines, then in the next row that holds the text."""
        at, count = self._panes.detail.match
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

    @work(group="search", exclusive=True)
    async def _seek(self, text: str) -> None:
        """Find a text, and go to the first place from the cursor on."""
        needle = text.strip().casefold()
        found = await aside(holding, list(self._panes.change_tree.entries), needle) if needle else []
        self._set(Search(needle, found))
        row = self._panes.rows.current
        if row is not None and row.entry.key in found:
            self._panes.show_detail()
        elif found:
            self._go_to_row(1)
        else:
            self._panes.detail.find("")
        self._on_search()

    def _go_to_row(self, step: int) -> None:
        row = self._panes.rows.current
        order = [entry.key for entry in self._panes.change_tree.entries]
        key, around = self._search.next(order, row.entry.key if row else None, step)
        if key is None:
            program_of(self.screen).toast("Not found in this comparison.")
            return
        if around and row is not None:
            program_of(self.screen).toast(f"Around the end: the {'first' if step > 0 else 'last'} match again.")
        self._panes.go_to_row(key)
        if step < 0:
            self._panes.detail.find_next(-1)
        self._on_place()
