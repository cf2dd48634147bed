"""Pictures of what is open all day: messages, the history of a repository, one plan for marked rows, a zoomed pane."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from kittui.errors import Unreachable
from kittui.oci.digest import Digest
from kittui.oci.traffic import LATEST, Request
from kittui.state.history import Event
from kittui.tui.change.history_screen import HistoryScreen
from kittui.tui.dialogs.messages import MessagesDialog
from kittui.tui.dialogs.plan import PlanDialog
from tests.change.kits import Kits, on, ready
from tests.tui.waiting import LARGE, SMALL, browse, text_of, until
from tests.tui.world import NOW

pytestmark = pytest.mark.snapshot
Compare = Callable[..., bool]
SIZES = pytest.mark.parametrize("size", [SMALL, (120, 35), LARGE], ids=["80x24", "120x35", "160x45"])


@pytest.fixture
def kits(tmp_path: Path) -> Kits:
    return Kits(tmp_path)


@SIZES
def test_messages(snap_compare: Compare, kits: Kits, size: tuple[int, int]) -> None:
    """What was asked and what was said, with time, place and hint; the newest is in view."""
    host = "https://registry.test/v2/fraud/"
    LATEST.clear()
    for number, (path, status, length) in enumerate(
        [("tags/list", 200, 1200), ("manifests/champion", 200, 883), ("blobs/sha256:07ed06", 0, None)]
    ):
        LATEST.append(Request(NOW.timestamp() + number, "GET", host + path, status, length, 0.2))

    async def show(pilot: Pilot[Any]) -> None:
        await ready(pilot)
        pilot.app.fail(  # type: ignore[attr-defined]
            Unreachable("registry.test does not answer", hint="Check the network, then press r to read again.")
        )
        await pilot.press("at")
        await until(pilot, on(pilot, MessagesDialog))
        await until(pilot, lambda: "does not answer" in text_of(pilot))

    assert snap_compare(kits.app(), terminal_size=size, run_before=show)


@SIZES
def test_history(snap_compare: Compare, kits: Kits, size: tuple[int, int]) -> None:
    """Every move of a stage with who, when and why; the cursor's move, and what each stage pointed to then."""
    nine, one, two = (Digest.parse(kits.fraud.tagged[tag]) for tag in ("v0.9.0", "v1.0.0", "v1.1.0"))
    past = [
        ("2026-03-01", "ada@train", "tag", None, nine, "first model in production"),
        ("2026-04-01", "dana@ops", "promote", nine, one, "QA passed, see report 118"),
        ("2026-05-01", "lee@ops", "promote", one, two, "better recall on new merchants"),
        ("2026-05-02", "lee@ops", "rollback", two, one, "latency doubled"),
    ]
    for number, (day, who, action, before, after, reason) in enumerate(past):
        kits.ledger.history.append(
            Event(
                f"{number}", f"{day}T10:00:00Z", who, action, kits.fraud.reference(), "champion", before, after, reason
            )
        )

    async def show(pilot: Pilot[Any]) -> None:
        await ready(pilot)
        await pilot.press("H")
        await until(pilot, on(pilot, HistoryScreen))
        screen: Any = pilot.app.screen
        await until(pilot, lambda: len(screen.history.events) >= 4 and "newest first" in text_of(pilot))
        await pilot.press("j")
        await until(pilot, lambda: "better recall" in text_of(pilot))

    assert snap_compare(kits.app(), terminal_size=size, run_before=show)


@SIZES
def test_marked_rows_have_one_plan(snap_compare: Compare, kits: Kits, size: tuple[int, int]) -> None:
    """What goes, what stays and why, and the bytes that are freed; the cursor is on Cancel."""

    async def show(pilot: Pilot[Any]) -> None:
        await ready(pilot)
        await pilot.press("asterisk")
        await until(pilot, lambda: len(browse(pilot).marks) == 6)
        await pilot.press("x")
        await until(pilot, on(pilot, PlanDialog))

    assert snap_compare(kits.app(), terminal_size=size, run_before=show)


@SIZES
def test_zoomed(snap_compare: Compare, kits: Kits, size: tuple[int, int]) -> None:
    """The tags take the whole screen, marked rows and all."""

    async def show(pilot: Pilot[Any]) -> None:
        await ready(pilot)
        await pilot.press("space", "plus")
        await until(pilot, lambda: browse(pilot).tags_pane.size.width == size[0])
        await pilot.pause()

    assert snap_compare(kits.app(), terminal_size=size, run_before=show)
