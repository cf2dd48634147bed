"""A list over the whole screen that fills while it is read, with the row under the cursor in full below it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Hashable, Sequence
from typing import ClassVar, Final, Generic, TypeVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.timer import Timer
from textual.worker import Worker

from kittui.errors import KittuiError
from kittui.terminal import clean
from kittui.tui.frame.context import Context
from kittui.tui.frame.rows_screen import RowsScreen
from kittui.tui.panes.filtering import FilterInput
from kittui.tui.panes.queries import parse
from kittui.tui.widgets.columns import Column
from kittui.tui.widgets.cutting import Spans
from kittui.tui.widgets.lines import Line, Page
from kittui.tui.widgets.rows import Rows

DRAW: Final = 0.1
"""Seconds between two drawings while rows arrive."""
COMMON: Final = (
    ("list.filter", "Filter", "screen.filter"),
    ("list.reload", "Reload", "screen.reload"),
    ("list.help", "Help", "app.help"),
    ("list.close", "Back", "screen.close"),
)
"""Keys of every such screen for the footer."""
Row = TypeVar("Row")


class ListScreen(RowsScreen[Row], Generic[Row]):
    """Reads in a worker: `read` hands over what it finds with `add`. Esc stops that, and again closes."""

    DEFAULT_CSS = """
    ListScreen Lines { height: 30%; min-height: 6; }
    ListScreen FilterInput { display: none; height: 1; border: none; padding: 0 1; background: $kit-surface; }
    ListScreen.-filtering FilterInput { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter", id="list.filter", tooltip="Filter as you type; Esc clears"),
        Binding("y", "copy", "Copy", id="list.copy", tooltip="Copy all rows, one a line"),
        Binding("r", "reload", "Reload", id="list.reload", tooltip="Read everything again"),
        Binding("question_mark", "app.help", "Help", id="list.help", tooltip="Every key that is live now"),
        Binding("escape,q", "close", "Back", id="list.close", tooltip="Stop reading, drop the filter, or go back"),
    ]
    HINTS: ClassVar[tuple[tuple[str, str, str], ...]] = ()
    """Keys of its own for the footer: id, label, action."""

    def __init__(self, context: Context, title: str, columns: Sequence[Column]) -> None:
        super().__init__(columns, self.cells, self.key)
        self.context = context
        self._title = title
        self._found: list[Row] = []
        self._stale = False
        self._timer: Timer | None = None
        self._worker: Worker[None] | None = None
        self._reading = self._complete = False
        self._needle = self._said = ""

    def compose(self) -> ComposeResult:
        """The filter below what is said, hidden until it is wanted."""
        header, facts, *others = super().compose()
        yield from (header, facts, FilterInput(), *others)

    @property
    def rows(self) -> Rows[Row]:
        """The list."""
        return self._rows

    @property
    def found(self) -> Sequence[Row]:
        """All that was read."""
        return self._found

    @property
    def reading(self) -> bool:
        """Whether more may come."""
        return self._reading

    def nothing(self, words: str) -> str:
        """What stands below an empty list that is no longer read: `words` only where everything was read."""
        return words if self._complete else "Nothing found before reading stopped."

    @abstractmethod
    async def read(self) -> None:
        """Find the rows; raises KittuiError where there is nothing to read."""

    @abstractmethod
    def cells(self, row: Row) -> Sequence[Spans]:
        """A row's cells, in clean text."""

    @abstractmethod
    def key(self, row: Row) -> Hashable:
        """What a row is known by."""

    @abstractmethod
    def lines(self, row: Row | None) -> Sequence[Line]:
        """What stands below the list."""

    @abstractmethod
    def text(self, row: Row) -> str:
        """A row as it is copied."""

    @abstractmethod
    def summary(self) -> str:
        """What was found, once all of it is there."""

    def arranged(self, found: Sequence[Row]) -> Sequence[Row]:
        """The rows in the order in which they are shown."""
        return found

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
            self._timer = self.set_interval(DRAW, self._draw_soon)
        self._timer.resume()
        self._worker = self.run_worker(self._read(), group="list", exclusive=True)

    async def _read(self) -> None:
        self.say("Reading …")
        said = ""
        try:
            await self.read()
            self._complete = True
        except KittuiError as error:
            said = error.message
            self.program.fail(error)
        self._end(said or self.summary())

    def _end(self, said: str) -> None:
        """Nothing more is read: draw what there is, and stop looking for more to draw."""
        self._reading = False
        if self._timer is not None:
            self._timer.pause()
        self.draw()
        self.say(said)

    def add(self, row: Row) -> None:
        """Show one more."""
        self._found.append(row)
        self._stale = True

    def say(self, text: str) -> None:
        """Put a text above the list."""
        self._said = text
        shown = f" · /{self._needle}: {len(self._rows.rows)} of {len(self._found)}" if self._needle else ""
        self._facts.update(Content(clean(text + shown)))

    def _draw_soon(self) -> None:
        if self._stale:
            self.draw()

    def draw(self) -> None:
        """Show what was found so far."""
        self._stale = False
        first = None
        query = parse(self._needle)
        rows = self.arranged([row for row in self._found if query.matches(self.text(row))])
        if rows and not self._rows.touched:
            first = rows[0]
        self._rows.show(rows, first)
        self._detail()
        if self._needle:
            self.say(self._said)

    @on(Rows.Highlighted)
    def _detail(self) -> None:
        self._lines.show(Page(list(self.lines(self._rows.current))))

    def action_filter(self) -> None:
        """Let a filter be typed."""
        self.add_class("-filtering")
        self.query_one(FilterInput).focus()

    @on(FilterInput.Typed)
    def _typed(self, event: FilterInput.Typed) -> None:
        self._needle = event.text.strip()
        self.draw()
        self.say(self._said)

    @on(FilterInput.Left)
    def _left(self) -> None:
        self.remove_class("-filtering")
        self._rows.focus()

    def action_copy(self) -> None:
        """Copy all rows, one a line."""
        self.program.copy("\n".join(self.text(row) for row in self._rows.rows))

    def action_close(self) -> None:
        """Stop reading, drop the filter, or back."""
        if self.reading and self._worker is not None:
            self._worker.cancel()
            self._end(f"Stopped; this is not all. {self.summary()}")
        elif self._needle:
            self.query_one(FilterInput).value = ""
        else:
            self.dismiss()
