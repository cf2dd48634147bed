"""The dialog of promote and roll back: what changes is shown as it is read, and never holds anything up."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, OptionList

from kittui.compare.review import Review
from kittui.errors import ConnectionLost
from kittui.modelkit import ModelKit
from kittui.modelkit.stages import LifecycleTags
from kittui.oci.tag import Tag
from kittui.state.reviews import Reviews
from kittui.trust.gates import GateSet, LicenseIn, Reviewed, SignedBy
from kittui.tui.change.gate_lines import gate_parts
from kittui.tui.change.promoting import PromotionDialog
from kittui.tui.compare.screen import CompareScreen
from kittui.tui.dialogs.dialog import Box
from kittui.tui.dialogs.prompt import TYPED_BEFORE, InputDialog
from kittui.usecases.change.policy import Announced, Policy, Verdict
from kittui.usecases.trust.rule import GateRule
from tests.change.kits import CODE, TAR, Kits, on, ready, said, tar
from tests.fakes.rules import Never
from tests.tui.waiting import LARGE, SMALL, quiet, text_of, until


@pytest.fixture
def kits(tmp_path: Path) -> Kits:
    return Kits(tmp_path)


async def opened(pilot: Pilot[Any], key: str = "c") -> None:
    await ready(pilot)
    await pilot.press(key)
    await until(pilot, on(pilot, PromotionDialog))


def inside(pilot: Pilot[Any]) -> bool:
    """Whether all of the dialog's choices are on the screen, without scrolling."""
    options = pilot.app.screen.query_one(OptionList)
    return options.region.bottom < pilot.app.size.height and options.region.height == options.option_count


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=str)
async def test_it_says_what_changes_and_fits(kits: Kits, size: tuple[int, int]) -> None:
    kits.fraud.add_kit(
        "two",
        "challenger",
        layers=[(CODE, tar(a=b"alpha", c=b"gamma")), (TAR, b"n" * 1000)],
        model={"path": "m", "parameters": {"epochs": 30, "rate": 0.0005}},
        code=[{"path": "src", "description": "features"}],
    )
    kits.fraud.add_kit(
        "one",
        "champion",
        layers=[(TAR, b"m" * 3_000_000), (CODE, tar(a=b"alpha"))],
        model={"path": "m", "parameters": {"epochs": 20, "rate": 0.001}},
        code=[{"path": "src"}],
    )
    kits.fraud.tagged.pop("v0.9.0")
    async with kits.app().run_test(size=size) as pilot:
        await opened(pilot)
        await until(pilot, lambda: "2 changed · 3.0 MB → " in text_of(pilot))
        shown = text_of(pilot)
        assert "4 values" in shown
        assert "model.parameters.epochs" in shown
        assert "20 → 30" in shown
        assert "Ctrl+O See the changes" in shown
        assert "loses its last tag" in shown
        for words in ("Reason", "Promote and retire", "Cancel"):
            assert words in shown
        assert inside(pilot)


async def test_promote_and_retire_moves_what_was_shown(kits: Kits) -> None:
    """Nobody agreed to what challenger became while the dialog was open."""
    kits.fraud.tagged.pop("v0.9.0")
    kits.fraud.add_kit("other", "v9", layers=[(CODE, tar(a=b"other"))], code=[{"path": "src"}])
    before = {**kits.fraud.tagged}
    async with kits.app().run_test(size=LARGE, notifications=True) as pilot:
        await opened(pilot)
        kits.fraud.tagged["challenger"] = kits.fraud.tagged["v9"]
        await pilot.press("enter", "down", "enter")
        await until(pilot, lambda: "challenger moved" in said(pilot))
        assert kits.fraud.tagged == {**before, "challenger": before["v9"]}
        await quiet(pilot)
        await pilot.press("c")
        await until(pilot, on(pilot, PromotionDialog))
        await pilot.press("enter", "down", "enter")
        await until(pilot, lambda: kits.fraud.tagged["champion"] == before["v9"])
        assert kits.fraud.tagged["rollback"] == before["champion"]
        assert kits.fraud.tagged["retired"] == before["rollback"]


async def test_d_opens_the_comparison_and_comes_back(kits: Kits) -> None:
    async with kits.app().run_test(size=SMALL) as pilot:
        await opened(pilot)
        await pilot.press("ctrl+o")
        await until(pilot, on(pilot, CompareScreen))
        await until(pilot, lambda: "champion" in text_of(pilot) and "challenger" in text_of(pilot))
        await pilot.press("escape")
        await until(pilot, on(pilot, PromotionDialog))
        assert kits.tags()["champion"] == "v1.0.0"
        await pilot.press("enter", "enter")
        await until(pilot, lambda: kits.tags()["champion"] == "v1.1.0")


async def test_a_rollback_is_compared_with_what_it_goes_back_to(kits: Kits) -> None:
    async with kits.app().run_test(size=SMALL) as pilot:
        await opened(pilot, "R")
        await until(pilot, lambda: "1 removed" in text_of(pilot))
        await pilot.press("ctrl+o")
        await until(pilot, on(pilot, CompareScreen))
        await until(pilot, lambda: "rollback" in text_of(pilot))
        await pilot.press("escape")
        await until(pilot, on(pilot, PromotionDialog))
        await pilot.press("enter", "enter")
        await until(pilot, lambda: kits.tags()["champion"] == "v0.9.0")


async def test_confirming_does_not_wait_for_the_comparison(kits: Kits) -> None:
    never = asyncio.Event()
    asked = asyncio.Event()

    async def modelkit(repository: Any, target: str) -> ModelKit:
        asked.set()
        await never.wait()
        raise AssertionError

    async with kits.app().run_test(size=SMALL) as pilot:
        await ready(pilot)
        kits.world._modelkit = modelkit  # type: ignore[method-assign]
        await pilot.press("c")
        await until(pilot, asked.is_set)
        assert "Comparing the two" in text_of(pilot)
        await pilot.press("enter", "enter")
        await until(pilot, lambda: kits.tags()["champion"] == "v1.1.0")


async def test_a_comparison_that_fails_is_said_and_promoting_goes_on(kits: Kits) -> None:
    async def modelkit(repository: Any, target: str) -> ModelKit:
        raise ConnectionLost("the connection was cut")

    async with kits.app().run_test(size=SMALL) as pilot:
        await ready(pilot)
        kits.world._modelkit = modelkit  # type: ignore[method-assign]
        await pilot.press("c")
        await until(pilot, lambda: "the connection was cut" in text_of(pilot))
        await pilot.press("enter", "enter")
        await until(pilot, lambda: kits.tags()["champion"] == "v1.1.0")


async def test_the_first_champion_is_compared_with_nothing(kits: Kits) -> None:
    del kits.fraud.tagged["champion"]
    async with kits.app().run_test(size=SMALL) as pilot:
        await ready(pilot, "challenger")
        await pilot.press("c")
        await until(pilot, on(pilot, PromotionDialog))
        assert "rollback stays unchanged" in text_of(pilot)
        assert "See the changes" not in text_of(pilot)
        await pilot.press("ctrl+o", "enter", "enter")
        await until(pilot, lambda: kits.tags().get("champion") == "v1.1.0")


async def test_the_configured_stages_are_moved(tmp_path: Path) -> None:
    kits = Kits(tmp_path, stages=LifecycleTags(Tag("candidate"), Tag("live"), Tag("previous"), Tag("old")))
    names = {"champion": "live", "challenger": "candidate", "rollback": "previous"}
    kits.fraud.tagged = {names.get(tag, tag): digest for tag, digest in kits.fraud.tagged.items()}
    kits.fraud.tagged.pop("v0.9.0")
    nine = kits.fraud.tagged["previous"]
    async with kits.app().run_test(size=SMALL) as pilot:
        await ready(pilot, "live")
        await pilot.press("c")
        await until(pilot, on(pilot, PromotionDialog))
        shown = text_of(pilot)
        assert "what previous held is tagged old" in shown
        await pilot.press("down", "down", "enter")
        await until(pilot, lambda: kits.tags()["live"] == "v1.1.0")
        assert kits.tags()["previous"] == "v1.0.0"
        assert kits.fraud.tagged["old"] == nine
        await ready(pilot, "live")
        await pilot.press("R")
        await until(pilot, on(pilot, PromotionDialog))
        await pilot.press("enter", "enter")
        await until(pilot, lambda: kits.tags()["live"] == "v1.0.0")
        assert not {"champion", "challenger", "rollback", "retired"} & set(kits.fraud.tagged)


async def test_a_gate_that_says_no_is_shown_and_needs_a_reason_to_be_overridden(tmp_path: Path) -> None:
    kits = Kits(tmp_path, rules=(Never(),))
    async with kits.app().run_test(size=SMALL) as pilot:
        await opened(pilot)
        await pilot.press("enter", "enter")
        await until(pilot, on(pilot, InputDialog))
        assert "never: FAIL: nothing may move; ask somebody" in text_of(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: "An override needs a reason." in text_of(pilot))
        await pilot.press("escape")
        await quiet(pilot)
        assert kits.tags()["champion"] == "v1.0.0"
        await pilot.press("c")
        await until(pilot, on(pilot, PromotionDialog))
        await pilot.press("enter", "enter")
        await until(pilot, on(pilot, InputDialog))
        await pilot.press(*"agreed", "enter")
        await until(pilot, lambda: kits.tags()["champion"] == "v1.1.0")
        await quiet(pilot)
    told = [(event.tag, event.reason, event.overridden) for event in kits.ledger.history.events()]
    stopped = ("never: nothing may move",)
    assert sorted(told) == [("champion", "override: agreed", stopped), ("rollback", "override: agreed", stopped)]


async def test_gates_fill_in_the_cheapest_first(tmp_path: Path) -> None:
    kits = Kits(tmp_path)
    asked, tools, evidence = asyncio.Event(), kits.world.change_tools, kits.world.evidence
    first = evidence.statements

    async def later(*words: Any, **_: Any) -> Any:
        await asked.wait()
        return await first(*words)

    sets = (GateSet("", "champion", (SignedBy(("CI",)), LicenseIn(("MIT",))), enforce=True),)
    rule = GateRule(sets, evidence, kits.ledger.history, {"champion"})
    assert tools is not None
    kits.world.change_tools = replace(tools, policy=Policy(rules=(rule, Never())))
    async with kits.app().run_test(size=LARGE) as pilot:
        await ready(pilot)
        evidence.statements = later  # type: ignore[method-assign]
        await pilot.press("c")
        await until(pilot, lambda: "✗ license  the Kitfile has no license" in text_of(pilot))
        shown = text_of(pilot)
        assert "· signed by CI  reads what is attached to it" in shown
        assert "· never  reads nothing" in shown
        assert shown.index("license") < shown.index("signed by CI") < shown.index("never")
        assert "✗ 1  … 2 pending" in shown
        asked.set()
        await until(pilot, lambda: "✗ never  nothing may move" in text_of(pilot))
        assert "✗ signed by CI  it is not signed by CI" in text_of(pilot)


async def test_gates_that_can_not_be_read_are_shown(tmp_path: Path) -> None:
    kits = Kits(tmp_path)
    tools = kits.world.change_tools
    assert tools is not None
    rule = GateRule((), kits.world.evidence, kits.ledger.history, {"champion"}, "gates.1: there is no such key")
    kits.world.change_tools = replace(tools, policy=Policy(rules=(rule,)))
    async with kits.app().run_test(size=LARGE) as pilot:
        await opened(pilot)
        await until(pilot, lambda: "? gates  they can't be read: gates.1: there is no such key" in text_of(pilot))


def test_gates_are_shown_in_whole_words_and_what_stops_the_move_first() -> None:
    name, reason = "gate approved by 2 of ada, dana (production)", "approved by ada; 1 more of dana must approve"
    stopped = Verdict(name, "fail", reason, moved="champion")
    passed = Verdict("gate license", "pass", "MIT", moved="champion")
    gates = [Announced(each, "champion", "nothing") for each in ("gate license", "gate scanned", name)]
    lines = [part.plain for part in gate_parts(gates, [stopped, passed], 50)]
    assert lines == [
        "Gates  ✓ 1  ✗ 1  … 1 pending",
        "✗ approved by 2 of ada, dana (production)",
        "  approved by ada; 1 more of dana must approve",
        "· scanned  reads nothing",
        "✓ license  MIT",
    ]
    assert [line.plain for line in gate_parts(gates, [stopped], 200)][1].endswith(
        "(production)  approved by ada; 1 more of dana must approve"
    )


def held_back(kits: Kits, count: int) -> None:
    """As many gates as that say no, each with a reason of two lines."""
    tools = kits.world.change_tools
    assert tools is not None
    people = [f"person{number} of the department that answers for what this model decides" for number in range(count)]
    sets = (GateSet("", "champion", tuple(SignedBy((each,)) for each in people), enforce=True),)
    rule = GateRule(sets, kits.world.evidence, kits.ledger.history, {"champion"})
    kits.world.change_tools = replace(tools, policy=Policy(rules=(rule,)))


@pytest.mark.parametrize(("size", "wide"), [(SMALL, 80), ((120, 35), 110), (LARGE, 110)], ids=str)
async def test_every_gate_that_says_no_can_be_read(kits: Kits, size: tuple[int, int], wide: int) -> None:
    held_back(kits, 9)
    async with kits.app().run_test(size=size) as pilot:
        await opened(pilot)
        await until(pilot, lambda: "✗ 9" in text_of(pilot))
        await quiet(pilot)
        assert pilot.app.screen.query_one(Box).region.width == wide
        seen = set(re.findall(r"✗ signed by person(\d)", text_of(pilot)))
        for _ in range(5):
            assert inside(pilot)
            if "PgDn More" in text_of(pilot):
                await pilot.press("pagedown")
                await quiet(pilot)
                seen |= set(re.findall(r"✗ signed by person(\d)", text_of(pilot)))
        assert seen == set("012345678")
        await pilot.press(*"why", "pageup", "pageup", "pageup")
        await quiet(pilot)
        assert "remote://registry.test/fraud" in text_of(pilot)
        assert pilot.app.screen.query_one(Input).value == "why"


async def test_the_review_of_the_two_is_shown_and_read_again_after_comparing(tmp_path: Path) -> None:
    kits = Kits(tmp_path)
    reviews = kits.world.evidence.reviews = Reviews(tmp_path / "reviews")
    tools = kits.world.change_tools
    assert tools is not None
    sets = (GateSet("", "champion", (Reviewed(),), enforce=True),)
    rule = GateRule(sets, kits.world.evidence, kits.ledger.history, {"champion"})
    kits.world.change_tools = replace(tools, policy=Policy(rules=(rule,)))
    pair = str(kits.fraud.tagged["champion"]), str(kits.fraud.tagged["challenger"])
    async with kits.app().run_test(size=LARGE) as pilot:
        await opened(pilot)
        await until(pilot, lambda: "Not reviewed by you; Ctrl+O compares the two." in text_of(pilot))
        await until(pilot, lambda: "✗ reviewed" in text_of(pilot))
        await pilot.press("ctrl+o")
        await until(pilot, on(pilot, CompareScreen))
        half = Review(frozenset({"a", "b"}), {"Kitfile/model.path": "why [b]this[/b]?"}, "rejected", 14, 12)
        reviews.write(*pair, half.to_json())
        await pilot.press("escape")
        await until(pilot, on(pilot, PromotionDialog))
        said = "You reviewed these two: rejected, 2 of 14 changes seen, 1 note"
        await until(pilot, lambda: said in text_of(pilot))
        assert "✎ Kitfile/model.path: why [b]this[/b]?" in text_of(pilot)
        await until(pilot, lambda: "12 of 14 changes against the present champion are not ticked" in text_of(pilot))
        reviews.write(*pair, replace(half, verdict="approved", left=0, notes={}).to_json())
        await pilot.press("ctrl+o")
        await until(pilot, on(pilot, CompareScreen))
        await pilot.press("escape")
        await until(pilot, lambda: "You reviewed these two: approved, 14 of 14 changes seen" in text_of(pilot))
        await until(pilot, lambda: "✓ reviewed  all 14 changes are ticked on this machine" in text_of(pilot))


async def test_a_reason_that_is_left_or_of_no_avail_is_there_again(kits: Kits) -> None:
    async with kits.app().run_test(size=LARGE, notifications=True) as pilot:
        await opened(pilot)
        await pilot.press(*"better recall", "escape")
        await until(pilot, lambda: "What you typed is kept" in said(pilot))
        await pilot.press("c")
        await until(pilot, on(pilot, PromotionDialog))
        assert pilot.app.screen.query_one("#reason", Input).value == "better recall"
        assert TYPED_BEFORE in text_of(pilot)
        await pilot.press("enter")
        options = pilot.app.screen.query_one(OptionList)
        options.highlighted = 0
        await pilot.press("enter")
        await until(pilot, lambda: "undoes it" in said(pilot))
        assert not pilot.app.drafts._kept
