"""Keys as people write them."""

from __future__ import annotations

from typing import Final

_SHOWN: Final = {
    "slash": "/",
    "question_mark": "?",
    "equals_sign": "=",
    "right_square_bracket": "]",
    "left_square_bracket": "[",
    "tilde": "~",
    "plus": "+",
    "asterisk": "*",
    "exclamation_mark": "!",
    "minus": "-",
    "colon": ":",
    "space": "Space",
    "escape": "Esc",
    "enter": "Enter",
    "tab": "Tab",
    "shift+tab": "Shift+Tab",
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "home": "Home",
    "end": "End",
}


def display_keys(keys: str) -> list[str]:
    """Keys as people write them: `ctrl+p` is `Ctrl+P`."""
    return [_display(key.strip()) for key in keys.split(",")]


def _display(key: str) -> str:
    if key in _SHOWN:
        return _SHOWN[key]
    if "+" in key:
        return "+".join(part.capitalize() for part in key.split("+"))
    return key
