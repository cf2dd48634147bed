"""Running transfers, as listed on their screen and summarised in the header."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Literal

from kittui.errors import KittuiError
from kittui.terminal import clean, size_text
from kittui.tui.change.wording import left_text

if TYPE_CHECKING:
    from textual.worker import Worker

    from kittui.transfer.progress import Progress
    from kittui.tui.frame.context import Context

State = Literal["waiting", "running", "done", "failed", "stopped"]
AT_ONCE = 2
"""The most transfers that run at the same time; the others wait."""
MOMENT = 0.5
"""Seconds in which failures are gathered, and what has finished."""
LATELY = 5.0
"""Seconds after which what finishes is not summed up with what did before."""
SPELT = 2
"""Transfers that finished together and are still named."""
WAITS = "waits for your answer"
TELL = 0.25
"""Seconds between updates of the progress."""


@dataclass(eq=False)
class Job:
    """One pull, push, copy or unpack. `work` runs it, and can be called again to continue after a failure.

    Jobs that share a `turn` run one after the other.
    """

    title: str
    mark: str
    progress: Progress
    work: Callable[[Job], Awaitable[str]]
    state: State = "waiting"
    error: KittuiError | None = None
    worker: Worker[None] | None = None
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    asks: bool = False
    """Whether it waits for the user."""

    @contextmanager
    def asking(self) -> Iterator[None]:
        """While the user is asked, the transfer pauses."""
        self.asks = True
        try:
            yield
        finally:
            self.asks = False

    @property
    def active(self) -> bool:
        """Whether it is waiting or running."""
        return self.state in ("waiting", "running")

    @property
    def resumable(self) -> bool:
        """Whether it stopped early and can continue."""
        return self.state in ("failed", "stopped")

    @property
    def percent(self) -> int:
        """The progress in percent."""
        total = self.progress.total
        return min(100, 100 * self.progress.done // total) if total else 0


@dataclass(eq=False)
class Jobs:
    """All transfers of this session, newest last."""

    jobs: list[Job] = field(default_factory=list)
    _gate: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    _failed: list[KittuiError] = field(default_factory=list)
    _finished: list[str] = field(default_factory=list)
    _unsaid: bool = False
    _said_at: float = float("-inf")
    _telling: bool = False

    def start(self, context: Context, job: Job) -> None:
        """Start or continue a transfer in the background."""
        if job not in self.jobs:
            self.jobs.append(job)
        job.state, job.error = "waiting", None
        job.worker = context.program.run_worker(self._run(context, job), group="transfers", exclusive=False)
        if not self._telling:
            self._telling = True
            context.program.run_worker(self._tell(context), group="transfers.tell", exclusive=False)

    def stop(self, job: Job) -> None:
        """Cancel it; downloaded data stays for resuming."""
        if job.active and job.worker is not None:
            job.worker.cancel()

    async def _run(self, context: Context, job: Job) -> None:
        try:
            async with job.turn, self._gate:
                job.state = "running"
                said = await job.work(job)
            job.state = "done"
            if said:
                self._say_together(context, said)
        except KittuiError as error:
            job.state, job.error = "failed", error
            self._fail_together(context, error if error.reference else error.at(job.title))
        except asyncio.CancelledError:
            job.state = "stopped"
            raise
        finally:
            if job.state == "running":
                job.state = "failed"

    def _fail_together(self, context: Context, error: KittuiError) -> None:
        """Report simultaneous failures in one message, as when a registry becomes unreachable."""
        self._failed.append(error)
        if len(self._failed) > 1:
            return

        def say() -> None:
            failed, self._failed = self._failed, []
            context.fail_all([(error.reference or "", error) for error in failed], len(failed))

        context.program.set_timer(MOMENT, say)

    def _say_together(self, context: Context, said: str) -> None:
        """Say what finished in one message with all that finished just before; the messages have each."""
        context.program.keep(clean(said))
        if not self._unsaid and monotonic() - self._said_at > LATELY:
            self._finished.clear()
        self._finished.append(clean(said))
        if self._unsaid:
            return

        def say() -> None:
            self._unsaid, self._said_at = False, monotonic()
            many = len(self._finished) > SPELT
            words = f"{len(self._finished):,} transfers finished." if many else "\n".join(self._finished)
            context.program.notify(words, markup=False, kind="transfers", kept=False)

        self._unsaid = True
        context.program.set_timer(MOMENT, say)

    async def _tell(self, context: Context) -> None:
        """Update the header while anything runs; it is cancelled only when the program ends."""
        try:
            while any(job.active for job in self.jobs):
                _say(context, self.summary, self.speed)
                await asyncio.sleep(TELL)
            _say(context, None, "")
        finally:
            self._telling = False

    @property
    def summary(self) -> str:
        """A short summary of what runs: `⬇ 1 pull 62 %`, `2 transfers 40 %`."""
        active = [job for job in self.jobs if job.active]
        total = sum(job.progress.total for job in active)
        done = sum(job.progress.done for job in active)
        percent = f" {100 * done // total} %" if total else ""
        noun = active[0].title.partition(" ")[0].lower() if len(active) == 1 else "transfers"
        return f"{active[0].mark} {len(active)} {noun}{percent}" if active else ""

    @property
    def speed(self) -> str:
        """Rate and time left of all that runs: `23.1 MB/s  0:08 left`; or what it is waiting for."""
        running = [job.progress for job in self.jobs if job.state == "running" and not job.asks]
        if not running and any(job.asks for job in self.jobs):
            return WAITS
        rate = sum(progress.rate for progress in running)
        left = sum(progress.total - progress.done for progress in running)
        if running and not left:
            return "finishing"
        if rate:
            return "  ".join(filter(None, (f"{size_text(int(rate))}/s", left_text(left / rate))))
        if any(progress.note for progress in running):
            return "trying again"
        return "stalled" if any(progress.stalled for progress in running) else "working"


def _say(context: Context, text: str | None, speed: str) -> None:
    """Show it in header and footer, unless they are gone because the program is ending."""
    if context.program.is_running:
        context.activity("transfers", text)
        context.browser.aside("transfers", speed)
