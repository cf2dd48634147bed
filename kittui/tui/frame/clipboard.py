"""Copies through tmux, and writes escape sequences past Textual's screens."""

from __future__ import annotations

import base64
from typing import Any, Final

from textual.app import App

from kittui.terminal import clean, counted

FIRST: Final = 60
"""Characters shown of the first of several copied lines."""
LONGEST: Final = 400
"""Characters shown of a single copied line."""
TMUX: Final = "in tmux, set -g set-clipboard on."
"""The tmux setting with which it passes a copy on to the terminal."""


def copied(text: str) -> list[str]:
    """The message on a copied text: its size, and its first line."""
    first, *more = text.splitlines() or [""]
    head = f"Copied {counted(1 + len(more), 'line')}, from:" if more else "Copied"
    return [head, clean(first, limit=FIRST if more else LONGEST)]


def through_tmux(text: str) -> str:
    """OSC 52 wrapped so that tmux passes it on to the terminal, as it does with `allow-passthrough on`.

    With `set-clipboard on` it takes the plain one.
    """
    plain = f"\x1b]52;c;{base64.b64encode(text.encode('utf-8', 'replace')).decode()}\x1b\\"
    return "\x1bPtmux;" + plain.replace("\x1b", "\x1b\x1b") + "\x1b\\"


def write(app: App[Any], text: str) -> None:
    """Send a sequence to the terminal as it is, in order with what the screens paint; nothing if there is none.

    Textual has no public way to a running driver, whose `write` is that of textual.driver.Driver.
    """
    driver = app._driver
    if driver is not None:
        driver.write(text)
