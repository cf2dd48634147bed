"""Replaces commands in use cases' hints by the keys that do the same here."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from kittui.tui.frame.keymap import KeyNames

_COMMANDS: Final = {
    "rollback": "rollback",
    "promote": "promote",
    "undo": "undo",
    "history": "history",
    "remove --placeholder": "remove",
    "tag": "retag",
    "approve": "vouch",
    "sign": "vouch",
    "attest": "vouch",
}
"""Commands with the ids of the keys that do the same to the selection."""
_REFERENCE: Final = r"(?:REF|(?:remote://|local://|oci:)\S*[^\s.,;])"
_OPTIONS: Final = r"(?: --(?:from|to|for|key|type|predicate) \S+| --(?:retire|reviewed))*"
_WRITTEN: Final = re.compile(rf"kittui ({'|'.join(_COMMANDS)})\b(?: {_REFERENCE}(?:{_OPTIONS}| [\w-]+(?=\.)))?")


def with_keys(text: str, keys: KeyNames) -> str:
    """A hint with the keys in place of the commands that they stand for."""
    return _WRITTEN.sub(lambda found: keys[_COMMANDS[found[1]]], text)
