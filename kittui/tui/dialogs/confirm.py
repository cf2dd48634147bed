"""Asking before something happens; what is protected wants its name typed."""

from __future__ import annotations

from collections.abc import Sequence

from textual import on
from textual.app import ComposeResult
from textual.content import Content
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from kittui.terminal import clean
from kittui.tui.dialogs.choice import Choices
from kittui.tui.dialogs.dialog import Dialog, Part, Words


class ConfirmDialog(Dialog[bool]):
    """Words, and a choice between doing it and not; answers True, or None.

    With `typed`, that very text must be typed first. With `danger` it is the last choice, and the cursor starts on
    Cancel.
    """

    def __init__(
        self, title: str, words: Sequence[Part], confirm: str, *, danger: bool = False, typed: str | None = None
    ) -> None:
        super().__init__(title)
        self._words, self._confirm, self._danger, self._typed = list(words), confirm, danger, typed

    @property
    def decides(self) -> bool:
        """The cursor is on what is asked about, not on Cancel."""
        return any(each.highlighted == self._doing for each in self.query(OptionList))

    @property
    def _doing(self) -> int:
        """Where the choice stands that does it: Cancel has the other place."""
        return int(self._danger)

    def body(self) -> ComposeResult:
        """Words, the name to type, the two choices."""
        yield Words(self._words)
        if self._typed is not None:
            yield Words(
                [
                    "",
                    Content.assemble(
                        ("Type ", "$kit-muted"), (clean(self._typed), "$kit-warn bold"), (":", "$kit-muted")
                    ),
                ]
            )
            entry = Input()
            entry.cursor_blink = False
            yield entry
        do = Option(Content.assemble((self._confirm, "$kit-bad bold" if self._danger else "$kit-accent bold")), id="do")
        cancel = Option(Content("Cancel"), id="cancel")
        yield Choices(*((cancel, do) if self._danger else (do, cancel)))

    def on_mount(self) -> None:
        """Nothing dangerous is one Enter away."""
        options = self.query_one(OptionList)
        if self._typed is not None:
            self.query_one(Input).focus()
            options.disable_option("do")
            options.highlighted = 1 - self._doing
        else:
            options.focus()
            options.highlighted = 0

    @on(Input.Changed)
    def _changed(self, event: Input.Changed) -> None:
        options = self.query_one(OptionList)
        if event.value == self._typed:
            options.enable_option("do")
            options.highlighted = self._doing
        else:
            options.disable_option("do")
            options.highlighted = 1 - self._doing

    @on(Input.Submitted)
    def _submitted(self, event: Input.Submitted) -> None:
        if event.value == self._typed:
            self.dismiss(True)

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.dismiss(True if event.option_id == "do" else None)
