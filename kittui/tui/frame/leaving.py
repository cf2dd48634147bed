"""Quits the program: asks if something would be lost, and ignores a key that was not meant to quit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from time import monotonic
from typing import TYPE_CHECKING, Final

from textual.app import App

from kittui.terminal import counted
from kittui.tui.frame.activities import Activities
from kittui.tui.frame.keymap import KeyNames

if TYPE_CHECKING:
    from textual.screen import ModalScreen

AGAIN: Final = 0.5
"""Seconds after a key has closed a screen in which another q does not quit."""


class Leaving:
    """Ends the program. `marked` says how many rows are marked, `ask` shows a dialog."""

    def __init__(
        self,
        app: App[None],
        activities: Activities,
        keys: KeyNames,
        marked: Callable[[], int],
        ask: Callable[[ModalScreen[bool | None]], Awaitable[bool | None]],
    ) -> None:
        self._app = app
        self._activities = activities
        self._keys = keys
        self._marked = marked
        self._ask = ask
        self._closed_at = float("-inf")

    def note_closed(self) -> None:
        """Note that a key has closed a screen."""
        self._closed_at = monotonic()

    def leave(self) -> None:
        """Quit, unless the key is one more than it took to come back here."""
        self._leave(unless=monotonic() - self._closed_at < AGAIN)

    def leave_at_once(self) -> None:
        """Quit, even if a screen was closed just now."""
        self._leave(unless=False)

    def _leave(self, *, unless: bool) -> None:
        """Quit, asking first if something is running or marked."""
        if any(worker.group == "leave" and not worker.is_finished for worker in self._app.workers):
            return
        if self._activities.ended_by_leaving or self._marked():
            self._app.run_worker(self._ask_to_leave(), group="leave", exclusive=False)
        elif unless:
            self._app.notify(f"{self._keys['quit']} again quits.", markup=False)
        else:
            self._app.exit()

    async def _ask_to_leave(self) -> None:
        from kittui.tui.dialogs.confirm import ConfirmDialog

        words = []
        if under_way := self._activities.ended_by_leaving:
            words += ["Under way:", *under_way, "", *self._activities.left_behind]
        if marked := self._marked():
            words.append(f"{counted(marked, 'row')} marked: kittui does not remember marks.")
        if await self._ask(ConfirmDialog("Quit", words, "Quit", danger=True)):
            self._app.exit()
