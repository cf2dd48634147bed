"""The inspector of a command: with the cache on disk, and a question on the terminal before large reads."""

from __future__ import annotations

from kittui.cli.run import Call
from kittui.terminal import size_text
from kittui.usecases.inspect.inspector import Inspector
from kittui.usecases.inspect.prices import Ask, Price


def inspector_of(call: Call) -> Inspector:
    """An inspector that caches its results on disk."""
    return call.composition.inspector(asking(call))


def agreed(call: Call) -> Ask | None:
    """Agree with --yes; without it, refuse large reads: a comparison asks no questions while it runs."""

    async def agree(_: Price) -> bool:
        return True

    return agree if call.options.yes else None


def asking(call: Call) -> Ask:
    """Agree with --yes, else ask on the terminal, else refuse."""

    async def ask(price: Price) -> bool:
        if call.options.yes:
            return True
        if not call.printer.asks:
            return False
        call.printer.note(f"{price.subject}: {size_text(price.bytes)} to read: {price.reason}")
        return call.printer.ask("Read it? [y/N] ").strip().lower() in ("y", "yes")

    return ask
