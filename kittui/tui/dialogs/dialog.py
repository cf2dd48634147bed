"""What all dialogs share: a titled box, Esc to cancel, never wider than the terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from time import monotonic
from typing import ClassVar, TypeVar

from textual.app import ComposeResult
from textual.await_complete import AwaitComplete
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widget import Widget

from kittui.tui.style.keys import display_keys

Answer = TypeVar("Answer")
Part = str | Content
"""A line in a dialog: a cleaned text, or styled content made of cleaned texts."""


class Box(Vertical):
    """The frame of a dialog; its border carries the title and the keys."""


class Words(Widget):
    """Lines of a dialog. Texts are shown as they are, never as markup."""

    DEFAULT_CSS = "Words { height: auto; width: 1fr; color: $kit-text; }"

    def __init__(self, parts: Sequence[Part]) -> None:
        super().__init__()
        self._parts = list(parts)

    def show(self, parts: Sequence[Part]) -> None:
        """Say something else."""
        self._parts = list(parts)
        self.refresh(layout=True)

    def render(self) -> Content:
        """One part a line."""
        return Content("\n").join([part if isinstance(part, Content) else Content(part) for part in self._parts])


class Dialog(ModalScreen[Answer | None]):
    """A box in the middle of the screen. Subclasses give `body()` and dismiss with an answer; None is cancelled."""

    DEFAULT_CSS = """
    Dialog { align: center middle; background: $kit-background 60%; }
    Dialog:ansi { background: transparent; }
    Dialog Box {
        width: 72; max-width: 100%; height: auto; max-height: 100%; background: $kit-background; color: $kit-text;
        border: round $kit-accent; border-title-color: $kit-accent; border-title-style: bold;
        border-subtitle-color: $kit-muted; padding: 0 1; overflow-y: auto; scrollbar-size-vertical: 1;
    }
    Dialog .warn { color: $kit-warn; }
    Dialog .muted { color: $kit-muted; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "cancel", "Cancel", id="dialog.cancel", tooltip="Close and change nothing")
    ]
    HINTS: ClassVar[tuple[tuple[str, str], ...]] = (("Enter", "Choose"), ("dialog.cancel", "Cancel"))
    """Keys that the frame names: the id of a binding, or a key that can't be remapped, and what it does."""

    def __init__(self, title: str, draft: str = "") -> None:
        """`draft` names what is typed, for it to be kept where that does not get to where it belongs."""
        super().__init__()
        self._title = title
        self.draft = draft
        self.given = self.typed = ""
        """What an entry begins with, and what was in it when the dialog was closed."""
        self.shown = math.inf

    def show_last(self, parts: Sequence[Part]) -> None:
        """Replace the last text of the dialog; a dialog that is closing has none."""
        for words in list(self.query(Words))[-1:]:
            words.show(parts)

    @property
    def decides(self) -> bool:
        """Whether Enter would change something now; only once the dialog was seen."""
        return False

    def on_screen_resume(self) -> None:
        """It is seen after the next painting."""
        self.call_after_refresh(self._painted)

    def _painted(self) -> None:
        self.shown = min(self.shown, monotonic())

    def body(self) -> ComposeResult:
        """The widgets in the box."""
        raise NotImplementedError

    def hints(self) -> Sequence[tuple[str, str]]:
        """The keys that the frame names."""
        return self.HINTS

    def key(self, name: str) -> str:
        """The key of a binding as it is shown, after the user's keymap."""
        live = (each.binding for each in self.active_bindings.values())
        return next((display_keys(binding.key)[0] for binding in live if binding.id == name), name)

    def compose(self) -> ComposeResult:
        """The box around the body."""
        with Box() as box:
            box.border_title = Content(self._title)
            box.border_subtitle = Content(self._hint_words())
            yield from self.body()

    def show_hints(self) -> None:
        """Name the keys that are live now."""
        self.query_one(Box).border_subtitle = Content(self._hint_words())

    def _hint_words(self) -> str:
        return " · ".join(f"{self.key(key) if '.' in key else key} {label}" for key, label in self.hints())

    def resume(self, text: str) -> None:
        """Begin with what was typed before; called before it is shown."""
        self.given = text

    def text(self) -> str:
        """What is in the entry that a draft is kept of."""
        return ""

    def dismiss(self, result: Answer | None = None) -> AwaitComplete:
        """Close with an answer, and remember what was typed."""
        self.typed = self.text()
        return super().dismiss(result)

    def action_cancel(self) -> None:
        """Close without an answer."""
        self.dismiss(None)
