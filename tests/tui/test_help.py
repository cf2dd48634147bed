"""Help: each screen explains its own keys and marks, and nothing of the toolkit's own is in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from kittui.tui.board.screen import BoardScreen
from kittui.tui.change.history_screen import HistoryScreen
from kittui.tui.change.transfers_screen import TransfersScreen
from kittui.tui.frame.help import sections
from kittui.tui.upkeep.doctor_screen import DoctorScreen
from tests.change.kits import Kits, on, ready
from tests.tui.waiting import LARGE, browse, text_of, until

SCREENS = [
    ("b", BoardScreen),
    ("H", HistoryScreen),
    ("T", TransfersScreen),
    ("C", DoctorScreen),
]


@pytest.mark.parametrize(("key", "kind"), [("1", None), *SCREENS])
async def test_help_has_nothing_of_the_toolkit_s_own(tmp_path: Path, key: str, kind: type | None) -> None:
    kits = Kits(tmp_path)
    async with kits.app().run_test(notifications=True, size=LARGE) as pilot:
        await ready(pilot)
        await pilot.press(key)
        await until(pilot, on(pilot, kind) if kind else lambda: browse(pilot).at == "repositories")
        listed = sections(pilot.app.screen, {}, lambda _: "")
        labels = {label for rows in listed.values() for _, label, _ in rows}
        assert not labels & {"Page Left", "Page Right", "Scroll Left", "Scroll Right", "Scroll Up", "Scroll Down"}
        assert [label for rows in listed.values() for _, label, tip in rows if not tip] == []


async def test_the_board_explains_its_own_marks(tmp_path: Path) -> None:
    async with Kits(tmp_path).app().run_test(notifications=True, size=(160, 60)) as pilot:
        await ready(pilot)
        await pilot.press("b")
        await until(pilot, on(pilot, BoardScreen))
        await pilot.press("question_mark", "G")
        await until(pilot, lambda: "∅ unsigned" in text_of(pilot))
        assert "the gate that the next move waits for" in text_of(pilot)
        assert "local store" not in text_of(pilot)
