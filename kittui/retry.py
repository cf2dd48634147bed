"""Trying again: one count of failures and one end of patience for each operation, however many parts it has."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from contextvars import ContextVar, Token
from dataclasses import dataclass
from types import TracebackType
from typing import TypeVar

import humanize

from kittui.errors import NetworkError, Unreachable

T = TypeVar("T")
Report = Callable[[NetworkError, float, int], None]
"""Hears before each wait: the failure, the seconds until the next attempt, and how many failed in a row."""
Sleep = Callable[[float], Awaitable[None]]

_TRYING: ContextVar[bool] = ContextVar("kittui_trying", default=False)


@dataclass(frozen=True, slots=True)
class Pace:
    """How often and how long, in seconds. Waits double from `first` to `longest`; a registry may ask for up to `asked`.

    What it asks for may take several of those; where that would outlast the tries, the wait is not begun.
    Nothing is begun again after `tries` failures in a row (`refused`, where nobody listens there), nor later than
    `budget` after the last progress; waits that a registry asked for do not count towards it.
    """

    tries: int = 5
    refused: int | None = None
    first: float = 0.25
    longest: float = 8.0
    asked: float = 60.0
    budget: float = 60.0


class Retries:
    """The failures of one operation: a context that the operation runs in.

    Inside another one, nothing is tried again: every failure is raised at once, and the outer operation counts it.
    Otherwise the attempts of nested parts would multiply.
    """

    def __init__(self, pace: Pace, report: Report = lambda *_: None, *, sleep: Sleep = asyncio.sleep) -> None:
        self._pace = pace
        self._report = report
        self._sleep = sleep
        self._failures = 0
        self._since = time.monotonic()
        self._token: Token[bool] | None = None
        self._nested = False

    def __enter__(self) -> Retries:
        self._nested = _TRYING.get()
        self._token = _TRYING.set(True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._token is not None:
            _TRYING.reset(self._token)

    async def after(self, error: NetworkError, *, progress: bool = False) -> None:
        """Wait before the next attempt; raises the error where another can't help or patience has ended.

        `progress`: the attempt that failed brought the operation forward, so the count begins again.
        """
        if progress:
            self._failures = 0
            self._since = time.monotonic()
        self._failures += 1
        elapsed = time.monotonic() - self._since
        refused = isinstance(error, Unreachable) and error.refused
        tries = min(self._pace.tries, self._pace.refused or self._pace.tries) if refused else self._pace.tries
        if self._nested or not error.passing or self._failures >= tries or elapsed > self._pace.budget:
            raise error
        seconds = random.uniform(0.5, 1.0) * min(self._pace.longest, self._pace.first * 2 ** (self._failures - 1))  # noqa: S311
        if error.retry_after is not None:
            if error.retry_after > self._pace.asked * (self._pace.tries - self._failures):
                error.hint = f"It asks to be left alone for {humanize.naturaldelta(error.retry_after)}; try again then."
                raise error
            asked = min(error.retry_after, self._pace.asked)
            self._since += asked
            seconds = asked + min(seconds, 0.25)
        self._report(error, seconds, self._failures)
        await self._sleep(seconds)


async def retried(
    once: Callable[[], Awaitable[T]],
    pace: Pace,
    report: Report = lambda *_: None,
    *,
    may: Callable[[NetworkError], bool] = lambda _: True,
) -> T:
    """The result of the first attempt that succeeds; raises what the last one raised.

    `may` says of a failure whether `once` may run again at all, for what must not be done twice.
    """
    with Retries(pace, report) as retries:
        while True:
            try:
                return await once()
            except NetworkError as error:
                if not may(error):
                    raise
                await retries.after(error)
