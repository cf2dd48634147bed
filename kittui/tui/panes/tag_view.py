"""Chooses which rows of a list of tags are shown, and their order: sorting, grouping, the filter. No widgets."""

from __future__ import annotations

from datetime import datetime

from kittui.tui.panes.queries import parse
from kittui.tui.panes.tag_rows import ORDERS, Order, TagList, TagRow, is_digest_head, matching


class TagView:
    """Orders and filters rows; while only the filter changes, the order and what a shorter filter found are reused."""

    def __init__(self) -> None:
        self.order: Order = "stage"
        self.grouped = False
        self.reversed = False
        self._found: tuple[str, list[TagRow]] | None = None
        self._ordered: list[TagRow] | None = None

    @property
    def by_details(self) -> bool:
        """Whether the order depends on manifests: then rows move into order as they are read."""
        return self.order in ("newest", "largest")

    @property
    def notes(self) -> list[str]:
        """How the order differs from the default, for the title."""
        notes = ["" if self.order == "stage" else self.order, "↑" if self.reversed else ""]
        notes.append("grouped" if self.grouped else "")
        return [note for note in notes if note]

    def cycle(self) -> Order:
        """Use the next order; returns its name."""
        self.order = ORDERS[(ORDERS.index(self.order) + 1) % len(ORDERS)]
        self.changed()
        return self.order

    def turn(self) -> bool:
        """Order the other way around; returns whether it is reversed now."""
        self.reversed = not self.reversed
        self.changed()
        return self.reversed

    def toggle_group(self) -> bool:
        """Turn grouping by digest on or off; returns whether it is on."""
        self.grouped = not self.grouped
        self.changed()
        return self.grouped

    def changed(self) -> None:
        """Sort and filter again, because the rows or their sort keys have changed."""
        self._found = self._ordered = None

    def rows(self, tags: TagList, text: str, now: datetime, *, first: bool = False) -> list[TagRow]:
        """The rows of a list that match a filter, in order; `first`: none of it was shown before."""
        before = self._found
        query = parse(text, tags=True)
        words = query.words
        narrower = before is not None and bool(before[0].strip()) and text.startswith(before[0])
        plain = bool(words) and parse(before[0], tags=True).words is not None if before is not None else False
        if before is not None and narrower and plain and not first and not any(map(is_digest_head, words or ())):
            rows = matching(before[1], query, tags, now)
        else:
            rows = matching(self._in_order(tags), query, tags, now)
        self._found = (text, rows)
        return rows

    def _in_order(self, tags: TagList) -> list[TagRow]:
        if self._ordered is None:
            self._ordered = tags.ordered(self.order, grouped=self.grouped, backwards=self.reversed)
        return self._ordered
