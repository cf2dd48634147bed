"""Pictures as the terminal draws them, else as half blocks in their own colours; with the `images` extra."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from typing import Any

from textual.widget import Widget

from kittui.tui.widgets.blocks import block_lines
from kittui.tui.widgets.lines import Page
from kittui.usecases.inspect.viewers.shown import Picture

_WIDGETS = "textual_image.widget"


def prepare(environ: Mapping[str, str]) -> None:
    """Let textual-image (the `images` extra) ask a terminal that is known to draw images how it does that.

    To be called before the interface starts: afterwards the answers would be taken for keys. Nothing is asked inside
    of tmux and screen, which pass no images on.
    """
    named = environ.get("TERM", "").startswith(("xterm-kitty", "xterm-ghostty", "foot", "contour"))
    named = named or environ.get("TERM_PROGRAM", "") in ("WezTerm", "iTerm.app", "ghostty", "rio", "Black Box")
    if environ.get("TMUX") or environ.get("STY") or not named:
        return
    with suppress(ImportError):
        import_module(_WIDGETS)


def can_draw() -> bool:
    """Whether the terminal draws images itself, and was asked how by `prepare`."""
    return _kind() is not None


def _kind() -> Any:
    module = sys.modules.get(_WIDGETS)
    kind: Any = getattr(module, "Image", None)
    blocks = (getattr(module, "HalfcellImage", None), getattr(module, "UnicodeImage", None))
    return None if kind in blocks else kind


def drawn(picture: Picture, width: int) -> Widget | None:
    """A picture as the terminal itself draws it; None if it can't."""
    kind = _kind()
    if kind is None:
        return None
    from PIL import Image

    widget: Widget = kind(Image.frombytes("RGB", (picture.width, picture.height), picture.pixels))
    widget.styles.width, widget.styles.height = min(width, 120), "auto"
    return widget


def picture_page(picture: Picture, width: int = 100) -> Page:
    """A picture, a cell wide and two pixels high for each line; small ones are drawn larger, in whole steps."""
    steps = max(1, min(width // max(1, picture.width), width // max(1, picture.height)))
    return Page([((picture.facts, "muted"),), "", *block_lines(picture, steps)], cut=True)
