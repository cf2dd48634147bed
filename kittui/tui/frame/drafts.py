"""Texts typed into dialogs that did not get to where they belong: a dialog that opens again shows its own."""

from __future__ import annotations

from typing import Any, Final

from kittui.tui.dialogs.dialog import Dialog

MOST: Final = 50
"""Texts that are kept; the oldest one goes first."""


class Drafts:
    """Keeps texts by the name that a dialog has for what is typed into it, as long as the program runs."""

    def __init__(self) -> None:
        self._kept: dict[str, str] = {}

    def offer(self, dialog: Dialog[Any]) -> None:
        """Put what was typed before into a dialog that is about to open."""
        if text := self._kept.get(dialog.draft):
            dialog.resume(text)

    def keep(self, dialog: Dialog[Any]) -> bool:
        """Keep what was typed into a dialog that was closed; whether there is something."""
        before = self._kept.pop(dialog.draft, None)
        if not dialog.draft or not dialog.typed.strip() or dialog.typed == (dialog.given if before is None else ""):
            return False
        self._kept[dialog.draft] = dialog.typed
        for name in list(self._kept)[:-MOST]:
            del self._kept[name]
        return True

    def drop(self, text: str) -> None:
        """Forget a text: it is where it belongs."""
        self._kept = {name: kept for name, kept in self._kept.items() if kept.strip() != text.strip()}
