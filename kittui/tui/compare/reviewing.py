"""The review of a comparison: ticks, notes and a verdict, saved for its two digests."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from kittui.compare.review import Review, Verdict, keys_of
from kittui.disk.threads import in_thread
from kittui.errors import KittuiError
from kittui.tasks import aside
from kittui.terminal import clean, counted
from kittui.tui.compare.workers import run_newest
from kittui.tui.dialogs.choice import Choice, ChoiceDialog
from kittui.tui.dialogs.prompt import InputDialog
from kittui.tui.frame.program import program_of

if TYPE_CHECKING:
    from textual.screen import Screen

    from kittui.compare.comparison import Comparison
    from kittui.tui.compare.panes import ChangePanes
    from kittui.tui.compare.reading import Reading
    from kittui.tui.compare.tree import Row
    from kittui.tui.frame.program import Program
    from kittui.usecases.diff.compare import DiffUseCase


class Reviewing:
    """The review of the comparison that a screen shows."""

    def __init__(self, screen: Screen[None], reading: Reading, panes: ChangePanes) -> None:
        self.review = Review()
        self._screen = screen
        self._reading = reading
        self._panes = panes
        self._pair: tuple[str, str] | None = None
        self._loaded = False
        self._writing = asyncio.Lock()
        self._counted: tuple[Comparison, frozenset[str] | None] | None = None
        self._other_way = Review()

    @property
    def words(self) -> str:
        """How many changes are left to review, and the verdict; empty without a review."""
        if self.review.empty:
            return "" if self._other_way.empty else " · reviewed the other way round"
        words = f" · {self._left} left" if self._left else " · all seen"
        notes = len(self.review.notes)
        words += f" · {self.review.verdict}" if self.review.verdict else ""
        return words + (f" · {notes} note{'' if notes == 1 else 's'}" if notes else "")

    def follow(self, comparison: Comparison) -> None:
        """Load the review of this pair of digests, if the pair has changed."""
        pair = _pair_of(comparison)
        if pair != self._pair:
            self._pair, self._loaded = pair, False
            # Ticks of another pair do not apply to this one.
            self._other_way = Review()
            self._show(Review())
            run_newest(self._screen, "review", partial(self._load, comparison))
        elif self._loaded and comparison.complete:
            run_newest(self._screen, "count", self._count)

    def tick(self) -> None:
        """Tick the change under the cursor, or all changes below a heading, and continue with the next one."""
        program, row, comparison = program_of(self._screen), self._panes.rows.current, self._ready()
        if comparison is None:
            return
        tree, number = self._panes.change_tree, self._panes.rows.cursor
        keys = [row.entry.key] if row is not None and row.is_least else []
        if row is not None and (row.folded or not keys):
            keys += [each.entry.key for each in tree.below(number) if each.is_least]
        if row is None or not keys:
            program.toast("Put the cursor on a change, or on a row with changes below it.")
            return
        review = self.review.ticked(*keys).counted(self._keys_of(comparison))
        ticked = keys[0] in review.seen
        program.run_command("Seen", self._keep(comparison, review))
        if keys != [row.entry.key]:
            name, count = clean(row.title, limit=60), f"{len(keys)} change{'' if len(keys) == 1 else 's'}"
            program.toast(f"{count} below {name} {'ticked' if ticked else 'unticked'}.")
        if not ticked:
            return
        gone = self._panes.go_to_change_below()
        if review.left == 0:
            key = program.ports.keys["compare.verdict"]
            program.toast(f"All {review.changes} changes are reviewed. {key} approves or rejects.")
        elif not gone:
            left = f"{review.left} above" if review.left else "Those above"
            program.toast(f"That was the last change. {left} {'is' if review.left == 1 else 'are'} left to review.")

    def note(self) -> None:
        """Attach a note to what the cursor is on."""
        row, comparison = self._panes.rows.current, self._ready()
        if comparison is None:
            return
        if row is None:
            program_of(self._screen).toast("Put the cursor on a row.")
            return
        program_of(self._screen).run_command("Note", self._note(comparison, row))

    def verdict(self) -> None:
        """Approve or reject."""
        comparison = self._ready()
        if comparison is not None:
            program_of(self._screen).run_command("Verdict", self._verdict(comparison))

    def _ready(self) -> Comparison | None:
        """The comparison that is shown, once its review was read; None, and a word about it, before."""
        comparison = self._reading.comparison
        if comparison is None or not self._loaded:
            program_of(self._screen).toast("The review is still being read. Try again in a moment.")
            return None
        return comparison

    @property
    def _left(self) -> int:
        """The number of known changes without a tick."""
        if self.review.left is not None:
            return self.review.left
        tree = self._panes.change_tree
        return sum(tree.rows[number].entry.key not in self.review.seen for number in tree.changes)

    async def _load(self, comparison: Comparison) -> None:
        old, new = _pair_of(comparison)
        review, self._other_way = await load(self._reading.case, old, new), await load(self._reading.case, new, old)
        self._show(review)
        self._loaded = True
        if review.empty and not self._other_way.empty:
            program = program_of(self._screen)
            key = program.ports.keys["compare.swap"]
            program.toast(f"Reviewed the other way round: {self._other_way.words}. It is kept; {key} swaps.")
        await self._count()

    async def _count(self) -> None:
        """Keep how much is left of the comparison as it is known now, where that is news: gates ask for it."""
        comparison = self._reading.comparison
        if comparison is None or not comparison.complete:
            return
        # Before a key asks for it.
        self._counted = comparison, await aside(keys_of, comparison)
        if self.review.empty or self.review.counted(self._counted[1]) == self.review:
            return
        try:
            await self._keep(comparison, self.review)
        except KittuiError as error:
            program_of(self._screen).fail(error)

    async def _keep(self, comparison: Comparison, review: Review) -> None:
        """Keep a review of the pair that a comparison is of, whatever is shown by now."""
        shown = self._reading.comparison
        if shown is not None and _pair_of(shown) == _pair_of(comparison):
            comparison = shown
        review = review.counted(self._keys_of(comparison))
        if self._pair == _pair_of(comparison):
            self._show(review)
        # One after the other: an older review must not be written over a newer one.
        async with self._writing:
            await keep(self._reading.case, comparison, review)

    def _keys_of(self, comparison: Comparison) -> frozenset[str] | None:
        if self._counted is None or self._counted[0] is not comparison:
            self._counted = comparison, keys_of(comparison)
        return self._counted[1]

    def _show(self, review: Review) -> None:
        self.review = review
        self._panes.annotate(review.seen, review.notes)

    async def _note(self, comparison: Comparison, row: Row) -> None:
        program, draft = program_of(self._screen), "\n".join(("note", *_pair_of(comparison), row.entry.key))
        note = await ask_note(program, row, self.review, draft)
        if note is not None:
            await self._keep(comparison, self.review.noted(row.entry.key, note))
            program.drafts.drop(note)

    async def _verdict(self, comparison: Comparison) -> None:
        verdict = await ask_verdict(program_of(self._screen), self._left, self.review.verdict)
        if verdict is not None:
            await self._keep(comparison, replace(self.review, verdict=verdict))


def _pair_of(comparison: Comparison) -> tuple[str, str]:
    return comparison.a.digest, comparison.b.digest


async def load(case: DiffUseCase, old: str, new: str) -> Review:
    """Load the review of this pair of digests."""
    if case.reviews is None:
        return Review()
    return Review.from_json(await in_thread(case.reviews.read, old, new))


async def keep(case: DiffUseCase, comparison: Comparison, review: Review) -> None:
    """Store the review for this pair of digests; raises StorageError."""
    if case.reviews is not None:
        await in_thread(case.reviews.write, comparison.a.digest, comparison.b.digest, review.to_json())


async def ask_note(program: Program, row: Row, review: Review, draft: str) -> str | None:
    """Ask for a note to a change; None where it stays as it is. What is left half-written is kept as `draft`."""
    return await program.ask(
        InputDialog(
            "Note",
            (clean(row.entry.title, limit=100), "An empty note removes it."),
            value=review.notes.get(row.entry.key, ""),
            edit=True,
            draft=draft,
        )
    )


async def ask_verdict(program: Program, left: int, present: Verdict) -> Verdict | None:
    """Ask what is to be said of the whole, the cursor on what was said; None where nothing is."""
    words = [f"Your verdict so far: {present}."] if present else []
    words += [f"{counted(left, 'change')} left to review."] if left else []
    choices: list[Choice[Verdict]] = [
        Choice("approved", "Approved", "the changes are fine"),
        Choice("rejected", "Rejected", "it needs work; see the notes"),
        Choice("", "No verdict", "remove the verdict" if present else "nothing is said yet"),
    ]
    at = next(number for number, each in enumerate(choices) if each.value == present)
    return await program.ask(ChoiceDialog("Verdict", choices, words, at=at))
