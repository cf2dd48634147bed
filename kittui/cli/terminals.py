"""What the environment says about the terminal: how many colours it has, and whether it shows more than ASCII."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_MANY: Final = ("256", "direct", "truecolor", "kitty", "alacritty", "ghostty", "foot", "wezterm", "contour")


def has_many_colours(environ: Mapping[str, str]) -> bool:
    """Whether the terminal has more than sixteen colours; unknown terminals count as modern."""
    term = environ.get("TERM", "").casefold()
    if environ.get("COLORTERM") or not term or term == "dumb":
        return True
    return any(word in term for word in _MANY)


def shows_utf8(environ: Mapping[str, str]) -> bool:
    """Whether the locale, if one is set, uses UTF-8."""
    named = locale_of(environ)
    return not named or "utf8" in named.casefold().replace("-", "")


def locale_of(environ: Mapping[str, str]) -> str:
    """The locale for characters, if one is set."""
    return next((environ[name] for name in ("LC_ALL", "LC_CTYPE", "LANG") if environ.get(name)), "")
