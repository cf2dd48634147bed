"""How old a list is, what could not be read since, what others moved, and what a change made stale."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual import events

from kittui.errors import Unreachable
from kittui.oci.digest import Digest
from kittui.oci.reference import LOCAL, Place
from kittui.tui.dialogs.plan import PlanDialog
from tests.change.kits import Kits, on, ready, said
from tests.tui.waiting import LARGE, SMALL, browse, listed, quiet, resize, text_of, to_registry, until
from tests.tui.world import acme

REGISTRY = Place("remote", "registry.acme.dev")


async def test_a_list_says_when_it_was_read_and_what_is_wrong_since() -> None:
    world = acme()
    async with world.app().run_test(size=LARGE) as pilot:
        await to_registry(pilot)
        pane = browse(pilot).tags_pane
        assert "as of 12:00" in pane.title_bar.render().plain
        source: Any = pane.repository.source  # type: ignore[union-attr]
        source.failing["tags"] = Unreachable("registry.acme.dev does not answer")
        await pilot.press("r")
        await until(pilot, lambda: "✗ unreachable since 12:00" in pane.title_bar.render().plain)
        await resize(pilot, SMALL)
        await until(pilot, lambda: "✗ unreachable since 12:00" in text_of(pilot))
        del source.failing["tags"]
        await pilot.press("r")
        await until(pilot, lambda: "unreachable" not in text_of(pilot))


async def test_a_stage_that_somebody_moves_is_marked_and_read_again() -> None:
    world = acme(refresh=0.05)
    async with world.app().run_test(size=LARGE) as pilot:
        await to_registry(pilot)
        pane = browse(pilot).tags_pane
        repository: Any = pane.repository
        stages = [row for row in pane.body.rows if pane._list and pane._list.stage_of(row)]
        await until(pilot, lambda: repository.source.asked["resolve champion"] >= 2)
        asked = repository.source.asked
        assert asked["resolve"] <= len(stages) * (asked["resolve champion"] + 1), "one request for each stage tag"
        assert not asked["resolve v1.0.0"]
        repository.named["champion"] = repository.named["challenger"]
        row = next(row for row in stages if row.entry.name == "champion")
        await until(pilot, lambda: row.moved and row.digest == repository.named["champion"])
        await until(pilot, lambda: "champion ↻ moved" in text_of(pilot))
        await pilot.press("r")
        await until(pilot, lambda: "↻" not in text_of(pilot))


async def test_what_somebody_moved_is_no_longer_marked_once_we_move_it(tmp_path: Path) -> None:
    kits = Kits(tmp_path)
    kits.world.settings = replace(kits.world.settings, refresh=0.05)
    async with kits.app().run_test(size=LARGE) as pilot:
        await ready(pilot)
        for tag in ("champion", "challenger"):
            kits.fraud.tagged[tag] = kits.fraud.add_kit(f"other-{tag}").digest
        await until(pilot, lambda: text_of(pilot).count("↻ moved") == 2)
        await quiet(pilot)
        await pilot.press("c")
        await until(pilot, on(pilot, PlanDialog))
        await pilot.press("enter", "enter")
        await until(pilot, lambda: kits.fraud.tagged["champion"] == kits.fraud.tagged["challenger"])
        await until(pilot, lambda: "champion ↻ moved" not in text_of(pilot) and "challenger ↻ moved" in text_of(pilot))


async def test_a_stage_that_a_command_of_ours_moves_is_not_marked() -> None:
    world = acme(refresh=0.02)
    async with world.app().run_test(size=LARGE) as pilot:
        await to_registry(pilot)
        screen = browse(pilot)
        pane = screen.tags_pane
        repository: Any = pane.repository
        asked = repository.source.asked
        moved, told = asyncio.Event(), asyncio.Event()

        async def move() -> None:
            repository.named["champion"] = repository.named["challenger"]
            moved.set()
            await told.wait()
            screen.reload(repository)

        await until(pilot, lambda: asked["resolve champion"] >= 1)
        screen.program.run_command("Promote", move())
        await moved.wait()
        await quiet(pilot)
        before = asked["resolve champion"]
        for _ in range(20):
            await pilot.pause(0.02)
        assert asked["resolve champion"] == before
        told.set()
        row = next(row for row in pane.body.rows if row.entry.name == "champion")
        await until(pilot, lambda: row.digest == repository.named["champion"])
        await until(pilot, lambda: asked["resolve champion"] > before)
        assert not row.moved


@pytest.mark.parametrize("ended", [False, True])
async def test_a_look_that_was_under_way_when_a_command_of_ours_began_marks_nothing(
    monkeypatch: pytest.MonkeyPatch, ended: bool
) -> None:
    """Its answer comes while the command runs, or after that has ended: it may be our own move that it shows."""
    world = acme(refresh=0.02)
    async with world.app().run_test(size=LARGE) as pilot:
        await to_registry(pilot)
        screen = browse(pilot)
        pane = screen.tags_pane
        repository: Any = pane.repository
        asked, answer, moved, told = (asyncio.Event() for _ in range(4))
        resolve = repository.resolve

        async def late(target: Any) -> Any:
            if target == "champion" and not moved.is_set():
                asked.set()
                await answer.wait()
            return await resolve(target)

        async def move() -> None:
            repository.named["champion"] = repository.named["challenger"]
            moved.set()
            if not ended:
                await told.wait()
            screen.reload(repository)

        monkeypatch.setattr(repository, "resolve", late)
        row = next(row for row in pane.body.rows if row.entry.name == "champion")
        await until(pilot, asked.is_set)
        screen.program.run_command("Promote", move())
        await until(pilot, moved.is_set)
        answer.set()
        await until(pilot, lambda: not any(worker.group == "check" for worker in pane._busy))
        assert not row.moved
        told.set()
        await until(pilot, lambda: row.digest == repository.named["champion"])
        assert not row.moved


@pytest.mark.parametrize("refresh", [0, 0.02])
async def test_nobody_is_asked_while_nobody_looks(refresh: float) -> None:
    world = acme(refresh=refresh)
    app = world.app()
    async with app.run_test(size=LARGE) as pilot:
        await to_registry(pilot)
        source: Any = browse(pilot).tags_pane.repository.source  # type: ignore[union-attr]
        app.post_message(events.AppBlur())
        await until(pilot, lambda: not app.app_focus)
        await quiet(pilot)
        before = source.asked["resolve"]
        for _ in range(20):
            await pilot.pause(0.02)
        assert source.asked["resolve"] == before
        if refresh:
            app.post_message(events.AppFocus())
            await until(pilot, lambda: source.asked["resolve"] > before)


async def test_what_a_pull_brought_is_marked_everywhere_at_once() -> None:
    world = acme()
    async with world.app().run_test(size=LARGE) as pilot:
        await to_registry(pilot)
        screen = browse(pilot)
        pane = screen.tags_pane
        row = pane.current
        assert row is not None
        assert row.modelkit is not None
        assert row.held == ""
        world.held |= {layer.digest for layer in row.modelkit.layers}
        local: Any = world.sources[LOCAL]
        pulled = local.repository("registry.acme.dev/acme/fraud-detector")
        listings = local.asked["repositories"]
        screen.reload(pulled)
        await until(pilot, lambda: row.held == "all")
        await until(pilot, lambda: screen.layers_pane._shown.held)
        await until(pilot, lambda: local.asked["repositories"] == listings + 1)


async def test_layers_that_could_not_be_read_once_are_shown_once_they_can() -> None:
    world = acme()
    async with world.app().run_test(size=LARGE) as pilot:
        await to_registry(pilot)
        screen = browse(pilot)
        source: Any = screen.tags_pane.repository.source  # type: ignore[union-attr]
        source.failing["manifest"] = Unreachable("registry.acme.dev does not answer")
        await pilot.press("r")
        await until(pilot, lambda: screen.layers_pane.state.kind == "failed")
        assert not screen.layers_pane.filled
        del source.failing["manifest"]
        await pilot.press("r")
        await until(pilot, lambda: screen.layers_pane.state.kind == "ready")
        assert screen.layers_pane.filled


async def test_a_source_that_could_not_be_listed_is_asked_again_from_every_pane() -> None:
    world = acme()
    source: Any = world.sources[REGISTRY]
    source.failing["repositories"] = Unreachable("registry.acme.dev does not answer")
    async with world.app().run_test(size=SMALL, notifications=True) as pilot:
        await listed(pilot)
        await pilot.press("j", "j", "j", "enter")
        await until(pilot, lambda: source.asked["repositories"] == 1)
        await quiet(pilot)
        await pilot.press("2", "r")
        await until(pilot, lambda: source.asked["repositories"] == 2)
        await until(pilot, lambda: "Asking registry.acme.dev again: unreachable since 12:00." in said(pilot))
        await quiet(pilot)
        del source.failing["repositories"]
        await pilot.press("3", "r")
        await until(pilot, lambda: source.asked["repositories"] == 3)
        await until(pilot, lambda: len(browse(pilot).repositories_pane.body.rows) > 5)


@pytest.mark.parametrize("width", [60, 62, 70, 80, 100, 120, 160])
async def test_since_when_a_source_is_unreachable_is_in_its_title_at_every_width(width: int) -> None:
    world = acme()
    source: Any = world.sources[REGISTRY]
    source.failing["repositories"] = Unreachable("registry.acme.dev does not answer")
    async with world.app().run_test(size=(width, 24)) as pilot:
        await listed(pilot)
        pane = browse(pilot).repositories_pane
        await pilot.press("j", "j", "j", "enter")
        await until(pilot, lambda: pane.title_bar.trouble)
        await quiet(pilot)
        title = pane.title_bar.render()
        assert title.cell_length == pane.size.width
        assert " 12:00 " in f"{title.plain} "
        assert "✗" in title.plain
        assert title.plain.startswith("▌1 Rep")


async def test_a_word_that_was_found_out_elsewhere_is_in_the_list() -> None:
    """The board reads signatures of all stages; the list of tags shows what is known by then, and keeps it."""
    world = acme()
    async with world.app().run_test(size=LARGE) as pilot:
        await to_registry(pilot)
        screen = browse(pilot)
        repository: Any = screen.tags_pane.repository
        assert "not checked" in text_of(pilot)
        await pilot.press("b")
        await until(pilot, lambda: type(pilot.app.screen).__name__ == "BoardScreen")
        await until(pilot, lambda: world.evidence.known(repository, Digest(repository.named["rollback"])))
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is screen)

        def lines() -> list[str]:
            stages = ("★ champion", "◆ challenger", "↩ rollback")
            return [line for line in text_of(pilot).splitlines() if any(stage in line for stage in stages)]

        await until(pilot, lambda: len(lines()) == 3 and all("unsigned" in line for line in lines()))
        screen.reload(repository)
        await quiet(pilot)
        assert all("unsigned" in line for line in lines())
