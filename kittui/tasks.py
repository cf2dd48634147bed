"""Running calls at once: the first failure ends the others and is raised as it is, never as a group."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, ParamSpec, TypeVar, cast, overload

from kittui.errors import KittuiError

P = ParamSpec("P")
T = TypeVar("T")
A = TypeVar("A")
B = TypeVar("B")


@overload
async def together(first: Coroutine[Any, Any, A], second: Coroutine[Any, Any, B], /) -> tuple[A, B]: ...
@overload
async def together(*calls: Coroutine[Any, Any, T]) -> tuple[T, ...]: ...
async def together(*calls: Coroutine[Any, Any, Any]) -> tuple[Any, ...]:
    """The results of all calls, in their order. When one fails, the others are cancelled and waited for first."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(call) for call in calls]
        return tuple(task.result() for task in tasks)
    except BaseExceptionGroup as errors:
        error = first_error(errors)
    raise error


def first_error(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error to report of a group: a bug before anything else, then the first expected failure."""
    leaves: list[BaseException] = []
    pending: list[BaseException] = [errors]
    while pending:
        error = pending.pop(0)
        if isinstance(error, BaseExceptionGroup):
            pending[:0] = error.exceptions
        else:
            leaves.append(error)
    return next((error for error in leaves if not isinstance(error, KittuiError)), leaves[0])


async def stop(*tasks: asyncio.Future[Any]) -> None:
    """Cancel tasks and wait until they have ended; whatever they raise is dropped."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


LARGE = 256 * 1024
"""Bytes from which on parsing them is left to a thread."""


async def aside_if_large(size: int, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Run work on so many bytes: at once, or aside where that would hold up the event loop."""
    return await aside(work, *args, **kwargs) if size > LARGE else work(*args, **kwargs)


async def aside(work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Run work in a thread of its own, which is left to itself when the caller is cancelled: nobody waits for it.

    For work on values alone. What holds files or folders is waited for: see `disk.threads.in_thread`.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def report(result: T | None, error: BaseException | None) -> None:
        if done.done():
            return
        if error is not None:
            # A future takes no StopIteration.
            done.set_exception(RuntimeError("a generator ended") if isinstance(error, StopIteration) else error)
        else:
            done.set_result(cast("T", result))

    def run() -> None:
        result, error = None, None
        try:
            result = work(*args, **kwargs)
        except BaseException as caught:  # noqa: BLE001 - it is raised where the result is waited for
            error = caught
        with suppress(RuntimeError):  # the loop may be closed: then nobody waits
            loop.call_soon_threadsafe(report, result, error)

    threading.Thread(target=run, name="kittui-aside", daemon=True).start()
    return await done
