"""Asks how much of the values to compare: all of them, or a sample."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kittui.compare.comparison import Comparison
from kittui.terminal import size_text
from kittui.tui.dialogs.choice import Choice, ChoiceDialog
from kittui.usecases.diff.compare import Depth

if TYPE_CHECKING:
    from kittui.tui.frame.program import Program

SAMPLED: Final = 64
"""Number of random windows that a sample reads of each file."""


async def ask_depth(app: Program, comparison: Comparison) -> Depth | None:
    """Ask what to read, with its price; None for nothing."""
    answer = await app.ask(
        ChoiceDialog(
            "Compare values",
            [
                Choice("all", "All values", f"{size_text(comparison.unread)} to read, digests verified"),
                Choice("sample", "A sample", f"{SAMPLED} random windows of each large file: proves changes only"),
            ],
        )
    )
    if answer is None:
        return None
    return Depth(content=True) if answer == "all" else Depth(sample=SAMPLED)
