"""Tracks which tags are marked, and draws the marks before their rows."""

from __future__ import annotations

from kittui.tui.frame.selection import Mark
from kittui.tui.panes.tag_rows import TagRow
from kittui.tui.widgets.rows import Rows


class TagMarks:
    """Marks rows of a list in `marks`, which the screen shares and may change too."""

    def __init__(self, marks: dict[tuple[str, str, str], Mark], rows: Rows[TagRow]) -> None:
        self._marks = marks
        self._rows = rows
        rows.marked.update(marks)

    def toggle(self) -> bool:
        """Mark or unmark the row under the cursor, and move to the next one; False if nothing can be marked."""
        row = self._rows.current
        if row is None or row.target is None:
            return False
        if row.key in self._marks:
            del self._marks[row.key]
        else:
            self._marks[row.key] = Mark(row.repository, row.target, row.digest)
        self.redraw()
        self._rows.action_move(1)
        return True

    def add_all(self) -> None:
        """Mark every tag shown."""
        for row in self._rows.rows:
            if row.entry.name is not None:
                self._marks[row.key] = Mark(row.repository, row.entry.name, row.digest)
        self.redraw()

    def redraw(self) -> None:
        """Redraw the marks."""
        self._rows.marked.clear()
        self._rows.marked.update(self._marks)
        self._rows.touch()
