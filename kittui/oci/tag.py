"""Tags (distribution-spec, "Pulling manifests")."""

from __future__ import annotations

import re

from kittui.errors import BadReference

_FORM = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}\Z")


class Tag(str):
    """A checked tag; it is a str, so it works as a key, a file name and JSON."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Tag:
        """Check the form and return the tag; raises BadReference."""
        if not _FORM.match(text):
            raise BadReference(
                f"{text[:140]!r} is not a tag",
                hint="A tag has 1 to 128 letters, digits, '_', '.' and '-', and starts with a letter, digit or '_'.",
            )
        return cls(text)
