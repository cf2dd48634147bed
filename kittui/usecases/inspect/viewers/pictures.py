"""Shows pictures of known formats, scaled for a terminal; needs Pillow (the `images` extra).

They are decoded in a separate process: an image of a few kilobytes can keep a decoder busy for minutes.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kittui.budget import Budget
from kittui.errors import Malformed, TooLarge, Unsupported
from kittui.terminal import clean
from kittui.usecases.inspect.viewers.confined import confined
from kittui.usecases.inspect.viewers.shown import OpenFile, Picture, Shown, Viewer, Way

FORMATS = {
    ".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".gif": "GIF", ".webp": "WEBP", ".bmp": "BMP",
}  # fmt: skip
"""Formats that are decoded, by the endings of files; Pillow knows more, some of which run other programs."""
BYTES_LIMIT = 16 * 1024 * 1024
"""Maximum bytes of an image."""
PIXELS_LIMIT = 50_000_000
"""Maximum pixels of an image; more counts as a bomb."""
DRAWN = 2000
"""Maximum pixels per side for a terminal that draws images itself."""


async def _open(file: OpenFile) -> Shown:
    content = await file.view.read(0, file.size)
    sides = [DRAWN, file.width] if file.draws else [file.width]

    async def read(offset: int, length: int) -> bytes:
        return content[offset : offset + length]

    arguments = {"sides": [max(8, side) for side in sides], "background": file.background}
    found = await confined("picture", "the image", len(content), read, arguments, _pictures, needs="PIL")
    names = ("Image", "Half blocks") if file.draws else ("Image",)
    ways = tuple(Way(name, picture) for name, picture in zip(names, found, strict=True))
    return Shown(
        "picture", file.size, ways, verified=file.view.verified, digest=hashlib.sha256(content).digest(), read=file.size
    )


def _pictures(document: Any, pixels: bytes) -> list[Picture]:
    """What the process that decoded an image answered, checked."""
    found: list[Picture] = []
    at = 0
    for width, height in document["sizes"]:
        if not 0 < width <= DRAWN or not 0 < height <= DRAWN or at + width * height * 3 > len(pixels):
            raise ValueError("sizes that do not fit the pixels")
        found.append(Picture(clean(str(document["facts"])), width, height, pixels[at : at + width * height * 3]))
        at += width * height * 3
    return found


def picture_answer(content: bytes, sides: Sequence[int], background: str) -> tuple[dict[str, Any], bytes]:
    """An image in several sizes, as the process that decodes it answers."""
    found = [decode_picture(content, side, background) for side in sides]
    sizes = [(picture.width, picture.height) for picture in found]
    return {"facts": found[0].facts, "sizes": sizes}, b"".join(picture.pixels for picture in found)


@dataclass(frozen=True, slots=True)
class PicturePair:
    """Two images (and, if both have the same size, the differing pixels in white), with a caption."""

    pictures: tuple[Picture, ...]
    words: str


async def compare_pictures(old: bytes, new: bytes, side: int, background: str = "#000000") -> PicturePair:
    """Compare two images, scaled to at most `side` pixels per side; raises as showing one does."""
    content = old + new

    async def read(offset: int, length: int) -> bytes:
        return content[offset : offset + length]

    def parse(document: Any, pixels: bytes) -> PicturePair:
        return PicturePair(tuple(_pictures(document, pixels)), clean(str(document["words"])))

    arguments = {"split": len(old), "side": side, "background": background}
    return await confined("pictures", "the image", len(content), read, arguments, parse, needs="PIL")


def pair_answer(content: bytes, split: int, side: int, background: str) -> tuple[dict[str, Any], bytes]:
    """Two images and where they differ, as the process that decodes them answers."""
    from PIL import Image, ImageChops

    found = [decode_picture(part, DRAWN, background) for part in (content[:split], content[split:])]
    images = [Image.frombytes("RGB", (each.width, each.height), each.pixels) for each in found]
    a, b = (each.facts for each in found)
    words = a if a == b else f"{a} → {b}"
    if a.split()[1:4] == b.split()[1:4] and images[0].size == images[1].size:  # "320 x 200" in both
        bands = ImageChops.difference(*images).split()
        most = ImageChops.lighter(ImageChops.lighter(bands[0], bands[1]), bands[2])
        differs = most.point([0, *[255] * 255])
        count, box = differs.histogram()[255], differs.getbbox()
        share = f"{count:,} of {differs.width * differs.height:,} pixels differ"
        if max(differs.size) == DRAWN:
            share += f" (scaled to at most {DRAWN} on a side)"
        words += f" · {share}, within {box[2] - box[0]} x {box[3] - box[1]} at {box[0]}, {box[1]}" if box else ""
        words += "" if box else " · every pixel is the same"
        if box:
            images.append(differs.convert("RGB"))
    sizes, pixels = [], b""
    for image in images:
        scaled = image.copy()
        scaled.thumbnail((side, side))
        if image is images[-1] and len(images) == 3:
            scaled = scaled.point([0, *[255] * 255] * 3)  # what differs stays visible, however small it is
        sizes.append(scaled.size)
        pixels += scaled.tobytes()
    return {"facts": "", "sizes": sizes, "words": words}, pixels


def decode_picture(content: bytes, most: int, background: str = "#000000") -> Picture:
    """Decode an image to at most `most` pixels per side, rotated by its EXIF; transparent pixels get the background.

    Raises Unsupported without Pillow, Malformed for what is not an image of a known format, TooLarge for a bomb.
    """
    try:
        from PIL import Image, ImageOps, UnidentifiedImageError
    except ImportError:
        raise Unsupported("images need Pillow", hint="Install kittui[images].") from None
    # Pillow warns about large images on stderr, which is the interface's screen, so check sizes here.
    Image.MAX_IMAGE_PIXELS = None
    try:
        with Image.open(io.BytesIO(content), formats=sorted(set(FORMATS.values()))) as image:
            across, down = image.size
            if across * down > PIXELS_LIMIT:
                raise TooLarge(f"too large to show: the image says it has {across:,} x {down:,} pixels")
            Budget("the image").spend("memory", across * down * 4)
            facts = f"{image.format}  {across} x {down}  {image.mode}"
            image.draft("RGB", (most, most))
            turned = ImageOps.exif_transpose(image)
            small = _in_colour(turned, background)
            small.thumbnail((most, most))
            return Picture(clean(facts), small.width, small.height, small.tobytes())
    except (TooLarge, MemoryError):
        raise
    except UnidentifiedImageError:
        names = ", ".join(dict.fromkeys(FORMATS.values()))
        raise Malformed(f"the image can't be read: it is none of {names}") from None
    except Exception as error:  # noqa: BLE001 - decoders of foreign formats raise what they meet
        raise Malformed(f"the image can't be read: {str(error)[:200] or type(error).__name__}") from None


def _in_colour(image: Any, background: str) -> Any:
    """Eight bits of red, green and blue for each pixel."""
    from PIL import Image

    if image.mode.startswith("I"):
        # With 16 bits per pixel, Pillow would clip everything brighter than 255.
        image = image.convert("I").point(lambda value: value * (1 / 257)).convert("L")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        layer = image.convert("RGBA")
        base = Image.new("RGBA", layer.size, background)
        return Image.alpha_composite(base, layer).convert("RGB")
    return image.convert("RGB")


def _takes(path: str, size: int, head: bytes) -> bool:
    return path.endswith(tuple(FORMATS)) and size <= BYTES_LIMIT


VIEWER = Viewer("picture", _takes, _open)
