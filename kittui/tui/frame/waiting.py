"""Holds dialogs that came too late to open over what the user does now; the header shows them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Waiting:
    """The dialogs that wait, newest last. `say` puts a text into the header under a key, or takes it away."""

    def __init__(self, say: Callable[[str, str | None], None]) -> None:
        self._say = say
        self._waiting: list[asyncio.Future[bool]] = []

    async def wanted(self, words: str) -> bool:
        """Wait until the user opens the dialog, or drops it."""
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append(answer)
        key = f"waiting {id(answer)}"
        self._say(key, words)
        try:
            return await answer
        finally:
            self._waiting.remove(answer)
            self._say(key, None)

    def answer(self, *, opens: bool) -> bool:
        """Open or drop the newest; False if none waits."""
        waiting = [each for each in self._waiting if not each.done()]
        if waiting:
            waiting[-1].set_result(opens)
        return bool(waiting)
