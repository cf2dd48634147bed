"""What every command shares that changes several rows: one after the other, and the key that takes it back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, TypeVar

from kittui.errors import KittuiError
from kittui.tui.frame.context import Context

if TYPE_CHECKING:
    from kittui.oci.protocols import Repository
    from kittui.usecases.change.tools import ChangeTools

UNDO = "undo"
Row = TypeVar("Row")
Done = TypeVar("Done")


async def row_by_row(
    rows: Iterable[Row], work: Callable[[Row], Awaitable[Done]]
) -> tuple[list[Done], list[tuple[Row, KittuiError]]]:
    """Do the work for each row in order; what fails does not stop the rest. Returns what was done and what failed."""
    done: list[Done] = []
    failed: list[tuple[Row, KittuiError]] = []
    for row in rows:
        try:
            done.append(await work(row))
        except KittuiError as error:
            failed.append((row, error))
    return done, failed


async def done_undo(context: Context, tools: ChangeTools, changed: Sequence[Repository]) -> tuple[str | None, str]:
    """The undo command and what it does, for a toast; None where it would not take back what was just done.

    It works on the repository under the cursor, and the content may be gone from there.
    """
    from kittui.usecases.change.undo import plan_undo

    here = context.selection.repository
    rows = [each for each in changed if here is not None and each.reference() == here.reference()]
    try:
        works = bool(rows) and bool((await plan_undo(rows[-1], tools.ledger)).plan.changes)
    except KittuiError:
        works = False
    how = "undoes it" if len(changed) == 1 else f"undoes the last; again, the one before ({len(rows)} here)"
    return (UNDO if works else None), how
