"""Run scenarios: `python -m tests.scenarios [NAME] [--watch | --sandbox]`.

Without a name every scenario runs headless. `--watch` plays it slowly on the screen, `--sandbox` plays it at once and
leaves the program to you.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from tests.scenarios.playing import play, sandbox
from tests.scenarios.scenes import SCENARIOS, Scenario
from tests.tui.waiting import browse, until

SLOWLY = 0.6
"""Seconds between two keys on the screen."""


async def _run(scenario: Scenario, *, watch: bool, keep: bool) -> None:
    with tempfile.TemporaryDirectory(prefix="kittui-scenario-") as folder:
        async with sandbox(Path(folder) / "demo") as app:

            async def steps(pilot: Pilot[Any]) -> None:
                await until(pilot, lambda: browse(pilot).tags_pane.current is not None)
                for each in scenario.steps:
                    if watch:
                        app.notify(each.says, title=scenario.name, timeout=SLOWLY * (len(each.keys) + 3))
                    await play(pilot, each, SLOWLY if watch else 0)
                if not keep:
                    await pilot.pause(3 * SLOWLY if watch else 0)
                    app.exit()

            await app.run_async(headless=not (watch or keep), auto_pilot=steps)


def main() -> int:
    """Run what the arguments name."""
    parser = argparse.ArgumentParser(prog="python -m tests.scenarios", description=__doc__)
    parser.add_argument("name", nargs="?", choices=[scenario.name for scenario in SCENARIOS])
    way = parser.add_mutually_exclusive_group()
    way.add_argument("--watch", action="store_true", help="play it slowly on the screen")
    way.add_argument("--sandbox", action="store_true", help="play it at once, and leave the program to you")
    chosen = parser.parse_args()
    if chosen.sandbox and chosen.name is None:
        parser.error("--sandbox needs a name")
    for scenario in SCENARIOS:
        if chosen.name in (None, scenario.name):
            asyncio.run(_run(scenario, watch=chosen.watch, keep=chosen.sandbox))
            print(f"{scenario.name}: {scenario.tells}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
