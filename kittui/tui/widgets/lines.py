"""Read-only text of any length: wraps or cuts by arithmetic, highlights only the lines on screen."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from textual.binding import Binding, BindingType
from textual.cache import LRUCache
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from kittui.tui.style.theme import Roles
from kittui.tui.widgets.cutting import Spans
from kittui.tui.widgets.text_lines import (
    Beside,
    Hanging,
    between,
    blank_of,
    half_of,
    holds,
    text_of,
    windowed,
    wrap,
)
from kittui.tui.widgets.text_lines import Line as Line


def plain(text: str) -> Spans:
    """No highlighting."""
    return ((text, "text"),)


@dataclass(frozen=True)
class Page:
    """Lines with a highlighter for texts, and the raw text for copying the page.

    Lines that are too long for the screen are wrapped, or cut off if `cut` is set: `Lines.go_sideways` moves them.
    """

    lines: Sequence[Line] = ()
    highlight: Callable[[str], Spans] = plain
    raw: str | None = field(default=None, repr=False)
    cut: bool = False


@dataclass(frozen=True, slots=True)
class _Drawn:
    """A line whose screen lines are drawn as they come into view: one line may be a whole file."""

    count: int
    spans: Callable[[int], Spans]
    """The content of each screen line."""
    ground: str
    strips: dict[int, Strip] = field(default_factory=dict)

    def draw(self, part: int, width: int, roles: Roles) -> Strip:
        """One of its screen lines."""
        spans = self.spans(part)
        # Space before it has the background of its start, space after it that of its end.
        before, after = (roles.style(blank_of(end), self.ground) for end in (spans[:1], spans[-1:]))
        segments = [Segment(" ", before), *(Segment(text, roles.style(role, self.ground)) for text, role in spans)]
        return Strip(segments).adjust_cell_length(width, after)


class Lines(ScrollView, can_focus=True, inherit_bindings=False):
    """Shows a Page; long lines wrap, and `find` steps through lines that contain a text."""

    DEFAULT_CSS = """
    Lines {
        height: 1fr; background: $kit-background; color: $kit-text;
        scrollbar-size-vertical: 1; scrollbar-size-horizontal: 0; overflow-x: hidden;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "step(1)", "Down", id="text.down", tooltip="One line down", show=False),
        Binding("up,k", "step(-1)", "Up", id="text.up", tooltip="One line up", show=False),
        Binding("pagedown,ctrl+f", "page(1)", "Page down", id="text.page-down", tooltip="One page down", show=False),
        Binding("pageup,ctrl+b", "page(-1)", "Page up", id="text.page-up", tooltip="One page up", show=False),
        Binding("ctrl+d", "half(1)", "Half down", id="text.half-down", tooltip="Half a page down", show=False),
        Binding("ctrl+u", "half(-1)", "Half up", id="text.half-up", tooltip="Half a page up", show=False),
        Binding("g,home", "edge(0)", "Top", id="text.top", tooltip="First line", show=False),
        Binding("G,end", "edge(1)", "Bottom", id="text.bottom", tooltip="Last line", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._page = Page()
        self._starts: list[int] = [0]
        self._width = 0
        self._skipped = 0
        self._drawn: LRUCache[int, _Drawn] = LRUCache(400)
        self._roles: Roles | None = None
        self._needle = ""
        self._found: list[int] = []
        self._at = -1
        self._current = -1

    @property
    def page(self) -> Page:
        """The page shown."""
        return self._page

    def show(self, page: Page, *, keep: bool = False) -> None:
        """Show a page from its top, or at the current scroll position if `keep`."""
        self._page = page
        self._needle, self._found, self._at, self._current = "", [], -1, -1
        self._wrap()
        if not keep or not page.cut:
            self._skipped = 0
        if not keep:
            self.scroll_to(y=0, animate=False, force=True, immediate=True)
        self.refresh()

    def extend(self, lines: Sequence[Line]) -> None:
        """Add lines below; the view and the matches stay."""
        before = self._page.lines
        self._page = replace(self._page, lines=[*before, *lines])
        self._found += self._holding(lines, len(before))
        starts = self._starts
        for line in lines:
            starts.append(starts[-1] + self._height(line))
        self.virtual_size = Size(0, starts[-1])
        self.refresh()

    def _holding(self, lines: Sequence[Line], first: int) -> list[int]:
        needle = self._needle
        return [n for n, line in enumerate(lines, first) if holds(line, needle)] if needle else []

    def find(self, text: str, wanted: int = 0) -> tuple[int, int]:
        """Mark lines that hold the text and go to the first in view or after it; returns (which, how many), from 1.

        If given, go to the `wanted` match.
        """
        self._needle = text.casefold()
        self._found = self._holding(self._page.lines, 0)
        self._at = self._current = -1
        self._drawn.clear()
        self.refresh()
        top = bisect_right(self._starts, self.scroll_offset.y) - 1
        following = [place for place, number in enumerate(self._found) if number >= top]
        return self._go(wanted - 1 if 0 < wanted <= len(self._found) else following[0] if following else 0)

    @property
    def match(self) -> tuple[int, int]:
        """The number of the current match, from 1, and the number of matches."""
        return (self._at + 1, len(self._found)) if self._needle else (0, 0)

    def find_next(self, step: int) -> tuple[int, int]:
        """Go to the next or previous line found, around the ends."""
        return self._go((self._at + step) % len(self._found) if self._found else 0)

    def _go(self, place: int) -> tuple[int, int]:
        if not self._found:
            return (0, 0)
        self._at = place
        self._point(self._found[place])
        line = self._starts[self._found[place]]
        top, height = self.scroll_offset.y, self.size.height
        if not top <= line < top + height:
            self.scroll_to(y=max(0, line - height // 3), animate=False, force=True, immediate=True)
        return (place + 1, len(self._found))

    def _point(self, number: int) -> None:
        """Mark a line as the current one."""
        for each in (self._current, number):
            self._drawn.discard(each)
        self._current = number
        self.refresh()

    def go_sideways(self, direction: int) -> bool:
        """Move cut lines sideways by half their width; False if they end in that direction."""
        rooms = [each for line in self._page.lines for each in self._rooms(line)] if self._page.cut else []
        room = max((width for width, _ in rooms), default=1)
        furthest = max((length - width for width, length in rooms), default=0)
        skipped = max(0, min(furthest, self._skipped + direction * max(1, room // 2)))
        moved = skipped != self._skipped
        self._skipped = skipped
        self._drawn.clear()
        self.refresh()
        return moved

    def _rooms(self, line: Line) -> list[tuple[int, int]]:
        """The available cells for each text of a line, and the cells that it needs."""
        halves = line.halves if isinstance(line, Beside) else (line,)
        width = half_of(self._width) if isinstance(line, Beside) else self._width
        margins = [half.margin if isinstance(half, Hanging) else 0 for half in halves]
        texts = [text_of(half) for half in halves]
        return [
            (width - cell_len(text[:margin]), cell_len(text[margin:]))
            for text, margin in zip(texts, margins, strict=True)
        ]

    def action_step(self, step: int) -> None:
        """Scroll by lines."""
        self.scroll_to(y=self.scroll_offset.y + step, animate=False, immediate=True)

    def action_half(self, step: int) -> None:
        """Scroll by half a page."""
        self.action_step(step * max(1, self.size.height // 2))

    def action_page(self, step: int) -> None:
        """Scroll by a page, keeping one line of it."""
        self.action_step(step * max(1, self.size.height - 1))

    def action_edge(self, end: int) -> None:
        """Scroll to the top or the bottom."""
        self.scroll_to(y=self._starts[-1] if end else 0, animate=False, immediate=True)

    def on_resize(self) -> None:
        """Wrap to the new width, keeping the top line."""
        top = bisect_right(self._starts, self.scroll_offset.y) - 1
        self._wrap()
        if 0 < top < len(self._starts):
            self.scroll_to(y=self._starts[top], animate=False, force=True, immediate=True)

    def notify_style_update(self) -> None:
        """Forget what was drawn: the theme has changed."""
        self._roles = None
        self._drawn.clear()
        super().notify_style_update()

    def _wrap(self) -> None:
        self._width = max(8, self.size.width - 2)
        self._starts = [0, *accumulate(map(self._height, self._page.lines))]
        self._drawn.clear()
        self.virtual_size = Size(0, self._starts[-1])

    def _height(self, line: Line) -> int:
        """The number of screen lines that a line takes."""
        if self._page.cut:
            return 1
        return len(line.drawn(self._width, False, 0) if isinstance(line, Beside) else self._cuts(line))

    def _cuts(self, line: Line) -> list[tuple[int, int, int]]:
        return wrap(text_of(line), self._width, line.margin if isinstance(line, Hanging) else None)

    def render_line(self, y: int) -> Strip:
        """Draw one line of the screen."""
        if self._roles is None:
            self._roles = Roles(self.app.theme_variables)
        width = self.size.width
        wanted = self.scroll_offset.y + y
        number = bisect_right(self._starts, wanted) - 1
        if number >= len(self._page.lines):
            return Strip.blank(width, self._roles.style("text"))
        drawn = self._drawn.get(number)
        if drawn is None:
            drawn = self._drawn[number] = self._begin(number)
        part = wanted - self._starts[number]
        if part >= drawn.count:
            return Strip.blank(width, self._roles.style("text"))
        strip = drawn.strips.get(part)
        if strip is None:
            strip = drawn.strips[part] = drawn.draw(part, width, self._roles)
        return strip

    def _begin(self, number: int) -> _Drawn:
        line = self._page.lines[number]
        spans = self._page.highlight(line) if isinstance(line, str) else line
        ground = "base"
        if number == self._current:
            ground = "cursor"
        elif _among(self._found, number):
            ground = "blurred"
        if isinstance(line, Beside):
            rows = line.drawn(self._width, self._page.cut, self._skipped)
            return _Drawn(len(rows), rows.__getitem__, ground)
        if self._page.cut:
            margin = line.margin if isinstance(line, Hanging) else 0
            window = windowed(spans, self._width, self._skipped, margin)
            return _Drawn(1, lambda _: window, ground)
        places, cuts = [0, *accumulate(len(part) for part, _ in spans)], self._cuts(line)

        def wrapped(part: int) -> Spans:
            start, end, indent = cuts[part]
            return ((" " * indent, blank_of(spans[:1])), *between(spans, start, end, places))

        return _Drawn(len(cuts), wrapped, ground)


def _among(numbers: Sequence[int], number: int) -> bool:
    """Whether a number is in an ordered list."""
    place = bisect_left(numbers, number)
    return place < len(numbers) and numbers[place] == number
