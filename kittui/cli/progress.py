"""How far a command is, on stderr."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from kittui.cli.run import Call
from kittui.tasks import stop
from kittui.terminal import size_text
from kittui.transfer.progress import Progress

TELL: Final = 0.2
"""Seconds between two updates of the progress."""


@asynccontextmanager
async def reporting(call: Call, progress: Progress, what: str) -> AsyncIterator[None]:
    """Keep a line on stderr up to date while the block runs."""

    async def tell() -> None:
        while True:
            call.printer.status(f"{what}  {progress_text(progress)}")
            await asyncio.sleep(TELL)

    if not call.printer.lively:
        yield
        return
    task = asyncio.create_task(tell())
    try:
        yield
    finally:
        await stop(task)
        call.printer.clear()


def progress_text(progress: Progress) -> str:
    """Percent, bytes, rate and time left; or what it is waiting for."""
    total = progress.total
    percent = 100 * progress.done // total if total else 0
    parts = [f"{percent:3} %", f"{size_text(progress.done)} of {size_text(total)}"]
    if progress.note:
        parts.append(progress.note)
    elif progress.stalled:
        parts.append("stalled")
    elif progress.phase != "moving":
        parts.append(progress.phase)
    else:
        parts.append(f"{size_text(int(progress.rate))}/s")
        if progress.left is not None:
            minutes, seconds = divmod(int(progress.left), 60)
            parts.append(f"{minutes}:{seconds:02} left")
    return "  ".join(parts)
