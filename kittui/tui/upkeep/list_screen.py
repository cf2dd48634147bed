"""A full-screen list that fills while it is read, with the row under the cursor in full below it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Hashable, Sequence
from datetime import datetime
from typing import ClassVar, Final, Generic, TypeVar

from textual import on
from textual.binding import Binding, BindingType
from textual.timer import Timer
from textual.worker import Worker

from kittui.errors import KittuiError
from kittui.terminal import clean
from kittui.tui.frame.context import Context
from kittui.tui.panes.rows_screen import RowsScreen
from kittui.tui.panes.spacing import DRAW
from kittui.tui.panes.state import trouble_since
from kittui.tui.widgets.columns import Column
from kittui.tui.widgets.cutting import Spans
from kittui.tui.widgets.lines import Line, Page
from kittui.tui.widgets.rows import Rows

COMMON: Final = (
    ("list.filter", "Filter", "screen.filter"),
    ("list.reload", "Reload", "screen.reload"),
    ("list.help", "Help", "app.help"),
    ("list.close", "Back", "screen.close"),
)
"""Keys of all such screens, for the footer."""
Row = TypeVar("Row")


class ListScreen(RowsScreen[Row], Generic[Row]):
    """Reads in a worker: `read` calls `add` for what it finds. Esc stops reading; another Esc closes."""

    DEFAULT_CSS = """
    ListScreen Lines { height: 30%; min-height: 6; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter", id="list.filter", tooltip="Filter as you type; Esc clears"),
        Binding("y", "copy", "Copy", id="list.copy", tooltip="Copy the visible rows, one per line"),
        Binding("r", "reload", "Reload", id="list.reload", tooltip="Read everything again"),
        Binding("question_mark", "app.help", "Help", id="list.help", tooltip="Every key that is live now"),
        Binding("escape,q", "close", "Back", id="list.close", tooltip="Stop reading, drop the filter, or go back"),
    ]
    HINTS: ClassVar[tuple[tuple[str, str, str], ...]] = ()
    """Its own keys for the footer: id, label, action."""

    def __init__(self, context: Context, title: str, columns: Sequence[Column]) -> None:
        super().__init__(columns, self.cells, self.key)
        self.context = context
        self._title = title
        self._found: list[Row] = []
        self._stale = False
        self._timer: Timer | None = None
        self._worker: Worker[None] | None = None
        self._reading = self._complete = False
        self._whole: tuple[list[Row], str] | None = None
        """The rows of the last complete read, and their summary."""
        self._trouble = ""

    @property
    def rows(self) -> Rows[Row]:
        """The list."""
        return self._rows

    @property
    def found(self) -> Sequence[Row]:
        """All rows read."""
        return self._found

    @property
    def reading(self) -> bool:
        """Whether more rows may follow."""
        return self._reading

    def nothing(self, words: str) -> str:
        """The text below an empty list after reading: `words` only if everything was read."""
        if self._found:
            return "The filter leaves nothing."
        return words if self._complete else "Nothing found before reading stopped."

    @abstractmethod
    async def read(self) -> None:
        """Read the rows; raises KittuiError if there is nothing to read."""

    @abstractmethod
    def cells(self, row: Row) -> Sequence[Spans]:
        """A row's cells, in clean text."""

    @abstractmethod
    def key(self, row: Row) -> Hashable:
        """A row's key."""

    @abstractmethod
    def lines(self, row: Row | None) -> Sequence[Line]:
        """The lines below the list."""

    @abstractmethod
    def summary(self) -> str:
        """A summary, once everything was read."""

    def on_mount(self) -> None:
        """Begin to read."""
        self._header.where = (clean(self._title, limit=120),)
        self.hint((*self.HINTS, *COMMON))
        self._rows.focus()
        self.action_reload()

    def action_reload(self) -> None:
        """Read everything again."""
        self._found, self._reading, self._complete = [], True, False
        self.draw()
        if self._timer is None:
            self._timer = self.set_interval(DRAW, lambda: self.spaced(self._draw_soon))
        self._timer.resume()
        self._worker = self.run_worker(self._read(), group="list", exclusive=True)

    async def _read(self) -> None:
        self.say("Reading …")
        try:
            await self.read()
        except KittuiError as error:
            self._trouble = self._trouble or trouble_since(error, self.program.ports.clock())
            self._break_off(error.message)
            self.program.fail(error)
            return
        self._complete, self._reading, self._trouble = True, False, ""
        self._whole = (self._found, self.summary())
        self._end(self._whole[1], self.program.ports.clock())

    def _break_off(self, said: str) -> None:
        """Reading was stopped: keep the rows from before."""
        if self._whole is not None:
            self._found, before = self._whole
            self._complete = True
            said = f"Not read again: {before}"
        self._end(said, self._read_at)

    def _end(self, said: str, read_at: datetime | None) -> None:
        """Reading has ended: draw the rows, and stop the redraw timer."""
        self._reading = False
        if self._timer is not None:
            self._timer.pause()
        self.draw()
        self.say(said)
        self.say_read(read_at, self._trouble)

    def add(self, row: Row) -> None:
        """Add a row."""
        self._found.append(row)
        self._stale = True

    def _draw_soon(self) -> None:
        if self._stale:
            self.draw()

    def draw(self, wanted: Row | None = None) -> None:
        """Show what was found so far."""
        self._stale = False
        super().draw(wanted)
        self._detail()

    @on(Rows.Highlighted)
    def _detail(self) -> None:
        self._lines.show(Page(list(self.lines(self._rows.current))))

    def action_close(self) -> None:
        """Stop reading, drop the filter, or back."""
        if self.reading and self._worker is not None:
            self._worker.cancel()
            self._break_off(f"Stopped; the list is incomplete. {self.summary()}")
        elif not self.drop_filter():
            self.dismiss()
