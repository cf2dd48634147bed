"""The board, as a part of the interface."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kittui.tui.board.commands import COMMANDS
from kittui.tui.frame.parts import Part

if TYPE_CHECKING:
    from textual.binding import BindingType


def _board() -> Sequence[BindingType]:
    from kittui.tui.board.grid import Grid
    from kittui.tui.board.screen import BoardScreen

    return [*BoardScreen.BINDINGS, *Grid.BINDINGS]


PART = Part(COMMANDS, scopes={"board": _board})
