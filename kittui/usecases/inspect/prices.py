"""The cost of an action, shown before it is done; large costs need the user's agreement."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from kittui.errors import Refused

FREE = 1_000_000
"""Bytes that may be read without asking."""


@dataclass(frozen=True, slots=True)
class Price:
    """The cost of an action: the bytes to read, of what, and why not fewer."""

    bytes: int
    subject: str
    reason: str


Ask = Callable[[Price], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class Terms:
    """How many bytes may be read without asking, and how to ask for more."""

    free: int = FREE
    ask: Ask | None = None

    async def agree(self, price: Price, ask: Ask | None = None) -> None:
        """Ask (by `ask`, else by that of the terms) if the price is above the free bytes; raises Refused."""
        if price.bytes <= self.free:
            return
        asking = ask or self.ask
        if asking is not None and await asking(price):
            return
        raise Refused(
            f"reading {price.subject} would take {price.bytes} bytes: {price.reason}",
            hint="Agree with --yes, or pull the ModelKit and read the local copy.",
        )
