"""What the program says in its corner: how long it stays there, and what is kept of it as messages."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import islice
from time import monotonic
from typing import Final

from kittui.tui.dialogs.said import Said

KEPT: Final = 500
"""Messages that are kept."""
WAITS: Final = 20
"""Messages among which a wait is not repeated."""
SHORTEST, LONGEST = 4.0, 8.0
"""Seconds for which something said stays in its corner: the longer the text, the longer."""
READ: Final = 40
"""Characters that are read in a second."""


class Sayings:
    """Keeps what was said, the newest last, and knows whether something said may still be in its corner."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._kept: deque[Said] = deque(maxlen=KEPT)
        self._said_at = self._shown_until = float("-inf")

    def __iter__(self) -> Iterator[Said]:
        """What was said, the newest last."""
        return iter(self._kept)

    def __len__(self) -> int:
        """How many messages are kept."""
        return len(self._kept)

    def say(self, place: str, severity: str, title: str, text: str, *, over: bool) -> float:
        """Keep what is said now; returns for how many seconds it is shown. `over` is over a dialog."""
        self._kept.append(Said(self._clock(), place, severity, title, text))
        timeout = shown_for(text, over=over)
        self._said_at = monotonic()
        self._shown_until = max(self._shown_until, self._said_at + timeout)
        return timeout

    def note_wait(self, words: str) -> None:
        """Keep why somebody is waited for, once."""
        if all(said.text != words for said in islice(reversed(self._kept), WAITS)):
            self._kept.append(Said(self._clock(), "", "warning", "", words))

    def since(self, moment: float) -> bool:
        """Whether something was said since a moment (time.monotonic)."""
        return self._said_at >= moment

    def clear(self) -> bool:
        """Note that the corner is emptied; False where it was empty."""
        shown = monotonic() < self._shown_until
        self._shown_until = float("-inf")
        return shown


def shown_for(message: str, *, over: bool) -> float:
    """Seconds for which something is said: over a dialog as few as possible."""
    return SHORTEST if over else min(LONGEST, SHORTEST + len(message) / READ)
