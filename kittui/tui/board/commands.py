"""The key that opens the board."""

from __future__ import annotations

from kittui.terminal import clean
from kittui.tui.frame.commands import Command, always, marks_set
from kittui.tui.frame.context import Context
from kittui.tui.frame.selection import Selection


async def _board(context: Context) -> None:
    from kittui.tui.board.screen import show_board

    await show_board(context)


def _shown(selection: Selection) -> str:
    return clean(str(selection.place)) if selection.place is not None else "all sources"


COMMANDS = (
    Command(
        "board",
        "b",
        "Board",
        "Which version is at which stage, everywhere",
        _board,
        always,
        62,
        "Browse",
        marks_set,
        _shown,
    ),
)
