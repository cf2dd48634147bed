"""Choosing one of a few things."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Generic, TypeVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from kittui.tui.dialogs.dialog import Dialog, Part, Words
from kittui.tui.widgets.text_lines import wrap

Value = TypeVar("Value")
PAUSE: Final = 1.0
"""Seconds after which what is typed begins anew."""
_PADDING: Final = 2
"""Cells beside each choice."""


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

    def __init__(self, *choices: Option, hang: int = 4) -> None:
        """A choice that is wider than the dialog continues on the next line, indented by `hang` cells."""
        super().__init__(*choices)
        self._whole = [choice.prompt for choice in choices]
        self._hang = hang
        self._typed, self._typed_at = "", 0.0
        self._before: int | None = None

    def on_resize(self) -> None:
        """Break what is too wide."""
        width = self.scrollable_content_region.width - _PADDING
        for number, whole in enumerate(self._whole):
            if isinstance(whole, Content) and width > 0:
                pieces = wrap(whole.plain, width, self._hang)
                lines = [Content(" " * indent) + whole[start:end] for start, end, indent in pieces]
                self.replace_option_prompt_at_index(number, Content("\n").join(lines))

    def on_key(self, event: events.Key) -> None:
        """What is typed goes to the choice that begins with it; where none does, Enter chooses nothing.

        Backspace takes the last letter back, and with the first one the cursor is where it was.
        """
        letter = (event.character or "").casefold()
        # A line that is slow delivers letters late: the pause is the typist's, not the program's.
        paused, self._typed_at = event.time - self._typed_at > PAUSE, event.time
        if self._typed and event.key == "backspace":
            self._typed = self._typed[:-1]
        elif (letter == " " and self._typed and not paused) or (
            letter.isalnum() and ((self._typed and not paused) or event.key not in self.screen.active_bindings)
        ):
            if self.highlighted is not None and (not self._typed or paused):
                self._before = self.highlighted
            self._typed = letter if paused else self._typed + letter
        else:
            self._typed = self._typed if event.key == "enter" else ""
            return
        event.stop()
        event.prevent_default()
        found = next((n for n in range(self.option_count) if self._begins(n)), None)
        self.highlighted = found if self._typed else self._before

    def action_select(self) -> None:
        """Choose it, or say why nothing is chosen."""
        if self.highlighted is None and self.option_count:
            self.notify("No choice begins with what you typed. Backspace deletes a letter.", markup=False)
        super().action_select()

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

    def __init__(
        self, title: str, choices: Sequence[Choice[Value]], words: Sequence[Part] = (), *, at: int | None = None
    ) -> None:
        """The cursor begins on choice `at`, else on the first that is allowed."""
        super().__init__(title)
        self._at = at
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
            ),
            hang=width + 2,
        )

    def on_mount(self) -> None:
        """The choice that was asked for has the cursor, else the first that is allowed."""
        options = self.query_one(OptionList)
        options.focus()
        if self._at is None:
            options.action_first()
        else:
            options.highlighted = self._at

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.dismiss(self._choices[event.option_index].value)
