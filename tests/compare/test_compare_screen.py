"""The comparison in the interface: from the tag list to the first hunk, filters, swaps, many rows, pictures."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import pytest
from compare.kits import opened, safetensors, two
from textual.pilot import Pilot
from waiting import LARGE, SMALL, quiet, text_of, until
from world import acme

from kittui.demo.pack import File
from kittui.store import LocalSource
from kittui.tui.app import KittuiApp
from kittui.tui.compare.picking import common_pairs
from kittui.tui.compare.screen import CompareScreen
from kittui.usecases.diff import DiffUseCase, Side
from kittui.usecases.look import Inspector

SIZES = pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "160x45"])
Walk = Callable[[Pilot[Any]], Any]
OPENING: WeakKeyDictionary[KittuiApp, CompareScreen] = WeakKeyDictionary()


def held(a: Side, b: Side, **settings: Any) -> KittuiApp:
    """The program; `ready` opens the comparison of two sides above the browse screen."""
    app = acme(**settings).app()
    OPENING[app] = CompareScreen(DiffUseCase(opened, Inspector()), a, b)
    return app


@pytest.fixture
def fraud(kithome: Path) -> Callable[..., KittuiApp]:
    """The champion with the challenger, from a store that kit wrote."""
    repository = LocalSource(kithome, recheck=0).repository("127.0.0.1:5055/fraud")
    return lambda a="champion", b="challenger", **settings: held(Side(repository, a), Side(repository, b), **settings)


async def shown(pilot: Pilot[Any]) -> CompareScreen:
    """Open the comparison, once."""
    screen = OPENING[pilot.app]  # type: ignore[index]
    if screen not in pilot.app.screen_stack:
        await quiet(pilot)
        await pilot.app.push_screen(screen)
    return screen


async def ready(pilot: Pilot[Any]) -> CompareScreen:
    """Wait until all was compared."""
    screen = await shown(pilot)
    await until(pilot, lambda: screen.comparison is not None and screen.comparison.complete, 60)
    return screen


def pressing(*keys: str) -> Walk:
    """Wait for the comparison, then press keys."""

    async def walk(pilot: Pilot[Any]) -> None:
        await ready(pilot)
        for key in keys:
            await pilot.press(key)
            await pilot.pause()
        await until(pilot, lambda: all(each.is_finished for each in pilot.app.workers if each.group == "timeline"))
        await pilot.pause()

    return walk


@pytest.mark.snapshot
@SIZES
def test_changes(snap_compare: Callable[..., bool], fraud: Callable[..., KittuiApp], size: tuple[int, int]) -> None:
    """Opened: the summary, the tree of changes, the first change in the detail pane."""
    assert snap_compare(fraud(), terminal_size=size, run_before=pressing())


@pytest.mark.snapshot
@SIZES
def test_a_changed_row(
    snap_compare: Callable[..., bool], fraud: Callable[..., KittuiApp], size: tuple[int, int]
) -> None:
    """A table's changed row, its cells underlined, columns named; stacked at 80 columns."""
    assert snap_compare(fraud(), terminal_size=size, run_before=pressing(*["n"] * 11))


@pytest.mark.snapshot
@SIZES
def test_a_hunk(snap_compare: Callable[..., bool], fraud: Callable[..., KittuiApp], size: tuple[int, int]) -> None:
    """A text: side by side from 120 columns, unified below, changed words underlined."""
    assert snap_compare(fraud(), terminal_size=size, run_before=pressing(*["n"] * 10))


@pytest.mark.snapshot
def test_sixteen_colours(snap_compare: Callable[..., bool], fraud: Callable[..., KittuiApp]) -> None:
    """With the terminal's own sixteen colours: marks, bold and underline say it all."""
    app = fraud(theme="kittui-ansi")
    assert snap_compare(app, terminal_size=SMALL, run_before=pressing(*["n"] * 10))


async def test_the_challenger_is_reviewed_with_a_few_keys(fraud: Callable[..., KittuiApp]) -> None:
    app = fraud()
    async with app.run_test(size=LARGE) as pilot:
        screen = await ready(pilot)
        assert "champion afd90276678c → challenger bc0db86d1084" in text_of(pilot)
        assert "1.0.0 → 1.1.0" in text_of(pilot)
        seen = []
        for _ in range(14):
            seen.append(screen._rows.current.entry.title if screen._rows.current else "")
            await pilot.press("n")
        assert seen[:3] == ["package.version", "model.version", "model.parameters.epochs"]
        assert {"dense2.weight", "src/features.py", "data/train.csv", "docs/MODEL_CARD.md"} <= set(seen)
        await pilot.press("N", "N")
        await pilot.press("f")
        assert "only changed" in text_of(pilot)
        assert "src/features.py" not in text_of(pilot)
        await pilot.press("f")
        assert "src/features.py" in text_of(pilot)
        assert "src/params.json" not in text_of(pilot)
        await pilot.press("w")
        await ready(pilot)
        await until(pilot, lambda: "challenger bc0db86d1084 → champion afd90276678c" in text_of(pilot))
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.browse)


async def test_a_value_over_the_versions_is_one_key_away(fraud: Callable[..., KittuiApp]) -> None:
    app = fraud()
    async with app.run_test(size=LARGE) as pilot:
        await ready(pilot)
        await pilot.press("n", "n", "n", "H")
        await until(pilot, lambda: "over all versions" in text_of(pilot))
        assert "rollback, v0.9.0" in text_of(pilot)
        await pilot.press("n")
        assert "over all versions" not in text_of(pilot)


async def test_the_report_is_copied_or_saved(fraud: Callable[..., KittuiApp], tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    app = fraud()
    async with app.run_test(size=LARGE) as pilot:
        await ready(pilot)
        await pilot.press("m")
        await until(pilot, lambda: "Copy Markdown" in text_of(pilot))
        await pilot.press("enter")
        await until(pilot, lambda: app.clipboard.startswith("# champion → challenger"))
        await pilot.press("m")
        await until(pilot, lambda: "Save HTML" in text_of(pilot))
        await pilot.press("j", "j", "enter")
        await until(pilot, lambda: "File:" in text_of(pilot))
        await pilot.press("enter")
        path = tmp_path / "afd90276678c-bc0db86d1084.html"
        await until(pilot, path.exists)
        await until(pilot, lambda: path.read_text().endswith("</html>\n"))


async def test_values_are_read_when_asked(tmp_path: Path) -> None:
    a, b = bytes(200_000), bytes(199_999) + b"\x01"
    repository = two(
        {"model/w.safetensors": File(safetensors({"t": ("U8", [200_000], a)}))},
        {"model/w.safetensors": File(safetensors({"t": ("U8", [200_000], b)}))},
    )
    app = held(Side(repository, "a"), Side(repository, "b"))
    async with app.run_test(size=LARGE) as pilot:
        screen = await ready(pilot)
        assert screen.comparison is not None
        assert "kB to read)" in text_of(pilot)
        await pilot.press("C")
        await until(pilot, lambda: "All values" in text_of(pilot))
        await pilot.press("enter")
        await until(pilot, lambda: screen.comparison is not None and screen.comparison.tensors[0].status == "changed")
        await ready(pilot)
        assert screen.comparison.verified


async def test_ten_thousand_changes_stay_fluid() -> None:
    a = {f"src/{number:05}.txt": File(b"%d" % number) for number in range(10_000)}
    b = {path: File(file.content + b"!") for path, file in a.items()}
    repository = two(a, b)
    app = held(Side(repository, "a"), Side(repository, "b"))
    async with app.run_test(size=LARGE) as pilot:
        screen = await ready(pilot)
        assert len(screen._rows.rows) > 10_000
        start = time.perf_counter()
        for key in ("n", "j", "pagedown", "n", "G", "N", "k", "g", "n", "j"):
            await pilot.press(key)
        assert (time.perf_counter() - start) / 10 < 0.25


async def test_an_unreadable_side_says_what_failed(kithome: Path) -> None:
    repository = LocalSource(kithome, recheck=0).repository("127.0.0.1:5055/fraud")
    app = held(Side(repository, "champion"), Side(repository, "gone"))
    async with app.run_test(size=LARGE) as pilot:
        await shown(pilot)
        await until(pilot, lambda: "no tag gone" in text_of(pilot))


def test_common_pairs_come_first() -> None:
    names = ["champion", "challenger", "rollback", "v1.9.0", "v1.10.0", "v1.8.0"]
    pairs = [choice.value for choice in common_pairs(names, "v1.10.0")]
    assert pairs[:3] == [("v1.9.0", "v1.10.0"), ("champion", "challenger"), ("champion", "rollback")]
    assert len(pairs) == len(set(pairs)) == 7
    assert common_pairs(["only"], "only") == []
