"""The keys of the browse screen that compare versions, or follow one thing over them."""

from __future__ import annotations

from kittui.tui.frame.commands import Command, marks_set, needs
from kittui.tui.frame.context import Context
from kittui.tui.frame.selection import Selection


@needs("Put the cursor on a tag, or mark two.")
def _comparable(selection: Selection) -> bool:
    return selection.is_tag or len(selection.marks) == 2


def _too_many(selection: Selection) -> bool:
    return len(selection.marks) > 2


async def _diff(context: Context) -> None:
    from kittui.tui.compare.picking import diff

    await diff(context)


async def _timeline(context: Context) -> None:
    from kittui.tui.compare.following import follow

    await follow(context)


@needs("Put the cursor on a tag, or on a file or tensor below one.")
def _followed(selection: Selection) -> bool:
    return selection.is_tag


COMMANDS = (
    Command(
        "diff",
        "d",
        "Diff",
        "Compare the two marked versions, the cursor with the mark, or the cursor with a version to pick",
        _diff,
        _comparable,
        rank=25,
        alone=_too_many,
        text=True,
    ),
    Command(
        "timeline",
        "i",
        "Timeline",
        "Follow a Kitfile value, or the file or tensor under the cursor, across all versions",
        _timeline,
        _followed,
        rank=26,
        alone=marks_set,
        text=True,
    ),
)
