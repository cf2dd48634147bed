"""Draws changed lines with numbers on a background by side, side by side or one below the other."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from typing import Final

from kittui.compare.changes import Hunk
from kittui.compare.changes import Line as TextLine
from kittui.compare.text import CONTEXT
from kittui.terminal import clean, counted
from kittui.tui.widgets.cutting import Span, Spans
from kittui.tui.widgets.highlight import highlight
from kittui.tui.widgets.text_lines import Beside, Hanging, Line

ROLES: Final = {"-": "bad", "+": "good", " ": "text"}
GROUNDS: Final = {"-": "@removed", "+": "@added", " ": ""}
LINE_LIMIT: Final = 4000
"""Characters of one line that are shown."""
_TOGETHER = 200
"""Lines that are coloured in one go, so that a text of many lines between quotes is known as one."""


def _far(hunk: Hunk) -> frozenset[int]:
    """The lines of a hunk where a change begins so far below what is before it that it has a stop of its own."""
    found: set[int] = set()
    quiet = 0
    for number, line in enumerate(hunk.lines):
        if line.op != " " and quiet > 2 * CONTEXT:
            found.add(number)
        quiet = quiet + 1 if line.op == " " else 0
    return frozenset(found)


def unified(hunk: Hunk, path: str, *, numbers: bool = True, head: bool = True) -> Iterator[Line]:
    """Old lines above new ones, each with its number on both sides.

    Without a head the first change is a stop where there are others far below it.
    """
    far = _far(hunk)
    if head:
        yield _head(hunk, far)
    elif far:
        far |= {_first(hunk)}
    a, b, wide = hunk.a_start, hunk.b_start, _digits(hunk)
    for number, (line, spans) in enumerate(_coloured(hunk, path)):
        ground = GROUNDS[line.op]
        margin: list[Span] = [(f"{line.op} ", f"{ROLES[line.op]}+bold{ground}")]
        if numbers:
            old, new = (a if line.op != "+" else ""), (b if line.op != "-" else "")
            margin.insert(0, (f"{old:>{wide}} {new:>{wide}} ", f"faint{ground}"))
        a, b = a + (line.op != "+"), b + (line.op != "-")
        yield Hanging.after(margin, spans, stop=number in far)


def _digits(hunk: Hunk) -> int:
    return max(3, len(str(max(hunk.a_start + hunk.a_count, hunk.b_start + hunk.b_count))))


def beside(hunk: Hunk, path: str) -> Iterator[Line]:
    """Old lines on the left, new ones on the right."""
    far = _far(hunk)
    yield _head(hunk, far)
    olds: list[Hanging] = []
    news: list[Hanging] = []
    a, b, wide = hunk.a_start, hunk.b_start, _digits(hunk)

    stop = False

    def flush() -> Iterator[Line]:
        nonlocal stop
        for old, new in zip_longest(olds, news, fillvalue=Hanging()):
            yield Beside.of(old, new, stop=stop)
            stop = False
        olds.clear()
        news.clear()

    for number, (line, spans) in enumerate(_coloured(hunk, path)):
        stop = stop or number in far
        if line.op == "-":
            olds.append(_side(a, line, spans, wide))
        elif line.op == "+":
            news.append(_side(b, line, spans, wide))
        else:
            yield from flush()
            olds.append(_side(a, line, spans, wide))
            news.append(_side(b, line, spans, wide))
            yield from flush()
        a, b = a + (line.op != "+"), b + (line.op != "-")
    yield from flush()


def _first(hunk: Hunk) -> int:
    return next((number for number, line in enumerate(hunk.lines) if line.op != " "), 0)


def _head(hunk: Hunk, far: frozenset[int]) -> Line:
    """The line that a hunk begins with: `]` and `[` stop here, unless its first change is far below."""
    where = f"@@ -{hunk.a_start},{hunk.a_count} +{hunk.b_start},{hunk.b_count} @@ {clean(hunk.section)}"
    return Hanging.after((), ((where.rstrip(), "accent"),), stop=_first(hunk) not in far)


def _side(number: int, line: TextLine, spans: list[Span], wide: int) -> Hanging:
    """One side's line, its number and mark in front."""
    ground = GROUNDS[line.op]
    lead = ((f"{number:>{wide}} ", f"faint{ground}"), (f"{line.op} ", f"{ROLES[line.op]}+bold{ground}"))
    return Hanging.after(lead, spans)


def _coloured(hunk: Hunk, path: str) -> Iterator[tuple[TextLine, list[Span]]]:
    """The hunk's lines with their spans, coloured so many at a time: each side as the text that it is."""
    for start in range(0, len(hunk.lines), _TOGETHER):
        lines = hunk.lines[start : start + _TOGETHER]
        old = iter(highlight(path, [line.text[:LINE_LIMIT] for line in lines if line.op != "+"]))
        new = iter(highlight(path, [line.text[:LINE_LIMIT] for line in lines if line.op != "-"]))
        for line in lines:
            tokens = next(old) if line.op == "-" else next(new)
            if line.op == " ":
                next(old)
            yield line, _spans(line, tokens)


def _spans(line: TextLine, tokens: Spans) -> list[Span]:
    """A line's tokens, cut where words that differ begin and end: those have a stronger ground."""
    ground = GROUNDS[line.op]
    marked = f"text{ground}-word"
    edges = [(place, number % 2 == 0) for word in line.words for number, place in enumerate(word)]
    spans: list[Span] = []
    at, edge, inside = 0, 0, False
    for text, role in tokens:
        start = 0
        while start < len(text):
            while edge < len(edges) and edges[edge][0] <= at + start:
                inside = edges[edge][1]
                edge += 1
            end = min(len(text), edges[edge][0] - at) if edge < len(edges) else len(text)
            spans.append((clean(text[start:end].expandtabs(4), limit=None), marked if inside else role + ground))
            start = end
        at += len(text)
    if len(line.text) > LINE_LIMIT:
        spans.append((f" … {counted(len(line.text) - LINE_LIMIT, 'more character')}", f"muted{ground}"))
    if line.note:
        spans.append((f"  ({clean(line.note)})", f"muted{ground}"))
    return spans
