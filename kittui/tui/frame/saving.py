"""Asks where to save something, until it is saved or the user cancels."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Protocol, TypeVar

from textual.content import Content
from textual.screen import ModalScreen

from kittui.errors import KittuiError, sentences
from kittui.terminal import clean
from kittui.tui.dialogs.dialog import Part
from kittui.tui.dialogs.prompt import InputDialog
from kittui.tui.frame.drafts import Drafts

Saved = TypeVar("Saved")
Answer = TypeVar("Answer")


class Asks(Protocol):
    """What shows dialogs and keeps drafts: the program."""

    drafts: Drafts

    def ask(self, dialog: ModalScreen[Answer], *, since: float | None = None) -> Coroutine[Any, Any, Answer | None]:
        """Show a dialog and wait for its answer."""
        ...


async def ask_and_save(
    program: Asks,
    title: str,
    words: Sequence[Part],
    name: str,
    save: Callable[[str], Awaitable[Saved]],
    draft: str = "",
) -> Saved | None:
    """Ask for a path and save there. Where that fails, say why in the dialog and ask again, with what was typed.

    `draft` is as for every dialog.
    """
    typed, problem = name, list[Part]()
    while True:
        answer: str | None = await program.ask(InputDialog(title, [*words, *problem], value=typed, draft=draft))
        if not answer:
            return None
        typed = answer
        try:
            saved = await save(typed)
        except KittuiError as error:
            problem = [Content.styled(clean(sentences(error)), "$kit-warn")]
        else:
            program.drafts.drop(typed)
            return saved
