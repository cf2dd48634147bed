"""What is read again, fails or is filtered leaves the cursor, the rows and the counts as they can be trusted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from textual.pilot import Pilot

from kittui.compare.changes import Problem
from kittui.compare.comparison import Comparison
from kittui.errors import NotFound
from kittui.oci.tag import Tag
from kittui.tui.compare.screen import CompareScreen
from kittui.tui.widgets.rows import Rows
from kittui.usecases.diff.compare import Depth, DiffUseCase, Side
from kittui.usecases.inspect.inspector import Inspector
from tests.compare.kits import opened, two
from tests.demo.pack import File
from tests.tui.waiting import LARGE, SMALL, quiet, text_of, until
from tests.tui.world import acme

OLD = {"src/a.py": File(b"a = 1\n"), "src/b.py": File(b"b = 1\n"), "src/d.py": File(b"d = 1\n")}
NEW = {"src/a.py": File(b"a = 2\n"), "src/b.py": File(b"b = 2\n"), "src/c.py": File(b"c = 1\n")}
REPOSITORY = two(OLD, NEW)


def screen_of(case: Any = None, b: str = "b") -> CompareScreen:
    """The comparison of two small versions."""
    case = case or DiffUseCase(opened, Inspector())
    return CompareScreen(case, Side(REPOSITORY, Tag("a")), Side(REPOSITORY, Tag(b)))


async def ready(pilot: Pilot[Any], screen: CompareScreen) -> Rows[Any]:
    """Open it and wait until all was compared."""
    await quiet(pilot)
    await pilot.app.push_screen(screen)
    await until(pilot, lambda: screen.comparison is not None and screen.comparison.complete)
    await quiet(pilot)
    return screen.query_one("#changes", Rows)


async def to_file(pilot: Pilot[Any], rows: Rows[Any], path: str) -> None:
    """Put the cursor on a file."""
    rows.move_to(next(number for number, row in enumerate(rows.rows) if row.entry.title == path))
    await pilot.pause()


@pytest.mark.parametrize("again", ["values", "r"])
async def test_reading_again_keeps_the_rows_and_the_cursor(again: str) -> None:
    screen = screen_of()
    async with acme().app().run_test(size=LARGE, notifications=True) as pilot:
        rows = await ready(pilot, screen)
        whole = screen.comparison
        assert whole is not None
        await to_file(pilot, rows, "src/b.py")
        titles = [row.entry.title for row in rows.rows]
        read, release = asyncio.Event(), asyncio.Event()

        async def compare(a: Side, b: Side, depth: Depth, on_update: Callable[[Comparison], None]) -> Comparison:
            on_update(replace(whole, complete=False, files=(), texts=(), tensors=()))
            read.set()
            await release.wait()
            return whole

        screen._reading.case = SimpleNamespace(compare=compare)  # type: ignore[assignment]
        if again == "r":
            await pilot.press("r")
        else:
            screen.read_values(Depth(content=True))
        await until(pilot, lambda: read.is_set() and screen._reading._timer is None)
        await pilot.pause()
        assert screen.working
        assert [row.entry.title for row in rows.rows] == titles
        assert rows.current is not None
        assert rows.current.entry.title == "src/b.py"
        release.set()
        await until(pilot, lambda: not screen.working)
        await quiet(pilot)
        assert rows.current.entry.title == "src/b.py"


async def test_a_row_that_is_gone_leaves_the_cursor_on_the_next_one() -> None:
    screen = screen_of()
    async with acme().app().run_test(size=LARGE) as pilot:
        rows = await ready(pilot, screen)
        whole = screen.comparison
        assert whole is not None
        await to_file(pilot, rows, "src/b.py")

        async def compare(*_: Any) -> Comparison:
            return replace(
                whole,
                files=tuple(file for file in whole.files if file.path != "src/b.py"),
                texts=tuple(text for text in whole.texts if text.path != "src/b.py"),
            )

        screen._reading.case = SimpleNamespace(compare=compare)  # type: ignore[assignment]
        await pilot.press("r")
        await until(pilot, lambda: all(row.entry.title != "src/b.py" for row in rows.rows))
        assert rows.current is not None
        assert rows.current.entry.title == "src/c.py"


@pytest.mark.parametrize(("key", "path"), [("plus", "src/c.py"), ("minus", "src/d.py")])
async def test_a_filter_that_hides_the_row_selects_the_first_it_shows(key: str, path: str) -> None:
    screen = screen_of()
    async with acme().app().run_test(size=LARGE) as pilot:
        rows = await ready(pilot, screen)
        await to_file(pilot, rows, "src/a.py")
        await pilot.press(key)
        await quiet(pilot)
        assert rows.current is not None
        assert rows.current.entry.title == path
        assert "change 1 of 1" in text_of(pilot)
        assert "No changes of this kind" not in text_of(pilot)


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "160x45"])
async def test_a_comparison_that_failed_counts_nothing(size: tuple[int, int]) -> None:
    class Failing:
        reviews = None

        async def compare(self, *_: Any) -> Comparison:
            raise NotFound("no tag b in registry.acme.dev/kits", hint="Look at the tags.")

    async with acme().app().run_test(size=size) as pilot:
        await quiet(pilot)
        await pilot.app.push_screen(screen_of(Failing()))
        await until(pilot, lambda: "not compared" in text_of(pilot))
        await quiet(pilot)
        assert "0 changes" not in text_of(pilot)
        assert "no tag b in" in text_of(pilot)


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "160x45"])
async def test_parts_that_could_not_be_compared_are_counted_and_told(size: tuple[int, int]) -> None:
    screen = screen_of()
    async with acme().app().run_test(size=size, notifications=True) as pilot:
        await ready(pilot, screen)
        whole = screen.comparison
        assert whole is not None
        gone = tuple(Problem(f"layer {number}", "registry.acme.dev went away") for number in (1, 2))

        async def compare(*_: Any) -> Comparison:
            return replace(whole, problems=gone)

        screen._reading.case = SimpleNamespace(compare=compare)  # type: ignore[assignment]
        await pilot.press("r")
        await until(pilot, lambda: "! 2 not compared" in text_of(pilot) or " ! 2 " in text_of(pilot))
        await until(pilot, lambda: "2 parts could not be compared" in " ".join(text_of(pilot).split()))
