"""Notes and verdicts of a review, asked for and kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kittui.compare.review import Review, Verdict
from kittui.disk.threads import in_thread
from kittui.terminal import clean
from kittui.tui.dialogs.choice import Choice, ChoiceDialog
from kittui.tui.dialogs.prompt import InputDialog

if TYPE_CHECKING:
    from kittui.compare.comparison import Comparison
    from kittui.tui.compare.tree import Row
    from kittui.tui.frame.program import Program
    from kittui.usecases.diff.compare import DiffUseCase


async def load(case: DiffUseCase, comparison: Comparison) -> Review:
    """What was kept of this pair of digests."""
    if case.reviews is None:
        return Review()
    return Review.from_json(await in_thread(case.reviews.read, comparison.a.digest, comparison.b.digest))


async def keep(case: DiffUseCase, comparison: Comparison, review: Review) -> None:
    """Keep it for this pair of digests; raises StorageError."""
    if case.reviews is not None:
        await in_thread(case.reviews.write, comparison.a.digest, comparison.b.digest, review.to_json())


async def ask_note(program: Program, row: Row, review: Review) -> Review | None:
    """Ask for a note to a change; None where it stays as it is."""
    note = await program.ask(
        InputDialog(
            "Note",
            (clean(row.entry.title, limit=100), "An empty note takes it away."),
            value=review.notes.get(row.entry.key, ""),
            edit=True,
        )
    )
    return review.noted(row.entry.key, note) if note is not None else None


async def ask_verdict(program: Program, left: int) -> Verdict | None:
    """Ask what is to be said of the whole; None where nothing is."""
    words = [f"{left} changes were not seen yet."] if left else []
    choices: list[Choice[Verdict]] = [
        Choice("approved", "Approved", "what changed is as it should be"),
        Choice("rejected", "Rejected", "it needs work; the notes say which"),
        Choice("", "No verdict", "take it back"),
    ]
    return await program.ask(ChoiceDialog("Verdict", choices, words))
