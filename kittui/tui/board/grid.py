"""A table of cards with a two-dimensional cursor; draws only what is visible."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar, Final

from rich.cells import cell_len
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from kittui.tui.board.cards import Heading
from kittui.tui.board.columns import Columns, Need, columns
from kittui.tui.board.drawing import Drawn, draw, heading, host_of, label, needs_of, strip, titles
from kittui.tui.style.theme import Roles

if TYPE_CHECKING:
    from kittui.usecases.trust.board import BoardRow, Cell

TALL: Final = 4
"""Lines per row of cards, including the separator."""


class Grid(ScrollView, can_focus=True, inherit_bindings=False):
    """Repositories down, stages across; compact rows show the first line of each card alone."""

    DEFAULT_CSS = """
    Grid {
        height: 1fr; background: $kit-background; color: $kit-text;
        scrollbar-size-vertical: 1; scrollbar-size-horizontal: 0; overflow-x: hidden;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "down(1)", "Down", id="board.down", tooltip="Next repository", show=False),
        Binding("up,k", "down(-1)", "Up", id="board.up", tooltip="Previous repository", show=False),
        Binding("right,l", "across(1)", "Right", id="board.right", tooltip="Next stage", show=False),
        Binding("left,h", "across(-1)", "Left", id="board.left", tooltip="Previous stage", show=False),
        Binding("pagedown,ctrl+f", "page(1)", "Page down", id="board.page-down", tooltip="A page down", show=False),
        Binding("pageup,ctrl+b", "page(-1)", "Page up", id="board.page-up", tooltip="A page up", show=False),
        Binding("ctrl+d", "half(1)", "Half down", id="board.half-down", tooltip="Half a page down", show=False),
        Binding("ctrl+u", "half(-1)", "Half up", id="board.half-up", tooltip="Half a page up", show=False),
        Binding("g,home", "edge(0)", "First", id="board.first", tooltip="First repository", show=False),
        Binding("G,end", "edge(1)", "Last", id="board.last", tooltip="Last repository", show=False),
        Binding("enter", "open", "Open", id="board.open", tooltip="Show the ModelKit in the panes", show=False),
    ]

    class Moved(Message):
        """The cursor moved to another card."""

    class Opened(Message):
        """A card was opened with Enter or a double click."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        super().__init__()
        self._clock = clock
        self._rows: Sequence[BoardRow | Heading] = ()
        self._stages: Sequence[str] = ()
        self._at: BoardRow | None = None
        self._number = 0
        self._stage = ""
        self._chosen = "", ""
        self._first = 0
        self.compact = False
        self._roles: Roles | None = None
        self._needed: dict[tuple[int, bool], tuple[BoardRow, dict[str, Need]]] = {}
        self._needs: tuple[Need, dict[str, Need]] = (Need(), {})
        self._hosts = False
        self._drawn: tuple[range, Columns, Drawn] | None = None

    @property
    def row(self) -> BoardRow | None:
        """The repository under the cursor."""
        return self._at

    @property
    def stage(self) -> str:
        """The stage under the cursor; empty without columns."""
        return self._stage

    @property
    def cell(self) -> Cell | None:
        """The card under the cursor, if any."""
        return self._at.cells.get(self._stage) if self._at is not None else None

    @property
    def rows(self) -> Sequence[BoardRow | Heading]:
        """The visible rows."""
        return self._rows

    @property
    def _height(self) -> int:
        return 1 if self.compact else TALL

    def show(self, rows: Sequence[BoardRow | Heading], stages: Sequence[str], wanted: str = "") -> None:
        """Show these; the cursor stays where the user put it, else it is on the first repository and `wanted`."""
        self._rows, self._stages = rows, stages
        places = {name: number for number, row in enumerate(rows) if (name := _reference(row))}
        after = (number for number in places.values() if number >= self._number)
        last = max(places.values(), default=None)
        first = min(places.values(), default=None)
        found = places.get(self._chosen[0], next(after, last) if self._chosen[0] else first)
        row = rows[found] if found is not None else None
        self._number = found or 0
        self._at = None if row is None or isinstance(row, Heading) else row
        begins = (self._chosen[1], wanted, *stages)
        self._stage = next((stage for stage in begins if stage in stages), "")
        self._lay_out()
        self.post_message(self.Moved())

    def toggle(self) -> None:
        """Switch between one line per repository and cards."""
        self.compact = not self.compact
        self._lay_out()

    def _lay_out(self) -> None:
        """Learn what the columns need, and draw everything anew."""
        rows = [row for row in self._rows if not isinstance(row, Heading)]
        hosts = {host_of(row) for row in rows}
        # Cards have the host below the name.
        self._hosts = self.compact and len(hosts) > 1
        names = max((cell_len(label(row, host=self._hosts)) for row in rows), default=0)
        stages = {stage: Need(cell_len(stage), cell_len(stage)) for stage in self._stages}
        needed: dict[tuple[int, bool], tuple[BoardRow, dict[str, Need]]] = {}
        for row in rows:
            # Measured once: a row that says something else is another one.
            key = id(row), self.compact
            needed[key] = self._needed.get(key) or (row, needs_of(row, self._clock(), compact=self.compact))
            for stage, need in needed[key][1].items():
                if stage in stages:
                    stages[stage] |= need
        self._needed, self._needs, self._drawn = needed, (Need(names, names), stages), None
        self.virtual_size = Size(0, self._offset(len(self._rows)) + 1)
        self._into_view()
        self.refresh()

    def _offset(self, number: int) -> int:
        """The line where a row begins, counted below the titles."""
        if self.compact:
            return number
        return sum(1 if isinstance(row, Heading) else TALL for row in self._rows[:number])

    def action_down(self, step: int) -> None:
        """Go to the next or previous repository."""
        number = self._number + step
        while 0 <= number < len(self._rows):
            row = self._rows[number]
            if not isinstance(row, Heading):
                self._go(number, row)
                return
            number += 1 if step > 0 else -1

    def action_page(self, step: int) -> None:
        """Move by a page, keeping one repository of it visible."""
        self._leap(step * max(1, self._seen - 1))

    def action_half(self, step: int) -> None:
        """Move by half a page."""
        self._leap(step * max(1, self._seen // 2))

    @property
    def _seen(self) -> int:
        """How many repositories fit."""
        return (self.size.height - 1) // self._height

    def _leap(self, rows: int) -> None:
        number = max(0, min(len(self._rows) - 1, self._number + rows))
        self._nearest(number, -1 if rows > 0 else 1)

    def action_edge(self, end: int) -> None:
        """Go to the first or the last repository."""
        self._nearest(len(self._rows) - 1 if end else 0, -1 if end else 1)

    def _nearest(self, number: int, step: int) -> None:
        while 0 <= number < len(self._rows):
            row = self._rows[number]
            if not isinstance(row, Heading):
                self._go(number, row)
                return
            number += step

    def _go(self, number: int, row: BoardRow) -> None:
        self._number, self._at = number, row
        self._chosen = _reference(row), self._stage
        self._into_view()
        self.refresh()
        self.post_message(self.Moved())

    def action_across(self, step: int) -> None:
        """Go to the next or previous stage."""
        if self._stage not in self._stages:
            return
        at = self._stages.index(self._stage) + step
        if 0 <= at < len(self._stages):
            self._stage = self._stages[at]
            self._chosen = self._chosen[0], self._stage
            self._into_view()
            self.refresh()
            self.post_message(self.Moved())

    def action_open(self) -> None:
        """Open the card."""
        if self._at is not None:
            self.post_message(self.Opened())

    def on_click(self, event: events.Click) -> None:
        """Put the cursor on a card; a double click opens it."""
        if event.y < 1 or not self._rows:
            return
        number, _ = self._row_at(self.scroll_offset.y + event.y - 1)
        row = self._rows[number] if number is not None else None
        if number is None or row is None or isinstance(row, Heading):
            return
        self._stage = self._columns().at(event.x) or self._stage
        self._go(number, row)
        if event.chain == 2:
            self.action_open()

    def on_resize(self) -> None:
        """Keep the cursor in view."""
        self._into_view()

    def notify_style_update(self) -> None:
        """Redraw in another theme."""
        self._roles = None
        super().notify_style_update()

    def _columns(self) -> Columns:
        """The columns for the stage under the cursor."""
        names, needs = self._needs
        at = self._stages.index(self._stage) if self._stage in self._stages else 0
        found = columns(max(20, self.size.width), names, list(needs.items()), self._first, at)
        self._first = found.first
        return found

    def _into_view(self) -> None:
        height = self.size.height - 1
        top, bottom = self._offset(self._number), self._offset(self._number + 1)
        if height <= 0:
            return
        if top < self.scroll_offset.y:
            target = max(0, top - (1 if self._number and isinstance(self._rows[self._number - 1], Heading) else 0))
        elif bottom > self.scroll_offset.y + height:
            target = bottom - height
        else:
            return
        self.scroll_to(y=target, animate=False, force=True, immediate=True)

    def _view(self) -> tuple[Columns, Drawn]:
        """The columns, and what is in view, drawn."""
        found = self._columns()
        first = self._row_at(int(self.scroll_offset.y))[0] or 0
        view = range(first, min(len(self._rows), first + self.size.height // self._height + 2))
        if self._drawn is None or self._drawn[:2] != (view, found):
            rows = {number: row for number in view if not isinstance(row := self._rows[number], Heading)}
            drawn = draw(rows, found, self._clock(), compact=self.compact, hosts=self._hosts)
            self._drawn = view, found, drawn
        return found, self._drawn[2]

    def render_line(self, y: int) -> Strip:
        """Draw one line: the stage titles, a namespace, or a line of cards."""
        if self._roles is None:
            self._roles = Roles(self.app.theme_variables)
        shown, drawn = self._view()
        if y == 0:
            return strip(titles(shown, self._stages, self._stage), self.size.width, self._roles)
        number, line = self._row_at(self.scroll_offset.y + y - 1)
        if number is None:
            return Strip.blank(self.size.width, self._roles.style("text"))
        row = self._rows[number]
        if isinstance(row, Heading):
            return strip(heading(row, self.size.width - 1), self.size.width, self._roles)
        here = number == self._number
        # The line that parts rows is not part of the card.
        at = self._stage if here and line < max(1, self._height - 1) else ""
        ground = "cursor" if self.has_focus else "blurred"
        return strip(drawn.line(number, line, shown, at, ground, here=here), self.size.width, self._roles)

    def _row_at(self, line: int) -> tuple[int | None, int]:
        """The row of a screen line, and the line's index in it."""
        if self.compact:
            return (line, 0) if line < len(self._rows) else (None, 0)
        start = 0
        for number, row in enumerate(self._rows):
            end = start + (1 if isinstance(row, Heading) else TALL)
            if line < end:
                return number, line - start
            start = end
        return None, 0


def _reference(row: BoardRow | Heading) -> str:
    return "" if isinstance(row, Heading) else row.repository.reference()
