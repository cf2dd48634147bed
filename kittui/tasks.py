"""Running calls at once: the first failure ends the others and is raised as it is, never as a group."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar, overload

from kittui.errors import KittuiError

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
