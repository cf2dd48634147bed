"""Choosing one of a few things."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from kittui.tui.dialogs.dialog import Dialog, Part, Words

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Choice(Generic[Value]):
    """One line to choose. Texts are cleaned by whoever makes it; `refused` says why it can't be chosen now."""

    value: Value
    label: str
    detail: str = ""
    refused: str = ""


class Choices(OptionList):
    """The choices of a dialog, with the keys of every list."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "cursor_down", "Down", id="dialog.down", show=False),
        Binding("k", "cursor_up", "Up", id="dialog.up", show=False),
        Binding("ctrl+f", "page_down", "Page down", id="dialog.page-down", show=False),
        Binding("ctrl+b", "page_up", "Page up", id="dialog.page-up", show=False),
        Binding("ctrl+d", "half(1)", "Half down", id="dialog.half-down", show=False),
        Binding("ctrl+u", "half(-1)", "Half up", id="dialog.half-up", show=False),
    ]

    def __init__(self, *choices: Option) -> None:
        super().__init__(*choices)
        self._typed = ""

    def on_key(self, event: events.Key) -> None:
        """What is typed goes to the choice that begins with it; where none does, Enter chooses nothing."""
        letter = (event.character or "").casefold()
        if not letter.isalnum() or (not self._typed and event.key in self.screen.active_bindings):
            self._typed = ""
            return
        event.stop()
        event.prevent_default()
        self._typed += letter
        self.highlighted = next((n for n in range(self.option_count) if self._begins(n)), None)

    def _begins(self, number: int) -> bool:
        option = self.get_option_at_index(number)
        return not option.disabled and str(option.prompt).casefold().startswith(self._typed)

    def action_half(self, step: int) -> None:
        """Half a page on or back, to a choice that can be taken."""
        at = self.highlighted or 0
        wanted = range(at + step * max(1, self.size.height // 2), at, -step)
        self.highlighted = next(
            (n for n in wanted if 0 <= n < self.option_count and not self.get_option_at_index(n).disabled), at
        )


class ChoiceDialog(Dialog[Value]):
    """A list of choices under some words; answers the value of the one chosen."""

    def __init__(self, title: str, choices: Sequence[Choice[Value]], words: Sequence[Part] = ()) -> None:
        super().__init__(title)
        self._choices = list(choices)
        self._words = list(words)

    def body(self) -> ComposeResult:
        """Words, then the choices."""
        if self._words:
            yield Words(self._words)
        width = min(26, max(len(choice.label) for choice in self._choices))
        yield Choices(
            *(
                Option(
                    Content.assemble(
                        (f"{choice.label:<{width}}", "$kit-faint" if choice.refused else "$kit-text"),
                        (f"  {choice.refused or choice.detail}", "$kit-muted"),
                    ),
                    disabled=bool(choice.refused),
                )
                for choice in self._choices
            )
        )

    def on_mount(self) -> None:
        """The first choice that is allowed has the cursor."""
        options = self.query_one(OptionList)
        options.focus()
        options.action_first()

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.dismiss(self._choices[event.option_index].value)
