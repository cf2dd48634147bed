"""Which columns of tags there are, what they say, and the sizes of panes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from kittui.config.values import COLUMNS as NAMES
from kittui.oci.reference import LOCAL, Place
from kittui.oci.tag import Tag
from kittui.tui.panes.tag_columns import COLUMNS
from tests.change.kits import Kits, ready
from tests.tui.waiting import LARGE, SMALL, browse, quiet, resize, text_of, to_registry, to_tags, until
from tests.tui.world import World, WorldSource, acme, fill, kitfile

TITLES = [column.title for column in COLUMNS.values()]


def titles(pilot: Pilot[Any]) -> list[str]:
    """The titles of the columns that are shown, in their order."""
    line = next(f"{line} " for line in text_of(pilot).splitlines() if " tag " in line)
    return sorted((title for title in TITLES if f" {title} " in line), key=lambda title: line.index(f" {title} "))


def row(pilot: Pilot[Any], tag: str) -> str:
    return next(line for line in text_of(pilot).splitlines() if f" {tag} " in line and "│" in line)


def test_the_configuration_knows_the_columns_that_there_are() -> None:
    assert tuple(COLUMNS) == NAMES


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (80, ["size", "age", "stage"]),
        (120, ["digest", "size", "age", "stage"]),
        (160, ["digest", "size", "age", "stage", "signed", "framework", "license"]),
        (200, ["digest", "size", "age", "stage", "signed", "framework", "license", "moved by"]),
        (260, TITLES),
    ],
)
async def test_the_wider_the_terminal_the_more_columns(width: int, shown: list[str]) -> None:
    async with acme().app().run_test(size=(width, 30)) as pilot:
        await to_registry(pilot)
        assert titles(pilot) == shown


@pytest.mark.parametrize(
    ("created", "order", "shown"),
    [
        ("2026-11-11T09:00:00Z", "stage", {"age", "stage"}),
        ("2026-11-11T09:00:00Z", "largest", {"size", "stage"}),
        (None, "stage", {"size", "stage"}),
        (None, "newest", {"age", "stage"}),
    ],
)
async def test_a_narrow_pane_shows_what_it_is_sorted_by_and_no_empty_age(
    created: str | None, order: str, shown: set[str]
) -> None:
    made = World(local := WorldSource(LOCAL))
    for number in range(9):
        local.repository("kit").add(
            kitfile("1"), [("model", 10, "none")], f"candidate-of-may-{number}", created=created
        )
    async with made.app().run_test(size=SMALL) as pilot:
        await to_tags(pilot)
        pane = browse(pilot).tags_pane
        while pane.order != order:
            pane.cycle_sort()
        await until(pilot, lambda: set(titles(pilot)) == shown)


async def test_columns_ask_nothing_of_a_registry() -> None:
    asked = []
    for columns in (("age",), NAMES):
        source = WorldSource(Place("remote", "registry.acme.dev"))
        fill(source.repository("acme/fraud-detector"))
        world = World(source, columns=columns)
        async with world.app("registry.acme.dev/acme/fraud-detector:champion").run_test(size=(260, 30)) as pilot:
            await until(pilot, lambda: browse(pilot).tags_pane.current is not None)
            await quiet(pilot)
            text = row(pilot, "v1.0.0")
            # The details ask for what is attached, as often as the cursor comes to rest.
            asked.append({what: count for what, count in source.asked.items() if not what.startswith("referrers")})
    assert asked[0] == asked[1]
    assert all(word in text for word in ("pytorch", "Apache-2.0", "fraud-detector", "Risk ML"))


async def test_configured_columns_come_in_their_order_and_the_first_stay() -> None:
    world = acme(columns=("license", "stage", "framework", "author", "age", "digest"))
    async with world.app().run_test(size=LARGE) as pilot:
        await to_registry(pilot)
        assert titles(pilot) == ["license", "stage", "framework", "author", "age", "digest"]
        await resize(pilot, SMALL)
        await until(pilot, lambda: titles(pilot) == ["license", "stage"])


async def test_a_long_name_has_its_room_before_what_is_not_essential() -> None:
    name = "v2.10.0-release-candidate.1"
    made = World(local := WorldSource(LOCAL), columns=("age", "stage", "signed", "license"))
    local.repository("kit").add(kitfile("1"), [("model", 10, "none")], name, "champion", created="2026-11-11T09:00:00Z")
    async with made.app().run_test(size=(120, 30)) as pilot:
        await to_tags(pilot)
        assert name in text_of(pilot)
        assert titles(pilot) == ["age", "stage"]


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (60, ["age"]),
        (80, ["age", "stage"]),
        (120, ["digest", "age", "stage"]),
        (160, ["digest", "size", "age", "stage"]),
    ],
)
@pytest.mark.parametrize("length", [27, 60, 128])
async def test_however_long_a_name_is_the_digest_stays(width: int, length: int, shown: list[str]) -> None:
    name = f"v2-{'release-candidate-' * 8}"[:length]
    made = World(local := WorldSource(LOCAL))
    local.repository("kit").add(kitfile("1"), [("model", 10, "none")], name, "champion", created="2026-11-11T09:00:00Z")
    async with made.app().run_test(size=(width, 30)) as pilot:
        await to_tags(pilot)
        assert set(titles(pilot)) >= set(shown)
        assert "12 d" in text_of(pilot)
        assert f"…{name[-6:]}" in text_of(pilot) or name[-6:] in text_of(pilot)


@pytest.mark.parametrize("width", [120, 160, 200])
async def test_names_of_repositories_and_when_they_were_read_have_room(width: int) -> None:
    async with acme().app().run_test(size=(width, 35)) as pilot:
        await to_registry(pilot)
        pane = browse(pilot).repositories_pane
        left = [line[: pane.size.width] for line in text_of(pilot).splitlines()]
        assert any(" fraud-detector " in line for line in left)
        assert "as of 12:00" in pane.title_bar.render().plain


async def test_who_moved_a_tag_is_known_from_this_machine_at_once(tmp_path: Path) -> None:
    from kittui.usecases.change.retag import apply_retag, plan_retag

    kits = Kits(tmp_path)
    tools = kits.world.change_tools
    assert tools is not None
    plan = await plan_retag(kits.fraud, Tag("v1.1.0"), [(kits.fraud, Tag("tuned"))])
    await apply_retag(plan, tools.ledger, tools.policy)
    async with kits.app().run_test(size=(260, 30)) as pilot:
        await ready(pilot, "tuned")
        await until(pilot, lambda: "tester@here" in row(pilot, "tuned"))
        assert "tester" not in row(pilot, "v1.1.0")


@pytest.mark.parametrize("odd", [5, ["x"], {"a": 1}, None, "\x1b[31mred\u202e", "x" * 100_000])
async def test_what_a_kitfile_says_in_another_form_breaks_nothing(odd: Any) -> None:
    made = World(local := WorldSource(LOCAL))
    document = {"package": {"name": odd, "license": odd, "authors": odd}, "model": {"framework": odd, "path": "m"}}
    local.repository("kit").add(document, [("model", 10, "none")], "v1")
    async with made.app().run_test(size=(260, 30)) as pilot:
        await to_tags(pilot)
        assert "\x1b" not in row(pilot, "v1")
        assert titles(pilot) == TITLES


def widths(pilot: Pilot[Any]) -> dict[str, int]:
    screen = browse(pilot)
    panes = (screen.repositories_pane, screen.tags_pane, screen.layers_pane, screen.details_pane)
    return dict(zip(("repositories", "tags", "layers", "details"), (pane.size.width for pane in panes), strict=True))


async def test_panes_get_larger_and_smaller_and_stay_so() -> None:
    world = acme()
    async with world.app().run_test(size=LARGE) as pilot:
        await to_registry(pilot)
        before = widths(pilot)
        await pilot.press("1", "greater_than_sign", "greater_than_sign")
        await until(pilot, lambda: widths(pilot)["repositories"] == before["repositories"] + 8)
        assert widths(pilot)["tags"] == before["tags"] - 8
        await pilot.press("4", "less_than_sign")
        await until(pilot, lambda: widths(pilot)["details"] == before["details"] - 4)
        layers = browse(pilot).layers_pane.size.height
        await pilot.press("3", "greater_than_sign")
        await until(pilot, lambda: browse(pilot).layers_pane.size.height > layers)
        await pilot.press("2", "greater_than_sign")
        await until(pilot, lambda: browse(pilot).layers_pane.size.height == layers)
        kept, sizes = dict(world.sizes), widths(pilot)
        await pilot.press("plus")
        await until(pilot, lambda: widths(pilot)["tags"] == LARGE[0])
        await pilot.press("plus")
        await until(pilot, lambda: widths(pilot) == sizes)
        await resize(pilot, SMALL)
        await until(pilot, lambda: widths(pilot)["tags"] == 45)
        await pilot.press("greater_than_sign")
        await until(pilot, lambda: widths(pilot)["tags"] > 45)
        assert widths(pilot)["tags"] + widths(pilot)["layers"] == 79
        await pilot.press("3")
        await until(pilot, lambda: widths(pilot)["layers"] + widths(pilot)["details"] == 79)
    async with acme(sizes=kept).app().run_test(size=LARGE) as pilot:
        await to_registry(pilot)
        assert widths(pilot) == sizes


@pytest.mark.parametrize("size", [(60, 15), (80, 24), (119, 30), (120, 30), (160, 45)])
async def test_kept_sizes_leave_every_pane_in_sight(size: tuple[int, int]) -> None:
    kept = {"repositories": 500, "details": 900, "layers": 1000, "narrow.tags": -5, "narrow.layers": 400, "odd": 3}
    async with acme(sizes=kept).app().run_test(size=size) as pilot:
        await to_registry(pilot)
        screen = browse(pilot)
        for name in ("repositories", "tags", "layers", "details"):
            screen.go(name)
            await quiet(pilot)
            for pane in (screen.repositories_pane, screen.tags_pane, screen.layers_pane, screen.details_pane):
                if pane.display and pane.parent.display:  # type: ignore[union-attr]
                    assert pane.region.right <= size[0]
                    assert pane.size.width >= 10
                    assert pane.size.height >= 2
