"""Running calls at once: the first failure ends the others and is raised as it is, never as a group."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Sequence
from contextlib import suppress
from typing import Any, ParamSpec, TypeVar, cast, overload

from kittui.errors import GONE, KittuiError
from kittui.terminal import some_of

P = ParamSpec("P")
T = TypeVar("T")
A = TypeVar("A")
Row = TypeVar("Row")
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


async def spread(
    rows: Sequence[Row],
    work: Callable[[Row], Awaitable[T]],
    *,
    at_once: int,
    on_done: Callable[[int], None] = lambda _: None,
) -> list[T]:
    """The results for all rows, in their order, `at_once` at a time. The first failure ends the others and is raised.

    `on_done` hears after each row how many are done.
    """
    done: dict[int, T] = {}
    waiting = iter(enumerate(rows))

    async def take_rows() -> None:
        for position, row in waiting:
            done[position] = await work(row)
            on_done(len(done))

    await together(*(take_rows() for _ in range(min(at_once, len(rows)))))
    return [done[position] for position in range(len(rows))]


async def spread_all(
    rows: Sequence[Row],
    work: Callable[[Row], Awaitable[T]],
    *,
    at: Callable[[Row], Hashable] = lambda _: None,
    at_once: int,
    on_done: Callable[[int], None] = lambda _: None,
) -> tuple[list[T], list[tuple[Row, KittuiError]]]:
    """As `spread`, but a row that fails does not end the others: what succeeded, and the rows that failed with why.

    `at` says which place a row asks. Where one can't be reached, its other rows fail for the same reason unasked.
    """
    lost: dict[Hashable, KittuiError] = {}

    async def attempt(row: Row) -> tuple[T, None] | tuple[None, KittuiError]:
        place = at(row)
        if place in lost:
            return None, lost[place]
        try:
            return await work(row), None
        except KittuiError as error:
            if isinstance(error, GONE) or isinstance(error.__cause__, GONE):
                lost[place] = error
            return None, error

    found = await spread(rows, attempt, at_once=at_once, on_done=on_done)
    failed = [(row, error) for row, (_, error) in zip(rows, found, strict=True) if error is not None]
    return [cast("T", result) for result, error in found if error is None], failed


def note_around(stopped: BaseException, before: Sequence[str], after: Sequence[str]) -> None:
    """Note what was done before the row that was stopped, and which rows were not begun."""
    if before:
        stopped.add_note(f"Done before: {some_of(before, 3)}.")
    if after:
        stopped.add_note(f"Not begun: {some_of(after, 3)}.")


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


async def to_its_end(work: Coroutine[Any, Any, T], patience: float) -> T:
    """Await work that should not be cut short: a caller that is cancelled waits for it first, for so many seconds.

    Then it is cancelled, and has ended when this returns, however often the caller is cancelled. An error that it ended
    with is the cause of the CancelledError.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError as stopped:
        ending = asyncio.ensure_future(_end(task, patience))
        while not ending.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([ending])
        raise stopped from task.exception() if task.done() and not task.cancelled() else None


async def _end(task: asyncio.Future[Any], patience: float) -> None:
    await asyncio.wait([task], timeout=patience)
    await stop(task)


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
