"""Texts in roles, cut and padded to the cells that there are."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from textual.strip import Strip

from kittui.tui.style.theme import Roles
from kittui.tui.widgets.bars import shorten_middle

Span = tuple[str, str]
"""A cleaned text and the role it is drawn in."""
Spans = Sequence[Span]

_READABLE = 8
"""Cells that a name which is cut in its middle has at least."""


def join(pieces: Sequence[Span], roles: Roles, ground: str, width: int) -> Strip:
    """Make one strip of exactly `width` cells with as few style changes as can be; blanks take the style before."""
    segments: list[Segment] = []
    text, role, length = "", "", 0
    for piece, piece_role in pieces:
        if piece_role == role or (piece.isspace() and role and "+" not in role):
            text += piece
        else:
            if text:
                segments.append(Segment(text, roles.style(role, ground)))
            text, role = piece, piece_role
        length += cell_len(piece)
    segments.append(Segment(text, roles.style(role, ground)))
    strip = Strip(segments, length)
    return strip if length == width else strip.adjust_cell_length(width, roles.style("text", ground))


def both_ends(spans: Spans, room: int) -> Spans:
    """Cut the longest text of a cell in its middle where that is enough: the ends of names tell them apart.

    A sentence loses its end.
    """
    over = sum(cell_len(text) for text, _ in spans) - room
    if over <= 0:
        return spans
    longest = max(range(len(spans)), key=lambda number: cell_len(spans[number][0]))
    text, role = spans[longest]
    left = cell_len(text) - over
    if left < _READABLE or any(stop in text for stop in (", ", ". ", ": ")):
        return spans
    return (*spans[:longest], (shorten_middle(text, left), role), *spans[longest + 1 :])


def fit(spans: Spans, room: int, align: str) -> list[Span]:
    """Cut or pad the spans to exactly `room` cells; a cut ends in an ellipsis."""
    length = sum(cell_len(text) for text, _ in spans)
    if length <= room:
        blank = (" " * (room - length), "text")
        return [blank, *spans] if align == "right" else [*spans, blank]
    fitted: list[Span] = []
    left = room - 1
    for text, role in spans:
        size = cell_len(text)
        if size <= left:
            fitted.append((text, role))
            left -= size
            continue
        fitted.append((set_cell_size(text, left) + "…", role))
        return fitted
    return fitted
