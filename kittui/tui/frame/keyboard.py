"""Keys take effect in the order they were typed, however fast they arrive.

A key is delivered only after the one before took effect: after it passed through the widgets, and after the command it
ran has finished, opened something, or taken so long that it continues in the background.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from time import monotonic
from typing import Final, Protocol, TypeVar, runtime_checkable

from textual import events
from textual.app import App
from textual.message import Message
from textual.message_pump import MessagePump
from textual.screen import Screen

PATIENCE: Final = 1.0
"""Seconds that later keys wait for a command."""
REACTION: Final = 0.4
"""Seconds that a user needs to see what opened: an Enter before that was typed for something else."""
STUCK: Final = 1.0
"""Seconds after which a key that has not passed through is given up: its widget may be gone."""
TICK: Final = 0.005
LEVELS: Final = 3
"""How often it is waited for what a key has led to: its widget posts a message, whose handler posts another."""

Answer = TypeVar("Answer")


@runtime_checkable
class Decides(Protocol):
    """A screen on which Enter can change something."""

    shown: float
    """When it was painted (time.monotonic); infinite before that."""

    @property
    def decides(self) -> bool:
        """Whether Enter would change something now."""


Typed = events.Key | events.Paste


class Passed(Message):
    """Follows a key through the same queues; when it arrives at the program, so has the key."""

    def __init__(self, arrived: asyncio.Event) -> None:
        super().__init__()
        self.arrived = arrived


class Keyboard:
    """The queue of what was typed, and the commands that it waits for.

    `deliver` hands an event to the program as Textual does; `dropped` is called when keys are dropped that were typed
    ahead for a command which takes long: they are not run as commands of what is on the screen instead.
    """

    def __init__(self, app: App[None], deliver: Callable[[Typed], Awaitable[None]], dropped: Callable[[str], None]):
        self._app = app
        self._deliver = deliver
        self._dropped = dropped
        self._typed: deque[Typed] = deque()
        self._delivering = False
        self._commands: dict[asyncio.Task[object], float] = {}
        self._over: dict[asyncio.Task[object], Screen[object]] = {}
        self._asking: set[asyncio.Task[object]] = set()
        self._last = self._early = 0.0

    def take(self, event: Typed) -> None:
        """Put what was typed into the queue."""
        self._typed.append(event)
        self._last = monotonic()
        if not self._delivering:
            self._delivering = True
            self._app.run_worker(self._run(), group="keys", exclusive=False)

    def clear(self) -> None:
        """Forget what was typed and not delivered yet."""
        self._typed.clear()

    @property
    def waits(self) -> bool:
        """Whether keys are held back now."""
        return self._delivering

    @property
    def busy(self) -> bool:
        """Whether a command runs that is not waiting for the user."""
        return bool(self._commands.keys() - self._asking)

    def stop(self) -> bool:
        """Cancel the newest command that is not waiting for the user, with what was typed after it.

        Over a screen that is above the panes, only what was begun there.
        """
        over = self._app.screen if len(self._app.screen_stack) > 1 else None
        busy = [
            task
            for task in self._commands
            if task not in self._asking and (over is None or self._over.get(task) is over)
        ]
        if not busy:
            return False
        busy[-1].cancel()
        self.clear()
        return True

    async def command(self, work: Coroutine[object, object, None]) -> None:
        """Run a command that later keys wait for."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a command runs in a worker")
        self._commands[task] = monotonic()
        self._over[task] = self._app.screen
        try:
            await work
        finally:
            self._commands.pop(task, None)
            self._over.pop(task, None)

    async def asking(self, answer: Callable[[], Awaitable[Answer]]) -> Answer:
        """Wait for the user: later keys are for what is asked."""
        task = asyncio.current_task()
        if task is None:
            return await answer()
        self._asking.add(task)
        try:
            return await answer()
        finally:
            self._asking.discard(task)
            if task in self._commands:
                self._commands[task] = monotonic()

    def late(self, since: float | None = None) -> bool:
        """Whether the running command, or work since a moment, took long while the user turned to something else."""
        task = asyncio.current_task()
        began = self._commands.get(task) if task is not None else None
        began = since if began is None else began
        return began is not None and monotonic() - began > PATIENCE and self._last > began

    def unseen(self, time: float) -> bool:
        """Whether an Enter of this time would change something that the user had not seen when it was typed.

        Each that comes too early begins the wait anew: whoever types on has not looked.
        """
        screen = self._app.screen
        return isinstance(screen, Decides) and screen.decides and time < max(screen.shown, self._early) + REACTION

    async def _run(self) -> None:
        try:
            while self._typed and self._app.screen_stack:
                screen = self._app.screen
                target = self._app.focused or screen
                event = self._typed.popleft()
                if isinstance(event, events.Key) and event.key == "enter" and self.unseen(event.time):
                    self._early = event.time
                    self.clear()
                    self._dropped("That was typed before you could read this. Enter again does it.")
                    continue
                await self._deliver(event)
                for _ in range(LEVELS):
                    await self._through(target)
                await self._take_effect(screen)
        finally:
            self._delivering = False

    async def _through(self, target: MessagePump) -> None:
        """Wait until what was sent to a widget has passed through it and all above it, and what it called later was
        called."""
        arrived = asyncio.Event()
        if target.post_message(Passed(arrived)):
            await _at_most(arrived, lambda: target.is_attached)
        called = asyncio.Event()
        if self._app.call_later(called.set):
            await _at_most(called, lambda: True)

    async def _take_effect(self, before: Screen[object]) -> None:
        end = monotonic() + PATIENCE
        while self.busy and self._app.screen is before and (left := end - monotonic()) > 0:
            # A dialog opens without a task of its own that could be waited for.
            await asyncio.wait(self._commands, timeout=min(TICK, left), return_when=asyncio.FIRST_COMPLETED)
        if self._app.screen is not before:
            # What was opened takes its focus before it gets a key.
            for _ in range(LEVELS - 1):
                await self._through(self._app.focused or self._app.screen)
        elif self.busy and self._typed:
            self.clear()
            self._dropped("Still working: what was typed meanwhile is dropped. Esc stops it.")


async def _at_most(event: asyncio.Event, possible: Callable[[], bool]) -> None:
    """Wait for an event, as long as it can still come: a widget that is removed passes nothing on."""
    end = monotonic() + STUCK
    while not event.is_set() and possible() and (left := end - monotonic()) > 0:
        with suppress(TimeoutError):
            async with asyncio.timeout(min(TICK, left)):
                await event.wait()
