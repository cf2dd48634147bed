"""Blocking disk work off the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


async def in_thread(work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Run blocking work in a thread; if cancelled, wait for it to end first.

    A thread can't be stopped: a caller that closed files or deleted folders at once would break it.
    """
    task = asyncio.ensure_future(asyncio.to_thread(work, *args, **kwargs))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        while not task.done():
            try:
                await asyncio.wait([task])
            except asyncio.CancelledError:
                continue
        if not task.cancelled():
            task.exception()
        raise


@asynccontextmanager
async def held(create: Callable[[], T], end: Callable[[T], object]) -> AsyncIterator[T]:
    """Create something in a thread and dispose of it in one, even if the task is cancelled during creation."""
    created: list[T] = []
    try:
        # A cancelled task loses what its thread returns, so it is stored here.
        await in_thread(lambda: created.append(create()))
        yield created[0]
    finally:
        for each in created:
            await in_thread(end, each)
