"""Long lines cut and moved sideways in both layouts, what stays where it is when the room changes, and true counts."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from rich.cells import cell_len
from textual.pilot import Pilot

from kittui.compare.outline import Entry
from kittui.oci.tag import Tag
from kittui.tui.app import KittuiApp
from kittui.tui.compare import search_input
from kittui.tui.compare.details import Detail
from kittui.tui.compare.screen import CompareScreen
from kittui.tui.compare.searching import holding
from kittui.tui.widgets.rows import Rows
from kittui.tui.widgets.text_lines import Beside, windowed
from kittui.usecases.diff.compare import Side
from tests.compare.kits import two
from tests.compare.test_compare_screen import held, ready, to_row
from tests.demo.pack import File
from tests.tui.waiting import quiet, resize, text_of, until

LAYOUTS = pytest.mark.parametrize("beside", [False, True], ids=["unified", "side by side"])
WORDS = " ".join(f"word{number}" for number in range(60))


def app_of(old: dict[str, str], new: dict[str, str]) -> KittuiApp:
    a, b = ({path: File(text.encode()) for path, text in each.items()} for each in (old, new))
    repository = two(a, b)
    return held(Side(repository, Tag("a")), Side(repository, Tag("b")))


async def laid_out(pilot: Pilot[Any], screen: CompareScreen, beside: bool) -> None:
    """Have old and new side by side, or one below the other."""
    if screen._panes._side_by_side != beside:
        await pilot.press("s")
    await quiet(pilot)


@LAYOUTS
@pytest.mark.parametrize("pane", ["tree", "detail"])
async def test_cut_lines_take_one_row_and_are_moved_sideways(beside: bool, pane: str) -> None:
    app = app_of({"src/a.txt": f"one\n{WORDS} old\n"}, {"src/a.txt": f"one\n{WORDS} new\n"})
    async with app.run_test(size=(130, 40), notifications=True) as pilot:
        screen = await ready(pilot)
        await to_row(pilot, screen, "src/a.txt")
        await laid_out(pilot, screen, beside)
        if pane == "detail":
            await pilot.press("tab")
        await until(pilot, lambda: "word59" in text_of(pilot))
        await pilot.press("full_stop")
        await until(pilot, lambda: "Long lines are wrapped" in text_of(pilot))
        await pilot.press("S")
        await until(pilot, lambda: "word59" not in text_of(pilot))
        rows = [line for line in text_of(pilot).splitlines() if "word0 " in line]
        assert len(rows) == (1 if beside else 2), "each line takes one row"
        assert all(row.count("…") >= (2 if beside else 1) for row in rows), "what is cut off is marked"
        for _ in range(20):
            if "word59 old" in text_of(pilot) and "word59 new" in text_of(pilot):
                break
            await pilot.press("full_stop")
            await pilot.pause()
        rows = [line for line in text_of(pilot).splitlines() if "word59" in line]
        assert len(rows) == (1 if beside else 2)
        assert "word59 old" in rows[0]
        assert "word59 new" in rows[-1]
        assert re.search(r"2 +- …", rows[0]), "numbers and marks stay, and say that there is more on the left"
        await pilot.press("full_stop", "full_stop")
        await until(pilot, lambda: "Nothing more on the right." in text_of(pilot))
        for _ in range(20):
            await pilot.press("comma")
        await until(pilot, lambda: "word0 " in text_of(pilot) and "Nothing more on the left." in text_of(pilot))
        await pilot.press("S")
        await until(pilot, lambda: "word59" in text_of(pilot) and "word0 " in text_of(pilot))


def test_a_window_of_a_line_never_has_other_cells_than_there_are() -> None:
    spans = (("12 - ", "faint"), ("日本語のテキスト", "text@added"), (" and more", "key@added"))
    for width in range(6, 40):
        for skipped in range(40):
            shown = "".join(text for text, _ in windowed(spans, width, skipped, 5))
            assert cell_len(shown) <= width
            assert shown.startswith("12 - ")
            whole = cell_len("日本語のテキスト and more")
            assert ("…" in shown) == (bool(skipped) or whole > width - 5)


async def places(pilot: Pilot[Any], screen: CompareScreen) -> list[tuple[int, int, str, int]]:
    """Walk through all matches once: which it says that it is, of how many, on which row and line."""
    rows: Any = screen.query_one("#changes", Rows)
    detail = screen.query_one(Detail)
    found: list[tuple[int, int, str, int]] = []
    for _ in range(100):
        await quiet(pilot)
        said = re.search(r"match (\d+) of (\d+)", text_of(pilot))
        assert said is not None
        found.append((int(said[1]), int(said[2]), rows.current.entry.key, detail._current))
        if len(found) > 1 and found[-1][2:] == found[0][2:]:
            return found[:-1]
        await pilot.press("n")
    raise AssertionError("n never came around")


OUTPUT = '{"output_type": "stream", "text": "needle %d"}'
CELL = '{"cells": [{"cell_type": "code", "source": "run(%d)", "outputs": [' + OUTPUT + "]}]}"


@LAYOUTS
@pytest.mark.parametrize("size", [(80, 24), (160, 45)])
async def test_every_place_is_counted_once_and_visited_once(beside: bool, size: tuple[int, int]) -> None:
    long = " ".join(["filler"] * 12)
    old = {
        "src/a.txt": f"needle\n{long} needle {long}\nthree\nfour\n",
        "src/b.txt": "b\n",
        "src/n.ipynb": CELL % (1, 1),
        "data/t.csv": "id,v\n1,needle\n2,x\n3,y\n",
    }
    new = {
        "src/a.txt": f"needle\n{long} needle {long} more\nthree needle\nfour\n",
        "src/needle.txt": "c\n",
        "src/n.ipynb": CELL % (2, 2),
        "data/t.csv": "id,v\n1,needles\n2,x\n3,y\n",
    }
    async with app_of(old, new).run_test(size=size, notifications=True) as pilot:
        screen = await ready(pilot)
        await laid_out(pilot, screen, beside)
        await pilot.press("slash", *"needle", "enter")
        await until(pilot, lambda: re.search(r"match \d+ of", text_of(pilot)))
        found = await places(pilot, screen)
        total = len(found)
        start = found[0][0]
        assert [place for place, _, _, _ in found] == [(start - 1 + step) % total + 1 for step in range(total)]
        assert {count for _, count, _, _ in found} == {total}
        assert len({each[2:] for each in found}) == total, "no place twice"
        lines = {key.rpartition("/")[2]: sum(each[2] == key for each in found) for _, _, key, _ in found}
        assert lines == {"a.txt": 3 if beside else 4, "n.ipynb": 1 if beside else 2, "t.csv": 2, "needle.txt": 1}
        await pilot.press("s")
        await quiet(pilot)
        other = await places(pilot, screen)
        assert {count for _, count, _, _ in other} == {len(other)}, "the other layout has its own count"
        await pilot.press("right_square_bracket", "n")
        await quiet(pilot)
        assert re.search(r"match \d+ of", text_of(pilot))
        await pilot.press("j")
        await pilot.press("escape")
        await until(pilot, lambda: "change " in text_of(pilot))


async def test_a_search_follows_what_is_read_meanwhile() -> None:
    async with app_of({"src/a.txt": "x\n"}, {"src/a.txt": "needle\n"}).run_test(size=(160, 45)) as pilot:
        screen = await ready(pilot)
        await pilot.press("slash", *"needle", "enter")
        await until(pilot, lambda: "match 1 of 1" in text_of(pilot))
        await pilot.press("w")
        await until(pilot, lambda: not screen.working)
        await quiet(pilot)
        await until(pilot, lambda: "match 1 of 1" in text_of(pilot))
        await pilot.press("n", "N")
        await until(pilot, lambda: "match 1 of 1" in text_of(pilot))


async def test_a_search_that_another_letter_replaces_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: dict[str, bool] = {}

    def slow(entries: Any, needle: str, lines: Any, stopped: Callable[[], bool]) -> dict[str, int]:
        end = time.monotonic() + 20
        while needle == "n" and not stopped() and time.monotonic() < end:
            time.sleep(0.001)
        ended[needle] = stopped()
        return holding(entries, needle, lines, stopped)

    monkeypatch.setattr(search_input, "holding", slow)
    async with app_of({"src/a.txt": "x\n"}, {"src/a.txt": "need\n"}).run_test(size=(160, 45)) as pilot:
        await ready(pilot)
        await pilot.press("slash", *"need", "enter")
        await until(pilot, lambda: "match 1 of 1" in text_of(pilot))
        await until(pilot, lambda: "n" in ended)
        assert ended == {"n": True, "ne": ended.get("ne"), "nee": ended.get("nee"), "need": False}


def test_a_stopped_search_makes_no_more_lines() -> None:
    made: list[int] = []

    def lines(entry: Entry) -> Iterator[str]:
        for number in range(1000):
            made.append(number)
            yield "needle"

    entries = [Entry("file", "needle", key=key) for key in ("a", "b")]
    assert holding(entries, "needle", lines, lambda: len(made) > 4) == {"a": 4}
    assert len(made) == 5


MANY = {f"src/with/a/long/name/of/a/file/{number}.py": f"x = {number}\n" for number in range(40)}
LONG = "".join(f"line {number}\n" for number in range(300))
OTHER = "".join(f"line {number}{' new' if number % 30 == 7 else ''}\n" for number in range(300))


@pytest.mark.parametrize("dialog", [False, True], ids=["alone", "below a dialog"])
@pytest.mark.parametrize("pane", ["tree", "detail"])
async def test_another_size_keeps_row_pane_and_place(dialog: bool, pane: str) -> None:
    old = {**MANY, "src/z.txt": LONG}
    new = {**{path: f"{text}y = 1\n" for path, text in MANY.items()}, "src/z.txt": OTHER}
    async with app_of(old, new).run_test(size=(120, 35), notifications=True) as pilot:
        screen = await ready(pilot)
        rows: Any = screen.query_one("#changes", Rows)
        detail = screen.query_one(Detail)
        await to_row(pilot, screen, "src/z.txt")
        if pane == "detail":
            await pilot.press("tab")
        for _ in range(4):
            await pilot.press("right_square_bracket")
        await until(pilot, lambda: detail.hunk[0] == 4)
        if pane == "detail":
            await pilot.press("j")
        await quiet(pilot)

        def top() -> str:
            number = next(n for n, start in enumerate(detail._starts) if start >= detail.scroll_offset.y)
            line = detail.page.lines[number]
            assert not isinstance(line, str)
            spans = line.halves[1] if isinstance(line, Beside) else line
            return "".join(text for text, _ in spans).split(" @@")[0].split("  ")[-1]

        before = top()
        for size in ((80, 24), (160, 45), (60, 15), (120, 35)):
            if dialog:
                await pilot.press("a")
                await until(pilot, lambda: pilot.app.screen is not screen)
            await resize(pilot, size)
            if dialog:
                await pilot.press("escape")
                await until(pilot, lambda: pilot.app.screen is screen)
            await quiet(pilot)
            assert rows.current.entry.title == "src/z.txt"
            assert rows.scroll_offset.y <= rows.cursor < rows.scroll_offset.y + rows.size.height
            assert pilot.app.focused is (detail if pane == "detail" else rows)
            assert detail.hunk[0] == 4
            assert top() == before
            if size == (80, 24):
                assert "src/with/a/long/name/of/a/file/39.py" in text_of(pilot), "names have the room that there is"
