"""Comparing, as a part of the interface."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kittui.tui.compare.commands import COMMANDS
from kittui.tui.frame.parts import Part

if TYPE_CHECKING:
    from textual.binding import BindingType


def _compare() -> Sequence[BindingType]:
    from kittui.tui.compare.screen import CompareScreen

    return CompareScreen.BINDINGS


def _timeline() -> Sequence[BindingType]:
    from kittui.tui.compare.over_versions import TimelineScreen

    return TimelineScreen.BINDINGS


def _pick() -> Sequence[BindingType]:
    from kittui.tui.compare.pick_dialog import PickDialog

    return PickDialog.BINDINGS


PART = Part(COMMANDS, scopes={"compare": _compare, "timeline": _timeline, "pick": _pick})
