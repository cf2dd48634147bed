"""Pictures of the dialogs and the pane that move things; each docstring says what its picture proves."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from kittui.errors import ConnectionLost
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.oci.protocols import Power
from kittui.transfer.progress import Progress
from kittui.tui.change.jobs import Job, State
from kittui.tui.change.promoting import PromotionDialog
from kittui.tui.change.transfers_screen import TransfersScreen
from kittui.tui.change.unpack_dialog import UnpackDialog
from kittui.tui.dialogs.plan import PlanDialog
from tests.change.kits import CODE, TAR, Kits, jobs_of, on, ready, tar
from tests.tui.waiting import LARGE, SMALL, text_of, until

pytestmark = pytest.mark.snapshot
Compare = Callable[..., bool]
SIZES = pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "160x45"])


@pytest.fixture
def kits(tmp_path: Path) -> Kits:
    made = Kits(tmp_path)
    code = [{"path": "src", "description": "features"}]
    parameters = {"epochs": 30, "learning_rate": 0.0005, "optimizer": "adamw", "seed": 7, "warmup": 100}
    layers = [(TAR, b"n" * 2_400_000), (CODE, tar(a=b"alpha", c=b"gamma"))]
    made.fraud.add_kit(
        "two", "challenger", "v1.1.0", layers=layers, model={"path": "m", "parameters": parameters}, code=code
    )
    return made


def walk(key: str, screen: type, ready_when: Callable[[str], bool]) -> Callable[[Pilot[Any]], Awaitable[None]]:
    """On champion, press a key and wait for what it opens."""

    async def walked(pilot: Pilot[Any]) -> None:
        await ready(pilot)
        await pilot.press(key)
        await until(pilot, on(pilot, screen))
        await until(pilot, lambda: ready_when(text_of(pilot)))

    return walked


@SIZES
def test_promote(snap_compare: Compare, kits: Kits, size: tuple[int, int]) -> None:
    """Both moves, what changes for whoever uses the champion, the reason and the choices, without scrolling."""
    before = walk("c", PromotionDialog, lambda shown: "2.4 MB" in shown)
    assert snap_compare(kits.app(), terminal_size=size, run_before=before)


@SIZES
def test_remove_where_a_tag_does_not_go_alone(snap_compare: Compare, kits: Kits, size: tuple[int, int]) -> None:
    """The reason, what a delete would take along, and the cursor on Cancel."""
    kits.registry.powers["untag"] = Power("no", "this registry can't remove a tag alone")
    before = walk("x", PlanDialog, lambda shown: "placeholder" in shown)
    assert snap_compare(kits.app(), terminal_size=size, run_before=before)


@SIZES
def test_unpack(snap_compare: Compare, kits: Kits, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """One file of a layer is ticked; the sum is its size, and that it can't be verified is said."""
    monkeypatch.chdir("/")

    async def tick(pilot: Pilot[Any]) -> None:
        await walk("u", UnpackDialog, lambda shown: "Folder" in shown)(pilot)
        await pilot.press("up", "a", "down", "down", "right")
        await until(pilot, lambda: "src/a.py" in text_of(pilot))
        await pilot.press("down", "space")
        await until(pilot, lambda: "can't be verified" in text_of(pilot))

    assert snap_compare(kits.app(), terminal_size=size, run_before=tick)


@SIZES
def test_transfers(snap_compare: Compare, kits: Kits, size: tuple[int, int]) -> None:
    """One that runs with its layers, one that stopped and one that failed, and what can be done about it."""

    async def work(_: Job) -> str:
        return ""

    def job(title: str, state: State, *sizes: tuple[str, int, int]) -> Job:
        progress = Progress(clock=lambda: 100.0)
        for media_type, whole, done in sizes:
            descriptor = Descriptor(media_type, Digest.of(title.encode() + bytes(whole % 251)), whole)
            progress.begin([descriptor])
            progress.reach(descriptor.digest, done)
            if whole == done:
                progress.end(descriptor.digest, "resumed")
        return Job(title, "⬇", progress, work, state)

    failed = job("Push remote://registry.test/fraud:v1.1.0", "failed", (TAR, 2_400_000, 400_000))
    failed.error = ConnectionLost("the connection to registry.test was lost at 17 %")

    async def show(pilot: Pilot[Any]) -> None:
        await ready(pilot)
        jobs_of(pilot).extend(
            [
                failed,
                job("Pull local://registry.test/fraud:v0.9.0", "stopped", (CODE, 9_000_000, 5_000_000)),
                job(
                    "Pull local://registry.test/fraud:champion",
                    "running",
                    (TAR, 3_000_000, 1_260_000),
                    (CODE, 5000, 5000),
                ),
            ]
        )
        await pilot.press("T")
        await until(pilot, on(pilot, TransfersScreen))
        await until(pilot, lambda: "was lost" in text_of(pilot))

    assert snap_compare(kits.app(), terminal_size=size, run_before=show)
