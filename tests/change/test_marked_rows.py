"""One plan and one answer for all marked rows: done row by row, each failure named, the rest not stopped."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from kittui.errors import Denied
from kittui.oci.protocols import Power
from kittui.oci.tag import Tag
from kittui.oci.target import parse_target
from kittui.terminal import size_text
from kittui.transfer.plan import blobs_of
from kittui.tui.app import PARTS
from kittui.tui.board.screen import BoardScreen
from kittui.tui.dialogs.choice import ChoiceDialog
from kittui.tui.dialogs.confirm import ConfirmDialog
from kittui.tui.dialogs.plan import PlanDialog
from kittui.tui.dialogs.prompt import InputDialog
from kittui.tui.frame.selection import Mark, Selection
from kittui.usecases.change.policy import Policy
from kittui.usecases.change.transfer import apply_move, plan_move
from tests.change.kits import Kits, jobs_of, on, ready, said
from tests.fakes.memory import MemoryRepository, MemorySource
from tests.tui.waiting import browse, quiet, text_of, until

SIZE = (120, 40)


@pytest.fixture
def kits(tmp_path: Path) -> Kits:
    return Kits(tmp_path)


def deny(kits: Kits, verb: str, what: str) -> None:
    """Have the registry refuse one request."""

    def refuse(repository: MemoryRepository, asked: str, of: str) -> None:
        if (asked, of) == (verb, what):
            raise Denied(f"you may not {verb} {what}")

    kits.registry.hooks.append(refuse)


def fill(pilot: Pilot[Any], text: str) -> None:
    pilot.app.screen.query_one(Input).value = text


async def mark(pilot: Pilot[Any], *tags: str) -> None:
    for tag in tags:
        await ready(pilot, tag)
        await pilot.press("space")
    await until(pilot, lambda: len(browse(pilot).marks) == len(tags))


async def test_marked_tags_are_removed_by_one_plan_and_each_failure_is_named(kits: Kits) -> None:
    deny(kits, "DELETE", "v0.9.0")
    async with kits.app().run_test(size=SIZE) as pilot:
        await mark(pilot, "v0.9.0", "v1.0.0", "v1.1.0")
        await pilot.press("x")
        await until(pilot, on(pilot, PlanDialog))
        assert "Remove 3 ModelKits" in text_of(pilot)
        await pilot.press("enter", "up", "enter")
        await until(pilot, lambda: "you may not" in said(pilot))
        assert "v1.0.0" not in kits.fraud.tagged
        assert "v0.9.0" in kits.fraud.tagged
        assert "v1.0.0, v1.1.0 removed; 2 digests stay" in said(pilot)
        assert "fraud:v0.9.0\nyou may not DELETE v0.9.0" in said(pilot)
        assert [each.target for each in browse(pilot).marks] == ["v0.9.0"]


async def test_marked_modelkits_are_deleted_by_one_plan_and_a_digest_once(kits: Kits) -> None:
    async with kits.app().run_test(size=SIZE) as pilot:
        await mark(pilot, "v0.9.0", "rollback", "v1.1.0", "challenger")
        await pilot.press("x")
        await until(pilot, on(pilot, PlanDialog))
        await pilot.press("enter", "down", "enter")
        await until(pilot, on(pilot, ConfirmDialog))
        assert "Delete 2 ModelKits" in text_of(pilot)
        await pilot.press(*"rollback", "enter")
        await until(pilot, lambda: sorted(kits.fraud.tagged) == ["champion", "v1.0.0"])
        await until(pilot, lambda: "4 tags and 2 ModelKits removed" in said(pilot))
        assert not browse(pilot).marks


async def test_marked_tags_are_retagged_by_one_name(kits: Kits) -> None:
    deny(kits, "PUT", "v1.0.0-ok")
    async with kits.app().run_test(size=SIZE) as pilot:
        await mark(pilot, "v0.9.0", "v1.0.0", "v1.1.0")
        await pilot.press("t")
        await until(pilot, on(pilot, InputDialog))
        fill(pilot, "same")
        await pilot.press("enter")
        await until(pilot, lambda: "write {tag}" in text_of(pilot))
        fill(pilot, "{tag}-ok")
        await pilot.press("enter")
        await until(pilot, on(pilot, PlanDialog))
        assert "Retag 3 ModelKits" in text_of(pilot)
        assert "v1.1.0-ok" in text_of(pilot)
        await pilot.press("enter", "enter")
        await until(pilot, lambda: "you may not" in said(pilot))
        assert kits.fraud.tagged["v0.9.0-ok"] == kits.fraud.tagged["v0.9.0"]
        assert "v1.0.0-ok" not in kits.fraud.tagged
        assert "you may not PUT v1.0.0-ok" in said(pilot)
        assert [each.target for each in browse(pilot).marks] == ["v1.0.0"]


async def test_a_retag_that_moves_tags_starts_on_cancel(kits: Kits) -> None:
    kits.fraud.tagged["v0.9.0-ok"] = kits.fraud.tagged["champion"]
    async with kits.app().run_test(size=SIZE) as pilot:
        await mark(pilot, "v0.9.0", "v1.1.0")
        await pilot.press("t")
        await until(pilot, on(pilot, InputDialog))
        fill(pilot, "{tag}-ok")
        await pilot.press("enter")
        await until(pilot, on(pilot, PlanDialog))
        assert "v0.9.0-ok exist and will move" in text_of(pilot)
        await pilot.press("enter", "enter")
        await quiet(pilot)
        assert "v1.1.0-ok" not in kits.fraud.tagged
        assert kits.fraud.tagged["v0.9.0-ok"] == kits.fraud.tagged["champion"]
        assert len(browse(pilot).marks) == 2


async def test_marked_tags_are_pushed_by_one_name(kits: Kits) -> None:
    for tag in ("champion", "challenger"):
        pulled = await plan_move("pull", kits.fraud, parse_target(tag), kits.store.repository("fraud"), Tag(tag))
        await apply_move(pulled, kits.ledger, Policy())
    async with kits.world.app("local://fraud").run_test(size=SIZE) as pilot:
        await mark(pilot, "champion", "challenger")
        await pilot.press("P")
        await until(pilot, on(pilot, InputDialog))
        fill(pilot, "remote://registry.test/team/{name}:one")
        await pilot.press("enter")
        await until(pilot, lambda: "write {tag}" in text_of(pilot))
        fill(pilot, "remote://registry.test/team/{name}:{tag}-b")
        await pilot.press("enter")
        await until(pilot, on(pilot, PlanDialog))
        await pilot.press("enter")
        await until(pilot, lambda: [job.state for job in jobs_of(pilot)] == ["done", "done"])
    team = kits.registry.repository("team/fraud")
    assert sorted(team.tagged) == ["challenger-b", "champion-b"]


async def test_what_marked_tags_share_is_counted_and_moved_once(kits: Kits) -> None:
    got: Counter[str] = Counter()
    kits.registry.hooks.append(lambda _, verb, what: got.update([what] if verb == "GET" else []))
    tags = ("rollback", "v0.9.0", "champion", "v1.0.0")
    blobs = blobs_of([await kits.fraud.manifest(Tag(tag)) for tag in tags])
    size = sum(blob.size for blob in blobs)
    async with kits.app().run_test(size=SIZE) as pilot:
        await mark(pilot, *tags)
        await pilot.press("p")
        await until(pilot, on(pilot, PlanDialog))
        assert f"{size_text(size)} to move." in text_of(pilot)
        got.clear()
        await pilot.press("enter")
        await until(pilot, lambda: [job.state for job in jobs_of(pilot)] == ["done"] * 4)
    assert {blob.digest: got[blob.digest] for blob in blobs} == {blob.digest: 1 for blob in blobs}
    stored = kits.store.repository("registry.test/fraud")
    for tag in tags:
        assert (await stored.resolve(Tag(tag))).digest == kits.fraud.tagged[tag]


async def test_a_plan_says_which_tags_the_store_has_already(kits: Kits) -> None:
    for tag in ("champion", "v0.9.0"):
        destination = kits.store.repository("registry.test/fraud")
        held = await plan_move("pull", kits.fraud, Tag(tag), destination, Tag(tag))
        await apply_move(held, kits.ledger, Policy())
    kits.fraud.tagged["v0.9.0"] = kits.fraud.tagged["challenger"]
    champion, old, new = (kits.fraud.tagged[tag].short for tag in ("champion", "rollback", "challenger"))
    async with kits.app().run_test(size=SIZE) as pilot:
        await mark(pilot, "champion", "v0.9.0", "challenger")
        await pilot.press("p")
        await until(pilot, on(pilot, PlanDialog))
        text = " ".join(text_of(pilot).split())
        assert f"champion {champion} → {champion} (unchanged)" in text
        assert f"v0.9.0 {old} → {new}" in text
        assert f"challenger none → {new}" in text


async def test_a_row_that_cannot_be_pulled_is_named_and_the_rest_is(kits: Kits) -> None:
    async with kits.app().run_test(size=SIZE) as pilot:
        await mark(pilot, "champion", "challenger")
        deny(kits, "GET", "champion")
        await pilot.press("p")
        await until(pilot, on(pilot, PlanDialog))
        assert "Left out: champion" in text_of(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: [job.state for job in jobs_of(pilot)] == ["done"])
        assert "you may not GET champion" in said(pilot)
        assert [each.target for each in browse(pilot).marks] == ["champion"]


async def test_marked_modelkits_are_unpacked_side_by_side(kits: Kits) -> None:
    out = kits.folder / "out"
    (out / "fraud-challenger").mkdir(parents=True)
    async with kits.app().run_test(size=SIZE) as pilot:
        await mark(pilot, "rollback", "challenger")
        await pilot.press("u")
        await until(pilot, on(pilot, InputDialog))
        fill(pilot, str(out))
        await pilot.press("enter")
        await until(pilot, lambda: "These exist already: fraud-challenger" in text_of(pilot))
        (out / "fraud-challenger").rmdir()
        await pilot.press("enter")
        await until(pilot, lambda: [job.state for job in jobs_of(pilot)] == ["done", "done"])
    found = sorted(str(path.relative_to(out)) for path in out.rglob("a.py"))
    assert found == ["fraud-challenger/src/a.py", "fraud-rollback/src/a.py"]


async def test_y_copies_the_references_of_all_marks(kits: Kits) -> None:
    async with kits.app().run_test(size=SIZE) as pilot:
        await mark(pilot, "champion", "challenger")
        await pilot.press("y")
        await until(pilot, on(pilot, ChoiceDialog))
        await pilot.press("enter")
        await quiet(pilot)
        assert pilot.app.clipboard == "registry.test/fraud:champion\nregistry.test/fraud:challenger"
        assert len(browse(pilot).marks) == 2


@pytest.mark.parametrize(
    ("key", "about"),
    [
        ("i", "what is under the cursor"),
        ("d", "what is under the cursor"),
        *((key, "fraud") for key in ("z", "c", "R", "X")),
        *((key, "v0.9.0") for key in ("H", "6")),
        *((key, "remote://registry.test") for key in ("b", "C")),
        ("F", "the places that you name"),
    ],
)
async def test_a_key_that_leaves_marks_out_says_so(kits: Kits, key: str, about: str) -> None:
    async with kits.app().run_test(size=SIZE) as pilot:
        await mark(pilot, "champion", "challenger", "v0.9.0")
        await pilot.press(key)
        await until(pilot, lambda: f"works on {about}: the marks (3) are left out, and stay" in said(pilot))
        await quiet(pilot)
        assert len(browse(pilot).marks) == 3


MARKED = {"pull", "push", "unpack", "retag", "remove", "vouch", "copy", "unmark"}
"""Commands that work on the marked rows."""
UNRELATED = {
    *("open", "close", "filter", "sort", "reverse", "mark", "mark-all", "group", "favourite", "refresh"),
    *("login", "logout", "next", "previous", "back", "zoom", "larger", "smaller", "help", "transfers"),
}
"""Commands that do nothing to ModelKits, besides those that go to a pane or turn a tab."""


def test_every_command_works_on_marks_or_says_that_it_leaves_them_out() -> None:
    here = MemorySource().repository("fraud")
    marks = tuple(Mark(here, Tag(tag)) for tag in ("one", "two", "three"))
    selection = Selection("tags", repository=here, target=Tag("four"), marks=marks)
    silent = {
        command.id
        for part in PARTS
        for command in part.commands
        if not command.alone(selection) and not command.id.startswith(("pane.", "tab."))
    }
    assert silent == MARKED | UNRELATED


@pytest.mark.parametrize(("key", "title"), [("c", "Promote sentiment"), ("R", "Roll back sentiment")])
async def test_promotion_and_rollback_act_on_the_repository_on_screen(kits: Kits, key: str, title: str) -> None:
    other = kits.registry.repository("sentiment")
    for name, tags in (("a", ("rollback",)), ("b", ("champion",)), ("c", ("challenger",))):
        other.add_kit(name, *tags)
    before = dict(kits.fraud.tagged)
    async with kits.app().run_test(size=SIZE) as pilot:
        await mark(pilot, "champion", "challenger")
        browse(pilot).open(kits.registry.place, "sentiment", Tag("champion"))
        await until(pilot, lambda: browse(pilot).selection.repository == other)
        await ready(pilot)
        await pilot.press(key)
        await until(pilot, on(pilot, PlanDialog))
        assert title in text_of(pilot)
        assert "It works on sentiment: the marks (2) are left out, and stay." in said(pilot)
        await pilot.press("enter", "enter")
        await until(pilot, lambda: "z undoes it" in said(pilot))
        assert kits.fraud.tagged == before
        assert len(browse(pilot).marks) == 2


async def test_marked_rows_of_another_source_are_what_a_key_asks_about(kits: Kits) -> None:
    """Whether something can be pulled, pushed or changed is a question about what it is done to."""
    pulled = await plan_move("pull", kits.fraud, parse_target("champion"), kits.store.repository("fraud"))
    await apply_move(pulled, kits.ledger, Policy())
    commands = {command.id: command for part in PARTS for command in part.commands}
    there = (Mark(kits.fraud, Tag("champion")),)
    stored = (Mark(kits.store.repository("fraud"), Tag("champion")),)
    in_store = Selection("repositories", source=kits.store, marks=there)
    in_registry = Selection("repositories", source=kits.registry, marks=stored)
    assert [commands["pull"].enabled(each) for each in (in_store, in_registry)] == [True, False]
    assert [commands["push"].enabled(each) for each in (in_store, in_registry)] == [False, True]
    kits.registry.powers["write"] = Power("no", "it is a cache")
    assert commands["retag"].refusal(in_store) == "remote://registry.test can't be changed: it is a cache."
    assert commands["retag"].enabled(in_registry)


async def test_a_command_from_another_screen_leaves_the_marks_of_the_panes(kits: Kits) -> None:
    async with kits.app().run_test(size=SIZE) as pilot:
        await mark(pilot, "champion", "challenger")
        await pilot.press("b")
        await until(pilot, on(pilot, BoardScreen))
        screen: Any = pilot.app.screen
        await until(pilot, lambda: screen.grid.row is not None)
        await pilot.press("t")
        await until(pilot, on(pilot, InputDialog))
        fill(pilot, "kept")
        await pilot.press("enter")
        await until(pilot, lambda: "kept" in kits.fraud.tagged)
        await quiet(pilot)
        assert len(browse(pilot).marks) == 2


async def test_one_undo_takes_back_what_one_plan_did(kits: Kits) -> None:
    before = dict(kits.fraud.tagged)
    async with kits.app().run_test(size=SIZE) as pilot:
        await mark(pilot, "v0.9.0", "v1.0.0", "v1.1.0")
        await pilot.press("t")
        await until(pilot, on(pilot, InputDialog))
        fill(pilot, "{tag}-kept")
        await pilot.press("enter")
        await until(pilot, on(pilot, PlanDialog))
        await pilot.press("enter", "enter")
        await until(pilot, lambda: len(kits.fraud.tagged) == len(before) + 3)
        await until(pilot, lambda: "z undoes it" in said(pilot))
        await quiet(pilot)
        await pilot.press("z")
        await until(pilot, on(pilot, PlanDialog))
        await pilot.press("enter")
        await until(pilot, lambda: kits.fraud.tagged == before)
        await quiet(pilot)
        await mark(pilot, "v0.9.0", "v1.0.0")
        await pilot.press("x")
        await until(pilot, on(pilot, PlanDialog))
        await pilot.press("enter", "up", "enter")
        await until(pilot, lambda: len(kits.fraud.tagged) == len(before) - 2)
        await until(pilot, on(pilot, type(browse(pilot))))
        await quiet(pilot)
        await pilot.press("z")
        await until(pilot, on(pilot, PlanDialog))
        await pilot.press("enter")
        await until(pilot, lambda: kits.fraud.tagged == before)
