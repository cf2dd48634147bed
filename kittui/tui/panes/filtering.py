"""The line that a filter is typed into."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input


class FilterInput(Input):
    """Filters as you type; Enter and down keep the filter, Esc drops it."""

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
        """Typing is over; `keep` says whether the filter stays."""

        def __init__(self, keep: bool) -> None:
            super().__init__()
            self.keep = keep

    def __init__(self) -> None:
        super().__init__(placeholder="filter", select_on_focus=False)
        self.cursor_blink = False

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
