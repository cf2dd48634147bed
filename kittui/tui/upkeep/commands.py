"""The keys that look over everything."""

from __future__ import annotations

from kittui.tui.frame.commands import Command, always, needs
from kittui.tui.frame.context import Context
from kittui.tui.frame.selection import Selection

HEADING = "Upkeep"


@needs("Disk usage is shown for the store and for layouts: put the cursor on one.")
def _on_disk(selection: Selection) -> bool:
    return selection.source is not None and selection.source.traits.free


@needs("Put the cursor on a place that is not read-only.")
def _cleanable(selection: Selection) -> bool:
    return selection.place is not None and selection.writable


async def _find(context: Context) -> None:
    from kittui.tui.upkeep.find_screen import find

    await find(context)


async def _usage(context: Context) -> None:
    from kittui.tui.upkeep.usage_screen import show_usage

    await show_usage(context)


async def _clean(context: Context) -> None:
    from kittui.tui.upkeep.cleaning import clean_up

    await clean_up(context)


async def _doctor(context: Context) -> None:
    from kittui.tui.upkeep.doctor_screen import show_doctor

    await show_doctor(context)


COMMANDS = (
    Command(
        "find",
        "F",
        "Find",
        "A file, digest, diffId or Kitfile value, in many places",
        _find,
        always,
        0,
        HEADING,
        text=True,
    ),
    Command("usage", "D", "Disk usage", "What takes up the disk, what removals free", _usage, _on_disk, 0, HEADING),
    Command(
        "clean", "X", "Clean up", "Delete by age, by stage, without a tag", _clean, _cleanable, 0, HEADING, text=True
    ),
    Command("doctor", "C", "Doctor", "What works here, what does not, what to do", _doctor, always, 0, HEADING),
)
