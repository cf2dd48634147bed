"""Tracks current activities, which every header shows, and about which quitting asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from textual.app import App
from textual.timer import Timer

from kittui.terminal import clean
from kittui.tui.widgets.bars import HeaderBar

WAIT: Final = 12.0
"""Seconds for which the header shows a wait; silence is reported more often."""
_WAITS: Final = "wait "
"""The prefix of waits' keys."""


class Activities:
    """Short texts, each under its owner's key. `refresh` updates the panes' header."""

    def __init__(self, app: App[None], refresh: Callable[[], None]) -> None:
        self._app = app
        self._refresh = refresh
        self._texts: dict[str, str] = {}
        self._waits: dict[str, Timer] = {}

    def __iter__(self) -> Iterator[str]:
        """The texts, the newest first."""
        return reversed(self._texts.values())

    def say(self, key: str, text: str | None) -> None:
        """Show a text in the headers, or remove it."""
        if text is None:
            self._texts.pop(key, None)
        else:
            self._texts[key] = clean(text)
        self._refresh()
        for screen in self._app.screen_stack[1:]:
            for header in screen.query(HeaderBar):
                header.doing = tuple(self)

    def wait_for(self, host: str) -> None:
        """Show for a while that a host is waited for."""
        key = _WAITS + host
        if (timer := self._waits.pop(key, None)) is not None:
            timer.stop()
        self.say(key, f"waiting for {host}")
        self._waits[key] = self._app.set_timer(WAIT, lambda: self.say(key, None))

    def waited_for(self, host: str) -> None:
        """Stop showing that a host is waited for."""
        key = _WAITS + host
        if (timer := self._waits.pop(key, None)) is not None:
            timer.stop()
            self.say(key, None)

    @property
    def ended_by_leaving(self) -> Sequence[str]:
        """The activities that quitting would end, except waits for a registry."""
        return [text for key, text in self._texts.items() if not key.startswith(_WAITS)]

    @property
    def left_behind(self) -> Iterator[str]:
        """What happens to current activities if the program ends."""
        if "transfers" in self._texts:
            yield "Downloads so far are kept, and the next pull resumes them."
        if any(key.startswith("command ") or key == "clean-up" for key in self._texts):
            yield "Changes so far stay; the rest is not done."
