"""Every scenario, headless, at three sizes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scenarios.playing import play, sandbox
from tests.scenarios.scenes import SCENARIOS, Scenario
from tests.tui.waiting import browse, until


@pytest.mark.parametrize("size", [(80, 24), (120, 35), (160, 45)], ids=["80x24", "120x35", "160x45"])
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
async def test_scenario(
    scenario: Scenario, size: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with sandbox(tmp_path / "demo") as app, app.run_test(size=size, notifications=True) as pilot:
        await until(pilot, lambda: browse(pilot).tags_pane.current is not None)
        for step in scenario.steps:
            await play(pilot, step)
