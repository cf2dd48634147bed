"""Reads texts whole before they are shown."""

from __future__ import annotations

import hashlib

from kittui.errors import Malformed
from kittui.formats.text import decode, sniff
from kittui.usecases.inspect.viewers.shown import Code, OpenFile, clean_line


async def read_text(file: OpenFile) -> tuple[str, bytes]:
    """The text, and the digest of its bytes; raises Malformed for what is not text."""
    content = await file.view.read(0, file.size)
    encoding = sniff(content)
    if encoding is None:
        raise Malformed("it is not a text")
    return decode(content, encoding), hashlib.sha256(content).digest()


def code(text: str, syntax: str = "", *, quiet: bool = False) -> Code:
    """A text as lines."""
    return Code([clean_line(line) for line in text.split("\n")], syntax, quiet)
