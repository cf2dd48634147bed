"""Cuts and pads styled texts to the available cells; cut names stay distinguishable."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from textual.strip import Strip

from kittui.tui.style.theme import Roles
from kittui.tui.widgets.bars import shorten, shorten_middle

Span = tuple[str, str]
"""A cleaned text and the role in which it is drawn."""
Spans = Sequence[Span]

_READABLE = 8
"""Minimum cells of a name that is cut in its middle."""
_ROUNDS = 4
"""Maximum attempts to cut names where they differ; after that they are numbered."""


def join(pieces: Sequence[Span], roles: Roles, ground: str, width: int) -> Strip:
    """Make one strip of exactly `width` cells with as few style changes as possible; spaces take the style before."""
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


def cut_names(cells: Sequence[tuple[Spans, int]]) -> list[Spans]:
    """Cut the longest text of each cell to the cell's room, so that different ones stay different."""
    places: list[tuple[int, int]] = []
    names: list[tuple[str, int]] = []
    for number, (spans, room) in enumerate(cells):
        if spans:
            longest = max(range(len(spans)), key=lambda place: cell_len(spans[place][0]))
            beside = sum(cell_len(text) for place, (text, _) in enumerate(spans) if place != longest)
            places.append((number, longest))
            names.append((spans[longest][0], room - beside))
    found = [spans for spans, _ in cells]
    for (number, longest), text in zip(places, apart(names), strict=True):
        spans = found[number]
        if text != spans[longest][0]:
            found[number] = (*spans[:longest], (text, spans[longest][1]), *spans[longest + 1 :])
    return found


def apart(names: Sequence[tuple[str, int]]) -> list[str]:
    """Cut each name in its middle to its room, since names differ at their ends.

    If different ones would look alike, cut them so that each shows where it begins to differ. With hardly any room,
    names are cut at their ends.
    """
    shown = [_cut(text, room) for text, room in names]
    waiting = [(alike, -1, 0) for alike in _alike(names, shown, range(len(names)))]
    while waiting:
        alike, before, rounds = waiting.pop()
        common = _common([names[number][0] for number in alike])
        if common <= before or rounds == _ROUNDS:
            continue
        # Start all at one position, so that their first difference is at the same one.
        ends = max(cell_len(names[number][0][common:]) for number in alike)
        for number in alike:
            shown[number] = _cut_from(*names[number], common, ends)
        waiting += [(rest, common, rounds + 1) for rest in _alike(names, shown, alike)]
    taken = set(shown)
    for alike in _alike(names, shown, range(len(names))):
        marked: dict[str, str] = {}
        for number in alike:
            text, room = names[number]
            tried = len(marked) + 1
            while text not in marked and (mark := f"{_cut(text, room - len(str(tried)) - 1)}~{tried}") in taken:
                tried += 1
            taken.add(marked.setdefault(text, mark))
            if room >= _READABLE:
                shown[number] = marked[text]
    return shown


def _alike(names: Sequence[tuple[str, int]], shown: Sequence[str], among: Iterable[int]) -> list[list[int]]:
    """Different names that are shown as the same text."""
    groups: dict[str, list[int]] = {}
    for number in among:
        groups.setdefault(shown[number], []).append(number)
    return [group for group in groups.values() if len(group) > 1 and len({names[number][0] for number in group}) > 1]


def _common(texts: Sequence[str]) -> int:
    """The length of the common prefix."""
    first, last = min(texts), max(texts)
    return next((place for place, both in enumerate(zip(first, last, strict=False)) if both[0] != both[1]), len(first))


def _cut(text: str, room: int) -> str:
    """Cut a name in its middle; a sentence, or a name with hardly any room, is cut at its end."""
    if cell_len(text) <= room:
        return text
    if room < _READABLE or any(stop in text for stop in (", ", ". ", ": ")):
        return shorten(text, room) if room > 0 else ""
    return shorten_middle(text, room)


def _cut_from(text: str, room: int, common: int, ends: int) -> str:
    """Cut a name so that what follows its first `common` characters shows, which others share; of those that share
    them, `ends` cells follow at most."""
    if cell_len(text) <= room or room < _READABLE:
        return _cut(text, room)
    head = text[: min(common, room // 3)]
    while cell_len(head) > room // 3:
        head = head[:-1]
    if common <= len(head) + 1:
        head = text[:common]
    else:
        start = common
        spare = room - cell_len(head) - 1 - ends
        while start > len(head) + 1 and spare >= (step := cell_len(text[start - 1])):
            start, spare = start - 1, spare - step
        head, common = f"{head}…", start
    left = room - cell_len(head)
    return head + (_cut(text[common:], left) if left > 4 else shorten(text[common:], left))


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
