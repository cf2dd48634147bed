"""A pane that shows one list of tags: its order, filter, marks, folds and title. Subclasses read the tags."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.message import Message

from kittui.terminal import clean
from kittui.tui.frame.ports import Ports
from kittui.tui.frame.selection import Mark
from kittui.tui.panes.rows_pane import RowsPane
from kittui.tui.panes.state import as_of
from kittui.tui.panes.tag_columns import TagCells
from kittui.tui.panes.tag_marks import TagMarks
from kittui.tui.panes.tag_rows import Order, TagList, TagRow
from kittui.tui.panes.tag_states import assessed
from kittui.tui.panes.tag_view import TagView
from kittui.tui.panes.variant_rows import unfolded
from kittui.tui.widgets.cutting import Spans
from kittui.tui.widgets.rows import Rows


class TagListPane(RowsPane[TagRow]):
    """Shows what `_list` holds, and nothing if it is None; the subclass reads the list and its rows."""

    _asks_tags: ClassVar[bool] = True
    FILTER_HINT: ClassVar[str] = "words, !not, /regex/, ~fuzzy, stage:, digest:, signed:yes, older:30d"

    class Moved(Message):
        """The cursor is on another tag, or none."""

    class Rested(Message):
        """The cursor has stayed on a tag."""

    class Entered(Message):
        """Enter on a tag."""

    class Left(Message):
        """Left on a tag that has nothing to close."""

    def __init__(self, ports: Ports, marks: dict[tuple[str, str, str], Mark]) -> None:
        super().__init__()
        self._ports = ports
        self._list: TagList | None = None
        self._view = TagView()
        self._drawn = TagCells(ports)
        self._rows: Rows[TagRow] = Rows(self._drawn.columns_for(()), self._cells, lambda row: row.key, tree=True)
        self._marks = TagMarks(marks, self._rows)

    @property
    def current(self) -> TagRow | None:
        """The row under the cursor."""
        return self._rows.current

    @property
    def trouble(self) -> str:
        """Why the list can't be read, and since when."""
        return self._list.trouble if self._list else ""

    @property
    def order(self) -> Order:
        """The order of the rows."""
        return self._view.order

    def _cells(self, row: TagRow) -> Sequence[Spans]:
        return self._drawn.of(row, self._list)

    def set_filter(self, text: str) -> None:
        """Show only tags that meet the filter."""
        self.filter = text
        self.rebuild()
        self._assess()

    def turn_sort(self) -> bool:
        """Order the other way around; returns whether it is reversed now."""
        turned = self._view.turn()
        self.rebuild()
        return turned

    def cycle_sort(self) -> str:
        """Use the next order; returns its name."""
        order = self._view.cycle()
        self.rebuild()
        return order

    def toggle_group(self) -> bool:
        """Turn grouping by digest on or off; returns whether it is on."""
        grouped = self._view.toggle_group()
        self.rebuild()
        return grouped

    def toggle_mark(self) -> bool:
        """Mark or unmark the tag under the cursor, and move to the next one."""
        return self._marks.toggle()

    def mark_all(self) -> None:
        """Mark every tag shown, so that a filter selects."""
        self._marks.add_all()

    def remark(self) -> None:
        """Redraw the marks."""
        self._marks.redraw()

    def recheck(self) -> None:
        """Redraw the verdicts on signatures."""
        self._rows.touch()

    def rebuild(self, *, first: bool = False) -> None:
        """Order and filter again; the cursor stays on its row."""
        if self._list is None:
            return
        shown = unfolded(self._view.rows(self._list, self.filter, self._ports.clock(), first=first))
        self._rows.set_columns(self._drawn.columns_for(shown, self.order))
        self._rows.show(shown, shown[0] if first and shown else None)
        self.place_note()
        self.retitle()

    def retitle(self) -> None:
        """Show the repository, the number of tags, and their order."""
        rows = self._list.rows if self._list else []
        tags = sum(row.variant is None for row in self._rows.rows) if self.filter else 0
        right = f"{tags:,} of {len(rows):,}" if self.filter else f"{len(rows):,}" if rows else ""
        if self._view.by_details and (read := sum(row.modelkit is not None for row in rows)) < len(rows):
            right = f"{read:,} of {len(rows):,} read"
        right += "+" if right and self._list and self._list.partial else ""
        right = " ".join(note for note in (*self._view.notes, right) if note)
        about = clean(self._list.repository.name) if self._list else ""
        read_at = self._list.read_at if self._list else None
        age = as_of(read_at, self._ports.clock())
        self.set_title("Tags", right, about=about, age=age, trouble=self._list.trouble if self._list else "")

    def _assess(self) -> None:
        """Show a note if tags could not be read, or if a filter matches nothing."""
        if self._list is None:
            return
        state = assessed(self._list, self.state, self.filter, found=bool(self._rows.rows))
        if state is not None:
            self.set_state(state)

    @on(Rows.Highlighted)
    def _moved(self, event: Rows.Event) -> None:
        event.stop()
        self.post_message(self.Moved())
        self.when_resting(lambda: self.post_message(self.Rested()))

    @on(Rows.Opened)
    def _opened(self, event: Rows.Event) -> None:
        event.stop()
        row = self.current
        if row is None or not self._fold(row, not row.unfolded):
            self.post_message(self.Entered())

    @on(Rows.Folded)
    def _folded(self, event: Rows.Folded) -> None:
        event.stop()
        row = self.current
        if row is None:
            return
        if row.unfolded != event.unfold and self._fold(row, event.unfold):
            return
        if event.unfold and row.unfolded:
            self._rows.action_move(1)
        elif event.unfold:
            self.post_message(self.Entered())
        elif row.above is not None:
            self._rows.to_parent(lambda one: 0 if one.above is None else 1)
        else:
            self.post_message(self.Left())

    def _fold(self, row: TagRow, unfold: bool) -> bool:
        """Show or hide an index's variants; False for a row without any."""
        if not row.is_index or not row.variants:
            return False
        row.unfolded = unfold
        self.rebuild()
        return True
