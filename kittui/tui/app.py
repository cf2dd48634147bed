"""The application: assembles the parts of the interface, and opens what the user named."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Final

from textual.binding import BindingType
from textual.screen import Screen

from kittui.errors import KittuiError
from kittui.terminal import clean
from kittui.tui.board.part import PART as BOARD
from kittui.tui.change.part import PART as CHANGE
from kittui.tui.compare.part import PART as COMPARE
from kittui.tui.frame.keymap import KeyNames
from kittui.tui.frame.ports import Ports
from kittui.tui.frame.program import Program
from kittui.tui.inspect.part import PART as INSPECT
from kittui.tui.screens.browse import BrowseScreen
from kittui.tui.screens.part import PART as BROWSE
from kittui.tui.upkeep.part import PART as UPKEEP

if TYPE_CHECKING:
    from kittui.usecases.diff.compare import Side

PARTS: Final = (INSPECT, COMPARE, CHANGE, BOARD, BROWSE, UPKEEP)
"""All features, in the order of help and palette."""


def key_names(keymap: Mapping[str, Sequence[str]], places: Mapping[str, str]) -> KeyNames:
    """All keys after applying a keymap; `places` are the lines of its ids in the file."""
    live = [*(command.binding for part in PARTS for command in part.commands), *Program.BINDINGS]
    scopes = {name: scope for part in PARTS for name, scope in part.scopes.items()}
    return KeyNames(live, scopes, keymap, places)


class MainScreen(BrowseScreen):
    """The browse screen with all parts' commands."""

    BINDINGS: ClassVar[list[BindingType]] = [command.binding for part in PARTS for command in part.commands]


class KittuiApp(Program):
    """The terminal interface over the use cases in `ports`; `start` is what the user named to open first."""

    CSS_PATH = "screens/browse.tcss"

    def __init__(
        self, ports: Ports, start: str | None = None, *, on_begin: Callable[[], object] = lambda: None
    ) -> None:
        """`on_begin` is called once, after the first paint."""
        commands = [command for part in PARTS for command in part.commands]
        keys = key_names(ports.settings.keymap, ports.settings.keymap_places)
        super().__init__(ports, keys, {command.id: command.heading for command in commands})
        self._start = start
        self._on_begin = on_begin

    def get_default_screen(self) -> Screen[None]:
        """The interface starts with the browse screen."""
        return MainScreen(self.ports, PARTS, self.size)

    @property
    def browser(self) -> BrowseScreen:
        """The browse screen, below any screens opened over it."""
        screen = self.screen_stack[0]
        if not isinstance(screen, BrowseScreen):
            raise TypeError("the first screen is the browse screen")
        return screen

    def refresh_bars(self) -> None:
        """Update the header and footer of the browse screen."""
        if self.screen_stack:
            self.browser.refresh_bars()

    def open_comparison(self, a: Side, b: Side) -> None:
        """Open the comparison of two versions over the current screen."""
        self.run_worker(self._compare(a, b), group="comparison", exclusive=True)

    async def _compare(self, a: Side, b: Side) -> None:
        from kittui.tui.compare.screen import CompareScreen

        try:
            case = await self.ports.differ((a, b))
        except KittuiError as error:
            self.fail(error)
            return
        self.push_screen(CompareScreen(case, a, b))

    def begin(self) -> None:
        """After the first paint: apply the user's keys, open what was named, report mistakes in the configuration."""
        self._on_begin()
        for problem in (*self.ports.settings.problems, *self.set_keys()):
            self.notify(clean(problem), severity="warning", markup=False)
        if self.ports.settings.welcome:
            self.notify(self.ports.settings.welcome.format_map(self.ports.keys), title="Demo", markup=False)
        if self._start:
            try:
                place, name, target = self.ports.locate(self._start)
            except KittuiError as error:
                self.fail(error)
            else:
                self.browser.open(place, name, target)
