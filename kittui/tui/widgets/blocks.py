"""Draws pixels as half blocks: a cell is one pixel wide and two high."""

from __future__ import annotations

from collections.abc import Sequence

from kittui.tui.widgets.cutting import Spans
from kittui.tui.widgets.lines import Line
from kittui.usecases.inspect.viewers.shown import Picture


def block_lines(picture: Picture, steps: int = 1) -> Sequence[Spans]:
    """The lines of a picture, with pixels `steps` wide and high."""
    rows = picture.height * steps
    return [_line(picture, rows, top, steps) for top in range(0, rows, 2)]


def beside(pictures: Sequence[Picture], gap: int = 2) -> list[Line]:
    """Put pictures side by side, aligned at the top."""
    drawn = [(block_lines(picture), picture.width) for picture in pictures]
    lines: list[Line] = []
    for number in range(max(len(rows) for rows, _ in drawn)):
        spans: list[tuple[str, str]] = []
        for rows, width in drawn:
            spans += [*(rows[number] if number < len(rows) else ((" " * width, "text"),)), (" " * gap, "text")]
        lines.append(spans)
    return lines


def _line(picture: Picture, rows: int, top: int, steps: int) -> Spans:
    """One line of cells: the upper pixel as foreground, the lower one as background."""
    size = picture.width * 3
    upper = picture.pixels[top // steps * size :][:size].hex()
    lower = picture.pixels[(top + 1) // steps * size :][:size].hex() if top + 1 < rows else ""
    spans: list[tuple[str, str]] = []
    for at in range(0, picture.width * 6, 6):
        behind = f" on #{lower[at : at + 6]}" if lower else ""
        role = f"#{upper[at : at + 6]}{behind}"
        if spans and spans[-1][1] == role:
            spans[-1] = (spans[-1][0] + "▀" * steps, role)
        else:
            spans.append(("▀" * steps, role))
    return tuple(spans)
