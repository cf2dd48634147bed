"""Shared by commands on several rows: reading them, changing them, and the key that undoes it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Generic, TypeVar

from kittui.errors import GONE, KittuiError, NetworkError, Unsupported
from kittui.oci.digest import Digest
from kittui.tasks import note_around, spread_all
from kittui.tui.frame.context import Context
from kittui.tui.frame.selection import Mark

if TYPE_CHECKING:
    from kittui.oci.protocols import Repository
    from kittui.oci.target import Target
    from kittui.usecases.change.plan import OnMoved
    from kittui.usecases.change.removal import RemovePlan
    from kittui.usecases.change.tools import ChangeTools

UNDO = "undo"
FAULTS = 3
"""After this many failed rows in one change, the rest are changed one by one."""
HOPELESS = (*GONE, Unsupported)
"""Errors that apply to all rows in the same place."""
Row = TypeVar("Row")
Read = TypeVar("Read", bound="Mark | Repository")
Done = TypeVar("Done")


async def row_by_row(
    context: Context,
    rows: Sequence[Read],
    work: Callable[[Read], Awaitable[Done]],
    *,
    verb: str = "read",
) -> tuple[list[Done], list[tuple[Read, KittuiError]]]:
    """Do the work for each row, a few at a time, with progress; failures do not stop the rest.

    A place that can't be reached is not asked for the rest of its rows. Returns what was done and what failed, in the
    rows' order. Nothing may be changed by it: for that there is `Batch`.
    """

    def place(row: Read) -> Hashable:
        return (row.repository if isinstance(row, Mark) else row).source.place

    return await spread_all(
        rows,
        work,
        at=place,
        at_once=context.ports.settings.concurrency,
        on_done=lambda number: context.progress(f"{number} of {len(rows)} {verb}"),
    )


class Batch(Generic[Row]):
    """Rows that are changed in groups: each is one change of the history, which one undo takes back.

    `at` says where a row changes something. `done` are the rows that were changed, those of one change together, and
    `failed` the others with why: that is true at every moment, also when the command is stopped.
    """

    def __init__(self, context: Context, verb: str, total: int, at: Callable[[Row], tuple[Repository, Target]]) -> None:
        self.done: list[list[Row]] = []
        self.failed: list[tuple[Row, KittuiError]] = []
        self._context, self._verb, self._total, self._at = context, verb, total, at
        self._number = 0

    async def run(
        self, groups: Sequence[Sequence[Row]], work: Callable[[Sequence[Row], OnMoved], Awaitable[object]]
    ) -> None:
        """Change each group. A row that fails is left out, and the rest of its group is changed without it.

        `work` tells which rows have been changed while it runs. Where a place can't be reached, it is not asked again.
        Where it is stopped, what it notes of its group is completed by the groups before and after.
        """
        lost: dict[object, KittuiError] = {}
        for number, group in enumerate(groups):
            place = self._at(group[0])[0].source.place
            before = [self._target(row) for rows in self.done for row in rows]
            try:
                if place in lost:
                    self.failed += [(row, lost[place]) for row in group]
                elif (error := await self._change(group, work)) is not None:
                    lost[place] = error
            except asyncio.CancelledError as stopped:
                after = [self._target(row) for rows in groups[number + 1 :] for row in rows]
                note_around(stopped, before, after)
                raise

    async def _change(
        self, group: Sequence[Row], work: Callable[[Sequence[Row], OnMoved], Awaitable[object]]
    ) -> KittuiError | None:
        """Change one group; returns why its place can no longer be reached, if so."""
        left, faults, troubled = list(group), 0, False
        while left:
            # What stops the whole group is not repeated for the rest: then each row has its own answer.
            tried = left if faults < FAULTS else left[:1]
            moved, error = await self._attempt(tried, work)
            tried, untried = _without(tried, moved), left[len(tried) :]
            left = [*tried, *untried]
            if error is None:
                continue
            trouble = isinstance(error, NetworkError) and error.passing
            troubled = troubled and not moved
            if (trouble and troubled) or isinstance(error, HOPELESS) or isinstance(error.__cause__, HOPELESS):
                self.failed += [(row, error) for row in left]
                return error
            troubled = trouble
            guilty = [row for row in tried if self._name(row) == error.reference] or (tried if len(tried) == 1 else [])
            faults = faults + 1 if guilty else FAULTS
            self.failed += [(row, error) for row in guilty]
            left = [*_without(tried, guilty), *untried]
        return None

    async def _attempt(
        self, rows: Sequence[Row], work: Callable[[Sequence[Row], OnMoved], Awaitable[object]]
    ) -> tuple[Sequence[Row], KittuiError | None]:
        """Change some rows as one change; returns those that were, and why the others were not."""
        moved: list[Row] = []
        names = {self._name(row): row for row in rows}

        def tell(reference: str) -> None:
            if reference in names:
                moved.append(names[reference])
                self._say(len(moved))

        self._say(0)
        try:
            await work(rows, tell)
            moved = list(rows)
        except KittuiError as error:
            return moved, error
        finally:
            if moved:
                self.done.append(moved)
                self._number += len(moved)
        return moved, None

    @property
    def named(self) -> list[tuple[str, KittuiError]]:
        """The rows that failed, by what they were to change."""
        return [(self._name(row), error) for row, error in self.failed]

    def _say(self, now: int) -> None:
        self._context.progress(f"{self._number + now} of {self._total} {self._verb}")

    def _target(self, row: Row) -> str:
        target = self._at(row)[1]
        return target.short if isinstance(target, Digest) else target

    def _name(self, row: Row) -> str:
        repository, target = self._at(row)
        return repository.reference(target)


def _without(rows: Sequence[Row], some: Sequence[Row]) -> list[Row]:
    """The other rows: these very ones, as two may be equal."""
    gone = {id(row) for row in some}
    return [row for row in rows if id(row) not in gone]


async def say_removed(context: Context, tools: ChangeTools, done: Sequence[Sequence[RemovePlan]]) -> None:
    """Report what was removed, grouped by change, and whether undo can restore it."""
    from kittui.usecases.change.removals import Removals
    from kittui.usecases.change.words import removed_text

    if not done:
        return
    key, how = await done_undo(context, tools, [plans[0].repository for plans in done])
    plans = tuple(plan for together in done for plan in together)
    context.toast(removed_text(Removals(plans)), undo=key, how=how)


async def done_undo(context: Context, tools: ChangeTools, changed: Sequence[Repository]) -> tuple[str | None, str]:
    """The undo command and what it does, for a toast; None if it would not take back what was just done.

    It works on the repository under the cursor, and the content may be gone from there. Nothing is asked any more for a
    command that is stopped.
    """
    from kittui.usecases.change.undo import can_undo

    here = context.selection.repository
    rows = [each for each in changed if here is not None and each.reference() == here.reference()]
    task = asyncio.current_task()
    stopped = task is not None and task.cancelling() > 0
    works = bool(rows) and not stopped and await can_undo(rows[-1], tools.ledger)
    return (UNDO if works else None), "undoes it" if len(rows) == len(changed) else "undoes the change"
