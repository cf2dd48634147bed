"""The two lines above a comparison: how the two are related, and the kinds of changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from textual import events
from textual.content import Content
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

from kittui.tui.compare.tree import PROBLEM, ROLES, Filter
from kittui.tui.widgets.bars import shorten


@dataclass(frozen=True, slots=True)
class Chip:
    """A filter with how many changes it shows; the chosen one stands in brackets."""

    filter: Filter
    count: int
    chosen: bool

    def text(self, words: bool) -> str:
        """As wide as there is room for."""
        name = self.filter.name
        if self.filter.statuses is None:
            text = name
        elif not self.filter.mark:
            name = "change" if name == "changes" and self.count == 1 else name
            text = f"{self.count:,} {name}" if words else f"all {self.count:,}"
        else:
            text = f"{self.filter.mark} {self.count:,} {name}" if words else f"{self.filter.mark} {self.count:,}"
        return f"[{text}]" if self.chosen else f" {text} "

    @property
    def style(self) -> str:
        """The colour of what it shows; the brackets say the rest."""
        if self.chosen:
            return "$kit-accent bold"
        statuses = self.filter.statuses or ()
        return f"$kit-{ROLES[next(iter(statuses))]}" if self.filter.mark and self.count else "$kit-muted"


class SummaryStrip(Widget):
    """Facts on the first line; filters, and what was read, on the second."""

    DEFAULT_CSS = "SummaryStrip { height: 2; background: $kit-background; color: $kit-muted; padding: 0 1; }"
    facts: reactive[tuple[str, ...]] = reactive((), layout=False)
    chips: reactive[tuple[Chip, ...]] = reactive((), layout=False)
    problems: reactive[int] = reactive(0, layout=False)
    reading: reactive[tuple[str, ...]] = reactive((), layout=False)

    class Chosen(Message):
        """A filter was clicked."""

        def __init__(self, chosen: Filter) -> None:
            super().__init__()
            self.filter = chosen

    def _failed(self, words: bool) -> str:
        """How much could not be compared; `n` stops there as well."""
        return f" {PROBLEM} {self.problems:,}{' not compared' if words else ''} " if self.problems else ""

    def _layout(self) -> tuple[bool, str]:
        """Whether filters have labels, and the text on the right; both are shortened before the filters are."""
        width = self.size.width
        for words in (True, False):
            used = self._used(words)
            for count in range(len(self.reading), -1, -1):
                right = " · ".join(self.reading[:count])
                if used + cell_len(right) + 1 <= width:
                    return words, right
                if words:
                    break
        used = self._used(False)
        return False, shorten(self.reading[0], max(0, width - used - 1)) if self.reading and width > used + 8 else ""

    def _used(self, words: bool) -> int:
        return sum(cell_len(chip.text(words)) for chip in self.chips) + cell_len(self._failed(words))

    def render(self) -> Content:
        """Both lines, never longer than the terminal is wide."""
        width = self.size.width
        words, right = self._layout()
        pieces: list[tuple[str, str]] = [(_joined(self.facts, width), "$kit-muted"), ("\n", "")]
        pieces += [(chip.text(words), chip.style) for chip in self.chips]
        pieces.append((self._failed(words), "$kit-bad bold"))
        used = self._used(words)
        pieces += [(" " * max(0, width - used - cell_len(right)), ""), (right, "$kit-muted")]
        return Content.assemble(*pieces)

    async def on_click(self, event: events.Click) -> None:
        """Choose the filter that was clicked."""
        offset = event.get_content_offset(self)
        if offset is None or offset.y != 1:
            return
        words, at = self._layout()[0], 0
        for chip in self.chips:
            at += cell_len(chip.text(words))
            if offset.x < at:
                self.post_message(self.Chosen(chip.filter))
                return


def _joined(facts: Sequence[str], width: int) -> str:
    """As many facts as fit, the most telling ones first; the last one is cut where even the first don't fit."""
    for count in range(len(facts), 0, -1):
        text = " · ".join(facts[:count])
        if cell_len(text) <= width:
            return text
    return shorten(facts[0], width) if facts else ""
