"""The commands that change tags and move ModelKits."""

from __future__ import annotations

from kittui.tui.frame.commands import (
    Command,
    always,
    at_repository,
    at_tag,
    changes_allowed,
    every,
    marks_set,
    needs,
    on_repository,
    on_tag,
    writable,
    writable_here,
)
from kittui.tui.frame.context import Context
from kittui.tui.frame.selection import Selection

HEADING = "Move"


@needs("Put the cursor on a tag, or mark some.")
def _tags(selection: Selection) -> bool:
    return on_tag(selection) or bool(selection.marks)


@needs("Only a tag in a registry or a layout can be pulled: put the cursor on one, or mark some.")
def _elsewhere(selection: Selection) -> bool:
    return _tags(selection) and not any(source.traits.is_store for source in selection.sources)


@needs("Only a tag in the store or a layout can be pushed: put the cursor on one, or mark some.")
def _on_disk(selection: Selection) -> bool:
    return _tags(selection) and all(source.traits.free for source in selection.sources)


_pullable = every(changes_allowed, _elsewhere)
_pushable = every(changes_allowed, _on_disk)
_unpackable = every(changes_allowed, _tags)
_changeable = every(changes_allowed, _tags, writable)
_promotable = every(changes_allowed, on_repository, writable_here)


async def _pull(context: Context) -> None:
    from kittui.tui.change.transferring import pull

    await pull(context)


async def _push(context: Context) -> None:
    from kittui.tui.change.transferring import push

    await push(context)


async def _unpack(context: Context) -> None:
    from kittui.tui.change.unpacking import unpack

    await unpack(context)


async def _retag(context: Context) -> None:
    from kittui.tui.change.tags import retag

    await retag(context)


async def _promote(context: Context) -> None:
    from kittui.tui.change.promoting import promote

    await promote(context)


async def _roll_back(context: Context) -> None:
    from kittui.tui.change.promoting import roll_back

    await roll_back(context)


async def _remove(context: Context) -> None:
    from kittui.tui.change.removing import remove

    await remove(context)


async def _undo(context: Context) -> None:
    from kittui.tui.change.undoing import undo

    await undo(context)


async def _redo(context: Context) -> None:
    from kittui.tui.change.undoing import redo

    await redo(context)


async def _transfers(context: Context) -> None:
    from kittui.tui.change.transfers_screen import show_transfers

    await show_transfers(context)


async def _vouch(context: Context) -> None:
    from kittui.tui.change.vouching import vouch

    await vouch(context)


async def _history(context: Context) -> None:
    from kittui.tui.change.history_screen import show_history

    await show_history(context)


async def _history_tab(context: Context) -> None:
    context.browser.show_tab("history")


COMMANDS = (
    Command("pull", "p", "Pull", "Pull into the local store", _pull, _pullable, 10, HEADING),
    Command("push", "P", "Push", "Push into a registry", _push, _pushable, 11, HEADING, text=True),
    Command(
        "unpack",
        "u",
        "Unpack",
        "Unpack chosen layers and files into a folder",
        _unpack,
        _unpackable,
        12,
        HEADING,
        text=True,
    ),
    Command(
        "retag", "t", "Retag", "Give it another tag without moving layers", _retag, _changeable, 14, HEADING, text=True
    ),
    Command(
        "promote",
        "c",
        "Promote",
        "Move champion to rollback, then challenger to champion",
        _promote,
        _promotable,
        15,
        HEADING,
        marks_set,
        at_repository,
        text=True,
    ),
    Command(
        "rollback",
        "R",
        "Roll back",
        "Move champion back to what rollback holds",
        _roll_back,
        _promotable,
        0,
        HEADING,
        marks_set,
        at_repository,
        text=True,
    ),
    Command(
        "remove", "x", "Remove", "Untag or delete, after showing the plan", _remove, _changeable, 16, HEADING, text=True
    ),
    Command(
        "undo",
        "z",
        "Undo",
        "Undo the last tag change here",
        _undo,
        _promotable,
        0,
        HEADING,
        marks_set,
        at_repository,
    ),
    Command(
        "redo",
        "Z",
        "Redo",
        "Redo what was undone last",
        _redo,
        _promotable,
        0,
        HEADING,
        marks_set,
        at_repository,
    ),
    Command("vouch", "a", "Vouch", "Sign, approve, reject or attest", _vouch, _changeable, 0, HEADING, text=True),
    Command(
        "transfers", "T", "Transfers", "Show progress; cancel and resume transfers", _transfers, always, 0, HEADING
    ),
    Command(
        "history",
        "H",
        "History",
        "Who moved which tag, and when; what tags held on a date",
        _history,
        on_repository,
        0,
        HEADING,
        marks_set,
        at_tag,
    ),
    Command(
        "pane.history",
        "6",
        "Moves",
        "Show who moved which tag, and when, in the details",
        _history_tab,
        on_repository,
        0,
        "Panes",
        marks_set,
        at_tag,
    ),
)
