"""Keeps texts typed into dialogs that were not used: a dialog that opens again shows its text."""

from __future__ import annotations

from typing import Any, Final

from kittui.tui.dialogs.dialog import Dialog

MOST: Final = 50
"""Maximum texts kept; the oldest one is dropped first."""


class Drafts:
    """Keeps texts by their dialog's name for them, as long as the program runs."""

    def __init__(self) -> None:
        self._kept: dict[str, str] = {}

    def offer(self, dialog: Dialog[Any]) -> None:
        """Put the earlier text into a dialog that is about to open."""
        if text := self._kept.get(dialog.draft):
            dialog.resume(text)

    def keep(self, dialog: Dialog[Any]) -> bool:
        """Keep the text of a closed dialog; returns whether there is any."""
        before = self._kept.pop(dialog.draft, None)
        if not dialog.draft or not dialog.typed.strip() or dialog.typed == (dialog.given if before is None else ""):
            return False
        self._kept[dialog.draft] = dialog.typed
        for name in list(self._kept)[:-MOST]:
            del self._kept[name]
        return True

    def drop(self, text: str) -> None:
        """Drop a text after it was used."""
        self._kept = {name: kept for name, kept in self._kept.items() if kept.strip() != text.strip()}
