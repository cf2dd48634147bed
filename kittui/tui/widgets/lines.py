"""Read-only text of any length: wraps by arithmetic, highlights only the lines on screen."""

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
from kittui.tui.widgets.cutting import Span, Spans

Line = str | Spans
"""A line: a cleaned text to highlight, or spans that are drawn as they are."""


class Hanging(tuple[Span, ...]):
    """Spans whose first `margin` characters are a margin: what is wrapped continues beside it, and none of it is found.

    `stop` says that walking through changes stops here.
    """

    margin: int = 0
    stop: bool = False

    @classmethod
    def after(cls, margin: Spans, text: Spans, *, stop: bool = False) -> Hanging:
        """A margin with the text after it."""
        line = cls((*margin, *text))
        line.margin = sum(len(piece) for piece, _ in margin)
        line.stop = stop
        return line


def plain(text: str) -> Spans:
    """No highlighting."""
    return ((text, "text"),)


@dataclass(frozen=True)
class Page:
    """Lines with the highlighter of those that are text, and the raw text that copying the page means.

    Lines that are too long for the screen are wrapped, or cut off where `cut` is set.
    """

    lines: Sequence[Line] = ()
    highlight: Callable[[str], Spans] = plain
    raw: str | None = field(default=None, repr=False)
    cut: bool = False


@dataclass(frozen=True, slots=True)
class _Drawn:
    """A line, its screen lines drawn as they come into view: one line may be a whole file."""

    spans: Spans
    places: Sequence[int]
    cuts: Sequence[tuple[int, int, int]]
    ground: str
    before: str
    after: str
    strips: dict[int, Strip] = field(default_factory=dict)

    def draw(self, part: int, width: int, roles: Roles) -> Strip:
        """One of its screen lines."""
        start, end, indent = self.cuts[part]
        segments = [Segment(" " * (1 + indent), roles.style(self.before, self.ground))]
        segments += [
            Segment(text, roles.style(role, self.ground)) for text, role in between(self.spans, start, end, self.places)
        ]
        return Strip(segments).adjust_cell_length(width, roles.style(self.after, self.ground))


class Lines(ScrollView, can_focus=True, inherit_bindings=False):
    """Shows a Page; long lines wrap, and `find` walks through lines that hold a text."""

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
        self._drawn: LRUCache[int, _Drawn] = LRUCache(400)
        self._roles: Roles | None = None
        self._needle = ""
        self._found: list[int] = []
        self._at = -1

    @property
    def page(self) -> Page:
        """What is shown."""
        return self._page

    def show(self, page: Page, *, keep: bool = False) -> None:
        """Show a page from its top, or where it was scrolled to if `keep`."""
        self._page = page
        self._needle, self._found, self._at = "", [], -1
        self._wrap()
        if not keep:
            self.scroll_to(y=0, animate=False, force=True, immediate=True)
        self.refresh()

    def extend(self, lines: Sequence[Line]) -> None:
        """Add lines below; what is in view, and what was found, stays."""
        before = self._page.lines
        self._page = replace(self._page, lines=[*before, *lines])
        self._found += self._holding(lines, len(before))
        starts = self._starts
        for line in lines:
            starts.append(starts[-1] + len(self._cuts(line)))
        self.virtual_size = Size(0, starts[-1])
        self.refresh()

    def _holding(self, lines: Sequence[Line], first: int) -> list[int]:
        needle = self._needle
        return [n for n, line in enumerate(lines, first) if needle in _said(line).casefold()] if needle else []

    def find(self, text: str) -> tuple[int, int]:
        """Mark lines that hold the text and go to the first in view or after it; returns (which, how many), from 1."""
        self._needle = text.casefold()
        self._found = self._holding(self._page.lines, 0)
        self._at = -1
        self._drawn.clear()
        self.refresh()
        top = bisect_right(self._starts, self.scroll_offset.y) - 1
        following = [place for place, number in enumerate(self._found) if number >= top]
        return self._go(following[0] if following else 0)

    @property
    def match(self) -> tuple[int, int]:
        """Which of the lines that were found is the current one, from 1, and how many there are."""
        return (self._at + 1, len(self._found)) if self._needle else (0, 0)

    def find_next(self, step: int) -> tuple[int, int]:
        """Go to the next or previous line found, around the ends."""
        return self._go((self._at + step) % len(self._found) if self._found else 0)

    def _go(self, place: int) -> tuple[int, int]:
        if not self._found:
            return (0, 0)
        before, self._at = self._at, place
        for each in {before, place} - {-1}:
            self._drawn.discard(self._found[each])
        line = self._starts[self._found[place]]
        top, height = self.scroll_offset.y, self.size.height
        if not top <= line < top + height:
            self.scroll_to(y=max(0, line - height // 3), animate=False, force=True, immediate=True)
        self.refresh()
        return (place + 1, len(self._found))

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
        """Another theme: forget what was drawn."""
        self._roles = None
        self._drawn.clear()
        super().notify_style_update()

    def _wrap(self) -> None:
        self._width = max(8, self.size.width - 2)
        self._starts = [0, *accumulate(len(self._cuts(line)) for line in self._page.lines)]
        self._drawn.clear()
        self.virtual_size = Size(0, self._starts[-1])

    def _cuts(self, line: Line) -> list[tuple[int, int, int]]:
        text = _text(line)
        if self._page.cut:
            return [(0, len(text), 0)]
        return wrap(text, self._width, line.margin if isinstance(line, Hanging) else None)

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
        if part >= len(drawn.cuts):
            return Strip.blank(width, self._roles.style("text"))
        strip = drawn.strips.get(part)
        if strip is None:
            strip = drawn.strips[part] = drawn.draw(part, width, self._roles)
        return strip

    def _begin(self, number: int) -> _Drawn:
        line = self._page.lines[number]
        spans = self._page.highlight(line) if isinstance(line, str) else line
        ground = "base"
        if self._at >= 0 and self._found[self._at] == number:
            ground = "cursor"
        elif _among(self._found, number):
            ground = "blurred"
        # What is before a line has the ground that it begins in, what fills it the one that it ends in.
        before, after = (_blank(spans[end : end + 1 or None]) for end in (0, -1))
        places = [0, *accumulate(len(part) for part, _ in spans)]
        return _Drawn(spans, places, self._cuts(line), ground, before, after)


def wrap(text: str, width: int, margin: int | None = None) -> list[tuple[int, int, int]]:
    """(start, end, indent) of each screen line of a text: words that fit into a line stay whole, and it is continued
    indented, after `margin` cells where that is given."""
    if len(text) <= width and text.isascii():
        return [(0, len(text), 0)]
    pieces: list[tuple[int, int, int]] = []
    start, indent, room = 0, 0, width
    hanging = min(len(text) - len(text.lstrip()) + 2 if margin is None else margin, width // 3)
    first = margin if margin is not None else len(text) - len(text.lstrip())
    while True:
        end = start + _fitting(text, start, room)
        if end >= len(text):
            return [*pieces, (start, len(text), indent)]
        blank = text.rfind(" ", max(start, first) + 1, end + 1)
        # Whether the word after it fits into a line: looked for no further, as there may be no blank for megabytes.
        reach = blank + 1 + width - hanging
        fits = len(text) <= reach or text.find(" ", blank + 1, reach + 1) >= 0
        cut = blank if blank > start and (fits or blank >= start + room // 2) else end
        pieces.append((start, cut, indent))
        start = cut + 1 if cut == blank else cut
        indent, room = hanging, width - hanging


def _blank(spans: Spans) -> str:
    """The role of blanks on the ground of the spans' first, never on that of a changed word."""
    return "".join(("text", *spans[0][1].partition("@")[1:])).removesuffix("-word") if spans else "text"


def _among(numbers: Sequence[int], number: int) -> bool:
    """Whether a number is in an ordered list."""
    place = bisect_left(numbers, number)
    return place < len(numbers) and numbers[place] == number


def _fitting(text: str, start: int, room: int) -> int:
    """How many characters from `start` fit into so many cells, at least one."""
    piece = text[start : start + room]
    if piece.isascii():
        return len(piece)
    used = 0
    for number, character in enumerate(piece):
        used += cell_len(character)
        if used > room:
            return max(1, number)
    return len(piece)


def between(spans: Spans, start: int, end: int, places: Sequence[int] | None = None) -> list[tuple[str, str]]:
    """The spans' part from one character to another; `places` are where each of them begins, and where all end."""
    places = places or [0, *accumulate(len(part) for part, _ in spans)]
    found: list[tuple[str, str]] = []
    for number in range(max(0, bisect_right(places, start) - 1), bisect_left(places, end)):
        text, role = spans[number]
        at = places[number]
        if part := text[max(0, start - at) : end - at]:
            found.append((part, role))
    return found


def _said(line: Line) -> str:
    """A line's text without its margin."""
    return _text(line)[line.margin if isinstance(line, Hanging) else 0 :]


def _text(line: Line) -> str:
    return line if isinstance(line, str) else "".join(text for text, _ in line)
