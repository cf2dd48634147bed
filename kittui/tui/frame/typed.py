"""What a terminal sends, as text: bytes that are no UTF-8 are ignored, where Textual would end over them.

They come from a mouse in the old way of X10, from Alt as the eighth bit, from texts in Latin-1 that are pasted.
"""

from __future__ import annotations

import codecs
import re
from typing import Any

from textual.drivers import linux_driver, linux_inline_driver

_MOUSE = re.compile(rb"\x1b\[M[\x20-\xff]{3}")
_BEGUN = re.compile(rb"\x1b\[M[\x20-\xff]{0,2}\Z")


class TypedText:
    """Decodes what is typed, piece by piece; reports of the old mouse are left out whole."""

    def __init__(self, errors: str = "ignore") -> None:
        self._utf8 = codecs.getincrementaldecoder("utf-8")("ignore")
        self._held = b""

    def decode(self, content: bytes, final: bool = False) -> str:
        """The text of the next bytes; a report that is not whole yet waits for the rest of it."""
        content = _MOUSE.sub(b"", self._held + content)
        begun = None if final else _BEGUN.search(content)
        self._held = content[begun.start() :] if begun else b""
        return self._utf8.decode(content[: begun.start()] if begun else content, final)


def ignore_what_is_no_utf8() -> None:
    """Let Textual's drivers decode with TypedText: they look for their decoder by this name, and take no other way."""

    def decoder(_: str) -> Any:
        return TypedText

    for driver in (linux_driver, linux_inline_driver):
        vars(driver)["getincrementaldecoder"] = decoder
