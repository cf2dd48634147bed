"""What browsing costs: requests, milliseconds, bytes to the terminal."""

from __future__ import annotations

import asyncio
import time

import pytest

from kittui.oci.reference import LOCAL, Place
from tests.tui.ptys import HERE, Program
from tests.tui.waiting import browse, listed, quiet, text_of, until
from tests.tui.world import LAYERS, World, WorldSource, kitfile

REGISTRY = Place("remote", "registry.acme.dev")


def huge(count: int) -> World:
    """A registry with one repository of many tags."""
    registry = WorldSource(REGISTRY)
    repository = registry.repository("acme/huge")
    digests = [repository.add(kitfile(f"1.{number}.0"), LAYERS[:2]) for number in range(50)]
    for number in range(count):
        repository.named[f"v1.{number}.0"] = digests[number % 50]
    return World(registry)


async def test_names_cost_the_tag_lists_alone_and_cells_the_rows_in_view() -> None:
    world = huge(10_000)
    registry = world.sources[REGISTRY]
    async with world.app().run_test(size=(100, 30)) as pilot:
        await listed(pilot)
        ask, held_back = registry.ask, asyncio.Event()

        async def ask_later(what: str, about: str) -> None:
            if what == "manifest":
                await held_back.wait()
            await ask(what, about)

        registry.ask = ask_later  # type: ignore[method-assign]
        await pilot.press("j", "enter")
        tags = browse(pilot).tags_pane
        await until(pilot, lambda: len(tags.body.rows) == 10_000)
        assert registry.asked["tags"] == 10, "one request for each page of names"
        assert registry.asked["manifest"] == 0
        held_back.set()
        await quiet(pilot)
        seen = len(tags.body.in_view)
        assert 0 < registry.asked["manifest"] <= seen
        assert registry.asked["config"] <= seen
        assert registry.most <= world.settings.concurrency + 1, "rows in view, and the signatures of one"
        before = registry.asked["manifest"]
        await pilot.press("pagedown", "pagedown")
        await quiet(pilot)
        assert before < registry.asked["manifest"] <= before + seen
        before, configs, lists = registry.asked["manifest"], registry.asked["config"], registry.asked["tags"]
        await pilot.press("g", "1", "k")
        await quiet(pilot)
        await pilot.press("j", "enter")
        await quiet(pilot)
        assert (registry.asked["manifest"], registry.asked["config"]) == (before, configs), "none the second time"
        assert registry.asked["tags"] == lists


async def test_rows_that_scrolled_away_are_not_asked_for() -> None:
    world = huge(10_000)
    registry = world.sources[REGISTRY]
    async with world.app().run_test(size=(100, 30)) as pilot:
        await listed(pilot)
        await pilot.press("j", "enter")
        tags = browse(pilot).tags_pane
        await until(pilot, lambda: len(tags.body.rows) == 10_000)
        await quiet(pilot)
        before = registry.asked["manifest"]
        for _ in range(30):
            tags.body.action_page(1)
        await quiet(pilot)
        assert registry.asked["manifest"] - before <= len(tags.body.in_view)


@pytest.mark.parametrize("key", ["j", "pagedown", "G", "s", "x"])
async def test_a_key_at_100_000_tags_does_not_stall(key: str) -> None:
    world = huge(100_000)
    async with world.app().run_test(size=(160, 45)) as pilot:
        await listed(pilot)
        await pilot.press("j", "enter")
        tags = browse(pilot).tags_pane
        await until(pilot, lambda: len(tags.body.rows) == 100_000, 60)
        await quiet(pilot)
        tags.body.move_to(5)
        start = time.perf_counter()
        if key == "s":
            tags.cycle_sort()
        elif key == "x":
            tags.set_filter("v1.77")
        elif key == "j":
            tags.body.action_move(1)
        elif key == "pagedown":
            tags.body.action_page(1)
        else:
            tags.body.action_edge(1)
        for line in range(tags.body.size.height):
            tags.body.render_line(line)
        took = time.perf_counter() - start
        assert took < (0.6 if key == "s" else 0.15), f"{took * 1000:.0f} ms"


def test_a_cursor_move_is_small_and_rest_is_silent() -> None:
    with Program(str(HERE / "large_program.py")) as program:
        program.until("acme/huge")
        program.settle()
        program.press("j\r")
        program.until("v1.9999.0")
        program.settle()
        sizes = []
        for _ in range(5):
            program.press("j")
            sizes.append(len(program.read(0.09)))
            program.settle()
        assert max(sizes) < 4096, sizes
        program.settle(1.0)
        used = program.cpu()
        silence = program.read(2)
        assert silence == b""
        assert program.cpu() - used <= 0.04


async def test_local_store_is_not_asked_twice() -> None:
    local = WorldSource(LOCAL)
    local.repository("acme/fraud").add(kitfile("1.0.0"), LAYERS, "v1.0.0", "champion", "latest")
    world = World(local)
    async with world.app().run_test(size=(100, 30)) as pilot:
        await listed(pilot)
        await pilot.press("j", "enter")
        await quiet(pilot)
        assert local.asked["manifest"] <= 3
        assert local.asked["repositories"] == 1


async def test_names_show_after_the_first_page() -> None:
    world = huge(5_000)
    registry = world.sources[REGISTRY]
    ask, held_back = registry.ask, asyncio.Event()

    async def ask_later(what: str, about: str) -> None:
        if what == "tags" and registry.asked["tags"] == 1:
            await held_back.wait()
        await ask(what, about)

    registry.ask = ask_later  # type: ignore[method-assign]
    async with world.app().run_test(size=(100, 30)) as pilot:
        await listed(pilot)
        await pilot.press("j", "enter")
        tags = browse(pilot).tags_pane
        await until(pilot, lambda: len(tags.body.rows) == 1000)
        await until(pilot, lambda: "Asking" in text_of(pilot))
        assert "v1.999.0" in text_of(pilot), "names are seen while more are asked for"
        assert registry.asked["manifest"] <= 1, "rows still move: only the one under the cursor is asked for"
        held_back.set()
        await quiet(pilot)
        assert "Asking" not in text_of(pilot)
        assert "v1.4999.0" in text_of(pilot)
