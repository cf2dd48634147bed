"""Makes keys take effect in the order they were typed, however fast they arrive.

A key is delivered only after the one before took effect: after it passed through the widgets, and after its command has
finished, opened something, or taken so long that it continues in the background. While a dialog is being prepared that
will ask for a text, however long that takes, what is typed is kept for it: it never runs commands of what is on the
screen instead. Moves take effect meanwhile; a user who only moves has turned to something else, and the dialog waits.
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
from textual.widgets import Input

PATIENCE: Final = 1.0
"""Seconds that later keys wait for a command."""
REACTION: Final = 0.4
"""Seconds that a user needs to see what opened: an Enter before that was typed for something else."""
STUCK: Final = 1.0
"""Seconds after which a key that has not passed through is given up: its widget may be gone."""
TICK: Final = 0.005
LEVELS: Final = 3
"""How often it is waited for what a key has led to: its widget posts a message, whose handler posts another."""

_ACROSS: Final = ("left", "right", "expand", "collapse", "columns-left", "columns-right")
MOVES: Final = frozenset({"down", "up", "first", "last", "top", "bottom", *_ACROSS})
"""The last parts of the ids of keys that only move, beside those of panes and tabs."""

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

    `deliver` hands an event to the program as Textual does; `dropped` says that keys are dropped which were typed
    ahead, and why: they are not run as commands of what is on the screen instead.
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
        self._preparing: set[asyncio.Task[object]] = set()
        self._kept: deque[Typed] = deque()
        self._text = False
        self._last = self._early = self._moved = 0.0

    def take(self, event: Typed) -> None:
        """Put what was typed into the queue."""
        self._typed.append(event)
        self._last = monotonic()
        if not self._delivering:
            self._deliver_all()

    def _deliver_all(self) -> None:
        self._delivering = True
        self._app.run_worker(self._run(), group="keys", exclusive=False)

    def clear(self) -> None:
        """Forget what was typed and not delivered yet."""
        self._typed.clear()
        self._forget_kept()

    def _forget_kept(self) -> None:
        self._kept.clear()
        self._text = False

    @property
    def waits(self) -> bool:
        """Whether keys are held back now."""
        return self._delivering

    def prepares(self, task: asyncio.Task[object] | None) -> bool:
        """Whether this command prepares a dialog that will get what is typed on this screen until it opens."""
        return task is not None and task in self._preparing and self._over.get(task) is self._app.screen

    @property
    def _awaited(self) -> bool:
        """Whether a dialog that will ask for a text is being prepared for the screen that is shown."""
        return any(map(self.prepares, self._preparing))

    def works(self, task: asyncio.Task[object] | None) -> bool:
        """Whether this command runs, and is not waiting for the user."""
        return task in self._commands and task not in self._asking

    @property
    def _busy(self) -> set[asyncio.Task[object]]:
        return self._commands.keys() - self._asking

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

    async def command(self, work: Coroutine[object, object, None], *, text: bool = False) -> None:
        """Run a command that later keys wait for; `text`: its dialog asks for one, and gets what is typed before."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a command runs in a worker")
        self._commands[task] = monotonic()
        self._over[task] = self._app.screen
        if text:
            self._preparing.add(task)
        try:
            await work
        finally:
            self._no_dialog(task)
            self._commands.pop(task, None)
            self._over.pop(task, None)

    async def asking(self, answer: Callable[[], Awaitable[Answer]]) -> Answer:
        """Wait for the user: later keys are for what is asked."""
        task = asyncio.current_task()
        if task is None:
            return await answer()
        self._asking.add(task)
        if self._is_for(task):
            self._app.run_worker(self._hand_over(task, self._app.screen), group="keys", exclusive=False)
        else:
            self._no_dialog(task)
        try:
            return await answer()
        finally:
            self._asking.discard(task)
            if task in self._commands:
                self._commands[task] = monotonic()

    def began(self) -> float | None:
        """When the running command began, or was last answered (time.monotonic); None for other work."""
        task = asyncio.current_task()
        return self._commands.get(task) if task is not None else None

    def late(self, since: float | None = None) -> bool:
        """Whether the running command, or work since a moment, took long while the user turned to something else."""
        task = asyncio.current_task()
        if task is not None and self._is_for(task):
            return False
        began = self.began()
        began = since if began is None else began
        return began is not None and monotonic() - began > PATIENCE and self._last > began

    def unseen(self, time: float) -> bool:
        """Whether an Enter of this time would change something that the user had not seen when it was typed.

        Each that comes too early begins the wait anew: whoever types on has not looked.
        """
        screen = self._app.screen
        return isinstance(screen, Decides) and screen.decides and time < max(screen.shown, self._early) + REACTION

    def _is_for(self, task: asyncio.Task[object]) -> bool:
        """Whether a text was typed for the dialog that a command opens now."""
        return self._text and self.prepares(task)

    def _no_dialog(self, task: asyncio.Task[object]) -> None:
        """What was typed for a command's dialog is not delivered: the dialog waits, or there is none."""
        self._preparing.discard(task)
        if not self._preparing:
            said = self._text
            self._forget_kept()
            if said:
                self._dropped("The text typed for the dialog was discarded.")

    async def _hand_over(self, task: asyncio.Task[object], before: Screen[object]) -> None:
        """Deliver what was kept to the dialog that opens."""
        end = monotonic() + STUCK
        while self._app.screen is before and monotonic() < end:
            await self._through(before)
        if self._app.screen is before or task not in self._preparing:
            self._no_dialog(task)
            return
        await self._opened()
        self._preparing.discard(task)
        self._typed.extendleft(reversed(self._kept))
        self._forget_kept()
        if self._typed and not self._delivering:
            self._deliver_all()

    def _keep(self, event: Typed) -> bool:
        """Keep what is typed for a dialog that is being prepared. Returns whether it does nothing else.

        What begins with letters that move is a text as well, if others follow them at once.
        """
        printable = isinstance(event, events.Paste) or event.is_printable
        if not self._awaited or not (printable or self._text) or isinstance(self._app.focused, Input):
            return False
        if not self._text and event.time - self._moved > PATIENCE:
            self._kept.clear()
        self._moved = event.time
        # A move is delivered as well, and an event only once.
        self._kept.append(events.Key(event.key, event.character) if isinstance(event, events.Key) else event)
        self._text = self._text or not self._moves(event)
        return self._text

    def _moves(self, event: Typed) -> bool:
        """Whether a key only moves, and does nothing that a user would have to take back."""
        if isinstance(event, events.Paste):
            return False
        live = self._app.screen.active_bindings.get(event.key)
        place, _, name = (live.binding.id or "" if live is not None else "").partition(".")
        return not event.is_printable or place in ("pane", "tab") or name in MOVES

    async def _run(self) -> None:
        try:
            while self._typed and self._app.screen_stack:
                event = self._typed.popleft()
                if self._keep(event):
                    continue
                screen, working = self._app.screen, self._busy
                target = self._app.focused or screen
                if isinstance(event, events.Key) and event.key == "enter" and self.unseen(event.time):
                    self._early = event.time
                    self.clear()
                    self._dropped("You pressed Enter before you could read this. Press it again to confirm.")
                    continue
                await self._deliver(event)
                for _ in range(LEVELS):
                    await self._through(target)
                await self._take_effect(screen, working)
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

    async def _take_effect(self, before: Screen[object], working: set[asyncio.Task[object]]) -> None:
        """Wait for what a key has begun; `working` are the commands that worked before."""
        end = monotonic() + PATIENCE
        while (begun := self._busy - working) and self._app.screen is before and (left := end - monotonic()) > 0:
            # A dialog opens without a task of its own that could be waited for.
            await asyncio.wait(begun, timeout=min(TICK, left), return_when=asyncio.FIRST_COMPLETED)
        if self._app.screen is not before:
            await self._opened()
        elif begun and self._typed and self._awaited:
            self._text = self._text or not all(map(self._moves, self._typed))
        elif begun and self._typed:
            self.clear()
            self._dropped("Still working: keys typed meanwhile are discarded. Esc stops it.")

    async def _opened(self) -> None:
        """What was opened takes its focus before it gets a key."""
        for _ in range(LEVELS - 1):
            await self._through(self._app.focused or self._app.screen)


async def _at_most(event: asyncio.Event, possible: Callable[[], bool]) -> None:
    """Wait for an event, as long as it can still come: a widget that is removed passes nothing on."""
    end = monotonic() + STUCK
    while not event.is_set() and possible() and (left := end - monotonic()) > 0:
        with suppress(TimeoutError):
            async with asyncio.timeout(min(TICK, left)):
                await event.wait()
