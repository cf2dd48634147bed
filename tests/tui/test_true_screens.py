"""What changed is right everywhere at once, and no pane shows what belongs to another selection."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import Input

from kittui.errors import Unreachable
from kittui.tui.board.screen import BoardScreen
from kittui.tui.change.history_screen import HistoryScreen
from kittui.tui.dialogs.plan import PlanDialog
from kittui.tui.dialogs.prompt import InputDialog
from tests.change.kits import Kits, on, ready, said
from tests.fakes.memory import MemoryRepository
from tests.tui.waiting import browse, quiet, until

SIZE = (120, 36)


@pytest.fixture
def kits(tmp_path: Path) -> Kits:
    return Kits(tmp_path)


def shown(pilot: Pilot[Any]) -> dict[str, str]:
    """What the stage column says of each row."""
    pane: Any = browse(pilot).tags_pane
    cells = {row.target: pane._drawn._cells(row).get("stage") for row in pane._list.rows}
    return {target: "".join(text for text, _ in spans or ()) for target, spans in cells.items()}


BEFORE = {"champion": "v1.0.0", "challenger": "v1.1.0", "rollback": "v0.9.0"}
PROMOTED = {"champion": "v1.1.0", "rollback": "v1.0.0"}


def column(stages: dict[str, str], kits: Kits) -> dict[str, str]:
    """What the column has to say: every tag on the digest of a version has that version's stage."""
    by_digest = {kits.fraud.tagged[version]: stage for stage, version in stages.items()}
    return {tag: by_digest.get(digest, "") for tag, digest in kits.fraud.tagged.items()}


async def promote(pilot: Pilot[Any], kits: Kits) -> None:
    await pilot.press("c")
    await until(pilot, on(pilot, PlanDialog))
    await pilot.press("enter", "enter")
    await until(pilot, lambda: kits.tags()["champion"] == "v1.1.0")


@pytest.mark.parametrize("elsewhere", [False, True])
async def test_stages_are_right_on_every_tag_after_a_promotion_and_its_undo(kits: Kits, elsewhere: bool) -> None:
    """Also where a filter hides the stages' own tags."""
    async with kits.app().run_test(size=SIZE) as pilot:
        await ready(pilot)
        assert shown(pilot) == column(BEFORE, kits)
        if elsewhere:
            browse(pilot).tags_pane.set_filter("v1")
        await promote(pilot, kits)
        await until(pilot, lambda: shown(pilot) == column(PROMOTED, kits))
        await quiet(pilot)
        await pilot.press("z")
        await until(pilot, on(pilot, PlanDialog))
        await pilot.press("enter")
        await until(pilot, lambda: kits.tags()["champion"] == "v1.0.0")
        await until(pilot, lambda: shown(pilot) == column(BEFORE, kits))


async def test_the_board_follows_an_undo_in_the_history_and_redoes_it(kits: Kits) -> None:
    async with kits.app().run_test(size=SIZE, notifications=True) as pilot:
        await ready(pilot)
        await promote(pilot, kits)
        await quiet(pilot)
        await pilot.press("b")
        await until(pilot, on(pilot, BoardScreen))
        board: Any = pilot.app.screen

        def champion() -> str:
            row = board.rows.get(kits.fraud.reference())
            return str(row.cells["champion"].digest) if row is not None and "champion" in row.cells else ""

        await until(pilot, lambda: champion() == kits.fraud.tagged["v1.1.0"])
        await pilot.press("H")
        await until(pilot, on(pilot, HistoryScreen))
        await pilot.press("z")
        await until(pilot, on(pilot, PlanDialog))
        await pilot.press("enter")
        await until(pilot, lambda: "Z redoes it" in said(pilot))
        await pilot.press("escape")
        await until(pilot, on(pilot, BoardScreen))
        await until(pilot, lambda: champion() == kits.fraud.tagged["v1.0.0"])
        await pilot.press("Z")
        await until(pilot, on(pilot, PlanDialog))
        await pilot.press("enter")
        await until(pilot, lambda: champion() == kits.fraud.tagged["v1.1.0"])


async def test_panes_of_a_repository_that_cannot_be_read_are_empty_with_the_reason(kits: Kits) -> None:
    kits.registry.repository("other").add_kit("other", "v1")

    def gone(repository: MemoryRepository, verb: str, what: str) -> None:
        if repository.name == "other":
            raise Unreachable("registry.test refused the connection")

    kits.registry.hooks.append(gone)
    async with kits.app().run_test(size=SIZE) as pilot:
        await ready(pilot)
        screen = browse(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: screen.selection.layer is not None)
        screen.open(kits.registry.place, "other", None)
        await until(pilot, lambda: screen.tags_pane.state.kind == "failed")
        await until(pilot, lambda: screen.layers_pane.state.kind == "failed")
        assert screen.layers_pane.tag is None
        assert screen.details_pane.state.kind == "failed"
        assert not screen.details_pane.page.lines
        for pane in (screen.layers_pane, screen.details_pane):
            assert pane.state.headline == "registry.test refused the connection"
        screen.go("layers")
        await quiet(pilot)
        assert screen.selection.layer is None
        assert screen.selection.digest is None


async def test_marks_stay_where_a_retag_has_nothing_to_do(kits: Kits) -> None:
    async with kits.app().run_test(size=SIZE, notifications=True) as pilot:
        await ready(pilot, "v1.1.0")
        await pilot.press("space", "space", "t")
        await until(pilot, on(pilot, InputDialog))
        assert pilot.app.screen.query_one(Input).value == "{tag}"
        await pilot.press("enter")
        await until(pilot, lambda: "Nothing to do" in said(pilot))
        assert len(browse(pilot).marks) == 2


async def test_in_tmux_a_copy_says_once_what_it_may_need(kits: Kits, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMUX", "/tmp/tmux-0/default,1,0")
    async with kits.app().run_test(size=SIZE, notifications=True) as pilot:
        program: Any = pilot.app
        program.copy("one")
        program.copy("two")
        await until(pilot, lambda: "two" in said(pilot))
        assert said(pilot).count("set -g set-clipboard on") == 1


async def test_rows_come_into_order_as_they_are_read_and_the_title_counts_them(kits: Kits) -> None:
    for number in range(60):
        kits.fraud.tagged[f"n-{number:02}"] = kits.fraud.tagged["v1.0.0" if number % 7 else "v0.9.0"]
    async with kits.app().run_test(size=SIZE) as pilot:
        await ready(pilot)
        pane: Any = browse(pilot).tags_pane
        while pane.order != "largest":
            pane.cycle_sort()
        await quiet(pilot)
        pane.body.action_edge(1)

        def in_order() -> bool:
            sizes = [row.modelkit.size if row.modelkit else -1 for row in pane.body.rows]
            read = sum(size >= 0 for size in sizes)
            title = f"largest {read} of 66 read" if read < 66 else "largest 66"
            return read > 20 and sizes == sorted(sizes, reverse=True) and pane.title_bar.right == title

        await until(pilot, in_order)
