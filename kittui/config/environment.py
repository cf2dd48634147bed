"""What the environment says instead of config.yaml: KITTUI_* variables."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from kittui.config.values import CONCURRENCY_LIMIT, THEMES


def _switch(text: str) -> bool:
    word = text.strip().lower()
    if word in ("1", "true", "yes", "on"):
        return True
    if word in ("0", "false", "no", "off"):
        return False
    raise ValueError("1, true, yes, on, 0, false, no and off are allowed")


def _theme(text: str) -> str:
    if text not in THEMES:
        raise ValueError(f"allowed are {', '.join(THEMES)}")
    return text


def _concurrency(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 5 and 1 <= int(text) <= CONCURRENCY_LIMIT):
        raise ValueError(f"a whole number from 1 to {CONCURRENCY_LIMIT} is allowed")
    return int(text)


_VARIABLES: Final[Mapping[str, tuple[str, Callable[[str], Any]]]] = {
    "KITTUI_THEME": ("theme", _theme),
    "KITTUI_MOUSE": ("mouse", _switch),
    "KITTUI_REDUCED_MOTION": ("reduced_motion", _switch),
    "KITTUI_ASCII": ("ascii", _switch),
    "KITTUI_CONCURRENCY": ("concurrency", _concurrency),
    "KITTUI_READ_ONLY": ("read_only", _switch),
    "KITTUI_OFFLINE": ("offline", _switch),
}


def said(environ: Mapping[str, str]) -> Iterator[tuple[str, str, Any]]:
    """Each variable that is set, what it configures, and its value, or the ValueError that says what it may be."""
    for variable, (key, read) in _VARIABLES.items():
        text = environ.get(variable)
        if text:
            try:
                yield variable, key, read(text)
            except ValueError as error:
                yield variable, key, error
