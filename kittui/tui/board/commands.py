"""The key that opens the board."""

from __future__ import annotations

from kittui.tui.frame.commands import Command, always
from kittui.tui.frame.context import Context


async def _board(context: Context) -> None:
    from kittui.tui.board.screen import show_board

    await show_board(context)


COMMANDS = (
    Command("board", "b", "Board", "Which version is at which stage, everywhere", _board, always, 62, "Browse"),
)
