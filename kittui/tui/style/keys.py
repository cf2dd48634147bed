"""Writes and reads keys as people do."""

from __future__ import annotations

import difflib
import unicodedata
from typing import Final

from textual.keys import KEY_NAME_REPLACEMENTS, Keys

UNBOUND: Final = "unbound-"
"""The prefix of an impossible key, for a binding that has lost its keys to others."""
_SHOWN: Final = {
    "space": "Space",
    "escape": "Esc",
    "enter": "Enter",
    "tab": "Tab",
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "home": "Home",
    "end": "End",
}
_WORDS: Final = {
    **{shown.lower(): key for key, shown in _SHOWN.items()},
    "return": "enter",
    "del": "delete",
    "ins": "insert",
    "spacebar": "space",
}
"""Names of keys in other programs and on the screen."""
_NAMED: Final = frozenset(
    each.value for each in Keys if each.value.isascii() and "+" not in each.value and not each.value.startswith("<")
) - {"ignore"}
_MODIFIERS: Final = ("ctrl", "alt", "shift")


def display_keys(keys: str) -> list[str]:
    """Keys as people write them: `ctrl+p` is `Ctrl+P`; a binding without a key has an empty text."""
    return [_display(key.strip()) for key in keys.split(",")]


def _display(key: str) -> str:
    if key.startswith(UNBOUND):
        return ""
    if "+" in key:
        *modifiers, last = key.split("+")
        return "+".join([*(each.capitalize() for each in modifiers), _SHOWN.get(last, last.capitalize())])
    return _SHOWN.get(key) or _character(key) or (key.upper() if key[1:].isdigit() else key)


def parse_key(text: str) -> str:
    """Parse a user's key into Textual's name: `?`, `question_mark`, `Ctrl+D`, `F5`, `PgDn`.

    Raises ValueError with a sentence, and the key that was probably meant.
    """
    text = text.strip()
    if len(text) == 1:
        return _WORDS.get(text) or _named(text)
    *modifiers, last = [part.strip() for part in text.split("+")]
    modifiers = [each.lower() for each in modifiers]
    key = _WORDS.get(last.lower(), last if len(last) == 1 else last.lower())
    known = key in _NAMED or bool(_character(key)) or len(key) == 1
    if not known or not {*modifiers} <= {*_MODIFIERS}:
        raise ValueError(f"there is no key {text!r}{_meant(text)}")
    if len(key) == 1:
        key = _named(key)
        if modifiers == ["shift"] and key.isalpha():
            raise ValueError(f"there is no key {text!r}; write {key.upper()!r}")
        key = key.lower() if modifiers else key
    return "+".join([*(each for each in _MODIFIERS if each in modifiers), key])


def _named(character: str) -> str:
    """Textual's name for a character's key."""
    if character.isalnum():
        return character
    name = unicodedata.name(character, character).lower().replace("-", "_").replace(" ", "_")
    return KEY_NAME_REPLACEMENTS.get(name, name)


def _character(key: str) -> str:
    """The character that Textual's key name stands for; empty for others."""
    if len(key) == 1 or key in _PUNCTUATION:
        return _PUNCTUATION.get(key, key)
    replaced = next((name for name, short in KEY_NAME_REPLACEMENTS.items() if short == key), key)
    for name in (replaced.replace("_", " "), replaced.replace("_", "-")):
        try:
            found = unicodedata.lookup(name)
        except KeyError:
            continue
        return found if _named(found) == key else ""
    return ""


def _meant(text: str) -> str:
    """The key that a name probably means, as the end of a sentence."""
    wanted = text.lower().strip("<>").replace("-", "+")
    for short, long in (("c+", "ctrl+"), ("control+", "ctrl+"), ("m+", "alt+"), ("s+", "shift+")):
        wanted = long + wanted.removeprefix(short) if wanted.startswith(short) else wanted
    head, plus, last = wanted.rpartition("+")
    known = [*_NAMED, *_WORDS, *_PUNCTUATION]
    close = [last] if len(last) == 1 else difflib.get_close_matches(last, known, n=1)
    if not close:
        return ""
    return f"; did you mean {head + plus + _WORDS.get(close[0], close[0])}?"


_PUNCTUATION: Final = {_named(chr(code)): chr(code) for code in range(33, 127) if not chr(code).isalnum()}
