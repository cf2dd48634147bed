"""The sizes of panes: what the user made of them, fitted to the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from kittui.tui.frame.selection import PaneName

if TYPE_CHECKING:
    from textual.widget import Widget

WIDE, ROOMY, VAST = 120, 150, 190
"""Columns from which all panes fit, fit well, and have room to spare."""
SIDES: Final[Mapping[str, Mapping[int, int]]] = {
    "repositories": {VAST: 36, ROOMY: 33, WIDE: 31},
    "details": {VAST: 50, ROOMY: 34, WIDE: 33},
}
"""Cells of the panes at the sides from so many columns on, as the style sheet has them."""
SHARES: Final[Mapping[str, int]] = {"layers": 40, "narrow.repositories": 40, "narrow.tags": 57, "narrow.layers": 60}
"""Percent that the layers have beside the tags; and where two panes are shown, the one that has the keys."""
CELLS, PERCENT = 4, 5
"""By how much a key makes a pane larger or smaller."""
LEAST, MIDDLE = 16, 40
"""Cells of a pane at a side, and of the tags between them, at least."""


class PaneSizes:
    """The sizes that were changed, by the names of panes; those of the style sheet for the others."""

    def __init__(self, kept: Mapping[str, int]) -> None:
        self._kept = {name: size for name, size in kept.items() if name in {*SIDES, *SHARES, "narrow.details"}}

    @property
    def kept(self) -> Mapping[str, int]:
        """What is to be kept for the next time."""
        return self._kept

    def change(self, pane: PaneName, step: int, *, wide: bool, now: int) -> None:
        """Make a pane larger or smaller by a step; `now` is how many cells a pane at a side has."""
        if not wide:
            name = f"narrow.{pane}"
            self._kept[name] = _share(self._kept.get(name, SHARES.get(name, 50)) + step * PERCENT)
        elif pane in SIDES:
            self._kept[pane] = max(LEAST, now + step * CELLS)
        else:
            down = step if pane == "layers" else -step
            self._kept["layers"] = _share(self._kept.get("layers", SHARES["layers"]) + down * PERCENT)

    def apply(self, panes: Mapping[PaneName, Widget], middle: Widget, at: PaneName, width: int, layout: str) -> None:
        """Give the panes their sizes in a layout: `wide`, `narrow`, or another one, which has its own."""
        for widget in (*panes.values(), middle):
            widget.styles.clear_rule("width")
            widget.styles.clear_rule("height")
        if layout == "wide":
            self._apply_wide(panes, width)
        elif layout == "narrow":
            self._apply_narrow(panes, middle, at)

    def _apply_wide(self, panes: Mapping[PaneName, Widget], width: int) -> None:
        left = width - MIDDLE
        for name, other in (("repositories", "details"), ("details", "repositories")):
            size = self._kept.get(name)
            if size is not None:
                beside = min(self._kept.get(other, side(other, width)), left // 2)
                panes[name].styles.width = max(LEAST, min(size, left - beside))  # type: ignore[index]
        share = self._kept.get("layers")
        if share is not None:
            panes["layers"].styles.height = f"{_share(share)}fr"
            panes["tags"].styles.height = f"{100 - _share(share)}fr"

    def _apply_narrow(self, panes: Mapping[PaneName, Widget], middle: Widget, at: PaneName) -> None:
        share = self._kept.get(f"narrow.{at}")
        if share is None:
            return
        beside = {"repositories": middle, "tags": panes["layers"], "layers": panes["details"], "details": middle}[at]
        one = middle if at == "layers" else panes[at]
        one.styles.width, beside.styles.width = f"{_share(share)}fr", f"{100 - _share(share)}fr"


def side(name: str, width: int) -> int:
    """Cells of a pane at a side that nobody has changed, in a terminal with so many columns."""
    return next((cells for least, cells in SIDES[name].items() if width >= least), LEAST)


def _share(percent: int) -> int:
    return max(20, min(80, percent))
