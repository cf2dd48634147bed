"""The cursor never goes to another thing: what nobody chose is neither highlighted nor opened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.oci.reference import LOCAL, Place
from kittui.oci.tag import Tag
from kittui.tui.dialogs.plan import PlanDialog
from kittui.tui.panes.state import READY
from kittui.tui.panes.tree import PlaceRow, RepositoryRow
from tests.change.kits import Kits, on, ready
from tests.tui.waiting import browse, quiet, until
from tests.tui.world import World, WorldSource, kitfile

REGISTRY = Place("remote", host="registry.test")


def world(names: list[str]) -> tuple[World, WorldSource]:
    source = WorldSource(REGISTRY)
    for name in names:
        source.repository(name).add(kitfile("1"), [("model", 10, "none")], "champion")
    return World(WorldSource(LOCAL), source), source


async def test_among_many_repositories_the_named_one_is_opened() -> None:
    names = [f"team-{number // 10}/kit-{number % 10}" for number in range(150)]
    made, _ = world(names)
    async with made.app("registry.test/team-7/kit-3").run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: browse(pilot).tags_pane.current is not None)
        await quiet(pilot)
        row = browse(pilot).repositories_pane.current
        assert isinstance(row, RepositoryRow)
        assert row.entry.name == "team-7/kit-3"
        repository = browse(pilot).tags_pane.repository
        assert repository is not None
        assert repository.name == "team-7/kit-3"


async def test_a_new_sibling_leaves_the_cursor_where_it_is() -> None:
    made, source = world(["acme/fraud", "zeta"])
    async with made.app("registry.test/acme/fraud").run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: browse(pilot).tags_pane.current is not None)
        await quiet(pilot)
        browse(pilot).go("repositories")
        source.repository("acme/aaa").add(kitfile("1"), [("model", 10, "none")], "champion")
        await pilot.press("r")
        await until(pilot, lambda: source.asked["repositories"] == 2)
        await quiet(pilot)
        row = browse(pilot).repositories_pane.current
        assert isinstance(row, RepositoryRow)
        assert row.entry.name == "acme/fraud"


async def test_a_tag_that_is_gone_leaves_nothing_chosen() -> None:
    made, source = world(["fraud"])
    repository = source.repository("fraud")
    for tag in ("a", "b", "c"):
        repository.add(kitfile(tag), [("model", 10, "none")], tag)
    async with made.app("registry.test/fraud:b").run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: getattr(browse(pilot).tags_pane.current, "target", "") == "b")
        await quiet(pilot)
        browse(pilot).go("tags")
        del repository.named["b"]
        await pilot.press("r")
        await until(pilot, lambda: source.asked["tags"] == 2)
        await quiet(pilot)
        assert browse(pilot).tags_pane.current is None
        assert browse(pilot).selection.target is None
        await pilot.press("j")
        await until(pilot, lambda: browse(pilot).tags_pane.current is not None)


async def test_a_filter_chooses_its_first_match_on_enter_and_gives_the_choice_back() -> None:
    made, source = world(["fraud"])
    repository = source.repository("fraud")
    for tag in ("alpha", "beta"):
        repository.add(kitfile(tag), [("model", 10, "none")], tag)
    async with made.app("registry.test/fraud:champion").run_test(size=(120, 40)) as pilot:
        await until(pilot, lambda: getattr(browse(pilot).tags_pane.current, "target", "") == "champion")
        await quiet(pilot)
        browse(pilot).go("tags")
        await pilot.press("slash", *"bet")
        await until(pilot, lambda: len(browse(pilot).tags_pane.body.rows) == 1)
        assert browse(pilot).tags_pane.current is None
        await pilot.press("escape")
        await until(pilot, lambda: getattr(browse(pilot).tags_pane.current, "target", "") == "champion")
        await pilot.press("slash", *"bet", "enter")
        await until(pilot, lambda: getattr(browse(pilot).tags_pane.current, "target", "") == "beta")


def details(pilot: Pilot[Any]) -> str:
    """The words of the details' page, in view or not."""
    return str(browse(pilot).details_pane.body.page.lines)


async def test_signatures_are_those_of_the_repository_not_of_the_digest() -> None:
    made, source = world(["fraud"])
    store = made.sources[LOCAL]
    store.repository("fraud").add(kitfile("1"), [("model", 10, "none")], "champion")
    signed = source.repository("fraud")
    bundle = "application/vnd.dev.sigstore.bundle.v0.3+json"
    signed.signatures = [Descriptor(bundle, Digest.of(b"signature"), 2048, artifact_type=bundle)]
    async with made.app("local://fraud:champion").run_test(size=(160, 45)) as pilot:
        await until(pilot, lambda: "('unsigned', 'muted')" in details(pilot))
        await quiet(pilot)
        browse(pilot).open(REGISTRY, "fraud", Tag("champion"))
        await until(pilot, lambda: "('not verified', 'warn')" in details(pilot))


async def test_stages_and_panes_are_those_of_the_repository_in_view() -> None:
    made, source = world(["a"])
    source.repository("a").add(kitfile("1"), [("model", 10, "none")], "v1")
    source.repository("b").add(kitfile("2"), [("model", 10, "none")], "rollback", "v2")
    async with made.app("remote://registry.test/a:v1").run_test(size=(160, 45)) as pilot:
        screen = browse(pilot)
        pane = screen.tags_pane

        def stage(name: str) -> str:
            row = next((row for row in pane.body.rows if row.entry.name == name), None)
            return str(pane._cells(row)) if row is not None else ""

        await until(pilot, lambda: "champion" in stage("v1"))
        screen.open(REGISTRY, "b", Tag("v2"))
        await until(pilot, lambda: "rollback" in stage("v2"))
        screen.open(REGISTRY, "a", Tag("v1"))
        await until(pilot, lambda: "champion" in stage("v1") and "a:v1" in details(pilot))
        await quiet(pilot)
        pane.show_place(READY)
        await until(pilot, lambda: "a:v1" not in details(pilot))
        assert screen.layers_pane.current_layer is None


async def test_what_was_opened_is_under_the_cursor_in_its_own_repository() -> None:
    made, source = world(["a"])
    source.repository("a").add(kitfile("1"), [("model", 10, "none")], "v1")
    source.repository("b").add(kitfile("2"), [("model", 10, "none")], "v1")
    async with made.app("remote://registry.test/a:champion").run_test(size=(160, 45)) as pilot:
        screen = browse(pilot)

        def chosen() -> str:
            row = screen.tags_pane.current
            return row.repository.reference(row.target) if row is not None else ""

        async def shows(name: str) -> None:
            screen.open(REGISTRY, name, Tag("v1"))
            await until(pilot, lambda: chosen() == f"remote://registry.test/{name}:v1")
            await quiet(pilot)

        await until(pilot, lambda: chosen() == "remote://registry.test/a:champion")
        for name in ("b", "a", "b"):
            await shows(name)
        screen.open(REGISTRY, "a", Tag("gone"))
        await until(pilot, lambda: "a:gone is not listed." in "".join(n.message for n in pilot.app._notifications))
        await shows("b")


@pytest.mark.parametrize(("tag", "then"), [("v0.9.0", "v1.0.0"), ("champion", "challenger"), ("v1.1.0", "v1.0.0")])
async def test_a_tag_that_was_removed_here_leaves_the_cursor_on_its_neighbour(
    tag: str, then: str, tmp_path: Path
) -> None:
    kits = Kits(tmp_path)
    async with kits.app().run_test(size=(120, 36)) as pilot:
        await ready(pilot, tag)
        await pilot.press("x")
        await until(pilot, on(pilot, PlanDialog))
        await pilot.press("enter", "up", "enter")
        pane = browse(pilot).tags_pane
        await until(pilot, lambda: tag not in [row.target for row in pane.body.rows])
        await quiet(pilot)
        assert pane.current is not None
        assert pane.current.target == then
        assert browse(pilot).selection.target == then
        await pilot.press("z")
        await until(pilot, on(pilot, PlanDialog))
        await pilot.press("enter")
        await until(pilot, lambda: tag in [row.target for row in pane.body.rows])
        await quiet(pilot)
        assert pane.current is not None
        assert pane.current.target == then


async def test_a_repository_that_went_with_its_last_tag_leaves_the_cursor_on_its_source() -> None:
    made, _ = world(["fraud"])
    local: Any = made.sources[LOCAL]
    local.repository("aaa").add(kitfile("1"), [("model", 10, "none")], "v1")
    only = local.repository("zzz")
    only.add(kitfile("2"), [("model", 10, "none")], "v1")
    async with made.app("local://zzz:v1").run_test(size=(120, 36)) as pilot:
        await until(pilot, lambda: browse(pilot).tags_pane.current is not None)
        await quiet(pilot)
        only.named.clear()
        del local.repositories_["zzz"]
        browse(pilot).reload(only)
        await until(pilot, lambda: isinstance(browse(pilot).repositories_pane.current, PlaceRow))
        await quiet(pilot)
        assert browse(pilot).tags_pane.repository is None
