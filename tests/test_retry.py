"""Trying again: what is, how often, how long, and that the attempts of nested parts do not multiply."""

from __future__ import annotations

import time

import pytest

from kittui.errors import ConnectionLost, NotFound, RateLimited, RegistryError, TlsError
from kittui.retry import Pace, Retries, retried

QUICK = Pace(tries=4, first=0.0)


class Flaky:
    """Fails with these errors, one after the other, then gives 7."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls = 0

    async def __call__(self) -> int:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return 7


async def test_what_passes_is_tried_again_and_reported() -> None:
    heard: list[tuple[str, int]] = []
    once = Flaky(ConnectionLost("cut"), RegistryError("busy", status=503))
    assert await retried(once, QUICK, lambda error, _, failures: heard.append((error.message, failures))) == 7
    assert heard == [("cut", 1), ("busy", 2)]


async def test_the_last_of_all_attempts_is_raised() -> None:
    once = Flaky(*(ConnectionLost(str(number)) for number in range(9)))
    with pytest.raises(ConnectionLost, match="3"):
        await retried(once, QUICK)
    assert once.calls == 4


@pytest.mark.parametrize(
    "error",
    [
        TlsError("no"),
        NotFound("no"),
        RegistryError("no", status=400),
        RegistryError("no", status=501),
        RegistryError("no"),
    ],
)
async def test_what_cannot_change_is_not_tried_again(error: Exception) -> None:
    once = Flaky(error)
    with pytest.raises(type(error)):
        await retried(once, QUICK)
    assert once.calls == 1


async def test_parts_of_an_operation_do_not_multiply_its_attempts() -> None:
    part = Flaky(*(ConnectionLost("cut") for _ in range(99)))
    with pytest.raises(ConnectionLost):
        await retried(lambda: retried(part, QUICK), QUICK)
    assert part.calls == 4


async def test_an_operation_after_another_has_attempts_of_its_own() -> None:
    for _ in range(2):
        assert await retried(Flaky(ConnectionLost("cut")), QUICK) == 7


async def test_progress_begins_the_count_again() -> None:
    with Retries(QUICK) as retries:
        for _ in range(20):
            await retries.after(ConnectionLost("cut"), progress=True)
        for _ in range(2):
            await retries.after(ConnectionLost("cut"))
        with pytest.raises(ConnectionLost):
            await retries.after(ConnectionLost("cut"))


async def test_a_registry_is_left_alone_as_long_as_it_asks_within_bounds() -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    busy = RateLimited("busy")
    with Retries(Pace(first=0.0, asked=60.0), sleep=sleep) as retries:
        for asked in (3.0, 120.0):
            busy.retry_after = asked
            await retries.after(busy)
        busy.retry_after = 86400.0
        with pytest.raises(RateLimited) as caught:
            await retries.after(busy)
    assert waits == [3.0, 60.0]
    assert "a day" in (caught.value.hint or "")


async def test_nothing_is_begun_again_after_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    with Retries(Pace(tries=99, first=0.0, budget=60.0)) as retries:
        now += 59
        await retries.after(ConnectionLost("cut"))
        now += 2
        with pytest.raises(ConnectionLost):
            await retries.after(ConnectionLost("cut"))


async def test_what_must_not_be_done_twice_is_asked_about() -> None:
    once = Flaky(ConnectionLost("cut"))
    with pytest.raises(ConnectionLost):
        await retried(once, QUICK, may=lambda error: isinstance(error, RateLimited))
    assert once.calls == 1
