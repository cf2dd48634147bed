"""Changed lines: in their syntax's colours, the words that differ underlined, side by side or one below the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rich.cells import cell_len

from kittui.compare.changes import Hunk
from kittui.compare.changes import Line as TextLine
from kittui.terminal import clean
from kittui.tui.widgets.highlight import highlight
from kittui.tui.widgets.lines import Line
from kittui.tui.widgets.rows import Span, Spans

ROLES: Final = {"-": "bad", "+": "good", " ": "text"}
LINE_LIMIT: Final = 4000
"""Characters of one line that are shown."""
_TOGETHER = 200
"""Lines that are coloured in one go, so that a text of many lines between quotes is known as one."""


class Head(tuple[Span, ...]):
    """The line that a hunk begins with: `]` and `[` stop here."""


def unified(hunk: Hunk, path: str) -> Iterator[Line]:
    """Old lines above new ones."""
    yield _head(hunk)
    for line, spans in _coloured(hunk, path):
        yield ((f"{line.op} ", f"{ROLES[line.op]}+bold"), *spans)


def beside(hunk: Hunk, width: int, path: str) -> Iterator[Line]:
    """Old lines on the left, new ones on the right; long lines continue below themselves."""
    yield _head(hunk)
    half = max(10, (width - 3) // 2)
    olds: list[tuple[TextLine, list[Span]]] = []
    news: list[tuple[TextLine, list[Span]]] = []

    def flush() -> Iterator[Line]:
        for at in range(max(len(olds), len(news))):
            left = _column(olds[at] if at < len(olds) else None, half)
            right = _column(news[at] if at < len(news) else None, half)
            for part in range(max(len(left), len(right))):
                blank = ((" " * half, "text"),)
                yield (
                    *(left[part] if part < len(left) else blank),
                    (" │ ", "faint"),
                    *(right[part] if part < len(right) else ()),
                )
        olds.clear()
        news.clear()

    for line, spans in _coloured(hunk, path):
        if line.op == "-":
            olds.append((line, spans))
        elif line.op == "+":
            news.append((line, spans))
        else:
            yield from flush()
            olds.append((line, spans))
            news.append((line, spans))
            yield from flush()
    yield from flush()


def _head(hunk: Hunk) -> Head:
    where = f"@@ -{hunk.a_start},{hunk.a_count} +{hunk.b_start},{hunk.b_count} @@ {clean(hunk.section)}"
    return Head(((where.rstrip(), "accent"),))


def _column(side: tuple[TextLine, list[Span]] | None, half: int) -> list[list[Span]]:
    """One side's line as rows of exactly `half` cells, its mark in front of the first."""
    if side is None:
        return []
    line, spans = side
    lead: Span = (f"{line.op} ", f"{ROLES[line.op]}+bold")
    rows: list[list[Span]] = [[lead]]
    room = half - 2
    for text, role in spans:
        while text:
            if room <= 0:
                rows.append([("  ", "text")])
                room = half - 2
            part = text[:room] if text.isascii() else _start(text, room)
            if not part:
                rows[-1].append((" " * room, "text"))
                room = 0
                continue
            rows[-1].append((part, role))
            room -= cell_len(part)
            text = text[len(part) :]
    rows[-1].append((" " * max(0, room), "text"))
    return rows


def _start(text: str, room: int) -> str:
    """As many characters as fit into so many cells."""
    used = 0
    for number, character in enumerate(text):
        used += cell_len(character)
        if used > room:
            return text[:number]
    return text


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
    """A line's tokens, cut where words that differ begin and end: those are bold and underlined, and need no hue."""
    marked = f"{ROLES[line.op]}+bold+underline"
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
            spans.append((clean(text[start:end].expandtabs(4), limit=None), marked if inside else role))
            start = end
        at += len(text)
    if len(line.text) > LINE_LIMIT:
        spans.append((f" … {len(line.text) - LINE_LIMIT:,} more characters", "muted"))
    if line.note:
        spans.append((f"  ({clean(line.note)})", "muted"))
    return spans
