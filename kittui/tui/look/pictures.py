"""Images as half blocks in their own colours: two pixels a cell, where Pillow is installed (the `images` extra)."""

from __future__ import annotations

import io
import warnings

from kittui.errors import Malformed, Unsupported
from kittui.tui.widgets.lines import Line, Page

SUFFIXES = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp")
"""Files that are taken for images by their names."""
BYTES_LIMIT = 16 * 1024 * 1024
"""Bytes of an image that are read."""
PIXELS_LIMIT = 50_000_000
"""Pixels of an image that are decoded; more is taken for a bomb."""


def picture_page(content: bytes, width: int = 100) -> Page:
    """An image scaled to `width` cells and as many pixels down; small ones are drawn larger, in whole steps.

    Raises Unsupported without Pillow, Malformed for what is no image.
    """
    try:
        from PIL import Image
    except ImportError:
        raise Unsupported("images need Pillow", hint="Install kittui[images].") from None
    width = max(8, width)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with Image.open(io.BytesIO(content)) as image:
                across, down = image.size
                if across * down > PIXELS_LIMIT:
                    raise Malformed(f"the image says it has {across} x {down} pixels")
                facts = f"{image.format}  {across} x {down}  {image.mode}"
                image.draft("RGB", (width, width))
                small = image.convert("RGB")
                steps = min(width // across, width // down) if across and down else 0
                if steps >= 2:
                    small = small.resize((across * steps, down * steps), Image.Resampling.NEAREST)
                else:
                    small.thumbnail((width, width))
                columns, rows = small.size
                pixels = small.tobytes()
    except Malformed:
        raise
    except (OSError, ValueError, SyntaxError, ArithmeticError, MemoryError, Warning) as error:
        raise Malformed(f"the image can't be read: {error}") from None
    lines: list[Line] = [((facts, "muted"),), ""]
    lines += [_line(pixels, columns, rows, top) for top in range(0, rows, 2)]
    return Page(lines, cut=True)


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
