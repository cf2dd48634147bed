"""The board on the screen: cards, what waits, filter, sort, group; what is done to a card is what the panes do."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from rich.cells import cell_len
from textual.pilot import Pilot

from kittui.cli.compose import Composition
from kittui.cli.ports import build_ports
from kittui.config import Flags
from kittui.demo.stage import set_up
from kittui.demo.trusted import REPOSITORY, vouch
from kittui.errors import UsageError
from kittui.modelkit import STAGES
from kittui.oci.digest import Digest
from kittui.oci.reference import LOCAL
from kittui.oci.tag import Tag
from kittui.state.history import History
from kittui.state.journal import Entry, Step, new_id, now
from kittui.trust.gates import ApprovedBy, GateSet, SignedBy
from kittui.trust.keyring import Keyring, TrustedKey
from kittui.trust.signing import public_key
from kittui.tui.app import KittuiApp
from kittui.tui.board.cards import about, card
from kittui.tui.board.columns import GAP
from kittui.tui.board.grid import Grid
from kittui.tui.board.screen import BoardScreen
from kittui.tui.change.history_screen import HistoryScreen
from kittui.tui.change.promoting import PromotionDialog
from kittui.tui.dialogs.choice import ChoiceDialog
from kittui.tui.dialogs.prompt import InputDialog
from kittui.tui.frame.ports import PlaceEntry
from kittui.tui.widgets.cutting import apart
from kittui.usecases.change.policy import Policy, Verdict
from kittui.usecases.change.tools import ChangeTools
from kittui.usecases.change.unfinished import half_done
from kittui.usecases.trust.board import BoardRow, Cell
from kittui.usecases.trust.rule import GateRule
from kittui.usecases.trust.sign import sign
from kittui.usecases.trust.signer import KeySigner
from tests.change.kits import Kits, on, ready, said_times
from tests.fakes.memory import MemorySource
from tests.tui.waiting import LARGE, SMALL, browse, footer, quiet, text_of, until
from tests.tui.world import NOW

OPS, ANNA = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
MIDDLE = (120, 35)
SIZES = pytest.mark.parametrize("size", [SMALL, MIDDLE, LARGE], ids=["80x24", "120x35", "160x45"])


def gated(folder: Path) -> Kits:
    """Three repositories; promotions need CI's signature and Anna's approval."""
    kits = Kits(folder)
    for name in ("churn", "team/prices"):
        repository = kits.registry.repository(name)
        repository.add_kit("x", "tuned", package={"name": name, "version": "0.3"})
    kits.registry.repository("plain").add_kit("y", "v1")
    kits.world.keyring = Keyring((TrustedKey("ops", public_key(OPS)), TrustedKey("Anna", public_key(ANNA))))
    sets = (GateSet("", "champion", (SignedBy(("ops",)), ApprovedBy(1, ("Anna",))), "challenger", enforce=True),)
    rule = GateRule(sets, kits.world.evidence, History(folder / "state"), {stage.name for stage in STAGES})
    tools = kits.world.change_tools
    assert tools is not None
    policy = Policy(rules=(rule,))
    kits.world.change_tools = ChangeTools(tools.ledger, policy, tools.inspector, tools.find, tools.tuning)
    return kits


@pytest.fixture
def kits(tmp_path: Path) -> Kits:
    return gated(tmp_path)


async def opened(pilot: Pilot[Any]) -> Any:
    """Press b in the registry, and wait until every card is there."""
    await ready(pilot)
    await pilot.press("b")
    await until(pilot, on(pilot, BoardScreen))
    screen: Any = pilot.app.screen
    await until(pilot, lambda: len(screen.rows) == 4 and all(row.complete for row in screen.rows.values()))
    await until(pilot, lambda: "reading" not in text_of(pilot))
    return screen


def names(screen: Any) -> Sequence[str]:
    grid: Grid = screen.grid
    return [row.name for row in grid.rows]


@SIZES
async def test_cards_say_what_stands_where_and_what_waits(kits: Kits, size: tuple[int, int]) -> None:
    await sign(kits.fraud, Tag("challenger"), KeySigner(OPS))
    async with kits.app().run_test(size=size) as pilot:
        screen = await opened(pilot)
        assert names(screen) == ["registry.test/churn", "registry.test/fraud", "registry.test/team/prices"]
        await pilot.press("j")
        assert (screen.grid.row.name, screen.grid.stage) == ("registry.test/fraud", "challenger")
        await until(pilot, lambda: "valid (ops)" in text_of(pilot))
        shown = text_of(pilot)
        assert "1 waits for a gate" in shown
        assert "✓ signed by ops" in shown
        assert "✗ approved by 1 of Anna" in shown
        assert "differs from the champion" in shown
        await pilot.press("l")
        assert screen.grid.stage == "champion"
        await until(pilot, lambda: "unsigned" in text_of(pilot))


async def test_names_are_there_before_details(kits: Kits) -> None:
    hold, first = asyncio.Event(), kits.world.evidence.statements

    async def later(*words: Any, **_: Any) -> Any:
        await hold.wait()
        return await first(*words)

    async with kits.app().run_test(size=LARGE) as pilot:
        await ready(pilot)
        kits.world.evidence.statements = later  # type: ignore[method-assign]
        await pilot.press("b")
        await until(pilot, on(pilot, BoardScreen))
        await until(pilot, lambda: "challenger …" in text_of(pilot) and "reading" in text_of(pilot))
        hold.set()
        await until(pilot, lambda: "reading" not in text_of(pilot))
        assert "challenger …" not in text_of(pilot)


async def test_promoting_a_card_is_the_promotion_of_the_panes(kits: Kits) -> None:
    await sign(kits.fraud, Tag("challenger"), KeySigner(OPS))
    kits.world.signer, kits.world.signing_key = KeySigner(ANNA), kits.folder / "anna.pem"
    (kits.folder / "anna.pem").touch()
    async with kits.app().run_test(size=LARGE, notifications=True) as pilot:
        screen = await opened(pilot)
        await pilot.press("j", "c")
        await until(pilot, on(pilot, PromotionDialog))
        await until(pilot, lambda: "✓ 1  ✗ 1" in text_of(pilot))
        await pilot.press("enter", "enter")
        await until(pilot, on(pilot, InputDialog))
        words = " ".join(text_of(pilot).replace("│", " ").split())
        assert "A gate does not pass" in words
        assert "approve it: a" in words
        await pilot.press("escape")
        await until(pilot, on(pilot, BoardScreen))
        assert kits.tags()["champion"] == "v1.0.0"
        await pilot.press("a")
        await until(pilot, on(pilot, ChoiceDialog))
        await pilot.press("down", "enter")
        await until(pilot, lambda: "kept in the statement" in text_of(pilot))
        await pilot.press(*"fine", "enter")
        await until(pilot, lambda: "Your private key" in text_of(pilot))
        await pilot.press("enter")
        await until(pilot, on(pilot, BoardScreen))
        await until(pilot, lambda: "Approved " in text_of(pilot))
        await until(pilot, lambda: "for a gate" not in text_of(pilot))
        await pilot.press("c")
        await until(pilot, on(pilot, PromotionDialog))
        await pilot.press("enter", "enter")
        await until(pilot, lambda: kits.tags()["champion"] == "v1.1.0")
        await until(pilot, on(pilot, BoardScreen))
        await until(pilot, lambda: screen.rows[kits.fraud.reference()].cells["challenger"].differs == "the same")


async def test_filter_sort_group_and_other_boards(kits: Kits) -> None:
    async with kits.app().run_test(size=LARGE) as pilot:
        screen = await opened(pilot)
        await pilot.press("slash", *"price", "enter")
        await until(pilot, lambda: names(screen) == ["registry.test/team/prices"])
        assert screen.grid.row.name == "registry.test/team/prices"
        await pilot.press("escape")
        await until(pilot, lambda: len(names(screen)) == 3)
        await pilot.press("s")
        await until(pilot, lambda: names(screen)[0] == "registry.test/fraud")
        await pilot.press("s", "s", "equals_sign")
        headings = ["registry.test", "registry.test/churn", "registry.test/fraud", "registry.test/team"]
        await until(pilot, lambda: names(screen) == [*headings, "registry.test/team/prices"])
        await pilot.press("g")
        assert screen.grid.row.name == "registry.test/churn"
        await pilot.press("o")
        await until(pilot, on(pilot, ChoiceDialog))
        assert "registry.test/team/" in text_of(pilot)
        await pilot.press("escape")
        await until(pilot, on(pilot, BoardScreen))


async def test_enter_opens_the_modelkit_among_the_panes(kits: Kits) -> None:
    async with kits.app().run_test(size=LARGE) as pilot:
        await opened(pilot)
        await pilot.press("j", "l", "enter")
        await until(pilot, lambda: pilot.app.screen is browse(pilot))
        await quiet(pilot)
        current = browse(pilot).tags_pane.current
        assert current is not None
        assert (current.repository.name, current.target) == ("fraud", "champion")


async def test_what_can_not_be_read_is_a_marked_row(kits: Kits) -> None:
    from kittui.errors import Unreachable

    def fail(repository: Any, verb: str, what: str) -> None:
        if repository.name == "churn":
            raise Unreachable("the registry is down")

    kits.registry.hooks.append(fail)
    async with kits.app().run_test(size=MIDDLE) as pilot:
        screen = await opened(pilot)
        assert "registry.test/churn" in names(screen)
        assert "the registry is down" in text_of(pilot)


async def test_what_ends_the_reading_is_said_once(kits: Kits) -> None:
    async def lost(words: Sequence[str]) -> Any:
        raise UsageError("acme:v1 is a ModelKit; this works on repositories")

    async with kits.app().run_test(size=LARGE, notifications=True) as pilot:
        screen = await opened(pilot)
        screen._reading._trust = replace(screen._reading._trust, named=lost)
        await pilot.press("r")
        await said_times(pilot, "acme:v1 is a ModelKit", 1)
        await quiet(pilot)
        await said_times(pilot, "acme:v1 is a ModelKit", 1)


async def test_half_and_whole_pages(tmp_path: Path) -> None:
    kits = Kits(tmp_path)
    for number in range(40):
        kits.registry.repository(f"r{number:02}").add_kit(str(number), "champion")
    async with kits.app().run_test(size=MIDDLE) as pilot:
        await ready(pilot)
        await pilot.press("b")
        await until(pilot, on(pilot, BoardScreen))
        screen: Any = pilot.app.screen
        await until(pilot, lambda: len(screen.grid.rows) == 41 and "reading" not in text_of(pilot))
        at = [screen.grid.rows.index(screen.grid.row)]
        for key in ("ctrl+d", "ctrl+d", "ctrl+f", "ctrl+b", "ctrl+u", "ctrl+u"):
            await pilot.press(key)
            at.append(screen.grid.rows.index(screen.grid.row))
        half, page = at[1] - at[0], at[3] - at[2]
        assert 1 < half < page < 2 * half + 1
        assert at == [0, half, 2 * half, 2 * half + page, 2 * half, half, 0]


async def test_a_read_only_board_moves_nothing(tmp_path: Path) -> None:
    kits = gated(tmp_path)
    kits.world.settings = type(kits.world.settings)(stages=STAGES, read_only=True)
    async with kits.app().run_test(size=LARGE, notifications=True) as pilot:
        await opened(pilot)
        assert [hint for hint in ("Promote", "Retag", "Vouch", "Filter") if hint in footer(pilot)] == ["Filter"]
        for number, key in enumerate("cRtaz"):
            await pilot.press(key)
            await said_times(pilot, "This session is read-only", number + 1)
            assert isinstance(pilot.app.screen, BoardScreen)
        await pilot.press("H")
        await until(pilot, on(pilot, HistoryScreen))
        assert [hint for hint in ("On a date", "Restore") if hint in footer(pilot)] == ["On a date"]
        for number, key in enumerate("RXz"):
            await pilot.press(key)
            await said_times(pilot, "This session is read-only", number + 6)


@pytest.mark.snapshot
@SIZES
def test_picture(snap_compare: Any, kits: Kits, size: tuple[int, int]) -> None:
    """Cards of three repositories; the challenger waits, and every gate says why below."""

    async def walked(pilot: Pilot[Any]) -> None:
        await sign(kits.fraud, Tag("champion"), KeySigner(OPS))
        await opened(pilot)
        await pilot.press("j")
        await until(pilot, lambda: "approved by 1 of Anna" in text_of(pilot))

    assert snap_compare(kits.app(), terminal_size=size, run_before=walked)


async def demo(folder: Path) -> KittuiApp:
    """The program as `kittui demo` opens it."""
    stage = await set_up(folder)
    people = await vouch(stage)
    composition = Composition(Flags(store=str(stage.store)), environ=stage.environment({"HOME": str(folder)}))
    composition.config = people.configured(composition.config)
    places = (PlaceEntry(LOCAL), PlaceEntry(stage.place, "demo"))
    ports = replace(await build_ports(composition), places=places, clock=lambda: NOW)
    return KittuiApp(ports, f"{stage.place}/{REPOSITORY}")


@pytest.mark.snapshot
def test_demo(snap_compare: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The board of the demo: who moved what where, what its signatures are worth, and what waits for whom."""
    # A folder whose name is the same every time.
    monkeypatch.chdir(tmp_path)

    async def walked(pilot: Pilot[Any]) -> None:
        await ready(pilot, "challenger")
        await pilot.press("b")
        await until(pilot, on(pilot, BoardScreen))
        await until(pilot, lambda: "3 wait for a gate" in text_of(pilot) and "reading" not in text_of(pilot))
        await until(pilot, lambda: "dana must approve" in text_of(pilot))

    assert snap_compare(asyncio.run(demo(Path("demo"))), terminal_size=LARGE, run_before=walked)


@pytest.mark.snapshot
def test_demo_gates(snap_compare: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A promotion in the demo: both tags, every gate with its answer, and what would change."""
    monkeypatch.chdir(tmp_path)

    async def walked(pilot: Pilot[Any]) -> None:
        await ready(pilot, "challenger")
        await pilot.press("c")
        await until(pilot, on(pilot, PromotionDialog))
        await pilot.press(*"QA signed off, ticket 4711")
        await until(pilot, lambda: "✓ 4  ✗ 1" in text_of(pilot) and "learning_rate" in text_of(pilot))

    assert snap_compare(asyncio.run(demo(Path("demo"))), terminal_size=MIDDLE, run_before=walked)


@pytest.mark.snapshot
@SIZES
def test_gates_picture(snap_compare: Any, kits: Kits, size: tuple[int, int]) -> None:
    """The plan of a promotion with every gate's answer, and everything to choose without scrolling."""

    async def walked(pilot: Pilot[Any]) -> None:
        await sign(kits.fraud, Tag("challenger"), KeySigner(OPS))
        await opened(pilot)
        await pilot.press("j", "c")
        await until(pilot, on(pilot, PromotionDialog))
        await until(pilot, lambda: "✓ 1  ✗ 1" in text_of(pilot) and "10.3 kB" in text_of(pilot))

    assert snap_compare(kits.app(), terminal_size=size, run_before=walked)


async def test_gates_say_what_they_read_until_they_answer(kits: Kits) -> None:
    hold, first = asyncio.Event(), kits.world.evidence.statements

    async def later(*words: Any, **_: Any) -> Any:
        await hold.wait()
        return await first(*words)

    async with kits.app().run_test(size=LARGE) as pilot:
        await ready(pilot)
        kits.world.evidence.statements = later  # type: ignore[method-assign]
        await pilot.press("c")
        await until(pilot, on(pilot, PromotionDialog))
        await until(pilot, lambda: "… 2 pending" in text_of(pilot))
        assert text_of(pilot).count("reads what is attached to it") == 2
        hold.set()
        await until(pilot, lambda: "✗ 2" in text_of(pilot))
        assert "pending" not in text_of(pilot)


async def test_what_a_registry_says_is_cleaned_on_cards(tmp_path: Path) -> None:
    kits = gated(tmp_path)
    evil = "1.0\x1b[31mred\x07"
    kits.registry.repository("churn").add_kit("x", "tuned", package={"name": evil, "version": evil})
    async with kits.app().run_test(size=LARGE) as pilot:
        await opened(pilot)
        await until(pilot, lambda: "red" in text_of(pilot))
        assert "\x1b" not in text_of(pilot)
        assert "\x07" not in text_of(pilot)


@pytest.mark.parametrize("version", ["1", "2.0.0-rc.1+build.20261129", "模型模型模型模型模型"])
@pytest.mark.parametrize("gates", [0, 3, 9, 30])
@pytest.mark.parametrize("width", [14, 16, 20, 40])
def test_a_card_keeps_its_age_whole(width: int, gates: int, version: str) -> None:
    created = (NOW - timedelta(days=14)).isoformat()
    failing = tuple(Verdict("gate", "fail", "why") for _ in range(gates))
    cell = Cell(Tag("champion"), Digest.of(b"kit"), "fraud", version, created, "valid", gates=failing)
    line = card(cell, NOW)[0]
    (name,) = apart([(line.text[0], line.room(width))])
    text = "".join(part for part, _ in line.drawn(name, width))
    assert cell_len(text) == width
    assert text.endswith(" 14 d")
    if width == 40 and gates < 9:
        assert text.startswith(f"{version} ✓")
        assert "✗" * gates in text


@pytest.mark.parametrize("width", [60, 80, 96, 97, 98, 99, 100, 118, 140])
async def test_columns_are_whole_and_the_rest_is_counted(kits: Kits, width: int) -> None:
    for tag in ("tuning", "tuned", "retired"):
        kits.fraud.tagged.setdefault(tag, kits.fraud.tagged["v1.0.0"])
    async with kits.app().run_test(size=(width, 30)) as pilot:
        screen = await opened(pilot)
        grid: Grid = screen.grid
        await pilot.press("h", "h", "h", "h", "h", "h")
        await quiet(pilot)
        title = next(line for line in text_of(pilot).splitlines() if f" {grid._stages[0]} " in line)
        found = grid._columns()
        assert 1 + found.names + sum(card + GAP for _, card in found.stages) < width
        hidden = len(grid._stages) - len(found.stages)
        assert all(f" {stage} " in f"{title} " for stage, _ in found.stages)
        assert (f" {hidden} more → " in title) == bool(hidden)
        if hidden:
            await pilot.press(*["l"] * len(grid._stages))
            await until(pilot, lambda: f"← {hidden} " in text_of(pilot))


PAIRS = (
    ("lab/customer-lifetime-a-value-prediction", "lab/customer-lifetime-b-value-prediction"),
    ("risk/fraud-detector-for-northern-europe", "risk/fraud-detector-for-southern-europe"),
    ("v/edge-model-2026-11-28", "v/edge-model-2026-11-29"),
)


@pytest.mark.parametrize("width", [80, 120, 160, 200])
@pytest.mark.parametrize("ways", [(), ("v",)], ids=["cards", "compact"])
async def test_different_names_are_never_cut_to_the_same_text(
    tmp_path: Path, width: int, ways: tuple[str, ...]
) -> None:
    kits = Kits(tmp_path)
    for pair in PAIRS:
        for number, name in enumerate(pair):
            version = f"2026.11.2{number}-nightly-build-of-the-risk-team+{number}"
            for stage in STAGES:
                kits.registry.repository(name).add_kit(f"{name} {stage}", stage.name, package={"version": version})
    async with kits.app().run_test(size=(width, 45)) as pilot:
        await ready(pilot)
        await pilot.press("b")
        await until(pilot, on(pilot, BoardScreen))
        screen: Any = pilot.app.screen
        await until(pilot, lambda: len(screen.grid.rows) == 7 and "reading" not in text_of(pilot))
        await pilot.press(*ways)
        shown = screen.grid._view()[1]
        names = {row.name: shown.names[number][0] for number, row in enumerate(screen.grid.rows)}
        assert len(set(names.values())) == len(names)
        for name, text in names.items():
            assert text.endswith(name[-4:])
            assert text in text_of(pilot)
        versions = {"".join(text for text, _ in lines[0]).split()[0] for lines in shown.cards.values()}
        assert {version[-2:] for version in versions if version.startswith("2026")} == {"+0", "+1"}


@pytest.mark.parametrize("width", [14, 17, 22, 40])
def test_who_moved_it_without_proof_is_marked_however_narrow_the_card(width: int) -> None:
    moved = (NOW - timedelta(days=5)).isoformat()
    cell = Cell(Tag("champion"), Digest.of(b"kit"), word="valid", moved_by="somebody@a-long-host", moved_at=moved)
    for proof, tail in (("unsigned", " 5 d ?"), ("verified", " 5 d")):
        line = card(replace(cell, proof=proof), NOW)[1]
        (who,) = apart([(line.text[0], line.room(width))])
        text = "".join(part for part, _ in line.drawn(who, width))
        assert text.startswith("valid · ")
        assert text.endswith(tail)
        assert cell_len(text) <= max(width, len(f"valid · …{tail}"))


def test_a_stage_that_is_still_asked_for_is_not_called_missing() -> None:
    repository = MemorySource().repository("fraud")
    for row, said in (
        (BoardRow(repository, problem="not all listed", listed=False), "Reading …"),
        (BoardRow(repository, complete=True), "It has no champion."),
    ):
        lines = ["".join(text for text, _ in line) for line in about(row, None, "champion", NOW)]
        assert lines[-1] == said


async def test_the_text_below_is_read_to_its_end_by_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    app = await demo(Path("d" * 30))
    async with app.run_test(size=SMALL) as pilot:
        await ready(pilot, "challenger")
        await pilot.press("b")
        await until(pilot, on(pilot, BoardScreen))
        await until(pilot, lambda: "3 wait for a gate" in text_of(pilot) and "reading" not in text_of(pilot))
        screen: Any = pilot.app.screen
        # Where the repositories are takes no room from the cards.
        assert screen.grid._columns().names == len("vision/edge-detector")
        text = screen._lines.page.lines
        ends = "\n   PASSED"
        await until(pilot, lambda: ": J─" in text_of(pilot))
        assert ends not in text_of(pilot)
        for _ in text:
            await pilot.press("J")
        await until(pilot, lambda: ends in text_of(pilot))
        assert ": J─" not in text_of(pilot)
        assert ": K─" in text_of(pilot)
        assert (screen.grid.row.name, screen.grid.stage) == ("acme/fraud-detector", "challenger")
        for _ in text:
            await pilot.press("K")
        await until(pilot, lambda: "fraud-detector:challenger" in text_of(pilot))
        assert ": K─" not in text_of(pilot)


async def test_a_reload_keeps_one_line_a_repository_and_the_cursor(kits: Kits) -> None:
    async with kits.app().run_test(size=MIDDLE) as pilot:
        screen = await opened(pilot)
        await pilot.press("v", "j", "l", "r")
        await until(pilot, lambda: len(screen.rows) == 4 and all(row.complete for row in screen.rows.values()))
        await until(pilot, lambda: "reading" not in text_of(pilot))
        assert screen.grid.compact
        assert (screen.grid.row.name, screen.grid.stage) == ("registry.test/fraud", "champion")


async def test_the_cursor_begins_on_the_first_challenger_in_whatever_order_rows_arrive(kits: Kits) -> None:
    app = kits.app()
    async with app.run_test(size=MIDDLE) as pilot:
        screen = await opened(pilot)
        rows = {row.name.partition("/")[2]: row for row in screen.rows.values() if row.cells}
        grid = Grid(lambda: NOW)
        await screen.mount(grid)
        grid.show([rows["team/prices"]], ["tuned"], "challenger")
        assert (grid.row, grid.stage) == (rows["team/prices"], "tuned")
        stages = ["tuned", "challenger", "champion"]
        grid.show([rows["fraud"], rows["team/prices"]], stages, "challenger")
        assert (grid.row, grid.stage) == (rows["fraud"], "challenger")
        grid.action_down(1)
        grid.show([rows["churn"], rows["fraud"], rows["team/prices"]], stages, "challenger")
        assert grid.row == rows["team/prices"]
        grid.show([], [], "challenger")
        grid.show([rows["churn"], rows["fraud"], rows["team/prices"]], stages, "challenger")
        assert grid.row == rows["team/prices"]


async def test_a_promotion_that_is_half_done_stays_on_the_board(kits: Kits) -> None:
    tools = kits.world.change_tools
    assert tools is not None
    old, new = kits.fraud.tagged["champion"], kits.fraud.tagged["challenger"]
    steps = (
        Step(Tag("rollback"), kits.fraud.tagged.get("rollback"), old, "done"),
        Step(Tag("champion"), old, new, "started"),
    )
    kits.fraud.tagged["rollback"] = old
    tools.ledger.journal.write(Entry(new_id(), now(), "me", "promote", kits.fraud.reference(), steps))
    async with kits.app().run_test(size=LARGE) as pilot:
        await opened(pilot)
        assert "▲ 1 half done" in text_of(pilot)
        await pilot.press("j")
        await until(pilot, lambda: "rollback moved, champion not; c finishes it" in text_of(pilot))
        kits.fraud.tagged["champion"] = new
        await pilot.press("r")
        await until(pilot, lambda: "reading" not in text_of(pilot) and "half done" not in text_of(pilot))


@pytest.mark.parametrize(
    ("held", "left"),
    [
        ({}, ("b",)),
        ({"a": "2", "b": "1"}, ("b",)),
        ({"a": "2", "b": "2"}, None),
        ({"a": "3", "b": "1"}, None),
        ({"a": "2", "b": "3"}, None),
    ],
)
def test_what_somebody_moved_since_is_not_half_done(held: dict[str, str], left: tuple[str, ...] | None) -> None:
    steps = (Step(Tag("a"), "1", "2", "done"), Step(Tag("b"), "1", "2", "started"))
    entry = Entry(new_id(), now(), "me", "promote", "r", steps)
    found = half_done([replace(entry, state="done"), entry], held)
    assert (found and found.left) == left
    assert half_done([replace(entry, state="done")], held) is None
