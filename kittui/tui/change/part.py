"""The part of the interface that changes tags and moves ModelKits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kittui.tui.change.commands import COMMANDS
from kittui.tui.frame.parts import Part, Tab

if TYPE_CHECKING:
    from textual.binding import BindingType

    from kittui.tui.frame.ports import Ports
    from kittui.tui.frame.selection import Selection
    from kittui.tui.widgets.lines import Page


async def _history(ports: Ports, selection: Selection) -> Page:
    from kittui.tui.change.history_page import load_history

    return await load_history(ports, selection)


def _transfers() -> Sequence[BindingType]:
    from kittui.tui.change.transfers_screen import TransfersScreen

    return TransfersScreen.BINDINGS


def _history_keys() -> Sequence[BindingType]:
    from kittui.tui.change.history_screen import HistoryScreen

    return HistoryScreen.BINDINGS


def _unpack() -> Sequence[BindingType]:
    from kittui.tui.change.unpack_dialog import UnpackDialog

    return UnpackDialog.BINDINGS


PART = Part(
    COMMANDS,
    (Tab("history", "Moves", _history, lambda selection: selection.repository is not None, 1),),
    scopes={"history": _history_keys, "transfers": _transfers, "unpack": _unpack},
)
