"""What the program says in its corner: how long it stays there, and what is kept of it as messages."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from time import monotonic
from typing import TYPE_CHECKING, Final

from kittui.tui.dialogs.said import Said

if TYPE_CHECKING:
    from textual.notifications import SeverityLevel

KEPT: Final = 500
"""Maximum messages kept."""
WAITS: Final = 20
"""Messages among which a wait is not repeated."""
SHORTEST, LONGEST = 4.0, 8.0
"""Seconds for which something said stays in its corner: the longer the text, the longer."""
READ: Final = 40
"""Characters that are read in a second."""
AT_ONCE: Final = 2
"""Things that are shown at the same time, besides warnings and errors: they cover what is below."""


@dataclass(frozen=True, slots=True)
class Toast:
    """What is shown in the corner; one of a `kind` at a time."""

    message: str
    title: str
    severity: SeverityLevel
    markup: bool
    kind: str = ""

    def replaces(self, other: Toast) -> bool:
        """Whether another one says the same, or is of the same kind."""
        same = (self.message, self.title, self.severity) == (other.message, other.title, other.severity)
        return same or (bool(self.kind) and self.kind == other.kind)


class Sayings:
    """Keeps what was said, the newest last, and knows whether something said may still be in its corner."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._kept: deque[Said] = deque(maxlen=KEPT)
        self._said_at = float("-inf")
        self._shown: dict[Toast, float] = {}
        self._new: list[Toast] = []
        self._replaced = False

    def __iter__(self) -> Iterator[Said]:
        """What was said, the newest last."""
        return iter(self._kept)

    def __len__(self) -> int:
        """How many messages are kept."""
        return len(self._kept)

    def keep(self, place: str, severity: str, title: str, text: str) -> None:
        """Keep what is said now."""
        self._kept.append(Said(self._clock(), place, severity, title, text))

    def show(self, toast: Toast, *, over: bool) -> None:
        """Show it from now on, in the place of what it replaces. `over` is over a dialog."""
        self._said_at = now = monotonic()
        self._shown = {each: until for each, until in self._shown.items() if until > now}
        replaced = [each for each in self._shown if toast.replaces(each)]
        if toast.severity == "information":
            others = [each for each in self._shown if each.severity == "information" and each not in replaced]
            replaced += others[: max(0, len(others) - AT_ONCE + 1)]
        for each in replaced:
            del self._shown[each]
            if each in self._new:
                self._new.remove(each)
            else:
                self._replaced = True
        self._shown[toast] = now + shown_for(toast.message, over=over)
        self._new.append(toast)

    def drawn(self) -> tuple[bool, Sequence[tuple[Toast, float]]]:
        """Whether all that is drawn goes first, and what is to be drawn, each with its seconds."""
        now, replaced = monotonic(), self._replaced
        wanted = list(self._shown) if replaced else self._new
        self._new, self._replaced = [], False
        return replaced, [(each, left) for each in wanted if (left := self._shown.get(each, now) - now) > 0]

    def note_wait(self, words: str) -> None:
        """Keep why somebody is waited for, once."""
        if all(said.text != words for said in islice(reversed(self._kept), WAITS)):
            self._kept.append(Said(self._clock(), "", "warning", "", words))

    def since(self, moment: float) -> bool:
        """Whether something was said since a moment (time.monotonic)."""
        return self._said_at >= moment

    def clear(self) -> bool:
        """Note that the corner is emptied; False if it was empty."""
        shown = any(until > monotonic() for until in self._shown.values())
        self._shown, self._new, self._replaced = {}, [], False
        return shown


def shown_for(message: str, *, over: bool) -> float:
    """The seconds to show a message for; as few as possible over a dialog."""
    return SHORTEST if over else min(LONGEST, SHORTEST + len(message) / READ)
