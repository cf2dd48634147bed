"""What the header keeps where room is short: what is under way, with the key that stops it."""

from __future__ import annotations

import pytest

from kittui.errors import without_again
from kittui.oci.reference import LOCAL, Place
from tests.tui.waiting import browse, quiet, text_of, until
from tests.tui.world import World, WorldSource, kitfile

NAME = "teams/fraud-and-abuse/detectors/gradient-boosted"
WORK = "Roll back … registry.test: 34 requests, 1.2 MB; Esc stops"


def world() -> World:
    source = WorldSource(Place("remote", host="registry.test"))
    source.repository(NAME).add(kitfile("x"), [("model", 10, "none")], "v2026.11.23-candidate.7")
    return World(WorldSource(LOCAL), source)


@pytest.mark.parametrize("width", [60, 70, 80, 100, 120, 160])
async def test_how_to_stop_is_there_at_every_width(width: int) -> None:
    async with world().app(f"registry.test/{NAME}:v2026.11.23-candidate.7").run_test(size=(width, 24)) as pilot:
        await until(pilot, lambda: browse(pilot).tags_pane.current is not None)
        await quiet(pilot)
        browse(pilot).go("tags")
        await quiet(pilot)
        browse(pilot).program.activity("one", "⬇ 1 pull 62 %")
        browse(pilot).program.activity("two", WORK)
        await until(pilot, lambda: "Esc stops" in text_of(pilot))
        header = text_of(pilot).splitlines()[0]
        assert "requests, 1.2 MB; Esc stops" in header
        assert header.startswith(" kittui ")
        assert len(header) == width
        if width >= 80:
            assert WORK in header
        if "read-write" in header:
            assert NAME in header
        if "⬇ 1 pull" in header:
            assert header.index("Roll back") < header.index("⬇ 1 pull"), "the newest is first"
        else:
            assert "+1" in header


async def test_what_never_changes_goes_before_where_you_are() -> None:
    async with world().app(f"registry.test/{NAME}:v2026.11.23-candidate.7").run_test(size=(120, 24)) as pilot:
        await until(pilot, lambda: browse(pilot).tags_pane.current is not None)
        await quiet(pilot)
        browse(pilot).go("tags")
        await quiet(pilot)
        browse(pilot).program.activity("one", "⬇ 1 pull 62 %")
        await until(pilot, lambda: "1 pull" in text_of(pilot))
        header = text_of(pilot).splitlines()[0]
        assert f"registry.test › {NAME} › v2026.11.23-candidate.7" in header
        assert "read-write" not in header


@pytest.mark.parametrize(
    ("hint", "rest"),
    [
        (None, ""),
        ("Try again; what has been transferred is kept.", "What has been transferred is kept."),
        ("The registry is in trouble; try again later.", "The registry is in trouble."),
        ("Free some space. Run it again: nothing is lost.", "Free some space. Nothing is lost."),
        ("It asks to be left alone for 3 seconds; try again then.", "It asks to be left alone for 3 seconds."),
        ("Log in again: kittui login ghcr.io.", "Log in again: kittui login ghcr.io."),
        ("See kittui ls.", "See kittui ls."),
        ("kittui ls oci:d/a lists its tags.", "kittui ls oci:d/a lists its tags."),
        ("Try again: kittui ls oci:d/a lists its tags.", "kittui ls oci:d/a lists its tags."),
    ],
)
def test_advice_to_try_again_gives_way_to_better_advice(hint: str | None, rest: str) -> None:
    assert without_again(hint) == rest
