"""The one-line bars: header and footer. They redraw only when their content has changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rich.cells import cell_len, set_cell_size
from textual import events
from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

_NAME: Final = " kittui  "
_LEAST: Final = 16
"""Minimum cells for the path before other texts get room."""


class HeaderBar(Widget):
    """The path on the left; write access and current activities on the right."""

    DEFAULT_CSS = "HeaderBar { height: 1; background: $kit-surface; color: $kit-text; }"
    where: reactive[tuple[str, ...]] = reactive((), layout=False)
    facts: reactive[tuple[tuple[str, str], ...]] = reactive((), layout=False)
    doing: reactive[tuple[str, ...]] = reactive((), layout=False)
    """Current activities, the newest first; they are shown before the facts."""

    def render(self) -> Content:
        """If room is short, the path is cut: first its left end, then the middle of its last part.

        Constant facts are dropped before activities, which stay with the key that stops them.
        """
        room = self.size.width - cell_len(_NAME) - 1
        doing = [(text, "$kit-accent") for text in _newest(self.doing, room)]
        lasting = [fact for fact in self.facts if fact[1] != "$kit-muted"]
        whole = cell_len(" › ".join(self.where))
        for facts, enough in (
            ([*doing, *self.facts], whole if doing else 0),
            ([*doing, *lasting], min(whole, _LEAST)),
            (doing, 0),
        ):
            right = Content.assemble(*(piece for fact in facts for piece in ((" · ", "$kit-faint"), fact)))[3:]
            left = room - right.cell_length - 2
            if left >= enough:
                break
        pieces: list[tuple[str, str]] = [(_NAME, "$kit-accent bold")]
        way = self._way(left)
        for number, part in enumerate(way):
            if number:
                pieces.append((" › ", "$kit-faint"))
            pieces.append((part, "$kit-text bold" if number == len(way) - 1 else "$kit-muted"))
        start = Content.assemble(*pieces)
        return Content.assemble(start, " " * max(1, self.size.width - start.cell_length - right.cell_length - 1), right)

    def _way(self, room: int) -> list[str]:
        """The path, in so many cells."""
        way = list(self.where)
        while len(way) > 1 and cell_len(" › ".join(["…", *way])) > room:
            way.pop(0)
        if len(way) < len(self.where):
            way.insert(0, "…")
        room -= cell_len(" › ".join([*way[:-1], ""]))
        return [*way[:-1], shorten_middle(way[-1], room)] if way and room > 2 else []


def _newest(texts: Sequence[str], room: int) -> list[str]:
    """As many texts as fit, at least the first, and the number of the others."""
    shown = list(texts)
    while len(shown) > 1 and cell_len(" · ".join(shown)) > room - _LEAST:
        shown.pop()
    more = len(texts) - len(shown)
    tail = [f"+{more}"] if more else []
    if len(shown) == 1:
        shown = [shorten_middle(shown[0], room - cell_len("".join(tail)) - 3)]
    return [*shown, *tail]


@dataclass(frozen=True, slots=True)
class KeyHint:
    """A key that does something now."""

    key: str
    label: str
    action: str


class FooterBar(Widget):
    """The keys that do something for the row under the cursor; they can be clicked.

    `aside` is at the right end, for background activities.
    """

    DEFAULT_CSS = "FooterBar { height: 1; background: $kit-surface; color: $kit-muted; }"
    hints: reactive[tuple[KeyHint, ...]] = reactive((), layout=False)
    aside: reactive[KeyHint | None] = reactive(None, layout=False)

    def _shown(self) -> Sequence[tuple[KeyHint, int, int]]:
        """The hints that fit, with their starts and ends; the last one always fits.

        Hints without a key are left out.
        """
        hints = [hint for hint in self.hints if hint.key]
        if not hints:
            return ()
        *others, last = hints
        room = self.size.width - 1 - _width(last) - (_width(self.aside) if self.aside else 0)
        shown: list[tuple[KeyHint, int, int]] = []
        at = 1
        for hint in others:
            if at + _width(hint) > room:
                break
            shown.append((hint, at, at + _width(hint) - 2))
            at += _width(hint)
        shown.append((last, at, at + _width(last) - 2))
        return shown

    def render(self) -> Content:
        """Keys in the accent, labels muted."""
        pieces: list[tuple[str, str]] = [(" ", "")]
        for hint, _, _ in self._shown():
            pieces += [(hint.key, "$kit-accent bold"), (f" {hint.label}  ", "$kit-muted")]
        if self.aside is not None:
            gap = self.size.width - sum(cell_len(text) for text, _ in pieces) - _width(self.aside)
            pieces.append((" " * gap, ""))
            pieces += [(self.aside.key, "$kit-accent bold"), (f" {self.aside.label}", "$kit-text")]
        return Content.assemble(*pieces)

    async def on_click(self, event: events.Click) -> None:
        """Run what was clicked."""
        for hint, start, end in self._shown():
            if start <= event.x < end:
                await self.run_action(hint.action)
                return
        if self.aside is not None and event.x >= self.size.width - _width(self.aside):
            await self.run_action(self.aside.action)


def _width(hint: KeyHint) -> int:
    return cell_len(hint.key) + cell_len(hint.label) + 3


def shorten_middle(text: str, width: int) -> str:
    """Cut a text in its middle to a width in cells: references and commands differ at their ends."""
    if cell_len(text) <= width:
        return text
    tail = width * 3 // 5
    end = text[-tail:]
    while cell_len(end) > tail:
        end = end[1:]
    return shorten(text[: -len(end)] + " ", width - cell_len(end)) + end


def shorten(text: str, width: int) -> str:
    """Cut a text to a width in cells with an ellipsis."""
    return text if cell_len(text) <= width else set_cell_size(text, max(0, width - 1)).rstrip() + "…"
