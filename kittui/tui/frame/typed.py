"""What a terminal sends, as text: bytes that are no UTF-8 are ignored, where Textual would end over them.

They come from a mouse in the old way of X10, from Alt as the eighth bit, from texts in Latin-1 that are pasted.

A terminal sends Alt as Escape before the key, so that Escape and a key typed fast are Alt to Textual, which drops the
Escape of some and the key of others. No key of kittui is with Alt: both keys count.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable
from typing import Any, Final, TypeVar

from textual import events
from textual.drivers import linux_driver, linux_inline_driver
from textual.message import Message

_MOUSE = re.compile(rb"\x1b\[M[\x20-\xff]{3}")
_BEGUN = re.compile(rb"\x1b\[M[\x20-\xff]{0,2}\Z")
_KEY = r"[^\x00-\x0c\x0e-\x1f\x7f\[\]OPX_^\\]"
"""What follows Escape where it is a key of its own, and not the head of a longer sequence."""
_FAST = re.compile(rf"\x1b({_KEY})")
_WORDS: Final = {"b": "left", "f": "right"}
"""What terminals send with Escape for Alt and an arrow, which goes by words in an input."""
_ESCAPE: Final = "\x1b[27u"
"""Escape as terminals write it that tell it from the head of a sequence."""
_NOTHING: Final = "\x1b[?2026;0$y"
"""A report that Textual has no use for. Its first byte ends an Escape that waits for what follows."""
Typed = TypeVar("Typed", bound=Message)


class TypedText:
    """Decodes what is typed, piece by piece; reports of the old mouse are left out whole."""

    def __init__(self, errors: str = "ignore") -> None:
        self._utf8 = codecs.getincrementaldecoder("utf-8")("ignore")
        self._held = b""
        self._escaped = False

    def decode(self, content: bytes, final: bool = False) -> str:
        """The text of the next bytes; a report that is not whole yet waits for the rest of it."""
        content = _MOUSE.sub(b"", self._held + content)
        begun = None if final else _BEGUN.search(content)
        self._held = content[begun.start() :] if begun else b""
        return self._apart(self._utf8.decode(content[: begun.start()] if begun else content, final))

    def _apart(self, text: str) -> str:
        """Escape before a key as a key of its own, in one piece or as the end of the piece before."""
        if not text:
            return text
        before = _NOTHING if self._escaped and re.match(_KEY, text) else ""
        self._escaped = text.endswith("\x1b")
        return before + _FAST.sub(lambda found: _alone(found[1]), text)


def _alone(key: str) -> str:
    return f"\x1b[{ord(key)};3u" if key in _WORDS else _ESCAPE + key


def separate(event: Typed, *, typing: bool) -> Iterable[Typed | events.Key]:
    """What was typed, key by key: Alt and a letter goes by words in an input, elsewhere it is Escape and the letter."""
    letter = event.key.removeprefix("alt+") if isinstance(event, events.Key) and event.key.startswith("alt+") else ""
    if letter in _WORDS and typing:
        yield events.Key(f"ctrl+{_WORDS[letter]}", None)
    elif len(letter) == 1:
        yield events.Key("escape", None)
        yield events.Key(letter, letter)
    else:
        yield event


def ignore_what_is_no_utf8() -> None:
    """Let Textual's drivers decode with TypedText: they look for their decoder by this name, and take no other way."""

    def decoder(_: str) -> Any:
        return TypedText

    for driver in (linux_driver, linux_inline_driver):
        vars(driver)["getincrementaldecoder"] = decoder
