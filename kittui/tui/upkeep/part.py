"""The upkeep part of the interface."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kittui.tui.frame.parts import Part
from kittui.tui.upkeep.commands import COMMANDS

if TYPE_CHECKING:
    from textual.binding import BindingType


def _lists() -> Sequence[BindingType]:
    from kittui.tui.upkeep.list_screen import ListScreen

    return ListScreen.BINDINGS


def _usage() -> Sequence[BindingType]:
    from kittui.tui.upkeep.usage_screen import UsageScreen

    return UsageScreen.BINDINGS


def _checks() -> Sequence[BindingType]:
    from kittui.tui.upkeep.doctor_screen import DoctorScreen

    return DoctorScreen.BINDINGS


PART = Part(COMMANDS, scopes={"list": _lists, "usage": _usage, "checks": _checks})
"""The keys for finding, checking and cleaning up, and those of their screens."""
