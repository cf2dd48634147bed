"""Named points at which a test can have the process die, to prove that what is on disk then is whole.

Every fsync, rename and PUT that must survive a crash has a point before it, and one after it where what follows
matters. A point does nothing unless the environment variable KITTUI_CRASH_AT names it; `NAME:3` dies at the third time.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

VARIABLE = "KITTUI_CRASH_AT"
STATUS = 137
"""Exit status of the process that died: as after SIGKILL."""

_actions: dict[str, Callable[[], None]] = {}
_reached: dict[str, int] = {}


def crash_point(name: str) -> None:
    """Die here, without clean-up or flushing, if the environment asks for this point."""
    if action := _actions.get(name):
        action()
    wanted = os.environ.get(VARIABLE)
    if wanted is None:
        return
    point, _, number = wanted.partition(":")
    if point != name:
        return
    _reached[name] = _reached.get(name, 0) + 1
    if _reached[name] >= int(number or "1"):
        os._exit(STATUS)


@contextmanager
def crashing(name: str, action: Callable[[], None]) -> Iterator[None]:
    """Run an action (raise, change a file) whenever this process reaches the point inside the block."""
    _actions[name] = action
    try:
        yield
    finally:
        del _actions[name]
