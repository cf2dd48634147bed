"""The input line for filters."""

from __future__ import annotations

from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import on
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip
from textual.widgets import Input

from kittui.tui.style.theme import Roles
from kittui.tui.widgets.bars import shorten


class FilterInput(Input):
    """Filters as you type; Enter and down keep the filter, Esc drops it. `problem` says why it can't be used."""

    problem: reactive[str] = reactive("", layout=False)

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "drop", "Clear", id="filter.clear", tooltip="Clear the filter"),
        Binding("down", "keep", "Back to rows", id="filter.keep", show=False),
    ]

    class Typed(Message):
        """The text has changed."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Left(Message):
        """Typing has ended; `keep` says whether the filter stays."""

        def __init__(self, keep: bool) -> None:
            super().__init__()
            self.keep = keep

    def __init__(self) -> None:
        super().__init__(placeholder="filter", select_on_focus=False)
        self.cursor_blink = False

    def render_line(self, y: int) -> Strip:
        """The text, and at the right end its problem."""
        strip = super().render_line(y)
        room = self.size.width - len(self.value) - 2
        if not self.problem or y or room < 3:
            return strip
        said = f" {shorten(f'✗ {self.problem}', room)}"
        style = Style(color=Roles(self.app.theme_variables).style("bad").color, bgcolor=self.rich_style.bgcolor)
        left = self.size.width - cell_len(said)
        return Strip.join([strip.adjust_cell_length(left, self.rich_style), Strip([Segment(said, style)])])

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(self.Typed(event.value))

    def action_drop(self) -> None:
        """Esc."""
        self.value = ""
        self.post_message(self.Left(keep=False))

    def action_keep(self) -> None:
        """Down."""
        self.post_message(self.Left(keep=True))

    async def action_submit(self) -> None:
        """Enter."""
        self.post_message(self.Left(keep=True))
