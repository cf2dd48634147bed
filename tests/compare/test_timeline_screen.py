"""The timeline says how far it is, and shows versions as they are read; Esc stops that and keeps them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from textual.pilot import Pilot

from kittui.oci.reference import LOCAL, Place
from kittui.oci.tag import Tag
from kittui.tui.compare.over_versions import TimelineScreen, _both
from kittui.tui.compare.pick_dialog import PickDialog
from kittui.usecases.diff.timeline import Moment
from tests.tui.waiting import browse, quiet, text_of, until
from tests.tui.world import World, WorldSource, kitfile


def held(monkeypatch: pytest.MonkeyPatch) -> tuple[World, asyncio.Event]:
    """A registry of five versions that does not answer for one of them until it may."""
    source = WorldSource(Place("remote", host="registry.test"))
    for number in range(5):
        source.repository("fraud").add(kitfile(f"{number}"), [("model", 10, "none")], f"v{number}")
    ask, may = WorldSource.ask, asyncio.Event()

    async def slow(self: WorldSource, what: str, about: str) -> None:
        if (what, about) == ("resolve", "v3"):
            await may.wait()
        await ask(self, what, about)

    monkeypatch.setattr(WorldSource, "ask", slow)
    return World(WorldSource(LOCAL), source), may


async def followed(pilot: Pilot[Any]) -> TimelineScreen:
    """Open the timeline of the version."""
    await until(pilot, lambda: browse(pilot).tags_pane.current is not None)
    await quiet(pilot)
    browse(pilot).go("tags")
    await quiet(pilot)
    await pilot.press("i")
    await until(pilot, lambda: isinstance(pilot.app.screen, PickDialog))
    await pilot.press(*"package.version", "enter")
    await until(pilot, lambda: isinstance(pilot.app.screen, TimelineScreen))
    screen = pilot.app.screen
    assert isinstance(screen, TimelineScreen)
    return screen


async def test_versions_appear_as_they_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    made, may = held(monkeypatch)
    async with made.app("registry.test/fraud:v1").run_test(size=(80, 24)) as pilot:
        screen = await followed(pilot)
        await until(pilot, lambda: "4 of 5 tags read, 4 versions; Esc stops" in text_of(pilot))
        assert [moment.tags for moment in screen.found] == [("v0",), ("v1",), ("v2",), ("v4",)]
        assert not any(moment.changed for moment in screen.found), "it is not known before all are read"
        may.set()
        await until(pilot, lambda: "5 versions · changed 4 times" in text_of(pilot))
        assert [moment.changed for moment in screen.found] == [False, True, True, True, True]


async def test_escape_stops_reading_and_keeps_what_was_read(monkeypatch: pytest.MonkeyPatch) -> None:
    made, _ = held(monkeypatch)
    async with made.app("registry.test/fraud:v1").run_test(size=(80, 24)) as pilot:
        screen = await followed(pilot)
        await until(pilot, lambda: "4 of 5 tags read" in text_of(pilot))
        await pilot.press("escape")
        await until(pilot, lambda: "Stopped; the list is incomplete: 4 of 5 tags read, 4 versions" in text_of(pilot))
        assert len(screen.found) == 4
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is browse(pilot))


async def test_a_version_of_many_tags_leaves_room_for_both_values() -> None:
    source = WorldSource(Place("remote", host="registry.test"))
    for number in range(2):
        tags = [f"run-{number}-{each:03}" for each in range(150)]
        source.repository("fraud").add(kitfile(f"9.{number}.7"), [("model", 10, "none")], f"v{number}", *tags)
    async with World(WorldSource(LOCAL), source).app("registry.test/fraud:v1").run_test(size=(80, 24)) as pilot:
        screen = await followed(pilot)
        await until(pilot, lambda: "2 versions · changed once" in text_of(pilot))
        await pilot.press("n")
        lines = [" ".join(line.split()) for line in text_of(pilot).splitlines()]
        assert "- 9.0.7" in lines
        assert "+ 9.1.7" in lines
        assert len(screen.found[1].tags) == 151


def test_of_long_values_the_part_where_they_differ_is_shown() -> None:
    before, after = (
        Moment((Tag("v"),), None, None, True, value=f"{'a' * 900}{end}{'b' * 900}") for end in ("old", "new")
    )
    shown = ["".join(piece[0] for piece in line) for line in _both(before, after, 150)]
    assert [line[0] for line in shown] == ["-", "+"]
    assert "old" in shown[0]
    assert "new" in shown[1]
    assert all(line[2] == line[-1] == "…" and len(line) <= 152 for line in shown)
    one, two = (Moment((Tag("v"),), None, None, True, value=value) for value in ("1", "2"))
    assert ["".join(piece[0] for piece in line) for line in _both(one, two, 150)] == ["- 1", "+ 2"]
