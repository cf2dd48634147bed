"""Asks before much is read, and says what works instead."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kittui.terminal import clean, size_text

if TYPE_CHECKING:
    from kittui.tui.frame.context import Context
    from kittui.tui.frame.program import Program
    from kittui.usecases.inspect.prices import Price

STREAMED = 1_000_000_000
"""Maximum bytes that are read to show something; for more, pull the ModelKit."""


def instead(price: Price) -> str:
    """What works instead of reading so much."""
    if price.bytes > STREAMED:
        return "p pulls the ModelKit, and continues where it stopped; its files are then read from the store."
    return "p pulls the ModelKit instead; its files are then read from the store."


def why(price: Price) -> str:
    """The reason as a sentence."""
    text = clean(price.reason).rstrip(".")
    return text[:1].upper() + text[1:] + "."


async def agree(asker: Context | Program, path: str, price: Price) -> bool:
    """Ask before much is read, for a file or (path empty) a layer; too much is refused with what works instead."""
    from kittui.tui.dialogs.confirm import ConfirmDialog

    subject = clean(path or price.subject)
    words = [subject, "", f"{size_text(price.bytes)} to read. {why(price)}", instead(price)]
    if price.bytes > STREAMED:
        words[2] = f"{size_text(price.bytes)} would be read: too much to stream just to look at it. {why(price)}"
        await asker.ask(ConfirmDialog("Not without pulling", words, "Back"))
        return False
    answer: bool | None = await asker.ask(ConfirmDialog(f"Read {size_text(price.bytes)}?", words, "Read"))
    return bool(answer)
