"""Watches waits for one registry's bytes: reports silence, and gives up a stalled transfer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from kittui.errors import ConnectionLost
from kittui.registry.access import Patience

T = TypeVar("T")


class Watch:
    """Watches one transfer; only time spent waiting for the network counts.

    `silent` is called once a wait exceeds `patience.silence` seconds, `heard` when a wait ends.
    """

    def __init__(
        self,
        patience: Patience,
        host: str,
        silent: Callable[[], None] = lambda: None,
        heard: Callable[[], None] = lambda: None,
    ) -> None:
        self._patience = patience
        self._host = host
        self._silent = silent
        self._heard = heard
        self._waited = 0.0
        self._moved = 0

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """A context around a wait for the network."""
        loop = asyncio.get_running_loop()
        alarm = loop.call_later(self._patience.silence, self._silent)
        started = loop.time()
        try:
            yield
        finally:
            alarm.cancel()
            self._heard()
            self._waited += loop.time() - started

    async def bring(self, piece: Awaitable[T]) -> T:
        """Wait for the next piece of a body; raises ConnectionLost if a whole window brings none of it.

        Data around a body, such as trailers, could trickle without end.
        """
        with self.waiting():
            try:
                async with asyncio.timeout(self._patience.stall):
                    return await piece
            except TimeoutError:
                pass
        raise self._stopped()

    def moved(self, size: int) -> None:
        """Count received bytes; raises ConnectionLost if a whole window brought less than the rate."""
        self._moved += size
        if self._waited < self._patience.stall:
            return
        if self._moved < self._patience.stall_rate * self._waited:
            raise self._stopped()
        self._waited = 0.0
        self._moved = 0

    def _stopped(self) -> ConnectionLost:
        return ConnectionLost(
            f"{self._host} has almost stopped ({self._moved} bytes in {self._waited:.0f} s)",
            hint="Try again; what has been transferred is kept.",
        )
