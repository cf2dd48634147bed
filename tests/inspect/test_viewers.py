"""Every viewer: what it takes, what it shows, and that what is not of its kind is shown as something else."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import struct
import threading
import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from kittui.errors import Malformed, TooLarge
from kittui.tasks import aside
from kittui.tui.inspect.pages import lines_page
from kittui.usecases.inspect.viewers import tables
from kittui.usecases.inspect.viewers.markdown import laid_out
from kittui.usecases.inspect.viewers.pictures import decode_picture
from kittui.usecases.inspect.viewers.registry import show
from kittui.usecases.inspect.viewers.shown import Code, Document, Grid, Markup, Note, OpenFile, Picture, Shown
from kittui.usecases.inspect.views import BytesView


async def shown(path: str, content: bytes, **more: Any) -> Shown:
    return await show(OpenFile(path, BytesView(content, verified=False), **more))


def saved(image: Image.Image, form: str, **how: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **how)
    return out.getvalue()


def pixel(picture: Picture, x: int, y: int) -> tuple[int, ...]:
    at = (y * picture.width + x) * 3
    return tuple(picture.pixels[at : at + 3])


POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 20 20\n%%EndComments\n0 0 20 20 rectfill showpage\n%%EOF\n"


@pytest.mark.parametrize("path", ["plot.png", "plot.jpg", "plot.gif", "plot.webp", "plot.bmp"])
@pytest.mark.parametrize("form", ["EPS", "TIFF", "PPM", "PCX", "ICO"])
async def test_only_the_formats_that_are_named_are_decoded(path: str, form: str) -> None:
    content = POSTSCRIPT if form == "EPS" else saved(Image.new("RGB", (16, 16)), form)
    assert "picture" not in (file := await shown(path, content)).kind
    assert "can't be read" in file.trouble


def png_header(across: int, down: int) -> bytes:
    body = b"IHDR" + struct.pack(">IIBBBBB", across, down, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))


@pytest.mark.parametrize("size", [(30_000, 30_000), (10_000, 10_000), (2**31 - 1, 1), (2**31 - 1, 2**31 - 1), (0, 0)])
async def test_a_header_that_claims_too_many_pixels_is_a_sentence(size: tuple[int, int]) -> None:
    file = await shown("bomb.png", png_header(*size))
    assert file.kind == "hex"
    assert file.trouble
    with pytest.raises((TooLarge, Malformed)):
        decode_picture(png_header(*size), 80)


def test_transparency_lies_on_the_background() -> None:
    clear = Image.new("RGBA", (4, 4), (255, 0, 0, 0))
    half = Image.new("RGBA", (4, 4), (255, 0, 0, 128))
    palette = Image.new("P", (4, 4), 0)
    grey = Image.new("LA", (4, 4), (200, 0))
    for content, wanted in (
        (saved(clear, "PNG"), (16, 32, 48)),
        (saved(half, "PNG"), (136, 16, 24)),
        (saved(clear, "WEBP", lossless=True), (16, 32, 48)),
        (saved(palette, "GIF", transparency=0), (16, 32, 48)),
        (saved(palette, "PNG", transparency=0), (16, 32, 48)),
        (saved(grey, "PNG"), (16, 32, 48)),
        (saved(Image.new("RGB", (4, 4), (1, 2, 3)), "PNG", transparency=(1, 2, 3)), (16, 32, 48)),
    ):
        found = pixel(decode_picture(content, 80, "#102030"), 1, 1)
        assert all(abs(one - other) <= 1 for one, other in zip(found, wanted, strict=True)), (found, wanted)


def test_exif_turns_a_picture() -> None:
    image = Image.new("RGB", (64, 32), (0, 0, 255))
    image.paste((255, 0, 0), (0, 0, 32, 32))
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = decode_picture(saved(image, "JPEG", exif=exif, quality=95), 80)
    assert (picture.width, picture.height) == (32, 64)
    assert pixel(picture, 16, 8)[0] > 200
    assert pixel(picture, 16, 56)[2] > 200


@pytest.mark.parametrize("level", [0, 255, 1000, 32_896, 65_535])
def test_sixteen_bits_are_scaled(level: int) -> None:
    image = Image.new("I;16", (4, 4), level)
    assert abs(pixel(decode_picture(saved(image, "PNG"), 80), 1, 1)[0] - level / 257) <= 1


SEEDS = [
    saved(Image.effect_noise((24, 16), 90).convert(mode), form)
    for form, mode in (
        ("PNG", "RGBA"),
        ("JPEG", "CMYK"),
        ("GIF", "P"),
        ("WEBP", "RGB"),
        ("BMP", "RGB"),
        ("PNG", "I;16"),
    )
]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(SEEDS), st.lists(st.tuples(st.integers(0, 2000), st.binary(max_size=4)), max_size=6))
def test_whatever_is_wrong_with_a_picture_is_one_error(seed: bytes, edits: list[tuple[int, bytes]]) -> None:
    content = bytearray(seed)
    for at, piece in edits:
        content[at % len(content) : at % len(content) + 2] = piece
    try:
        picture = decode_picture(bytes(content), 40)
    except (Malformed, TooLarge):
        return
    assert len(picture.pixels) == picture.width * picture.height * 3


def pointer(content: bytes) -> bytes:
    oid = hashlib.sha256(content).hexdigest()
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {len(content)}\n".encode()


@pytest.mark.parametrize("path", ["model.safetensors", "data.parquet", "cat.png", "t.csv", "n.ipynb", "README.md", "x"])
async def test_a_git_lfs_pointer_is_called_that_under_any_name(path: str) -> None:
    file = await shown(path, pointer(b"x" * 1_200_000))
    assert file.kind == "pointer"
    assert file.trouble == "a Git LFS pointer to 1.2 MB, not the file itself"
    assert isinstance(file.first, Document)


async def test_a_table_with_too_many_cells_keeps_what_was_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "CELLS", 100)
    file = await shown("t.csv", b"a,b\n" + b"1,2\n" * 400)
    assert isinstance(file.first, Grid)
    assert len(file.first.records) == 50
    assert file.pager is not None
    assert await file.pager.more() == []
    assert "more than 100 cells" in file.trouble
    assert not file.more
    wide = await shown("w.csv", b"a,b\n" + b"," * 5000)
    assert isinstance(wide.first, Grid)
    assert (wide.first.columns, wide.first.records) == (("a", "b"), [])
    assert "more than 100 cells" in wide.trouble


async def test_what_a_text_was_read_as_is_said_where_it_is_a_guess() -> None:
    assert (await shown("a.txt", "Müllerweg\n".encode("latin-1"))).trouble == "read as Latin-1 (a guess: not UTF-8)"
    file = await shown("a.csv", "id;Straße\n1;Müllerweg\n".encode("utf-16"))
    assert file.trouble == ""
    assert isinstance(file.first, Grid)
    assert file.first.records[0].cells == ("1", "Müllerweg")


def table_of(rows: int, columns: int) -> str:
    row = "| " + " | ".join("`x`" for _ in range(columns)) + " |\n"
    return row + "|" + "---|" * columns + "\n" + row * rows


async def test_small_tables_of_markdown_are_laid_out_and_large_ones_are_text() -> None:
    small = await shown("a.md", f"# Card\n\n{table_of(3, 3)}".encode())
    assert [way.name for way in small.ways] == ["Rendered", "Source"]
    assert isinstance(small.first, Markup)
    assert "|---|" in small.first.text
    large = await shown("a.md", f"# Card\n\n{table_of(100, 20)}\nafter\n".encode())
    assert isinstance(large.first, Markup)
    assert "|" not in large.first.text
    assert large.first.text.count("`x`") == 101 * 20
    assert large.first.text.endswith("\nafter\n")
    quoted = laid_out("> " + table_of(60, 3).replace("\n", "\n> "))
    assert quoted is not None
    assert "> ```" in quoted
    inside = laid_out("```\n" + table_of(60, 3) + "```\n")
    assert inside == "```\n" + table_of(60, 3) + "```\n"


@pytest.mark.parametrize(
    "text",
    [
        "word\n\n" * 990,
        "```\nx\n```\n\n" * 450,
        "word " * 90_000,
        "*_" * 20_000,
        "[" * 50_000,
        "- x\n" * 300,
        "> > > > > > > > x\n\n" * 200,
        "***\n" * 600,
        "# x\n" * 600,
        table_of(1000, 50),
        "".join(table_of(5, 5) + "\n" for _ in range(50)),
    ],
    ids=[
        "paragraphs",
        "fences",
        "a line",
        "stars",
        "brackets",
        "items",
        "quotes",
        "rules",
        "titles",
        "cells",
        "tables",
    ],
)
async def test_markdown_that_takes_long_to_lay_out_is_shown_as_it_is_written(text: str) -> None:
    file = await shown("a.md", text.encode())
    assert [way.name for way in file.ways] == ["Source"]
    assert file.trouble


async def test_source_code_is_coloured_and_unchanged() -> None:
    source = "def f(x):\n    return 'é' + x  # why\n"
    page = lines_page((await shown("a.py", source.encode())).first)
    spans = [line for line in page.lines if not isinstance(line, str)]
    assert "".join("".join(text for text, _ in line) + "\n" for line in spans) == source
    assert {role for line in spans for _, role in line} >= {"special", "string", "faint", "accent"}


async def test_work_aside_is_left_to_itself() -> None:
    assert await aside(lambda: 5) == 5
    with pytest.raises(ValueError, match="no"):
        await aside(lambda: (_ for _ in ()).throw(ValueError("no")))
    with pytest.raises(RuntimeError):
        await aside(next, iter(()))
    go = threading.Event()
    ended = threading.Event()

    def work() -> None:
        go.wait()
        ended.set()

    task = asyncio.ensure_future(aside(work))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not ended.is_set()
    go.set()
    assert await asyncio.to_thread(ended.wait, 30)


async def test_a_notebook_of_many_lines_ends_with_a_marked_row() -> None:
    cell = {"cell_type": "code", "source": "x", "outputs": [{"output_type": "stream", "text": "\n" * 1000}] * 99}
    file = await shown("a.ipynb", json.dumps({"nbformat": 4, "cells": [cell] * 9}).encode())
    assert isinstance(file.first, Document)
    last = file.first.parts[-1]
    assert isinstance(last, Note)
    assert (last.text, last.warning) == ("too large to show: more than 200,000 lines in the notebook", True)
    assert 190_000 < sum(len(part.lines) for part in file.first.parts if isinstance(part, Code)) <= 200_000


async def test_the_source_of_a_notebook_of_many_pictures_is_not_laid_out() -> None:
    cell = {"cell_type": "code", "outputs": [{"output_type": "display_data", "data": {"image/png": "A" * 5_000_000}}]}
    file = await shown("a.ipynb", json.dumps({"nbformat": 4, "cells": [cell]}).encode())
    assert [way.name for way in file.ways] == ["Cells"]
    assert len(file.text) > 5_000_000


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("```python\n" + "(" * 39_000 + "\n```\n", True),
        ("```python\n" + "(" * 41_000 + "\n```\n", False),
        ("> a\n\n" * 100, True),
        ("\n\n".join([">" * 20 + " a"] * 3), False),
    ],
)
def test_markdown_that_costs_more_than_it_looks_like_is_not_laid_out(text: str, whole: bool) -> None:
    assert (laid_out(text) is not None) == whole
