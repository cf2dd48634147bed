"""Limits how often arriving rows are drawn."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Final

DRAW: Final = 0.1
"""Seconds between redraws while rows arrive."""
REST: Final = 9
"""The wait before the next drawing, as a multiple of the last one's time, which leaves time for keys."""


class Spacing:
    """Limits drawing arriving rows to a tenth of the time."""

    def __init__(self) -> None:
        self._rests_until = 0.0

    @property
    def wait(self) -> float:
        """Seconds until the next drawing may begin."""
        return max(0.0, self._rests_until - monotonic())

    def draw(self, draw: Callable[[], None]) -> None:
        """Draw, and measure the time."""
        began = monotonic()
        draw()
        ended = monotonic()
        self._rests_until = ended + REST * (ended - began)
