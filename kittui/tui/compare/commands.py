"""The key that compares."""

from __future__ import annotations

from kittui.tui.commands import Command
from kittui.tui.context import Context
from kittui.tui.selection import Selection


def _comparable(selection: Selection) -> bool:
    return selection.is_tag or len(selection.marks) == 2


async def _diff(context: Context) -> None:
    from kittui.tui.compare.picking import diff

    await diff(context)


COMMANDS = (
    Command(
        "diff",
        "d",
        "Diff",
        "Compare the two marked, the cursor with the mark, or the cursor with a version to pick",
        _diff,
        _comparable,
        rank=25,
    ),
)
