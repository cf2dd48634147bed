"""Ends the interface on a signal, the same way as quitting."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from kittui.errors import Interrupted


@contextmanager
def leaving_on_signals() -> Iterator[None]:
    """Cancel the current task on SIGHUP or SIGTERM, so that the terminal is restored and folders are removed.

    Raises Interrupted after that.
    """
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    received: list[signal.Signals] = []

    def leave(number: signal.Signals) -> None:
        received.append(number)
        if task is not None:
            task.cancel()

    signals = (signal.SIGTERM, signal.SIGHUP)
    for each in signals:
        loop.add_signal_handler(each, leave, each)
    try:
        yield
    except asyncio.CancelledError:
        if not received:
            raise
    finally:
        for each in signals:
            loop.remove_signal_handler(each)
    if received:
        raise Interrupted(f"the interface was ended by {received[0].name}")
