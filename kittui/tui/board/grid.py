"""A table of cards with a cursor that goes both ways; draws only what is on the screen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar, Final

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from kittui.terminal import clean
from kittui.tui.board.cards import Heading
from kittui.tui.style.theme import Roles
from kittui.tui.widgets.cutting import Spans, apart

if TYPE_CHECKING:
    from kittui.usecases.trust.board import BoardRow, Cell

NARROW: Final = 17
"""Cells of a card at least."""
TALL: Final = 4
"""Lines of a row of cards, with the one that parts it from the next."""


class Grid(ScrollView, can_focus=True, inherit_bindings=False):
    """Repositories down, stages across. `card` gives a cell's lines for a width; compact rows show the first alone."""

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
        Binding("enter", "open", "Open", id="board.open", tooltip="Open the ModelKit among the panes", show=False),
    ]

    class Moved(Message):
        """The cursor is on another card."""

    class Opened(Message):
        """Enter, or a double click, on a card."""

    def __init__(self, card: Callable[[Cell | None, int], list[Spans]]) -> None:
        super().__init__()
        self._card = card
        self._rows: Sequence[BoardRow | Heading] = ()
        self._stages: Sequence[str] = ()
        self._at: BoardRow | None = None
        self._number = 0
        self._stage = ""
        self._first = 0
        self.compact = False
        self._roles: Roles | None = None
        self._labels: tuple[range, int, dict[int, str]] | None = None

    @property
    def row(self) -> BoardRow | None:
        """The repository under the cursor."""
        return self._at

    @property
    def stage(self) -> str:
        """The stage under the cursor; empty where there are no columns."""
        return self._stage

    @property
    def cell(self) -> Cell | None:
        """The card under the cursor, if there is one."""
        return self._at.cells.get(self._stage) if self._at is not None else None

    @property
    def rows(self) -> Sequence[BoardRow | Heading]:
        """The rows as shown."""
        return self._rows

    @property
    def _height(self) -> int:
        return 1 if self.compact else TALL

    def show(self, rows: Sequence[BoardRow | Heading], stages: Sequence[str], wanted: str = "") -> None:
        """Show these; the cursor stays on its repository and stage, else it is on the first one and `wanted`."""
        self._rows, self._stages, self._labels = rows, stages, None
        name = self._at.repository.reference() if self._at is not None else ""
        same = next((n for n, row in enumerate(rows) if _reference(row) == name), None)
        if same is None:
            same = next((n for n in range(min(self._number, len(rows)), len(rows)) if _reference(rows[n])), None)
        if same is None:
            same = next((n for n in range(len(rows) - 1, -1, -1) if _reference(rows[n])), None)
        self._number = same or 0
        row = rows[self._number] if same is not None else None
        self._at = None if row is None or isinstance(row, Heading) else row
        if self._stage not in stages:
            self._stage = wanted if wanted in stages else stages[0] if stages else ""
        self.virtual_size = Size(0, self._offset(len(rows)) + 1)
        self._into_view()
        self.refresh()
        self.post_message(self.Moved())

    def toggle(self) -> None:
        """One line a repository, or cards."""
        self.compact, self._labels = not self.compact, None
        self.virtual_size = Size(0, self._offset(len(self._rows)) + 1)
        self._into_view()
        self.refresh()

    def _offset(self, number: int) -> int:
        """The line that a row begins at, below the titles."""
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
        """Go a page on, keeping one repository of it."""
        self._leap(step * max(1, self._seen - 1))

    def action_half(self, step: int) -> None:
        """Go half a page on."""
        self._leap(step * max(1, self._seen // 2))

    @property
    def _seen(self) -> int:
        """How many repositories there is room for."""
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
            self._into_view()
            self.refresh()
            self.post_message(self.Moved())

    def action_open(self) -> None:
        """Open the card."""
        if self._at is not None:
            self.post_message(self.Opened())

    def on_click(self, event: events.Click) -> None:
        """Put the cursor on a card; a double click opens it."""
        line, names, width, shown = self.scroll_offset.y + event.y - 1, *self._layout()
        if event.y < 1 or not self._rows:
            return
        number = next((n for n in range(len(self._rows)) if self._offset(n) <= line < self._offset(n + 1)), None)
        row = self._rows[number] if number is not None else None
        if number is None or row is None or isinstance(row, Heading):
            return
        across = (event.x - names - 1) // (width + 1)
        if 0 <= across < len(shown):
            self._stage = shown[across]
        self._go(number, row)
        if event.chain == 2:
            self.action_open()

    def on_resize(self) -> None:
        """Keep the cursor in view."""
        self._into_view()

    def notify_style_update(self) -> None:
        """Another theme."""
        self._roles = None
        super().notify_style_update()

    def _layout(self) -> tuple[int, int, Sequence[str]]:
        """Cells of the names and of a card, and the stages that fit."""
        room = max(20, self.size.width)
        names = min(28, max(14, room // 5))
        left = room - names - 2
        shown = self._stages[self._first : self._first + self._fits]
        return names, min(left // max(1, len(shown)) - 1, 40), shown

    @property
    def _fits(self) -> int:
        """How many stages there is room for."""
        room = max(20, self.size.width)
        return max(1, (room - min(28, max(14, room // 5)) - 2) // (NARROW + 1))

    def _into_view(self) -> None:
        if self._stage in self._stages:
            at = self._stages.index(self._stage)
            fits = self._fits
            self._first = max(0, min(self._first, at, len(self._stages) - 1))
            # The stage that a card would go to next is in view too.
            self._first = min(at, max(self._first, min(at + 1, len(self._stages) - 1) - fits + 1))
            self._first = min(self._first, max(0, len(self._stages) - fits))
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

    def render_line(self, y: int) -> Strip:
        """Draw one line: the stages, a namespace, or a line of a row of cards."""
        if self._roles is None:
            self._roles = Roles(self.app.theme_variables)
        names, width, shown = self._layout()
        if y == 0:
            right = len(self._stages) - self._first - len(shown)
            more = [f"← {self._first}" if self._first else "", f"{right} more →" if right else ""]
            cells: list[tuple[Spans, str]] = [(((" ".join(filter(None, more)), "warn"),), "base")]
            for stage in shown:
                on = stage == self._stage
                cells.append((((clean(stage, limit=60), "accent+bold" if on else "muted"),), "base"))
            return self._strip(cells, names, width)
        number, line = self._row_at(self.scroll_offset.y + y - 1)
        if number is None:
            return Strip.blank(self.size.width, self._roles.style("text"))
        row = self._rows[number]
        if isinstance(row, Heading):
            text = f"▾ {clean(row.name or 'here', limit=200)}  {row.count}"
            return self._strip([(((text, "accent"),), "base")], self.size.width - 1, width)
        here = number == self._number
        name: Spans = ((self._label(number, names), "text+bold" if here else "text"),)
        host = row.name.partition("/")[0]
        below: Spans = ((clean(host, limit=80) if line == 1 else "", "faint"),)
        if row.problem and not row.cells:
            below = (("✗ " + clean(row.problem, limit=300), "bad"),) if line == (0 if self.compact else 1) else ()
            return self._strip([(name if line == 0 else (), "base"), (below, "base")], names, self.size.width)
        cells = [(name if line == 0 else below if line == 1 else (), "base")]
        for stage in shown:
            lines = self._card(row.cells.get(stage), width)
            on = here and stage == self._stage and line < max(1, self._height - 1)
            ground = ("cursor" if self.has_focus else "blurred") if on else "base"
            cells.append((lines[line] if line < len(lines) else (), ground))
        return self._strip(cells, names, width)

    def _label(self, number: int, width: int) -> str:
        """A repository's name in so many cells; different ones in view don't look alike."""
        first = self._row_at(int(self.scroll_offset.y))[0] or 0
        view = range(first, min(len(self._rows), first + self.size.height + 1))
        if self._labels is None or self._labels[:2] != (view, width):
            shown = [(place, row) for place in view if not isinstance(row := self._rows[place], Heading)]
            # Cards have the host below the name.
            hosts = {row.name.partition("/")[0] for _, row in shown} if self.compact else set()
            texts = [row.name if len(hosts) > 1 else row.repository.name for _, row in shown]
            cut = apart([(clean(text, limit=300), width) for text in texts])
            self._labels = (view, width, dict(zip((place for place, _ in shown), cut, strict=True)))
        return self._labels[2][number]

    def _row_at(self, line: int) -> tuple[int | None, int]:
        """The row that a line belongs to, and which of its lines it is."""
        if self.compact:
            return (line, 0) if line < len(self._rows) else (None, 0)
        start = 0
        for number, row in enumerate(self._rows):
            end = start + (1 if isinstance(row, Heading) else TALL)
            if line < end:
                return number, line - start
            start = end
        return None, 0

    def _strip(self, cells: Sequence[tuple[Spans, str]], names: int, width: int) -> Strip:
        roles = self._roles or Roles(self.app.theme_variables)
        segments: list[Segment] = [Segment(" ", roles.style("text"))]
        for place, (spans, ground) in enumerate(cells):
            left = names if place == 0 else width
            for text, role in spans:
                size = cell_len(text)
                if size > left:
                    text, size = (set_cell_size(text, left - 1) + "…" if left > 1 else ""), left
                if text:
                    segments.append(Segment(text, roles.style(role, ground)))
                left -= size
                if left <= 0:
                    break
            if left > 0:
                segments.append(Segment(" " * left, roles.style("text", ground)))
            segments.append(Segment(" ", roles.style("text")))
        return Strip(segments).adjust_cell_length(self.size.width, roles.style("text"))


def _reference(row: BoardRow | Heading) -> str:
    return "" if isinstance(row, Heading) else row.repository.reference()
