"""Draws for terminals without Unicode: the interface's own signs in ASCII, and `?` for every other character."""

from __future__ import annotations

from typing import Final

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

_SIGNS: Final = str.maketrans(
    {
        **dict(zip("▾▸▼▶◀▲△▽↑↓←→↔↵⏎", "v>v><!^v^v<>=..", strict=True)),
        **dict(zip("│┃║▌▐▎▏▕┆┊╎", "|" * 11, strict=True)),
        **dict(zip("─━═╌┄┈▔▁▂▃▄▅▆▇", "-" * 8 + "." * 6, strict=True)),
        **dict(zip("╭╮╰╯┌┐└┘├┤┬┴┼╔╗╚╝", "+" * 17, strict=True)),
        **dict(zip("█▉▊▋▍▓▒░", "#####==.", strict=True)),
        **dict(zip("●◐○◔◑◕◆★☆✕✗✘✓✔✎″∅·•…›‹↩↻⟳≠×−–—“”’", '@o.vtT^**xx!++/"0.*~><<~~#x---""\'', strict=True)),
        **dict.fromkeys("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏", "*"),
    }
)


class AsciiOnly(LineFilter):
    """Converts each line to ASCII, with the same number of cells."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """Convert a line to ASCII."""
        return [
            segment if segment.text.isascii() else Segment(_plain(segment.text), segment.style, segment.control)
            for segment in segments
        ]


def _plain(text: str) -> str:
    found = text.translate(_SIGNS)
    if not found.isascii():
        found = "".join(one if one.isascii() else "?" * cell_len(one) for one in found)
    # Several characters may form one sign, which takes a different number of cells than they do separately.
    return set_cell_size(found, cell_len(text))
