"""The virtual list: draws only the lines on screen, so that 100,000 rows cost no more than forty."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import ClassVar, Final, Generic, TypeVar, cast

from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip
from textual.timer import Timer

from kittui.tui.style.theme import Roles
from kittui.tui.widgets.columns import Column
from kittui.tui.widgets.cursor import Cursor
from kittui.tui.widgets.cutting import Spans
from kittui.tui.widgets.row_strips import RowStrips

Row = TypeVar("Row")
VIEW_DELAY: Final = 0.05
"""Seconds that the view must rest before its rows are requested."""


class Rows(ScrollView, Generic[Row], can_focus=True, inherit_bindings=False):
    """A list or an unfolded tree of rows with a cursor; rows are compared by identity.

    `cells` is what `RowStrips` draws. `key` names a row for marks. Left and right move columns that don't fit, unless
    the rows are a `tree`: there they open and close rows, and columns have keys of their own.
    """

    DEFAULT_CSS = """
    Rows {
        height: 1fr; background: $kit-background; color: $kit-text;
        scrollbar-size-vertical: 1; scrollbar-size-horizontal: 0; overflow-x: hidden;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "move(1)", "Down", id="move.down", tooltip="Next row", show=False),
        Binding("up,k", "move(-1)", "Up", id="move.up", tooltip="Previous row", show=False),
        Binding("pagedown,ctrl+f", "page(1)", "Page down", id="move.page-down", tooltip="One page down", show=False),
        Binding("pageup,ctrl+b", "page(-1)", "Page up", id="move.page-up", tooltip="One page up", show=False),
        Binding("ctrl+d", "half(1)", "Half down", id="move.half-down", tooltip="Half a page down", show=False),
        Binding("ctrl+u", "half(-1)", "Half up", id="move.half-up", tooltip="Half a page up", show=False),
        Binding("g,home", "edge(0)", "First", id="move.first", tooltip="First row", show=False),
        Binding("G,end", "edge(1)", "Last", id="move.last", tooltip="Last row", show=False),
        Binding(
            "right,l", "fold(1)", "Expand", id="move.expand", tooltip="Expand, or columns to the right", show=False
        ),
        Binding("left,h", "fold(-1)", "Collapse", id="move.collapse", tooltip="Collapse, or to the parent", show=False),
        Binding(
            "shift+right,full_stop",
            "columns(1)",
            "Columns right",
            id="move.columns-right",
            tooltip="Scroll columns to the right",
            show=False,
        ),
        Binding(
            "shift+left,comma",
            "columns(-1)",
            "Columns left",
            id="move.columns-left",
            tooltip="Scroll columns to the left",
            show=False,
        ),
        Binding("enter", "open", "Open", id="move.open", tooltip="Open the row, or go to the next pane", show=False),
    ]

    class Event(Message):
        """Something happened in a list."""

        def __init__(self, rows: Rows[Row]) -> None:
            super().__init__()
            self.rows = rows

        @property
        def control(self) -> Rows[Row]:
            """The list that sent it."""
            return cast("Rows[Row]", self.rows)

    class Highlighted(Event):
        """The cursor is on another row, or the row under it is another one."""

    class Opened(Event):
        """Enter, or a double click, on the row under the cursor."""

    class Folded(Event):
        """Right (`open` is true) or left was pressed on the row under the cursor."""

        def __init__(self, rows: Rows[Row], unfold: bool) -> None:
            super().__init__(rows)
            self.unfold = unfold

    class Viewed(Event):
        """Other rows are in view, and have been for a moment."""

    def __init__(
        self,
        columns: Sequence[Column],
        cells: Callable[[Row], Sequence[Spans]],
        key: Callable[[Row], Hashable],
        *,
        titles: bool = True,
        tree: bool = False,
    ) -> None:
        super().__init__()
        self._tree = tree
        self.mark = "✎"
        """The mark before a marked row."""
        self._key = key
        self._titles = 1 if titles else 0
        self._drawn = RowStrips(columns, cells)
        self._cursor = Cursor(key)
        self.touched = False
        self._marked: set[Hashable] = set()
        self._roles: Roles | None = None
        self._view_timer: Timer | None = None
        self._viewed: tuple[object, ...] = ()

    @property
    def rows(self) -> Sequence[Row]:
        """The rows as shown."""
        return self._cursor.rows

    @property
    def cursor(self) -> int:
        """The number of the row under the cursor, from 0."""
        return self._cursor.number

    @property
    def current(self) -> Row | None:
        """The row under the cursor; None if the one that it was on is not among the rows."""
        return self._cursor.current

    @property
    def chosen(self) -> Row | None:
        """The row that the cursor was put on last, though it may not be shown now."""
        return self._cursor.chosen

    @property
    def in_view(self) -> Sequence[Row]:
        """The rows on the screen now."""
        top = self.scroll_offset.y
        return self.rows[top : top + max(0, self.size.height - self._titles)]

    @property
    def room(self) -> int:
        """Cells of the first column."""
        return self._drawn.room

    @property
    def marked(self) -> set[Hashable]:
        """Keys of marked rows; call `touch` after changing it."""
        return self._marked

    def show(self, rows: Sequence[Row], current: Row | None = None) -> None:
        """Show these rows instead.

        The cursor stays on its row, or goes to `current`, if that is among them. Otherwise no row is current until the
        user moves or the row comes back, so that nothing is chosen by accident. With the first rows ever shown, the
        cursor is on the first one.
        """
        before = self.current
        self._cursor.show(rows, current)
        self._drawn.show(rows)
        self.virtual_size = Size(0, len(rows) + self._titles)
        self._scroll_to_cursor()
        self.refresh()
        if self.current is not before:
            self.post_message(self.Highlighted(self))
        self._view_soon()

    def reset(self) -> None:
        """Show nothing, and forget the cursor: the next rows are unrelated."""
        self._cursor.forget()
        self.touched = False
        self.show(())

    def touch(self, row: Row | None = None) -> None:
        """Redraw a row (all, if None) because its cells have changed."""
        numbers = self._drawn.touch(row)
        if numbers is None:
            self.refresh()
            return
        for number in numbers:
            self.refresh_line(number + self._titles)

    def set_columns(self, columns: Sequence[Column]) -> None:
        """Use other columns."""
        if self._drawn.set_columns(columns):
            self.refresh()

    def move_to(self, number: int) -> None:
        """Put the cursor on the row with a number, or the nearest one."""
        before = self.cursor
        if not self._cursor.move_to(number):
            return
        self.touched = True
        if not self._scroll_to_cursor():
            self.refresh_line(before + self._titles)
            self.refresh_line(self.cursor + self._titles)
        self.post_message(self.Highlighted(self))

    def to_parent(self, depth: Callable[[Row], int]) -> None:
        """Go to the current row's parent, in a tree whose rows are `depth` deep."""
        number = self._cursor.parent(depth)
        if number is not None:
            self.move_to(number)

    def _scroll_to_cursor(self) -> bool:
        height = self.size.height - self._titles
        if height <= 0:
            return False
        top = self.scroll_offset.y
        if self.cursor < top:
            target = self.cursor
        elif self.cursor >= top + height:
            target = self.cursor - height + 1
        else:
            return False
        self.scroll_to(y=target, animate=False, force=True, immediate=True)
        return True

    def _says_empty(self) -> bool:
        if not self.rows:
            self.notify("The list is empty.", markup=False)
        return not self.rows

    def action_move(self, step: int) -> None:
        """Move the cursor by rows; if none is current, go to the row in its place."""
        if self._says_empty():
            return
        self.move_to(self.cursor + step if self._cursor.on_row else self.cursor)

    def action_page(self, step: int) -> None:
        """Move the cursor by a page, keeping one line of it."""
        if self._says_empty():
            return
        self.move_to(self.cursor + step * max(1, self.size.height - self._titles - 1))

    def action_half(self, step: int) -> None:
        """Move the cursor by half a page."""
        self.action_move(step * max(1, (self.size.height - self._titles) // 2))

    def action_edge(self, end: int) -> None:
        """Go to the first or the last row."""
        if self._says_empty():
            return
        self.move_to(len(self.rows) - 1 if end else 0)

    def action_open(self) -> None:
        """Open the row under the cursor."""
        if self._says_empty():
            return
        if self._cursor.on_row:
            self.post_message(self.Opened(self))

    def action_fold(self, direction: int) -> None:
        """Expand or collapse; in a table whose columns don't fit, move them sideways instead."""
        if self._says_empty():
            return
        if (self._tree or not self.action_sideways(direction)) and self._cursor.on_row:
            self.post_message(self.Folded(self, direction > 0))

    def action_columns(self, direction: int) -> None:
        """Move the columns that don't fit, or say that there are none in that direction."""
        if not self.action_sideways(direction):
            self.say_no_columns(direction)

    def say_no_columns(self, direction: int) -> None:
        """Say that no columns are left to move to, to the right (1) or to the left (-1)."""
        where = "right" if direction > 0 else "left"
        self.notify(f"There are no hidden columns on the {where}.", markup=False)

    def action_sideways(self, direction: int) -> bool:
        """Move the columns that don't fit; False if they stay."""
        moved = self._drawn.sideways(direction)
        if moved:
            self.refresh()
        return moved

    def settle(self) -> None:
        """If the chosen row is gone, put the cursor on the row in its place."""
        if not self._cursor.on_row:
            self.move_to(self.cursor)

    async def on_click(self, event: events.Click) -> None:
        """Click puts the cursor there, a double click opens."""
        number = self.scroll_offset.y + event.y - self._titles
        if event.y < self._titles or number >= len(self.rows):
            return
        self.move_to(number)
        if event.chain == 2:
            self.action_open()

    def on_resize(self) -> None:
        """Keep the cursor in view."""
        self._drawn.fit(self.size.width)
        self._scroll_to_cursor()
        self._view_soon()

    def on_focus(self) -> None:
        """Draw the cursor row stronger, since the pane has the focus."""
        self.refresh_line(self.cursor + self._titles)

    def on_blur(self) -> None:
        """Draw the cursor row weaker."""
        self.refresh_line(self.cursor + self._titles)

    def notify_style_update(self) -> None:
        """Forget what was drawn: the theme has changed."""
        self._roles = None
        self._drawn.restyle()
        super().notify_style_update()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        """Ask for the rows that came into view, once the view rests."""
        super().watch_scroll_y(old_value, new_value)
        self._view_soon()

    def _view_soon(self) -> None:
        if self._view_timer is not None:
            self._view_timer.stop()
        if self.is_attached:
            self._view_timer = self.set_timer(VIEW_DELAY, self._view)

    def _view(self) -> None:
        self._view_timer = None
        viewed = tuple(map(id, self.in_view))
        if viewed != self._viewed:
            self._viewed = viewed
            self.post_message(self.Viewed(self))

    def view_again(self) -> None:
        """Report again which rows are in view, because their data was dropped."""
        self._viewed = ()
        self._view_soon()

    def render_line(self, y: int) -> Strip:
        """Draw one line of the screen."""
        if self._roles is None:
            self._roles = Roles(self.app.theme_variables)
        self._drawn.fit(self.size.width)
        if y < self._titles:
            return self._drawn.titles(self._roles)
        top = int(self.scroll_offset.y)
        self._drawn.cut_names(top, max(1, self.size.height))
        number = top + y - self._titles
        at = number == self.cursor and self._cursor.on_row
        ground = "base" if not at else "cursor" if self.has_focus else "blurred"
        marked = bool(self._marked) and number < len(self.rows) and self._key(self.rows[number]) in self._marked
        return self._drawn.row(number, ground, self.mark if marked else "", self._roles)
