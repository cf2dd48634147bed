"""The waits for one registry's bytes: silence is reported, and a transfer that almost stands still is given up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from kittui.errors import ConnectionLost
from kittui.registry.access import Patience


class Watch:
    """Looks after one transfer; only time spent waiting for the network counts.

    `silent` is called when one wait has lasted for more than `patience.silence` seconds.
    """

    def __init__(self, patience: Patience, host: str, silent: Callable[[], None] = lambda: None) -> None:
        self._patience = patience
        self._host = host
        self._silent = silent
        self._waited = 0.0
        self._moved = 0

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Put around a wait for the network."""
        loop = asyncio.get_running_loop()
        alarm = loop.call_later(self._patience.silence, self._silent)
        started = loop.time()
        try:
            yield
        finally:
            alarm.cancel()
            self._waited += loop.time() - started

    def moved(self, size: int) -> None:
        """Note what the waits have brought; raises ConnectionLost when a whole window brought less than the rate."""
        self._moved += size
        if self._waited < self._patience.stall:
            return
        if self._moved < self._patience.stall_rate * self._waited:
            raise ConnectionLost(
                f"{self._host} has almost stopped ({self._moved} bytes in {self._waited:.0f} s)",
                hint="Try again; what has been transferred is kept.",
            )
        self._waited = 0.0
        self._moved = 0
