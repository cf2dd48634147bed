"""Asking for one line of text, with completion."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Input

from kittui.terminal import clean
from kittui.tui.dialogs.dialog import Dialog, Part, Words

SHOWN = 6
TYPED_BEFORE = "You typed this before; it is not used yet."


class InputDialog(Dialog[str]):
    """One line of text; `check` returns what is wrong with it (empty: nothing), `complete` texts it could become."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "complete", "Complete", id="dialog.complete", tooltip="Take the first completion", priority=True)
    ]

    def __init__(
        self,
        title: str,
        words: Sequence[Part] = (),
        *,
        value: str = "",
        placeholder: str = "",
        check: Callable[[str], str] = lambda _: "",
        complete: Callable[[str], Iterable[str]] | None = None,
        password: bool = False,
        edit: bool = False,
        decides: bool = False,
        draft: str = "",
    ) -> None:
        """With `edit` the cursor is at the end of the value, else what is typed replaces it.

        `decides`: the answer changes something at once. `draft` is as for every dialog.
        """
        super().__init__(title, draft)
        self._decides = decides
        self._words = list(words)
        self.given, self._placeholder = value, placeholder
        self._check, self._complete, self._password, self._edit = check, complete, password, edit
        self._offers: list[str] = []

    @property
    def decides(self) -> bool:
        """Whether the answer changes something at once."""
        return self._decides

    def hints(self) -> Sequence[tuple[str, str]]:
        """The keys that the frame names."""
        complete = (("dialog.complete", "Complete"),) if self._complete is not None else ()
        return (("Enter", "Done"), *complete, ("dialog.cancel", "Cancel"))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Completing is live where there may be something to complete."""
        return action != "complete" or self._complete is not None

    def body(self) -> ComposeResult:
        """Words, the line, completions, what is wrong."""
        if self._words:
            yield Words(self._words)
        entry = Input(
            self.given, placeholder=self._placeholder, password=self._password, select_on_focus=not self._edit
        )
        entry.cursor_blink = False
        yield entry
        yield Words([""])

    def on_mount(self) -> None:
        """Offer completions at once."""
        self.query_one(Input).focus()
        self._offer(self.given)

    def resume(self, text: str) -> None:
        """Begin with what was typed before, and say so."""
        super().resume(text)
        self._words.append(Content.assemble((TYPED_BEFORE, "$kit-warn")))

    def text(self) -> str:
        """The line."""
        return next((each.value for each in self.query(Input)), self.given)

    def _offer(self, text: str) -> None:
        offers: list[str] = []
        for offer in self._complete(text) if self._complete is not None else ():
            if offer != text:
                offers.append(offer)
            if len(offers) == SHOWN:
                break
        self._offers = offers
        self.show_last([Content.assemble((clean(offer), "$kit-muted")) for offer in offers] if offers else [""])

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        event.stop()
        self._offer(event.value)

    def action_complete(self) -> None:
        """Take the first completion."""
        if self._offers:
            entry = self.query_one(Input)
            entry.value = self._offers[0]
            entry.cursor_position = len(entry.value)
        else:
            self.show_last([Content.assemble(("Nothing completes it.", "$kit-muted"))])

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        event.stop()
        wrong = self._check(event.value)
        if wrong:
            self.show_last([Content.assemble((f"✗ {wrong}", "$kit-bad"))])
        else:
            self.dismiss(event.value)
