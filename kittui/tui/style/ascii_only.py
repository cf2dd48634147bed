"""What terminals without Unicode are sent: the interface's own signs in ASCII, and `?` for every other character."""

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
    """Writes each line in ASCII, in as many cells."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """A line whose signs are ASCII."""
        return [
            segment if segment.text.isascii() else Segment(_plain(segment.text), segment.style, segment.control)
            for segment in segments
        ]


def _plain(text: str) -> str:
    found = text.translate(_SIGNS)
    if not found.isascii():
        found = "".join(one if one.isascii() else "?" * cell_len(one) for one in found)
    # Several characters may be one sign, which takes other cells than they do one by one.
    return set_cell_size(found, cell_len(text))
