"""No key of the comparison does nothing in silence: something is seen, or it is said why not."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest
from textual.binding import Binding
from textual.pilot import Pilot

from kittui.oci.tag import Tag
from kittui.tui.app import KittuiApp
from kittui.tui.compare import keys
from kittui.tui.compare.screen import CompareScreen
from kittui.tui.widgets.lines import Lines
from kittui.tui.widgets.rows import Rows
from kittui.usecases.diff.compare import DiffUseCase, Side
from kittui.usecases.inspect.inspector import Inspector
from tests.compare.kits import two
from tests.compare.test_compare_screen import held, ready, to_row
from tests.demo.pack import File
from tests.tui.waiting import quiet, text_of, until
from tests.tui.world import acme

OLD = "".join(f"line {number}\n" for number in range(200))
NEW = "".join(f"line {number}{' is new' if number % 40 == 20 else ''}\n" for number in range(200))
LEAVING = {"compare.back"}


def keys_of(bindings: Iterable[Any], without: set[str] = LEAVING) -> list[str]:
    """Every key of some bindings."""
    found = [one for one in bindings if isinstance(one, Binding) and one.id not in without]
    return [key for one in found for key in one.key.split(",")]


def app_of(old: dict[str, str], new: dict[str, str]) -> KittuiApp:
    a, b = ({path: File(text.encode()) for path, text in each.items()} for each in (old, new))
    repository = two(a, b)
    return held(Side(repository, Tag("a")), Side(repository, Tag("b")))


def state(pilot: Pilot[Any]) -> tuple[object, ...]:
    """All that a user can notice."""
    app, screen = pilot.app, pilot.app.screen
    notes = [note.message for note in app._notifications]
    hunk = screen._panes.detail.hunk if isinstance(screen, CompareScreen) else None
    return text_of(pilot), app.focused, screen, tuple(notes), app.clipboard, hunk


async def back_to(pilot: Pilot[Any], screen: CompareScreen) -> None:
    """Close what a key opened."""
    while pilot.app.screen is not screen:
        await pilot.press("escape")
        await quiet(pilot)


async def silent(pilot: Pilot[Any], screen: CompareScreen, wanted: Iterable[str], row: str, pane: str) -> list[str]:
    """Those of the keys that do nothing and say nothing, each pressed on the same row in the same pane."""
    found = []
    for key in wanted:
        await back_to(pilot, screen)
        if screen._search_input.has_class("asked"):
            await pilot.press("escape")
        await until(pilot, lambda: not screen.working)
        if row:
            screen._panes.choose(screen._panes.chosen_filter)
            screen._panes.rows.focus()
            await to_row(pilot, screen, row)
            if pane == "detail":
                detail = screen._panes.detail
                detail.focus()
                await until(pilot, lambda: screen.has_class("-reading"))
                await quiet(pilot)
                detail.scroll_to(y=20, animate=False, force=True, immediate=True)
                await until(pilot, lambda: screen._panes.detail.scroll_offset.y == 20)
        await quiet(pilot)
        pilot.app.clear_notifications()
        await quiet(pilot)
        before = state(pilot)
        await pilot.press(key)
        await quiet(pilot)
        if state(pilot) == before:
            found.append(key)
    return found


MORE = {f"src/f{number}.py": f"x = {number}\n" for number in range(40)}


@pytest.mark.parametrize("pane", ["tree", "detail"])
async def test_every_key_shows_or_says_something(pane: str) -> None:
    old = {**MORE, "src/a.txt": OLD}
    app = app_of(old, {**{path: f"{text}y = 1\n" for path, text in MORE.items()}, "src/a.txt": NEW})
    moves: Any = Rows.BINDINGS if pane == "tree" else Lines.BINDINGS
    async with app.run_test(size=(120, 30), notifications=True) as pilot:
        screen = await ready(pilot)
        row = "src/f20.py" if pane == "tree" else "src/a.txt"
        await pilot.press("z")
        await until(pilot, lambda: not screen.working)
        assert await silent(pilot, screen, [*keys_of(keys.BINDINGS), *keys_of(moves)], row, pane) == []


async def test_every_key_says_that_nothing_differs() -> None:
    app = app_of({"src/a.txt": OLD}, {"src/a.txt": OLD})
    app_keys = keys_of(keys.BINDINGS)
    async with app.run_test(size=(120, 30), notifications=True) as pilot:
        screen = await ready(pilot)
        assert await silent(pilot, screen, app_keys, "", "tree") == []


async def test_every_key_says_that_it_is_still_reading() -> None:
    never = asyncio.Event()

    async def waits(*_: Any) -> Any:
        await never.wait()

    repository = two({"src/a.txt": File(OLD.encode())}, {"src/a.txt": File(NEW.encode())})
    app = acme().app()
    async with app.run_test(size=(120, 30), notifications=True) as pilot:
        await quiet(pilot)
        sides = Side(repository, Tag("a")), Side(repository, Tag("b"))
        screen = CompareScreen(DiffUseCase(waits, Inspector()), *sides)
        await app.push_screen(screen)
        quietly = []
        for key in keys_of(keys.BINDINGS):
            await back_to(pilot, screen)
            pilot.app.clear_notifications()
            await pilot.pause()
            before = state(pilot)
            await pilot.press(key)
            await pilot.pause()
            await pilot.pause()
            if state(pilot) == before:
                quietly.append(key)
        assert quietly == []
