"""Changed lines can be read at every width and in any number of colours; enlarging the detail disturbs nothing."""

from __future__ import annotations

from typing import Any

import pytest
from rich.style import Style
from textual.pilot import Pilot

from kittui.oci.tag import Tag
from kittui.tui.app import KittuiApp
from kittui.tui.compare.screen import CompareScreen
from kittui.usecases.diff.compare import Side
from tests.compare.kits import two
from tests.compare.test_compare_screen import held, ready, to_row
from tests.demo.pack import File
from tests.tui.waiting import LARGE, SMALL, quiet, text_of, until

WORDS = [f"word{number:03}of_a_long_line" for number in range(40)]
OLD, NEW = " ".join(WORDS), " ".join([*WORDS[:20], "replacement", *WORDS[21:]])


def app_of(**settings: Any) -> KittuiApp:
    """One long line, one word of which is another; and enough files to scroll."""
    more = {f"src/f{number:02}.py": b"x = %d\n" for number in range(40)}
    old = {"src/a.txt": File(OLD.encode()), **{path: File(text % 1) for path, text in more.items()}}
    new = {"src/a.txt": File(NEW.encode()), **{path: File(text % 2) for path, text in more.items()}}
    repository = two(old, new)
    return held(Side(repository, Tag("a")), Side(repository, Tag("b")), **settings)


def styles_of(screen: CompareScreen, words: str) -> list[Style]:
    """How a text is drawn in the detail pane, at every place where it is."""
    detail = screen._panes.detail
    return [
        segment.style or Style()
        for line in range(detail.size.height)
        for segment in detail.render_line(line)
        if segment.text.strip() == words
    ]


@pytest.mark.parametrize("colours", ["all", "sixteen", "none"])
@pytest.mark.parametrize("width", [80, 120, 160, 200])
async def test_words_are_whole_and_what_changed_stands_out(
    width: int, colours: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if colours == "none":
        monkeypatch.setenv("NO_COLOR", "1")
    app = app_of(**({"theme": "kittui-ansi"} if colours == "sixteen" else {}))
    async with app.run_test(size=(width, 60)) as pilot:
        screen = await ready(pilot)
        await to_row(pilot, screen, "src/a.txt")
        await pilot.press("tab")
        await pilot.pause()
        await until(pilot, lambda: "replacement" in text_of(pilot))
        shown = text_of(pilot)
        assert [word for word in (*WORDS, "replacement") if word not in shown] == []
        removed, added, same = (styles_of(screen, word) for word in (WORDS[20], "replacement", WORDS[0]))
        assert removed
        assert added
        for style in (*removed, *added):
            if colours == "all":
                assert style.bgcolor is not None
                assert all(style.bgcolor != other.bgcolor for other in same)
            else:
                assert style.bold or style.underline or style.reverse
        if colours == "all":
            assert removed[0].bgcolor != added[0].bgcolor


def state(screen: CompareScreen) -> tuple[object, ...]:
    """All that enlarging the detail must leave alone."""
    rows = screen._panes.rows
    current = rows.current
    return (
        current.entry.key if current else "",
        rows.cursor,
        rows.scroll_offset.y,
        len(rows.rows),
        screen.change_tree.folded_keys,
        screen._panes.chosen_filter,
        rows.region,
    )


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "160x45"])
async def test_enlarging_and_restoring_the_detail_leaves_the_tree_as_it_was(size: tuple[int, int]) -> None:
    async def pressed(pilot: Pilot[Any], *keys: str) -> None:
        await pilot.press(*keys)
        await pilot.pause()
        await quiet(pilot)

    async with app_of().run_test(size=size) as pilot:
        screen = await ready(pilot)
        await to_row(pilot, screen, "src/f30.py")
        await pressed(pilot, "tilde", "k", "k")
        before = state(screen)
        for way in (("enter", "escape"), ("tab", "tab"), ("tab", "S", "S", "right_square_bracket", "escape")):
            await pressed(pilot, way[0])
            assert screen._panes.detail.has_focus
            await pressed(pilot, *way[1:])
            await until(pilot, lambda: screen._panes.rows.has_focus)
            await until(pilot, lambda: screen._panes.rows.region == before[-1])
            assert state(screen)[:-1] == before[:-1], way
