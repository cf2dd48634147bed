"""The commands for finding, checking and cleaning up."""

from __future__ import annotations

from kittui.terminal import clean
from kittui.tui.frame.commands import Command, always, changes_allowed, every, marks_set, needs, writable_here
from kittui.tui.frame.context import Context
from kittui.tui.frame.selection import Selection

HEADING = "Upkeep"


@needs("Disk usage is shown for the store and for layouts: put the cursor on one.")
def _on_disk(selection: Selection) -> bool:
    return selection.source is not None and selection.source.traits.free


@needs("Put the cursor on a source or a repository that could be read.")
def _on_source(selection: Selection) -> bool:
    return selection.place is not None and selection.source is not None


_cleanable = every(changes_allowed, _on_source, writable_here)


def _place(selection: Selection) -> str:
    return clean(str(selection.place)) if selection.place is not None else "all sources"


def _cleaned(selection: Selection) -> str:
    return _place(selection) if selection.repository is None else clean(selection.repository.name)


def _asked(_: Selection) -> str:
    return "the places that you name"


def _checked(selection: Selection) -> str:
    in_registry = selection.place is not None and selection.place.kind == "remote"
    return _place(selection) if in_registry else "all sources"


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
        marks_set,
        _asked,
        text=True,
    ),
    Command(
        "usage",
        "D",
        "Disk usage",
        "What takes up the disk, what removals free",
        _usage,
        _on_disk,
        0,
        HEADING,
        marks_set,
        _place,
    ),
    Command(
        "clean",
        "X",
        "Clean up",
        "Delete by age, by stage, without a tag",
        _clean,
        _cleanable,
        0,
        HEADING,
        marks_set,
        _cleaned,
        text=True,
    ),
    Command(
        "doctor",
        "C",
        "Doctor",
        "What works here, what does not, what to do",
        _doctor,
        always,
        0,
        HEADING,
        marks_set,
        _checked,
    ),
)
