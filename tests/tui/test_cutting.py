"""Names that are too long: they keep their ends, and different ones never look alike."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.segment import Segment
from textual.app import App, ComposeResult
from textual.color import Color

from kittui.oci.reference import LOCAL
from kittui.tui.style import theme
from kittui.tui.style.ascii_only import AsciiOnly
from kittui.tui.widgets.columns import Column
from kittui.tui.widgets.cutting import apart
from kittui.tui.widgets.rows import Rows
from tests.tui.waiting import browse, quiet, text_of, to_registry, to_tags, until
from tests.tui.world import World, WorldSource, acme, kitfile

NAMES = st.lists(st.text("ab-模", max_size=60), max_size=30)
ALIKE = st.builds(
    lambda head, middles, tail: [f"{head}{middle}{tail}" for middle in middles],
    st.text("abc/", max_size=60),
    st.lists(st.text("xy", max_size=9), max_size=20),
    st.text("abc.", max_size=60),
)


@given(names=NAMES | ALIKE, room=st.integers(10, 40))
def test_different_names_never_look_alike(names: list[str], room: int) -> None:
    shown = apart([(name, room) for name in names])
    assert all(cell_len(text) <= room for text in shown)
    assert len(set(shown)) == len(set(names))
    assert all(text == name for text, name in zip(shown, names, strict=True) if cell_len(name) <= room)


@given(names=NAMES, rooms=st.lists(st.integers(-3, 30), min_size=30, max_size=30))
def test_whatever_the_rooms_nothing_is_longer(names: list[str], rooms: list[int]) -> None:
    shown = apart(list(zip(names, rooms, strict=False)))
    assert all(cell_len(text) <= max(0, room) for text, room in zip(shown, rooms, strict=False))


@pytest.mark.parametrize(
    ("names", "room", "shown"),
    [
        (["fraud-detector-for-cards", "sentiment"], 16, ["fraud-…for-cards", "sentiment"]),
        (
            ["fraud-europe-detector-for-cards", "fraud-africa-detector-for-cards"],
            16,
            ["fraud-eur…-cards", "fraud-afr…-cards"],
        ),
        (
            ["one/two/three/four/five/six/a/model.bin", "one/two/three/four/five/six/b/model.bin"],
            20,
            ["one/two…/a/model.bin", "one/two…/b/model.bin"],
        ),
    ],
)
def test_names_are_cut_where_they_differ(names: list[str], room: int, shown: list[str]) -> None:
    assert apart([(name, room) for name in names]) == shown


class Named(App[None]):
    """One list of names."""

    def __init__(self, names: list[str]) -> None:
        super().__init__()
        for each in theme.themes(colourless=False):
            self.register_theme(each)
        self.theme = theme.DEFAULT
        self.rows: Rows[str] = Rows(
            (Column("", 10, sticky=True, flex=True), Column("", 4, "right")),
            lambda name: ((("  ", "text"), (name, "text")), (("12", "muted"),)),
            str,
            titles=False,
        )
        self.rows.show(names)

    def compose(self) -> ComposeResult:
        """The list."""
        yield self.rows

    def names(self) -> list[str]:
        """What is shown of the names in view."""
        height = min(self.rows.size.height, len(self.rows.rows))
        return [self.rows.render_line(y).text[3:-5].strip() for y in range(height)]


async def test_names_stay_apart_however_the_list_is_scrolled() -> None:
    app = Named([f"acme/models/fraud-{number:04}-detector-for-payments" for number in range(500)])
    async with app.run_test(size=(26, 12)) as pilot:
        for top in (0, 5, 11, 13, 200, 488, 0):
            app.rows.scroll_to(y=top, animate=False, force=True, immediate=True)
            await pilot.pause()
            shown = app.names()
            assert len(set(shown)) == len(shown) == 12


async def test_rows_that_change_together_are_all_drawn_again_wherever_they_are() -> None:
    names = [f"n{number:03}" for number in range(200)]
    read: set[str] = set()
    app = Named(names)
    app.rows._drawn._cells = lambda name: (((name, "text"),), (("read", "muted"),) if name in read else ())
    async with app.run_test(size=(26, 12)) as pilot:

        async def change(*changed: str) -> None:
            read.update(changed)
            for name in changed:
                app.rows.touch(name)
            await pilot.pause()

        async def shown(name: str) -> bool:
            app.rows.move_to(names.index(name))
            await pilot.pause()
            lines = [app.rows.render_line(line).text for line in range(12)]
            return any("read" in line for line in lines if name in line)

        await change(*names[:5])
        assert [await shown(name) for name in names[:6]] == [True] * 5 + [False]
        assert not await shown(names[150])
        await change(*names[6:9])
        assert [await shown(name) for name in names[6:10]] == [True] * 3 + [False]


def test_names_that_differ_somewhere_else_each_are_cut_in_a_few_rounds() -> None:
    names = [f"{'a' * number}b{'a' * (399 - number)}" for number in range(150)]
    steps = 0

    def step(*_: object) -> None:
        nonlocal steps
        steps += 1

    sys.setprofile(step)
    try:
        shown = apart([(name, 30) for name in names])
    finally:
        sys.setprofile(None)
    assert len(set(shown)) == len(names)
    assert all(cell_len(text) <= 30 for text in shown)
    assert steps < 2000 * len(names)


@pytest.mark.parametrize("text", ["❤️ x", "✔️ done", "👍🏽 yes", "模型", "a…b", "é"])
def test_ascii_takes_as_many_cells(text: str) -> None:
    (segment,) = AsciiOnly().apply([Segment(text)], Color(0, 0, 0))
    assert segment.text.isascii()
    assert len(segment.text) == cell_len(text)


async def test_a_row_that_changes_changes_what_others_are_cut_to() -> None:
    names = ["acme/fraud-detector-for-payments", "acme/other"]
    texts = {"acme/other": "acme/other"}
    app = Named(names)
    app.rows._drawn._cells = lambda name: (((texts.get(name, name), "text"),), (("12", "muted"),))
    async with app.run_test(size=(24, 6)) as pilot:
        before = app.rows.render_line(0).text
        texts["acme/other"] = "acme/fraud-inspector-for-payments"
        app.rows.touch(names[1])
        await pilot.pause()
        assert app.rows.render_line(0).text != before
        assert app.rows.render_line(0).text != app.rows.render_line(1).text


@pytest.mark.parametrize("width", [60, 80, 120, 160])
async def test_tags_and_repositories_that_differ_in_their_middle_are_told_apart(width: int) -> None:
    local = WorldSource(LOCAL)
    middles = [f"{letter}{number}" for letter in "abc" for number in range(3)]
    tags = [f"release-2026-{middle}-candidate-for-production" for middle in middles]
    for middle in middles:
        repository = local.repository(f"fraud-detector-{middle}-for-card-payments")
        for tag in tags:
            repository.add(kitfile(tag), [("model", 10, "none")], tag)
    async with World(local).app().run_test(size=(width, 35)) as pilot:
        await to_tags(pilot)
        screen = browse(pilot)
        panes: list[tuple[Any, int]] = [(screen.tags_pane, len(tags))]
        for pane, count in panes:
            lines = [pane.body.render_line(y).text for y in range(1, count + 1)]
            names = {line.split()[0] for line in lines}
            assert len(names) == count, lines
        screen.go("repositories")
        await quiet(pilot)
        rows = screen.repositories_pane.body
        names = {rows.render_line(y).text for y in range(1, len(middles) + 1)}
        assert len(names) == len(middles)


async def test_the_board_tells_repositories_apart() -> None:
    world = acme()
    source = next(each for place, each in world.sources.items() if place.kind == "remote")
    for middle in ("europe", "africa", "america"):
        repository = source.repository(f"acme/fraud-{middle}-detector-for-card-payments")
        repository.add(kitfile("1"), [("model", 10, "none")], "champion")
    async with world.app().run_test(size=(80, 45)) as pilot:
        await to_registry(pilot)
        await pilot.press("b")

        def shown() -> list[str]:
            return [line.split()[0] for line in text_of(pilot).splitlines() if line.startswith(" acme/")]

        await until(pilot, lambda: len(shown()) == 6)
        assert len(set(shown())) == 6
