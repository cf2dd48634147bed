"""Running commands: their text in the header, and the message when one fails or is stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Final

from textual.app import App

from kittui.errors import KittuiError
from kittui.oci.traffic import Traffic, metered
from kittui.terminal import clean, counted, size_text
from kittui.tui.frame.keyboard import Keyboard
from kittui.tui.frame.progress import HowFar

NOTICE: Final = 0.2
"""Seconds after which the header says that a command is still working."""


class Running:
    """Runs commands. `say` shows a text in the header under a key, or removes it; `fail` shows what failed."""

    def __init__(
        self,
        app: App[None],
        keyboard: Keyboard,
        say: Callable[[str, str | None], None],
        fail: Callable[[KittuiError], None],
    ) -> None:
        self._app = app
        self._keyboard = keyboard
        self._say = say
        self._fail = fail

    async def run(self, label: str, work: Coroutine[object, object, None], far: HowFar, *, text: bool) -> None:
        """Run a command in the worker that calls this, as `Program.run_command` says."""
        task = asyncio.current_task()
        with metered() as traffic:
            timer = self._app.set_interval(NOTICE, lambda: self._say_working(task, label, traffic, far))
            try:
                await self._keyboard.command(work, text=text)
            except KittuiError as error:
                self._fail(error)
            except asyncio.CancelledError as stopped:
                if self._app.is_running and self._app.screen_stack:
                    self._say_stopped(stopped)
                raise
            finally:
                timer.stop()
                self._say(_key(task), None)

    def hush(self) -> None:
        """Say no more in the header of the command that calls this: it waits for the user."""
        self._say(_key(asyncio.current_task()), None)

    def _say_working(self, task: asyncio.Task[object] | None, label: str, traffic: Traffic, far: HowFar) -> None:
        """Say in the header how far a command is, else what it waits for: whom it asks, and how much it has asked."""
        if not self._keyboard.works(task):
            self._say(_key(task), None)
            return
        prepares = self._keyboard.prepares(task)
        stops = "keys wait for its dialog; Esc discards them" if prepares else "Esc stops"
        if far.words:
            self._say(_key(task), f"{label}: {far.words}; {'keys wait; Esc discards them' if prepares else stops}")
            return
        asked = ""
        if traffic.requests:
            # Beside what keys do, 80 columns have no room for more than how many.
            received = f", {size_text(traffic.bytes)}" if traffic.bytes and not prepares else ""
            host = f"{traffic.host}: " if traffic.host and not prepares else ""
            asked = f" {host}{counted(traffic.requests, 'request')}{received};"
        self._say(_key(task), f"{label} …{asked} {stops}")

    def _say_stopped(self, stopped: asyncio.CancelledError) -> None:
        """Say that a command was stopped; one that changes something has noted what is done and what is not."""
        notes = [clean(note) for note in getattr(stopped, "__notes__", ())]
        self._app.notify("\n".join(["Stopped.", *notes]), markup=False)


def _key(task: asyncio.Task[object] | None) -> str:
    """What the header's text of a command is known by."""
    return f"command {id(task)}"
