"""A pane whose body is one list or tree of rows."""

from __future__ import annotations

from typing import ClassVar, Generic

from textual.message import Message

from kittui.tui.panes.pane import Pane
from kittui.tui.panes.queries import parse
from kittui.tui.widgets.rows import Row, Rows


class RowsPane(Pane, Generic[Row]):
    """Shows the subclass's rows; that decides how they fold, and the remark on the row under the cursor."""

    _rows: Rows[Row]
    _asks_tags: ClassVar[bool] = False
    """Whether the filter may use fields of tags."""

    def make_body(self) -> Rows[Row]:
        """The rows."""
        return self._rows

    @property
    def body(self) -> Rows[Row]:
        """The rows."""
        return self._rows

    @property
    def filled(self) -> bool:
        """Whether a row is shown."""
        return bool(self._rows.rows)

    @property
    def filter_problem(self) -> str:
        """Why the filter can't be used."""
        return parse(self.filter, tags=self._asks_tags).problem

    def is_match(self, row: Row) -> bool:
        """Whether the filter matches the row itself, not only something below it."""
        return True

    def find_next(self, step: int) -> None:
        """Go to the next or previous row that the filter found."""
        rows = self._rows.rows
        for distance in range(1, len(rows) + 1):
            number = (self._rows.cursor + step * distance) % len(rows)
            if self.is_match(rows[number]):
                self._rows.move_to(number)
                return

    def settle_on_match(self) -> None:
        """Put the cursor on a new filter's first match, or if the chosen row is not shown."""
        if self._rows.current is None or (self.filter and self.filter != self._filtered_by):
            found = (number for number, row in enumerate(self._rows.rows) if self.is_match(row))
            self._rows.move_to(next(found, 0))

    def tell(self, moved: Message, rested: Message) -> None:
        """Report that the cursor has moved, and later that it rests."""
        self.post_message(moved)
        self.when_resting(lambda: self.post_message(rested))
