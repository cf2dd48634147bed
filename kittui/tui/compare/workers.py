"""Runs work in the background of a screen; only the newest of its group counts."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from textual.screen import Screen
from textual.worker import Worker


def run_newest(screen: Screen[None], group: str, work: Callable[[], Coroutine[Any, Any, None]]) -> Worker[None]:
    """Run it, and cancel what runs in the group. A function, since a coroutine cancelled early is never awaited."""
    return screen.run_worker(work, group=group, exclusive=True)
