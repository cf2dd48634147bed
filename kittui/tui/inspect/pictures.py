"""Images as the terminal draws them, else as half blocks in their own colours; with the `images` extra."""

from __future__ import annotations

import io
import sys
import warnings
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from typing import Any

from textual.widget import Widget

from kittui.errors import Malformed, Unsupported
from kittui.tui.widgets.lines import Line, Page

SUFFIXES = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp")
"""Files that are taken for images by their names."""
BYTES_LIMIT = 16 * 1024 * 1024
"""Bytes of an image that are read."""
PIXELS_LIMIT = 50_000_000
"""Pixels of an image that are decoded; more is taken for a bomb."""
DRAWN = 2000
"""Pixels on a side that a terminal is given at most."""
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


def drawn(content: bytes, width: int) -> Widget | None:
    """An image as the terminal itself draws it; None where it can't, or was not asked by `prepare`.

    Raises Malformed for what is no image.
    """
    module = sys.modules.get(_WIDGETS)
    kind: Any = getattr(module, "Image", None)
    if kind is None or kind in (getattr(module, "HalfcellImage", None), getattr(module, "UnicodeImage", None)):
        return None
    _, image = _decoded(content, DRAWN)
    widget: Widget = kind(image)
    widget.styles.width, widget.styles.height = min(width, 120), "auto"
    return widget


def picture_page(content: bytes, width: int = 100) -> Page:
    """An image scaled to `width` cells and as many pixels down; small ones are drawn larger, in whole steps.

    Raises Unsupported without Pillow, Malformed for what is no image.
    """
    width = max(8, width)
    facts, small = _decoded(content, width)
    columns, rows = small.size
    steps = min(width // columns, width // rows)
    if steps >= 2:
        columns, rows = columns * steps, rows * steps
        small = small.resize((columns, rows), 0)
    pixels = small.tobytes()
    lines: list[Line] = [((facts, "muted"),), ""]
    lines += [_line(pixels, columns, rows, top) for top in range(0, rows, 2)]
    return Page(lines, cut=True)


def _decoded(content: bytes, most: int) -> tuple[str, Any]:
    """What an image says of itself, and its pixels, in colour, at most so many on a side."""
    try:
        from PIL import Image
    except ImportError:
        raise Unsupported("images need Pillow", hint="Install kittui[images].") from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with Image.open(io.BytesIO(content)) as image:
                across, down = image.size
                if across * down > PIXELS_LIMIT:
                    raise Malformed(f"the image says it has {across} x {down} pixels")
                facts = f"{image.format}  {across} x {down}  {image.mode}"
                image.draft("RGB", (most, most))
                small = image.convert("RGB")
                small.thumbnail((most, most))
                return facts, small
    except Malformed:
        raise
    except (OSError, ValueError, SyntaxError, ArithmeticError, MemoryError, Warning) as error:
        raise Malformed(f"the image can't be read: {error}") from None


def _line(pixels: bytes, columns: int, rows: int, top: int) -> Line:
    """One line of cells: the upper pixel in front, the lower one behind."""
    upper = pixels[top * columns * 3 : (top + 1) * columns * 3].hex()
    lower = pixels[(top + 1) * columns * 3 : (top + 2) * columns * 3].hex() if top + 1 < rows else ""
    spans: list[tuple[str, str]] = []
    for at in range(0, columns * 6, 6):
        behind = f" on #{lower[at : at + 6]}" if lower else ""
        role = f"#{upper[at : at + 6]}{behind}"
        if spans and spans[-1][1] == role:
            spans[-1] = (spans[-1][0] + "▀", role)
        else:
            spans.append(("▀", role))
    return tuple(spans)
