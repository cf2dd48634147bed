"""The interface over a registry that takes its time, which says twenty times a second what is on it; run in a
pseudo-terminal by test_bursts.py.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from time import monotonic
from typing import Any

from textual.widgets import Input

from kittui.oci.target import parse_target
from kittui.tui.app import KittuiApp
from tests.change.kits import Kits
from tests.fakes.memory import MemoryRepository


def state(app: KittuiApp, kits: Kits) -> dict[str, Any]:
    """What a test may ask."""
    browser = app.browser
    focused = app.screen.focused
    grid = getattr(app.screen, "grid", None)
    return {
        "screen": type(app.screen).__name__,
        "depth": len(app.screen_stack),
        "title": getattr(app.screen, "_title", ""),
        "input": focused.value if isinstance(focused, Input) else None,
        "marks": [mark.target for mark in browser.marks],
        "at": browser.tags_pane.current.target if browser.tags_pane.current else None,
        "pane": browser.at,
        "card": grid.cell.tag if grid is not None and grid.cell is not None else None,
        "rows": [getattr(row, "target", "") for row in browser.tags_pane.body.rows],
        "said": [note.message for note in app._notifications],
        "tags": kits.fraud.tagged,
        "reasons": [event.reason for event in kits.ledger.history.events()],
        "waits": app.keyboard.waits,
        "unseen": app.keyboard.unseen(monotonic()),
    }


async def report(app: KittuiApp, kits: Kits, path: Path) -> None:
    """Write the state down, whole each time."""
    while True:
        await asyncio.sleep(0.05)
        draft = path.with_suffix(".new")
        draft.write_text(json.dumps(state(app, kits)))
        draft.replace(path)


async def main(folder: Path, latency: float) -> None:
    """Run until the test ends it."""
    kits = Kits(folder)
    ask = MemoryRepository.manifest

    async def slow(self: MemoryRepository, target: str) -> Any:
        await asyncio.sleep(latency)
        return await ask(self, parse_target(target))

    MemoryRepository.manifest = slow  # type: ignore[method-assign]
    app = kits.world.app("remote://registry.test/fraud:champion")
    writer = asyncio.create_task(report(app, kits, folder / "state.json"))
    await app.run_async()
    writer.cancel()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), float(sys.argv[2])))
