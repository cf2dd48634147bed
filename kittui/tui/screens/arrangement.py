"""How the panes share a terminal of some size, and which of them has the keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from textual.containers import Vertical
from textual.geometry import Size
from textual.screen import Screen

from kittui.tui.frame.selection import PaneName
from kittui.tui.panes.pane import Pane
from kittui.tui.screens.sizing import ROOMY, VAST, WIDE, PaneSizes
from kittui.tui.style.sizes import too_small

LAYOUTS: Final = ("-tiny", "-narrow", "-wide", "-snug", "-roomy", "-vast")
NAMES: Final[tuple[PaneName, ...]] = ("repositories", "tags", "layers", "details")


def layout_classes(size: Size) -> tuple[str, ...]:
    """The classes of the browse screen in a terminal of this size; any two sizes' classes differ by more than fewer."""
    if too_small(size):
        return ("-tiny",)
    if size.width < WIDE:
        return ("-narrow",)
    return ("-wide", "-vast" if size.width >= VAST else "-roomy" if size.width >= ROOMY else "-snug")


class Arrangement:
    """Keeps the classes of the screen, by which the style sheet shows panes, and the panes' sizes."""

    def __init__(
        self, screen: Screen[None], panes: Mapping[PaneName, Pane], middle: Vertical, kept: Mapping[str, int]
    ) -> None:
        """`middle` holds tags and layers; `kept` are the sizes that the user gave to panes."""
        self._screen = screen
        self._panes = panes
        self._middle = middle
        self._sizes = PaneSizes(kept)
        self._at: PaneName = "repositories"

    @property
    def at(self) -> PaneName:
        """The pane that has the keys."""
        return self._at

    @property
    def pane(self) -> Pane:
        """The pane that has the keys."""
        return self._panes[self._at]

    @property
    def zoomed(self) -> bool:
        """Whether that pane has all the room."""
        return self._screen.has_class("-zoomed")

    def lay_out(self, size: Size) -> None:
        """Lay out for a size of the terminal; what is selected stays."""
        classes = layout_classes(size)
        if not self._screen.has_class(*classes):
            self._screen.remove_class(*LAYOUTS, update=False)
            self._screen.add_class(*classes)
        self._fit()

    def keep_keys(self) -> None:
        """After a change of size: the keys stay with the pane that had them, though it was hidden meanwhile."""
        if self._screen.focused is None and not self._screen.has_class("-tiny"):
            self.pane.body.focus()

    def go(self, name: PaneName) -> None:
        """Give the keys to a pane; where it is narrow, slide to it."""
        self.slide(name)
        self._panes[name].body.focus()

    def beside(self, step: int) -> PaneName:
        """The next or the previous pane."""
        return NAMES[(NAMES.index(self._at) + step) % len(NAMES)]

    def slide(self, name: PaneName) -> None:
        """Show the pane that gets the keys."""
        if name != self._at:
            self._screen.remove_class(f"-at-{self._at}", update=False)
            # Where all panes are seen, nothing looks different: styling them all again is most of what a move costs.
            self._screen.add_class(f"-at-{name}", update=self.zoomed or self._screen.has_class("-narrow"))
            self._at = name
            self._fit()

    def slide_to_focus(self) -> bool:
        """Show the pane that a click or a key gave the keys to; False where none has them."""
        name = next((name for name, pane in self._panes.items() if pane.has_focus_within), None)
        if name is not None:
            self.slide(name)
        return name is not None

    def zoom(self) -> None:
        """Give all the room to the pane that has the keys, wherever they go, or give it back."""
        self._screen.toggle_class("-zoomed")
        self._fit()

    def resize(self, step: int) -> Mapping[str, int]:
        """Give the pane that has the keys more room, or less; returns the sizes to keep for the next time."""
        self._sizes.change(self._at, step, wide=self._screen.has_class("-wide"), now=self.pane.size.width)
        self._fit()
        return self._sizes.kept

    def _fit(self) -> None:
        """Give the panes their sizes; where one has all the room, there is nothing to share."""
        names = ("zoomed", "wide", "narrow")
        layout = next((name for name in names if self._screen.has_class(f"-{name}")), "")
        self._sizes.apply(self._panes, self._middle, self._at, self._screen.app.size.width, layout)
