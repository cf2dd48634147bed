"""Wraps or cuts lines of text, with their margins, to the available cells."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import accumulate

from rich.cells import cell_len, set_cell_size

from kittui.tui.widgets.cutting import Span, Spans

Line = str | Spans
"""A line: a cleaned text to highlight, or spans drawn as they are."""


class Hanging(tuple[Span, ...]):
    """Spans whose first `margin` characters are a margin: wrapped text continues beside it, and searches skip it.

    `stop` marks a stop for stepping through changes.
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


class Beside(Hanging):
    """Two lines side by side, each wrapped or cut off in its half of the width; the halves are searched apart."""

    halves: tuple[Hanging, Hanging]

    @classmethod
    def of(cls, left: Hanging, right: Hanging, *, stop: bool = False) -> Beside:
        """Combine a line of each side, empty if a side has none."""
        line = cls((*left, *right))
        line.halves = left, right
        line.stop = stop
        return line

    def drawn(self, width: int, cut: bool, skipped: int) -> list[Spans]:
        """Its screen lines."""
        half = half_of(width)

        def column(side: Hanging) -> list[Spans]:
            if cut:
                return [windowed(side, half, skipped, side.margin)]
            return [
                ((" " * indent, blank_of(side[:1])), *between(side, start, end))
                for start, end, indent in wrap(text_of(side), half, side.margin)
            ]

        left, right = map(column, self.halves)
        rows: list[Spans] = []
        for number in range(max(len(left), len(right))):
            one, other = (_padded(side[number : number + 1], half) for side in (left, right))
            rows.append((*one, (" │ ", "faint"), *other))
        return rows


def half_of(width: int) -> int:
    """Cells of one of two columns."""
    return max(10, (width - 3) // 2)


def _padded(rows: Sequence[Spans], width: int) -> Spans:
    spans = rows[0] if rows else ()
    left = width - sum(cell_len(text) for text, _ in spans)
    return (*spans, (" " * left, blank_of(spans[-1:]))) if left > 0 else spans


def windowed(spans: Spans, width: int, skipped: int, margin: int = 0) -> Spans:
    """Cut a line off at `width` cells, skipping so many after its margin; an ellipsis stands for what is cut off.

    Titles, which have no margin, don't move as long as they fit.
    """
    text = "".join(piece for piece, _ in spans)
    room = max(1, width - cell_len(text[:margin]))
    rest = text[margin:]
    if not margin and _fitting(rest, 0, room) >= len(rest):
        return spans
    start = _fitting(rest, 0, skipped) if skipped else 0
    end = start + _fitting(rest, start, room) if start < len(rest) else start
    shown = list(between(spans, margin + start, margin + end))
    if end < len(rest) or (start and room == 1):
        shown = _with_ellipsis(shown, room, end=True)
    if start and room > 1:
        shown = _with_ellipsis(shown, room, end=False)
    return (*between(spans, 0, margin), *shown)


def _with_ellipsis(spans: list[Span], room: int, *, end: bool) -> list[Span]:
    """The spans with an ellipsis for their last or first cell."""
    if not spans:
        return [("…", "muted")]
    text, role = spans[-1 if end else 0]
    mark = ("…", blank_of([(text, role)]).replace("text", "muted"))
    if not end:
        return [mark, (text[1:], role), *spans[1:]]
    spare = room - sum(cell_len(piece) for piece, _ in spans[:-1]) - 1
    return [*spans[:-1], (text if cell_len(text) <= spare else set_cell_size(text, max(0, spare)), role), mark]


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
        # Check only whether the next word fits into a line, as there may be no space for megabytes.
        reach = blank + 1 + width - hanging
        fits = len(text) <= reach or text.find(" ", blank + 1, reach + 1) >= 0
        cut = blank if blank > start and (fits or blank >= start + room // 2) else end
        pieces.append((start, cut, indent))
        start = cut + 1 if cut == blank else cut
        indent, room = hanging, width - hanging


def blank_of(spans: Spans) -> str:
    """The role of spaces on the background of the first span, never on that of a changed word."""
    return "".join(("text", *spans[0][1].partition("@")[1:])).removesuffix("-word") if spans else "text"


def _fitting(text: str, start: int, room: int) -> int:
    """The number of characters from `start` that fit into so many cells, at least one."""
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
    """Cut spans from one character to another; `places` are the start of each, and the end."""
    places = places or [0, *accumulate(len(part) for part, _ in spans)]
    found: list[tuple[str, str]] = []
    for number in range(max(0, bisect_right(places, start) - 1), bisect_left(places, end)):
        text, role = spans[number]
        at = places[number]
        if part := text[max(0, start - at) : end - at]:
            found.append((part, role))
    return found


def holds(line: Line, needle: str) -> bool:
    """Whether a line contains a casefolded text, outside its margin."""
    if isinstance(line, Beside):
        return any(holds(half, needle) for half in line.halves)
    return needle in text_of(line)[line.margin if isinstance(line, Hanging) else 0 :].casefold()


def text_of(line: Line) -> str:
    return line if isinstance(line, str) else "".join(text for text, _ in line)
