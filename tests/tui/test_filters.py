"""Filters: words in any order, exclusions, regular expressions, fuzzy words, and what only tags can be asked for."""

from __future__ import annotations

import random
from typing import Any

import pytest

from kittui.modelkit.stages import STAGES
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.oci.media_types import OCI_MANIFEST
from kittui.oci.order import natural_key
from kittui.oci.protocols import TagEntry
from kittui.oci.reference import LOCAL
from kittui.oci.tag import Tag
from kittui.tui.panes.queries import parse
from kittui.tui.panes.tag_rows import TagList, TagRow
from kittui.tui.panes.tree import RepositoryRow
from tests.fakes.memory import MemorySource
from tests.tui.waiting import LARGE, browse, listed, quiet, text_of, to_registry, until
from tests.tui.world import World, WorldSource, acme


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("fraud v1", {"fraud-v1.0", "v1-fraud"}),
        ("v1 !fraud", {"risk-v1.2"}),
        ("/^v\\d/", {"v1-fraud"}),
        ("!/fraud/", {"risk-v1.2"}),
        ("~fdv1", {"fraud-v1.0"}),
        ("FRAUD", {"fraud-v1.0", "v1-fraud"}),
        ("/(/", set()),
        ("older:30d", set()),
        ("!", {"fraud-v1.0", "v1-fraud", "risk-v1.2"}),
    ],
)
def test_what_a_filter_finds(text: str, found: set[str]) -> None:
    assert {name for name in ("fraud-v1.0", "v1-fraud", "risk-v1.2") if parse(text).matches(name)} == found


def test_a_filter_that_cannot_be_used_says_why() -> None:
    assert parse("/(/").problem == "not a regular expression"
    assert "12h" in parse("older:soon", tags=True).problem
    assert "yes or no" in parse("signed:perhaps", tags=True).problem
    assert parse("/" + "a" * 400 + "/").problem == "the regular expression is too long"
    assert parse("/(?:a{1000}){1000}{1000}/").problem


def test_a_regular_expression_is_matched_in_linear_time() -> None:
    assert not parse("/^(a+)+$/").matches("a" * 50_000 + "!")


def test_versions_are_in_their_proper_order() -> None:
    ordered = [
        "v0.9.0", "v1.0.0-dev.1", "v1.0.0-alpha.2", "v1.0.0-alpha.10", "v1.0.0-beta", "v1.0.0rc1", "v1.0.0-rc.2",
        "v1.0.0", "v1.0.0-gzip", "v1.0.1", "v1.9.0", "v1.10.0", "v2.0.0-nightly", "v2.0.0-nightly.20260101120000",
        "v2.0.0",
    ]  # fmt: skip
    shuffled = list(ordered)
    random.Random(7).shuffle(shuffled)
    assert sorted(shuffled, key=natural_key) == ordered


async def test_tags_are_asked_for_by_what_they_are() -> None:
    world = acme()
    async with world.app().run_test(size=LARGE) as pilot:
        await to_registry(pilot)
        pane = browse(pilot).tags_pane
        for text, found in {
            "stage:champ": {"champion", "v1.0.0"},
            "older:30d": {"rollback", "retired", "v0.9.0", "v0.8.0"},
            "newer:1d !tuning": {"challenger", "v1.1.0"},
            "v !stage:champion": {"v1.1.0", "v0.9.0", "v0.8.0"},
        }.items():
            pane.set_filter(text)
            await until(pilot, lambda found=found: {row.entry.name for row in pane.body.rows} == found)  # type: ignore[misc]
        digest = next(row.digest for row in pane._list.rows if row.entry.name == "champion")  # type: ignore[union-attr]
        pane.set_filter(f"digest:{digest.hex[:8]}")  # type: ignore[union-attr]
        assert {row.entry.name for row in pane.body.rows} == {"champion", "v1.0.0"}


async def test_signatures_are_asked_for_only_where_a_filter_wants_them() -> None:
    world = acme()
    async with world.app().run_test(size=LARGE) as pilot:
        await to_registry(pilot)
        pane = browse(pilot).tags_pane
        repository = pane.repository
        assert repository is not None
        signature = Descriptor(
            OCI_MANIFEST, Digest.of(b"s"), 1, artifact_type="application/vnd.dev.sigstore.bundle.v0.3+json"
        )
        repository.signatures.append(signature)  # type: ignore[attr-defined]
        before = repository.source.asked["referrers"]  # type: ignore[attr-defined]
        pane.set_filter("signed:yes v1")
        await until(pilot, lambda: {row.entry.name for row in pane.body.rows} == {"v1.0.0", "v1.1.0"})
        assert repository.source.asked["referrers"] > before  # type: ignore[attr-defined]
        pane.set_filter("signed:no")
        await until(pilot, lambda: "None of the " in text_of(pilot))


async def test_after_enter_the_cursor_is_on_the_first_match() -> None:
    async with acme().app().run_test(size=LARGE) as pilot:
        await to_registry(pilot)
        pane = browse(pilot).tags_pane
        await pilot.press("G")
        last = pane.current
        await pilot.press("slash", "v", "enter")
        await until(pilot, lambda: pane.current is pane.body.rows[0])
        assert pane.current is not last
        await pilot.press("j", "slash", "enter")
        await quiet(pilot)
        assert pane.current is pane.body.rows[1], "nothing else was typed"


@pytest.mark.parametrize("backwards", [False, True])
def test_what_is_unknown_comes_last_and_what_is_equal_keeps_the_order_of_stages(backwards: bool) -> None:
    made = {"run-2": None, "v1": "2026-01-01T00:00:00Z", "run-1": None, "v2": "2026-01-01T01:00:00+02:00", "odd": "x"}
    repository = MemorySource().repository("kit")
    names = (*made, "v3", "champion")
    tags = TagList(repository, STAGES, [TagRow.of(repository, TagEntry(Tag(name))) for name in names])
    for row in tags.rows:
        row.created = made.get(row.entry.name or "", "2026-03-01T00:00:00Z")
    dated = ["v2", "v1", "champion", "v3"] if backwards else ["champion", "v3", "v1", "v2"]
    found = [row.entry.name for row in tags.ordered("newest", grouped=False, backwards=backwards)]
    assert found == [*dated, "odd", "run-1", "run-2"]


def test_turned_around_the_first_row_of_a_group_is_the_one_with_its_digest() -> None:
    repository = MemorySource().repository("kit")
    digest = Digest.of(b"one")
    entries = [TagEntry(Tag(name), Descriptor(OCI_MANIFEST, digest, 3)) for name in ("v1", "v2")]
    tags = TagList(repository, STAGES, [TagRow.of(repository, entry) for entry in entries])
    found = tags.ordered("name", grouped=True, backwards=True)
    assert [(row.entry.name, row.ditto) for row in found] == [("v2", False), ("v1", True)]


async def test_the_order_is_turned_around() -> None:
    async with acme().app().run_test(size=LARGE) as pilot:
        await to_registry(pilot)
        pane = browse(pilot).tags_pane
        names = [row.entry.name for row in pane.body.rows]
        await pilot.press("I")
        await until(pilot, lambda: [row.entry.name for row in pane.body.rows] == names[::-1])
        assert "↑" in text_of(pilot)


@pytest.mark.parametrize(
    ("pane", "typed", "problem"),
    [
        ("tags", "foo:x", "there is no foo:"),
        ("tags", "/(/", "not a regular expression"),
        ("repositories", "/(/", "not a regular expression"),
        ("repositories", "stage:champion", "stage: works only on tags"),
        ("layers", "/(/", "not a regular expression"),
    ],
)
@pytest.mark.parametrize("width", [80, 160])
async def test_what_is_wrong_with_a_filter_is_in_its_line(pane: str, typed: str, problem: str, width: int) -> None:
    async with acme().app().run_test(size=(width, 30)) as pilot:
        await to_registry(pilot)
        browse(pilot).go(pane)  # type: ignore[arg-type]
        await quiet(pilot)
        await pilot.press("slash", *typed)
        start = f"✗ {problem[:8]}"
        await until(pilot, lambda: any(typed in line and start in line for line in text_of(pilot).splitlines()))
        await pilot.press(*["backspace"] * len(typed))
        await until(pilot, lambda: start not in text_of(pilot))


async def test_thousands_of_repositories_are_filtered_without_going_through_their_cells() -> None:
    source = WorldSource(LOCAL)
    for number in range(5000):
        source.repository(f"team-{number % 40}/model-{number:04}")
    async with World(source).app().run_test(size=LARGE) as pilot:
        await listed(pilot)
        pane = browse(pilot).repositories_pane
        drawn: list[object] = []
        cells = pane.body._drawn._cells
        pane.body._drawn._cells = lambda row: drawn.append(row) or cells(row)  # type: ignore[func-returns-value]
        await pilot.press("slash", *"~md49 !team-3", "enter")
        await until(pilot, lambda: isinstance(pane.current, RepositoryRow))
        wanted = parse("~md49 !team-3")
        found = [row for row in pane.body.rows if isinstance(row, RepositoryRow)]
        assert len(found) == sum(wanted.matches(name) for name in source.repositories_)
        assert pane.current is found[0]
        assert len(drawn) < 14 * 3 * 45, "of each of the keys a few pages"


async def test_the_board_is_filtered_as_lists_are() -> None:
    async with acme().app().run_test(size=LARGE) as pilot:
        await to_registry(pilot)
        await pilot.press("b")
        await until(pilot, lambda: "of 4" in text_of(pilot) and "reading" not in text_of(pilot))
        await pilot.press("j", "j", "slash", *"acme !rollback /bot|model/")
        screen: Any = pilot.app.screen
        await until(pilot, lambda: len(screen.grid.rows) == 2)
        await pilot.press("enter")
        await until(pilot, lambda: screen.grid.row is screen.grid.rows[0])
        await pilot.press("slash", *" /(/")
        await until(pilot, lambda: "✗ not a regular expression" in text_of(pilot))
