"""Images as half blocks: two pixels a cell, where Pillow is installed (the `images` extra)."""

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
WIDTH, HEIGHT = 100, 80
"""Pixels of the picture shown: cells across, and twice the rows down."""


def picture_page(content: bytes) -> Page:
    """An image scaled to the screen; raises Unsupported without Pillow, Malformed for what is no image."""
    try:
        from PIL import Image
    except ImportError:
        raise Unsupported("images need Pillow", hint="Install kittui[images].") from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with Image.open(io.BytesIO(content)) as image:
                width, height = image.size
                if width * height > PIXELS_LIMIT:
                    raise Malformed(f"the image says it has {width} x {height} pixels")
                facts = f"{image.format} {width} x {height} {image.mode}"
                image.draft("RGB", (WIDTH, HEIGHT))
                small = image.convert("RGB")
                small.thumbnail((WIDTH, HEIGHT))
    except Malformed:
        raise
    except (OSError, ValueError, SyntaxError, ArithmeticError, MemoryError, Warning) as error:
        raise Malformed(f"the image can't be read: {error}") from None
    lines: list[Line] = [((facts, "muted"),), ""]
    shades = " ░▒▓█"
    grey = small.convert("L")
    columns, rows = grey.size
    values = grey.tobytes()
    for top in range(0, rows, 2):
        row = []
        for x in range(columns):
            upper = values[top * columns + x]
            lower = values[(top + 1) * columns + x] if top + 1 < rows else upper
            row.append(_cell(upper, lower, shades))
        lines.append((("".join(row), "text"),))
    return Page(lines)


def _cell(upper: int, lower: int, shades: str) -> str:
    """A half block where the two pixels differ much, a shade where they don't."""
    if abs(upper - lower) > 96:
        return "▀" if upper > lower else "▄"
    return shades[min(len(shades) - 1, (upper + lower) * len(shades) // 511)]
