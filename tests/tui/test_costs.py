"""What browsing costs: requests, milliseconds, bytes to the terminal."""

from __future__ import annotations

import asyncio

import pytest

from kittui.oci.reference import LOCAL, Place
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


async def test_rows_that_are_read_are_ordered_together(monkeypatch: pytest.MonkeyPatch) -> None:
    async with huge(300).app().run_test(size=(100, 30)) as pilot:
        await listed(pilot)
        await pilot.press("j", "enter")
        tags = browse(pilot).tags_pane
        await until(pilot, lambda: len(tags.body.rows) == 300)
        while tags.order != "newest":
            tags.cycle_sort()
        await quiet(pilot)
        rebuilt = 0
        rebuild = tags.rebuild

        def count() -> None:
            nonlocal rebuilt
            rebuilt += 1
            rebuild()

        monkeypatch.setattr(tags, "rebuild", count)
        rows = list(tags.body.rows[100:140])
        rows[7].created = "2099-01-01T00:00:00Z"
        for row in rows:
            tags._was_read(row)
        assert rebuilt == 0
        await until(pilot, lambda: rebuilt)
        assert rebuilt == 1
        assert tags.body.rows[0] is rows[7], "in its place, though it was read last"
