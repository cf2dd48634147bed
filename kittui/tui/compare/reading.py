"""Reads a comparison: its depth, its newest state, and what was compared before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from time import monotonic
from typing import Final

from textual.screen import Screen
from textual.timer import Timer

from kittui.compare.comparison import Comparison
from kittui.compare.text import AS_EVER, LineRules
from kittui.compare.words import reading_words
from kittui.errors import KittuiError
from kittui.oci.traffic import Traffic, metered
from kittui.terminal import clean, counted, size_text
from kittui.tui.compare.wording import doing_words, key_of
from kittui.tui.compare.workers import run_newest
from kittui.tui.frame.program import program_of
from kittui.usecases.diff.compare import Depth, DiffUseCase, Side

PAUSE: Final = 0.15
"""Seconds between two drawings of a comparison that is still growing."""


class Reading:
    """Reads both sides in workers of a screen, and passes on each state that is worth drawing."""

    def __init__(
        self,
        screen: Screen[None],
        case: DiffUseCase,
        sides: tuple[Side, Side],
        *,
        on_state: Callable[[Comparison, bool], None],
        on_progress: Callable[[], None],
        on_failure: Callable[[KittuiError], None],
    ) -> None:
        """`on_state` gets a newer state and whether it is the first one; `on_progress`: only the words are new."""
        self.case = case
        self.sides = sides
        self.depth = Depth()
        self.rules = AS_EVER
        self.comparison: Comparison | None = None
        self._screen = screen
        self._on_state = on_state
        self._on_progress = on_progress
        self._on_failure = on_failure
        self._kept: dict[tuple[str, ...], tuple[Comparison, Depth]] = {}
        self._waiting: Comparison | None = None
        self._step: Comparison | None = None
        self._drawn_at = 0.0
        self._timer: Timer | None = None
        self._traffic: Traffic | None = None
        self._began = 0.0

    @property
    def working(self) -> bool:
        """Whether something is being read."""
        return self._traffic is not None

    @property
    def working_on_values(self) -> bool:
        """Whether values are being read."""
        return self.working and bool(self.depth.content or self.depth.sample)

    def words(self, roomy: bool) -> tuple[str, ...]:
        """What was read, and whether reading continues."""
        if self._traffic is None:
            return tuple(map(clean, reading_words(self.comparison))) if self.comparison else ()
        seconds = monotonic() - self._began
        words = [f"{doing_words(self._step, self.depth, roomy)} …"]
        if self._traffic.requests:
            words.append(f"{size_text(self._traffic.bytes)} in {counted(self._traffic.requests, 'request')}")
        if seconds >= 1:
            words.append(f"{seconds:.0f} s")
        return tuple(words)

    def start(self) -> None:
        """Read both sides to the given depth."""
        self._began = monotonic()
        self._traffic = Traffic()
        self._step = None
        run_newest(self._screen, "compare", self._compare)

    def stop(self) -> None:
        """Stop reading values; what was found so far stays."""
        self._screen.workers.cancel_group(self._screen, "compare")
        self._traffic = None
        self.depth = Depth()

    def forget(self) -> None:
        """Forget the comparison; it stays in view until as much is known again."""
        self._kept.clear()

    def swap(self) -> bool:
        """Swap the sides; false where that order has to be read first."""
        self.sides = (self.sides[1], self.sides[0])
        self._screen.workers.cancel_group(self._screen, "compare")
        kept = self._kept.get(key_of(self.sides))
        if kept is None:
            self.comparison = None
            return False
        self._traffic = None
        comparison, self.depth = kept
        self._show(comparison)
        return True

    def compare_lines(self, rules: LineRules, said: str) -> None:
        """Compare texts by other rules, and report it."""
        self.rules = rules
        self._kept.clear()
        run_newest(self._screen, "rules", partial(self._compare_lines, said))

    async def _compare(self) -> None:
        self._screen.workers.cancel_group(self._screen, "rules")
        sides, depth = self.sides, replace(self.depth, rules=self.rules)
        try:
            with metered() as traffic:
                self._traffic = traffic
                comparison = await self.case.compare(*sides, depth, self._grown)
        except KittuiError as error:
            self._traffic = None
            self._on_failure(error)
            return
        self._traffic = None
        self._kept[key_of(sides)] = (comparison, depth)
        self._show(comparison)

    async def _compare_lines(self, said: str) -> None:
        """All but the texts stays: values are not read again."""
        program = program_of(self._screen)
        try:
            fresh = await self.case.compare(*self.sides, Depth(rules=self.rules))
        except KittuiError as error:
            program.fail(error)
            return
        known = self.comparison
        if known is None:
            return
        texts = {text.path: text for text in fresh.texts}
        self._show(replace(known, texts=tuple(texts.get(text.path, text) for text in known.texts)))
        program.toast(said)

    def _grown(self, comparison: Comparison) -> None:
        """A newer state: drawn at once where the last drawing was a while ago, else soon.

        A state that names a step is reported in words alone: nothing else of it is new.
        """
        self._step = comparison
        if (comparison.doing and (self.comparison or self._waiting)) or self._says_less(comparison):
            self._on_progress()
            return
        self._waiting = comparison
        if self._timer is None and self._screen.is_attached:
            pause = max(0.001, PAUSE - (monotonic() - self._drawn_at))
            self._timer = self._screen.set_timer(pause, self._draw)

    def _says_less(self, comparison: Comparison) -> bool:
        """Whether a state on the way lacks what is in view already, as it does at the start of reading again."""
        shown = self.comparison
        return shown is not None and not comparison.complete and not _known(shown) <= _known(comparison)

    def _draw(self) -> None:
        self._timer = None
        if self._waiting is not None:
            self._show(self._waiting)

    def _show(self, comparison: Comparison) -> None:
        self._waiting = None
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
        if not self._screen.is_attached:
            return
        first = self.comparison is None
        self.comparison = comparison
        self._on_state(comparison, first)
        self._drawn_at = monotonic()


def _known(comparison: Comparison) -> set[tuple[str, ...]]:
    """What a state says of files, texts and tensors, without how they differ."""
    found: set[tuple[str, ...]] = {("value", change.path) for change in comparison.kitfile}
    found |= {("text", text.path) for text in comparison.texts}
    for file in comparison.files:
        found.add(("file", str(file.layer), file.path))
        if file.status != "not_compared":
            found.add(("read", str(file.layer), file.path))
    for tensor in comparison.tensors:
        found.add(("tensor", tensor.file, tensor.name))
        if tensor.figures is not None:
            found.add(("figures", tensor.file, tensor.name))
    return found
