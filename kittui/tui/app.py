"""The application: themes, keymap, toasts, clipboard. What is shown is the screens' business."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar

from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.filter import LineFilter, Monochrome, NoColor
from textual.screen import Screen

from kittui.errors import KittuiError
from kittui.terminal import clean
from kittui.tui.frame import clipboard, extensions
from kittui.tui.frame.commands import Command
from kittui.tui.frame.keymap import display_keys, usable_keymap
from kittui.tui.frame.ports import Ports
from kittui.tui.screens.browse import BrowseScreen
from kittui.tui.style import theme

_NO_COLOUR = NoColor()


class KittuiApp(App[None], inherit_bindings=False):
    """The terminal interface over the use cases in `ports`; `start` is what the user named to open first."""

    TITLE = "kittui"
    CSS_PATH = "screens/browse.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "colon,ctrl+p", "command_palette", "Palette", id="palette", tooltip="Find a command by name", show=False
        ),
        Binding("q", "leave", "Quit", id="quit", tooltip="Quit; asks only while a transfer runs", show=False),
        Binding("ctrl+c", "leave", "Quit", id="interrupt", tooltip="Quit", show=False, priority=True, system=True),
    ]

    def __init__(
        self, ports: Ports, start: str | None = None, *, on_begin: Callable[[], object] = lambda: None
    ) -> None:
        """`on_begin` is called once, after the first paint."""
        super().__init__()
        self.ports = ports
        self._start = start
        self._on_begin = on_begin
        self._activities: dict[str, str] = {}
        self.reduced_motion = ports.settings.reduced_motion or os.environ.get("TEXTUAL_ANIMATIONS") == "none"
        self.animation_level = "none"
        for each in theme.themes(colourless=self.no_color):
            self.register_theme(each)
        self.theme = ports.settings.theme if ports.settings.theme in theme.NAMES else theme.DEFAULT
        self._keymap_problems: list[str] = []

    def get_default_screen(self) -> Screen[None]:
        """Browsing is where everything starts."""
        return BrowseScreen(self.ports, self.size)

    @property
    def browse(self) -> BrowseScreen:
        """The browse screen, under whatever is open above it."""
        screen = self.screen_stack[0]
        if not isinstance(screen, BrowseScreen):
            raise TypeError("the first screen is the browse screen")
        return screen

    def begin(self) -> None:
        """Once there is a screen: take the user's keys, open what was named, tell of mistakes in the configuration."""
        self._on_begin()
        keymap, problems = usable_keymap(self.ports.settings.keymap, self)
        self.set_keymap(keymap)
        for problem in (*self.ports.settings.problems, *problems):
            self.notify(clean(problem), severity="warning", markup=False, timeout=15)
        if self._start:
            try:
                place, name, target = self.ports.locate(self._start)
            except KittuiError as error:
                self.fail(error)
            else:
                self.browse.open(place, name, target)

    @property
    def activities(self) -> Iterable[str]:
        """What is under way, for the header."""
        return self._activities.values()

    def activity(self, key: str, text: str | None) -> None:
        """Put a text into the header, or take it away."""
        if text is None:
            self._activities.pop(key, None)
        else:
            self._activities[key] = clean(text)
        self.browse.tell()

    def key_of(self, command: Command) -> str:
        """The key of a command as it is shown, after the user's keymap."""
        return display_keys(self.ports.settings.keymap.get(command.id) or command.keys)[0]

    def toast(self, text: str, *, undo: str | None = None) -> None:
        """Say what was done, and with which key it is taken back."""
        back = next((command for command in extensions.commands() if command.id == undo), None)
        tail = f"\n{self.key_of(back)} undoes it" if back else ""
        self.notify(clean(text) + tail, markup=False, timeout=6)

    def fail(self, error: KittuiError) -> None:
        """Say what failed and what to do."""
        text = "\n".join(clean(part) for part in (error.message, error.hint) if part)
        title = clean(error.reference) if error.reference else ""
        self.notify(text, title=title.replace("[", r"\["), severity="error", markup=False, timeout=12)

    def get_line_filters(self) -> Sequence[LineFilter]:
        """With NO_COLOR the terminal's own colours are dropped; greys made of them would be black on black."""
        filters = super().get_line_filters()
        if not (self.no_color and self.native_ansi_color):
            return filters
        return [_NO_COLOUR if isinstance(each, Monochrome) else each for each in filters]

    def copy(self, text: str) -> None:
        """Copy by OSC 52, and always show the text: no terminal says whether it took it."""
        self.copy_to_clipboard(text)
        shown = text if len(text) <= 600 else f"{text[:600]}…"
        self.notify(f"Copied\n{clean(shown)}", markup=False, timeout=8)

    def copy_to_clipboard(self, text: str) -> None:
        """Send it by OSC 52, inside tmux also wrapped so that it passes through to the terminal."""
        sent = text.encode("utf-8", "replace").decode()
        super().copy_to_clipboard(sent)
        if os.environ.get("TMUX"):
            clipboard.write(self, clipboard.through_tmux(sent))

    def action_help(self) -> None:
        """Show every key that is live on the screen below."""
        from kittui.tui.dialogs.help import HelpDialog
        from kittui.tui.frame.help import legend, sections

        self.push_screen(HelpDialog(sections(self), legend(self.ports.settings)))

    async def action_leave(self) -> None:
        """Quit, at once where nothing is under way."""
        if not self._activities:
            self.exit()
            return
        self.run_worker(self._ask_to_leave(), group="leave", exclusive=False)

    async def _ask_to_leave(self) -> None:
        from kittui.tui.dialogs.confirm import ConfirmDialog

        under_way = list(self._activities.values())
        if await self.push_screen_wait(
            ConfirmDialog(
                "Quit", ["Under way:", *under_way, "", "What was transferred is kept and resumed next time."], "Quit"
            )
        ):
            self.exit()

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """The palette: every command that does something now, then the themes."""
        from kittui.tui.frame.help import palette

        yield from palette(self, screen)
