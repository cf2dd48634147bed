"""Browsing, as a part of the interface."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kittui.tui.frame.parts import Part
from kittui.tui.screens.commands import COMMANDS

if TYPE_CHECKING:
    from textual.binding import BindingType


def _filter() -> Sequence[BindingType]:
    from kittui.tui.panes.filtering import FilterInput

    return FilterInput.BINDINGS


def _below() -> Sequence[BindingType]:
    from kittui.tui.panes.table_screen import TableScreen

    return TableScreen.BINDINGS


PART = Part(COMMANDS, scopes={"filter": _filter, "below": _below})
