"""Calls that run at once: results in order, one error of one kind, nothing left behind."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any

import pytest

from kittui.errors import Denied, KittuiError, NotFound
from kittui.tasks import LARGE, aside_if_large, spread, spread_all, stop, to_its_end, together


async def value(of: int) -> int:
    await asyncio.sleep(0)
    return of


async def fails(error: BaseException) -> int:
    await asyncio.sleep(0)
    raise error


async def test_results_come_in_the_order_of_the_calls() -> None:
    assert await together(value(1), value(2), value(3)) == (1, 2, 3)
    assert await together() == ()


async def test_of_two_failures_the_first_is_raised_and_neither_is_left_unread() -> None:
    unread: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unread.append(context))
    first = NotFound("first")
    first.__cause__ = OSError("why")
    with pytest.raises(NotFound) as caught:
        await together(fails(first), fails(Denied("second")))
    assert caught.value is first
    assert isinstance(caught.value.__cause__, OSError)
    assert unread == []


async def test_a_bug_is_raised_before_an_expected_failure() -> None:
    with pytest.raises(ZeroDivisionError):
        await together(fails(NotFound("expected")), fails(ZeroDivisionError()))


async def test_nested_failures_are_raised_as_they_are() -> None:
    with pytest.raises(NotFound):
        await together(value(1), together(value(2), fails(NotFound("deep"))))


async def test_a_failure_ends_the_other_calls_first() -> None:
    ended = asyncio.Event()

    async def waits() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    with pytest.raises(KittuiError):
        await together(waits(), fails(NotFound("gone")))
    assert ended.is_set()


async def test_stopped_tasks_have_ended_and_raise_nothing() -> None:
    failed = asyncio.ensure_future(fails(NotFound("gone")))
    waiting = asyncio.ensure_future(asyncio.Event().wait())
    await asyncio.sleep(0)
    await stop(failed, waiting)
    assert waiting.cancelled()
    assert failed.done()


async def begun(work: Coroutine[Any, Any, int], patience: float = 60) -> asyncio.Task[int]:
    task = asyncio.create_task(to_its_end(work, patience))
    await turns()
    return task


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_who_is_cancelled_waits_for_the_work_however_often_that_is() -> None:
    answer, ended = asyncio.Event(), asyncio.Event()

    async def work() -> int:
        await answer.wait()
        ended.set()
        return 1

    task = await begun(work())
    for _ in range(3):
        task.cancel()
        await turns()
    assert not task.done()
    answer.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()


async def test_work_that_takes_too_long_has_ended_when_its_caller_has() -> None:
    ended = asyncio.Event()

    async def work() -> int:
        try:
            await asyncio.Event().wait()
        finally:
            await turns()
            ended.set()
        return 1

    task = await begun(work(), 0)
    task.cancel()
    await turns()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()


async def test_an_error_of_the_work_is_the_cause_of_the_stop() -> None:
    answer = asyncio.Event()

    async def work() -> int:
        await answer.wait()
        raise Denied("not yours")

    task = await begun(work())
    task.cancel()
    await turns()
    answer.set()
    with pytest.raises(asyncio.CancelledError) as stopped:
        await task
    assert isinstance(stopped.value.__cause__, Denied)


@pytest.mark.parametrize(("size", "here"), [(LARGE, True), (LARGE + 1, False)])
async def test_work_on_what_is_large_holds_up_nothing(size: int, here: bool) -> None:
    assert (await aside_if_large(size, threading.get_ident) == threading.get_ident()) is here


async def test_rows_are_spread_in_their_order_a_few_at_a_time() -> None:
    now = most = 0
    heard: list[int] = []

    async def work(row: int) -> int:
        nonlocal now, most
        now += 1
        most = max(most, now)
        for _ in range(5 - row % 5):
            await asyncio.sleep(0)
        now -= 1
        return row * 10

    assert await spread(range(20), work, at_once=3, on_done=heard.append) == [row * 10 for row in range(20)]
    assert most == 3
    assert heard == list(range(1, 21))
    assert await spread([], work, at_once=3) == []


async def test_the_first_row_that_fails_ends_the_spread() -> None:
    begun: list[int] = []

    async def work(row: int) -> int:
        begun.append(row)
        return await (fails(NotFound("second")) if row == 1 else value(row))

    with pytest.raises(NotFound, match="second"):
        await spread(range(100), work, at_once=2)
    assert len(begun) < 10


async def test_a_row_that_fails_loses_no_other_row() -> None:
    errors = {1: NotFound("one"), 3: Denied("three")}

    async def work(row: int) -> int:
        return await (fails(errors[row]) if row in errors else value(row))

    assert await spread_all(range(5), work, at_once=2) == ([0, 2, 4], list(errors.items()))


async def test_a_bug_in_a_row_is_no_failed_row() -> None:
    with pytest.raises(ZeroDivisionError):
        await spread_all(range(3), lambda row: fails(ZeroDivisionError()), at_once=2)
