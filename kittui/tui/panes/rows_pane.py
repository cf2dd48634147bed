"""A pane whose body is one list or tree of rows."""

from __future__ import annotations

from typing import Generic

from textual.message import Message

from kittui.tui.panes.pane import Pane
from kittui.tui.widgets.rows import Row, Rows


class RowsPane(Pane, Generic[Row]):
    """Shows rows that the subclass makes; it says how they fold, and what is to be said of the one under the cursor."""

    _rows: Rows[Row]

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

    def tell(self, moved: Message, rested: Message) -> None:
        """Say that the cursor has moved now, and once it stays that it rests."""
        self.post_message(moved)
        self.when_resting(lambda: self.post_message(rested))
