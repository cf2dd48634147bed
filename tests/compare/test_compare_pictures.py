"""Images of both sides beside each other: sizes, which pixels differ, and what is said where they can't be drawn."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image

from kittui.errors import Malformed
from kittui.oci.tag import Tag
from kittui.tui.app import KittuiApp
from kittui.usecases.diff.compare import Side
from kittui.usecases.inspect.viewers.pictures import compare_pictures
from tests.compare.kits import two
from tests.compare.test_compare_screen import held, ready, to_row
from tests.demo.pack import File
from tests.tui.waiting import LARGE, SMALL, text_of, until


def png(size: tuple[int, int], *spots: tuple[int, int], ground: str = "navy") -> bytes:
    """An image of one colour, white in some places."""
    image = Image.new("RGB", size, ground)
    for spot in spots:
        image.putpixel(spot, (255, 255, 255))
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


async def test_pixels_that_differ_are_counted_placed_and_stay_visible_when_scaled() -> None:
    pair = await compare_pictures(png((400, 200)), png((400, 200), (100, 50), (109, 51)), 40)
    assert pair.words == "PNG  400 x 200  RGB · 2 of 80,000 pixels differ, within 10 x 2 at 100, 50"
    assert [(each.width, each.height) for each in pair.pictures] == [(40, 20)] * 3
    assert set(pair.pictures[2].pixels) == {0, 255}


async def test_the_same_pixels_written_otherwise_and_other_sizes_say_so() -> None:
    same = await compare_pictures(png((9, 9)), png((9, 9)), 40)
    assert same.words.endswith("every pixel is the same")
    assert len(same.pictures) == 2
    other = await compare_pictures(png((9, 9)), png((12, 9)), 40)
    assert other.words == "PNG  9 x 9  RGB → PNG  12 x 9  RGB"
    assert len(other.pictures) == 2
    with pytest.raises(Malformed, match="can't be read"):
        await compare_pictures(b"nonsense", png((9, 9)), 40)


def app_of(old: bytes, new: bytes) -> KittuiApp:
    repository = two({"src/plot.png": File(old)}, {"src/plot.png": File(new)})
    return held(Side(repository, Tag("a")), Side(repository, Tag("b")))


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "160x45"])
async def test_both_images_stand_beside_each_other(size: tuple[int, int]) -> None:
    app = app_of(png((30, 20)), png((30, 20), (3, 4)))
    async with app.run_test(size=size) as pilot:
        screen = await ready(pilot)
        await to_row(pilot, screen, "src/plot.png")
        await until(pilot, lambda: "1 of 600 pixels differ" in text_of(pilot))
        assert "[1 change]" in text_of(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: "\u2580" * 30 + "  " + "\u2580" * 30 in text_of(pilot))
        detail = screen._panes.detail.page.lines
        assert any("the pixels that differ" in str(line) for line in detail)


async def test_without_colours_and_for_a_broken_one_words_stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    async with app_of(png((9, 9)), b"\x89PNG broken" * 9).run_test(size=LARGE) as pilot:
        await to_row(pilot, await ready(pilot), "src/plot.png")
        await until(pilot, lambda: "the image can't be read" in text_of(pilot))
    monkeypatch.setenv("NO_COLOR", "1")
    async with app_of(png((9, 9)), png((9, 9), (1, 1))).run_test(size=LARGE) as pilot:
        await to_row(pilot, await ready(pilot), "src/plot.png")
        await until(pilot, lambda: "not drawn without colours" in text_of(pilot))


@pytest.mark.snapshot
def test_images(snap_compare: Callable[..., bool]) -> None:
    """A changed plot: both sides, and which pixels differ."""

    async def walk(pilot: Any) -> None:
        await to_row(pilot, await ready(pilot), "src/plot.png")
        await until(pilot, lambda: "pixels differ" in text_of(pilot))

    line = [(x, 30 - x * x // 60) for x in range(40)]
    other = [(x, 30 - x * x // 90) for x in range(40)]
    app = app_of(png((40, 32), *line), png((40, 32), *other))
    assert snap_compare(app, terminal_size=(160, 45), run_before=walk)
