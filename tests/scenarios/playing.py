"""Playing a scenario in the demo, which is set up in a folder of its own."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from kittui.cli.compose import Composition
from kittui.cli.ports import build_ports
from kittui.config import Flags
from kittui.demo.stage import set_up
from kittui.oci.reference import LOCAL
from kittui.tui.app import KittuiApp
from kittui.tui.frame.ports import PlaceEntry
from tests.scenarios.scenes import Step
from tests.tui.waiting import text_of, until


@asynccontextmanager
async def sandbox(folder: Path) -> AsyncIterator[KittuiApp]:
    """The demo's program, over a copy of its ModelKits in the folder."""
    stage = await set_up(folder)
    flags = Flags(store=str(stage.store))
    async with Composition(flags, environ=stage.environment(os.environ)) as composition:
        places = (PlaceEntry(LOCAL), PlaceEntry(stage.place, "demo"))
        ports = replace(await build_ports(composition), places=places)
        yield KittuiApp(ports, f"oci:{stage.models}/acme/fraud-detector")


async def play(pilot: Pilot[Any], step: Step, pause: float = 0) -> None:
    """Do a step and wait for what it shows."""
    for key in step.keys:
        await pilot.press(key)
        if pause:
            await pilot.pause(pause)

    def shown() -> bool:
        text = text_of(pilot)
        return all(word in text for word in step.sees) and not any(word in text for word in step.lacks)

    await until(pilot, shown)
