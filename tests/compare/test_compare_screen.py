"""The comparison in the interface: from the tag list to the first hunk, filters, swaps, many rows, pictures."""

from __future__ import annotations

import asyncio
import json
import re
import struct
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from weakref import WeakKeyDictionary

import pytest
from textual.pilot import Pilot

import kittui.demo
from kittui.compare.comparison import Comparison
from kittui.compare.outline import outline
from kittui.layout import LayoutSource
from kittui.modelkit.stages import LifecycleTags
from kittui.oci.protocols import Source
from kittui.oci.reference import LOCAL, Place
from kittui.oci.tag import Tag
from kittui.oci.target import parse_target
from kittui.store import LocalSource
from kittui.tui.app import KittuiApp
from kittui.tui.compare.details import Detail, lines_of
from kittui.tui.compare.pick_dialog import PickDialog
from kittui.tui.compare.picking import common_pairs, other_tags
from kittui.tui.compare.screen import CompareScreen
from kittui.tui.compare.strip import SummaryStrip
from kittui.tui.compare.tree import Row, cells
from kittui.tui.dialogs.help import HelpDialog
from kittui.tui.frame.ports import PlaceEntry
from kittui.tui.widgets.rows import Rows
from kittui.usecases.browse.modelkits import repositories, tags
from kittui.usecases.diff.compare import Depth, DiffUseCase, Side
from kittui.usecases.inspect.inspector import Inspector
from tests.compare.kits import opened, safetensors, two
from tests.demo.pack import File
from tests.tui.waiting import LARGE, SMALL, quiet, resize, text_of, to_registry
from tests.tui.waiting import until as until_within
from tests.tui.world import acme

SIZES = pytest.mark.parametrize("size", [SMALL, LARGE], ids=["80x24", "160x45"])
Walk = Callable[[Pilot[Any]], Any]
OPENING: WeakKeyDictionary[KittuiApp, CompareScreen] = WeakKeyDictionary()


async def until(pilot: Pilot[Any], condition: Callable[[], Any], seconds: float = 60) -> None:
    """Wait until something is true, on a busy machine too."""
    await until_within(pilot, condition, seconds)


def held(a: Side, b: Side, **settings: Any) -> KittuiApp:
    """The program; `ready` opens the comparison of two sides above the browse screen."""
    app = acme(**settings).app()
    OPENING[app] = CompareScreen(DiffUseCase(opened, Inspector()), a, b)
    return app


def over(source: Source) -> KittuiApp:
    """The program over one real source."""

    async def opens(_: Place) -> Source:
        return source

    ports = replace(
        acme().ports,
        places=(PlaceEntry(source.place),),
        source=opens,
        repositories=repositories,
        tags=tags,
        modelkit=opened,
        manifest=lambda repository, target: repository.manifest(target),
    )
    return KittuiApp(ports)


async def to_challenger(pilot: Pilot[Any]) -> None:
    """Go to the tags of the repository, and to its challenger."""
    app = pilot.app
    assert isinstance(app, KittuiApp)
    browse = app.browser
    await until(pilot, lambda: any(row.found for row in browse.repositories_pane.places))
    await quiet(pilot)
    browse.open(LOCAL, "127.0.0.1:5055/fraud", None)
    await until(pilot, lambda: browse.tags_pane.repository is not None and browse.tags_pane.current is not None)
    await quiet(pilot)
    browse.go("tags")
    await quiet(pilot)
    await pilot.press("g")
    for _ in range(10):
        await quiet(pilot)
        if browse.selection.target == "challenger":
            break
        await pilot.press("j")
    assert browse.selection.target == "challenger"


@pytest.fixture
def fraud(kithome: Path) -> Callable[..., KittuiApp]:
    """The champion with the challenger, from a store that kit wrote."""
    repository = LocalSource(kithome, recheck=0).repository("127.0.0.1:5055/fraud")
    return lambda a="champion", b="challenger", **settings: held(
        Side(repository, parse_target(a)), Side(repository, parse_target(b)), **settings
    )


@pytest.fixture
def tuned() -> Callable[[], KittuiApp]:
    """A model of four blocks: the head and the last block were fine-tuned, one weight of the third is another."""

    def app() -> KittuiApp:
        names = [
            f"encoder.{block}.{part}"
            for block in range(4)
            for part in ("attention.weight", "dense.weight", "dense.bias")
        ]
        before = {name: ("F32", [16], struct.pack("<16f", *([0.5] * 16))) for name in [*names, "head.weight"]}
        after = dict(before)
        for name, changed, by in (
            ("head.weight", 16, 0.4),
            ("encoder.3.attention.weight", 16, 0.05),
            ("encoder.3.dense.weight", 12, 0.02),
            ("encoder.3.dense.bias", 4, 0.01),
            ("encoder.2.dense.weight", 1, 0.001),
        ):
            values = [0.5 + by * (number < changed) for number in range(16)]
            after[name] = ("F32", [16], struct.pack("<16f", *values))
        repository = two(
            {"model/encoder.safetensors": File(safetensors(before))},
            {"model/encoder.safetensors": File(safetensors(after))},
        )
        return held(Side(repository, Tag("a")), Side(repository, Tag("b")))

    return app


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
        await until(pilot, lambda: all(each.is_finished for each in pilot.app.workers if each.group == "timeline"), 60)
        await pilot.pause()

    return walk


def at_row(title: str, *keys: str) -> Walk:
    """Wait for the comparison, put the cursor on a row, then press keys."""

    async def walk(pilot: Pilot[Any]) -> None:
        await to_row(pilot, await ready(pilot), title)
        for key in keys:
            await pilot.press(key)
            await pilot.pause()
        await pilot.pause()

    return walk


async def to_row(pilot: Pilot[Any], screen: CompareScreen, title: str) -> None:
    """Put the cursor on the row of this title."""
    rows: Any = screen.query_one("#changes", Rows)
    rows.move_to(next(number for number, row in enumerate(rows.rows) if row.entry.title == title))
    await pilot.pause()


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
    """A table's changed row, its cells on a stronger ground, columns named; stacked at 80 columns."""
    assert snap_compare(fraud(), terminal_size=size, run_before=at_row("data/train.csv"))


@pytest.mark.snapshot
@SIZES
def test_a_hunk(snap_compare: Callable[..., bool], fraud: Callable[..., KittuiApp], size: tuple[int, int]) -> None:
    """A text: side by side from 120 columns, unified below, changed words on a stronger ground."""
    assert snap_compare(fraud(), terminal_size=size, run_before=at_row("src/params.json", "right_square_bracket"))


@pytest.mark.snapshot
@SIZES
def test_a_value_over_the_versions(
    snap_compare: Callable[..., bool], fraud: Callable[..., KittuiApp], size: tuple[int, int]
) -> None:
    """The timeline: each version's value with a bar, those that changed it marked, old and new below."""
    assert snap_compare(fraud(), terminal_size=size, run_before=pressing("n", "n", "i"))


@pytest.mark.snapshot
@SIZES
def test_heat_of_tensors(
    snap_compare: Callable[..., bool], tuned: Callable[[], KittuiApp], size: tuple[int, int]
) -> None:
    """What was fine-tuned: modules and tensors by how much of them changed, with bars."""
    assert snap_compare(tuned(), terminal_size=size, run_before=pressing("g", "j"))


@pytest.mark.snapshot
@pytest.mark.parametrize(
    ("title", "keys"), [("src/train.py", ["right_square_bracket"]), ("data/train.csv", [])], ids=["lines", "rows"]
)
def test_demo(snap_compare: Callable[..., bool], title: str, keys: list[str]) -> None:
    """The demo's challenger under review: lines side by side, and the one row of a table that differs."""
    folder = Path(kittui.demo.__file__).parent / "layout"
    repository = LayoutSource(folder).repository("acme/fraud-detector")
    app = held(Side(repository, Tag("champion")), Side(repository, Tag("challenger")))
    assert snap_compare(app, terminal_size=(160, 34), run_before=at_row(title, *keys))


@pytest.mark.snapshot
@SIZES
def test_picking(snap_compare: Callable[..., bool], size: tuple[int, int]) -> None:
    """Pairs available, copies in other places, all other tags; a line to filter or to type a reference."""

    async def walk(pilot: Pilot[Any]) -> None:
        await to_registry(pilot)
        await pilot.press("d")
        await until(pilot, lambda: isinstance(pilot.app.screen, PickDialog))

    assert snap_compare(acme().app(), terminal_size=size, run_before=walk)


@pytest.mark.snapshot
def test_sixteen_colours(snap_compare: Callable[..., bool], fraud: Callable[..., KittuiApp]) -> None:
    """With the terminal's own sixteen colours: marks, bold and underline say it all."""
    app = fraud(theme="kittui-ansi")
    assert snap_compare(app, terminal_size=SMALL, run_before=at_row("src/params.json", "right_square_bracket"))


async def test_the_challenger_is_reviewed_with_a_few_keys(fraud: Callable[..., KittuiApp]) -> None:
    app = fraud()
    async with app.run_test(size=LARGE) as pilot:
        screen = await ready(pilot)
        assert "champion afd90276678c → new challenger bc0db86d1084" in text_of(pilot)
        assert "1.0.0 → 1.1.0" in text_of(pilot)
        seen = []
        for _ in range(14):
            seen.append(screen._panes.rows.current.entry.title if screen._panes.rows.current else "")
            await pilot.press("n")
        assert seen[:3] == ["package.version", "model.version", "model.parameters.epochs"]
        assert {"dense2.weight", "src/features.py", "data/train.csv", "docs/MODEL_CARD.md"} <= set(seen)
        await pilot.press("w")
        await ready(pilot)
        await until(pilot, lambda: "challenger bc0db86d1084 → new champion afd90276678c" in text_of(pilot))
        first = screen.comparison
        await pilot.press("w")
        assert "champion afd90276678c → new challenger bc0db86d1084" in text_of(pilot), "shown at once, it was compared"
        assert screen.comparison is not first
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.browser)


async def test_filters_show_one_kind_of_change_with_what_is_above_it(fraud: Callable[..., KittuiApp]) -> None:
    async with fraud().run_test(size=LARGE) as pilot:
        screen = await ready(pilot)
        await until(pilot, lambda: "[14 changes] ~ 11 changed  + 1 added  - 2 removed  everything" in text_of(pilot))
        await pilot.press("f")
        await until(pilot, lambda: "[~ 11 changed]" in text_of(pilot))
        assert "src/features.py" not in text_of(pilot)
        await pilot.press("plus")
        await until(pilot, lambda: "[+ 1 added]" in text_of(pilot))
        assert [row.title for row in screen.change_tree.rows] == ["code src", "src/features.py"]
        assert "change 1 of 1" in text_of(pilot)
        await pilot.press("minus")
        await until(pilot, lambda: "[- 2 removed]" in text_of(pilot))
        await pilot.press("minus")
        await until(pilot, lambda: "[14 changes]" in text_of(pilot))
        await pilot.press("f", "f", "f", "f")
        await until(pilot, lambda: "[everything]" in text_of(pilot))
        assert any(row.entry.status == "same" for row in screen.change_tree.rows)
        assert await pilot.click(SummaryStrip, offset=(3, 1))
        await until(pilot, lambda: "[14 changes]" in text_of(pilot))


@SIZES
async def test_three_keys_from_the_tags_to_the_second_change(kithome: Path, size: tuple[int, int]) -> None:
    app = over(LocalSource(kithome, recheck=0))
    async with app.run_test(size=size) as pilot:
        await to_challenger(pilot)
        await pilot.press("d")
        await until(pilot, lambda: "what a promotion would change" in text_of(pilot))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, CompareScreen), 60)
        screen = app.screen
        assert isinstance(screen, CompareScreen)
        await until(pilot, lambda: screen.comparison is not None and screen.comparison.complete, 60)
        await pilot.press("right_square_bracket")
        await until(pilot, lambda: "change 2 of" in text_of(pilot))
        assert "- 1.0.0" in text_of(pilot)
        assert "+ 1.1.0" in text_of(pilot)
        await pilot.press("escape")
        await until(pilot, lambda: app.screen is app.browser)


async def test_every_change_is_visited_and_the_end_is_told(fraud: Callable[..., KittuiApp]) -> None:
    async with fraud().run_test(size=LARGE, notifications=True) as pilot:
        screen = await ready(pilot)
        rows: Any = screen.query_one("#changes", Rows)
        changes = [screen.change_tree.rows[number].entry.title for number in screen.change_tree.changes]
        assert {"package.version", "model.parameters.epochs", "dense2.weight", "docs/MODEL_CARD.md"} <= set(changes)
        await pilot.press("g", "h")
        await until(pilot, lambda: screen.change_tree.rows[0].folded)
        await to_row(pilot, screen, changes[-1])
        seen: list[str] = []
        while "Wrapped around" not in text_of(pilot):
            await pilot.press("right_square_bracket")
            await pilot.pause()
            seen.append(rows.current.entry.title)
            assert len(seen) < 100
        while seen[-1] != changes[-1]:
            await pilot.press("right_square_bracket")
            await pilot.pause()
            seen.append(rows.current.entry.title)
            assert len(seen) < 100
        assert list(dict.fromkeys(seen[seen.index(changes[0]) :])) == changes, "what was folded was visited, too"
        await to_row(pilot, screen, changes[0])
        await pilot.press("left_square_bracket")
        await until(pilot, lambda: rows.current.entry.title == changes[-1])


async def test_the_detail_is_read_with_its_own_keys_and_copied_without_numbers(
    fraud: Callable[..., KittuiApp],
) -> None:
    app = fraud()
    async with app.run_test(size=SMALL) as pilot:
        screen = await ready(pilot)
        rows: Any = screen.query_one("#changes", Rows)
        await to_row(pilot, screen, "docs/MODEL_CARD.md")
        offset = rows.scroll_offset.y
        assert offset > 0
        await pilot.press("enter")
        await until(pilot, lambda: screen.query_one(Detail).size.height > 12)
        await pilot.press("G", "y")
        await until(pilot, lambda: "- " in app.clipboard)
        title, _, hunk = app.clipboard.partition("\n@@ ")
        assert title.startswith("docs/MODEL_CARD.md  - removed")
        assert all(line[:2] in ("- ", "+ ", "  ") or line.startswith("@@") for line in hunk.splitlines()[1:])
        await pilot.press("escape")
        await until(pilot, lambda: screen.query_one(Detail).size.height < 12)
        await until(pilot, lambda: rows.scroll_offset.y == offset)
        assert app.screen is screen


OLD = "".join(f"line {number}\n" for number in range(1, 61))
NEW = OLD.replace("line 5\n", "line five\n").replace("line 30\n", "line  30\n").replace("line 55\n", "line 5 5 fünf\n")


@pytest.fixture
def long_text() -> KittuiApp:
    """A text of sixty lines with three changes, one of white space alone."""
    repository = two({"src/a.txt": File(OLD.encode())}, {"src/a.txt": File(NEW.encode())})
    return held(Side(repository, Tag("a")), Side(repository, Tag("b")))


async def test_context_grows_shrinks_and_unfolds(long_text: KittuiApp) -> None:
    async with long_text.run_test(size=(110, 100)) as pilot:
        screen = await ready(pilot)
        await to_row(pilot, screen, "src/a.txt")
        await until(pilot, lambda: "┄ 18 unchanged lines" in text_of(pilot))
        assert "line 9\n" not in text_of(pilot)
        await pilot.press("right_curly_bracket")
        await until(pilot, lambda: "┄ 12 unchanged lines" in text_of(pilot))
        await pilot.press("left_curly_bracket")
        await until(pilot, lambda: "┄ 18 unchanged lines" in text_of(pilot))
        await pilot.press("z")
        await until(pilot, lambda: "unchanged lines" not in text_of(pilot))
        assert "line 20 " in text_of(pilot)
        detail = screen.query_one(Detail)
        await pilot.press("right_square_bracket", "right_square_bracket", "right_square_bracket")
        await until(pilot, lambda: detail.hunk == (3, 3))
        await pilot.press("z")
        await until(pilot, lambda: "┄ 18 unchanged lines" in text_of(pilot))


async def test_white_space_is_ignored_on_demand(long_text: KittuiApp) -> None:
    async with long_text.run_test(size=(110, 60)) as pilot:
        screen = await ready(pilot)
        await to_row(pilot, screen, "src/a.txt")
        await until(pilot, lambda: "+ line  30" in text_of(pilot))
        await pilot.press("W")
        await until(pilot, lambda: "white space is not compared" in text_of(pilot))
        assert "+ line  30" not in text_of(pilot)
        assert "+ line five" in text_of(pilot)
        await pilot.press("W")
        await until(pilot, lambda: "+ line  30" in text_of(pilot))


async def test_lines_carry_both_numbers_and_long_ones_are_cut_on_demand() -> None:
    words = " ".join(f"word{number}" for number in range(40))
    old, new = f"one\n{words}\n", f"zero\none\n{words} end\n"
    repository = two({"src/a.txt": File(old.encode())}, {"src/a.txt": File(new.encode())})
    app = held(Side(repository, Tag("a")), Side(repository, Tag("b")))
    async with app.run_test(size=(100, 40)) as pilot:
        screen = await ready(pilot)
        await to_row(pilot, screen, "src/a.txt")
        await until(pilot, lambda: "      1 + zero" in text_of(pilot))
        assert "  1   2   one" in text_of(pilot)
        shown = text_of(pilot)
        assert all(f"word{number}" in shown for number in range(40)), "no word is broken"
        await pilot.press("S")
        await until(pilot, lambda: "word39" not in text_of(pilot))
        await pilot.press("S", "s")
        await until(pilot, lambda: "│   1   one" in text_of(pilot) or "│   2   one" in text_of(pilot))


async def test_a_search_finds_all_of_the_comparison(fraud: Callable[..., KittuiApp]) -> None:
    async with fraud().run_test(size=LARGE, notifications=True) as pilot:
        screen = await ready(pilot)
        rows: Any = screen.query_one("#changes", Rows)
        await pilot.press("minus")
        await until(pilot, lambda: "[- 2 removed]" in text_of(pilot))
        await pilot.press("slash", *"EPOCHS", "enter")
        await until(pilot, lambda: re.search(r"match \d+ of", text_of(pilot)))
        seen = [rows.current.entry.title]
        start = re.findall(r"match \d+ of", text_of(pilot))
        while len(seen) < 3 or re.findall(r"match \d+ of", text_of(pilot)) != start:
            await pilot.press("n")
            await pilot.pause()
            seen.append(rows.current.entry.title)
            assert len(seen) < 50
        assert "model.parameters.epochs" in seen, "a value of the Kitfile"
        assert "src/params.json" in seen, "a line of a text"
        assert "Wrapped around" in text_of(pilot)
        await pilot.press("N")
        await until(pilot, lambda: rows.current.entry.title == seen[-2])
        await pilot.press("escape")
        await until(pilot, lambda: "change " in text_of(pilot))
        assert pilot.app.screen is screen
        await pilot.press("slash", *"nowhere to be found")
        await until(pilot, lambda: "not found" in text_of(pilot))


async def test_side_by_side_from_120_columns_and_long_lines_go_on_below() -> None:
    old, new = "a = 1  # " + "x" * 150 + "\n", "a = 2  # " + "x" * 150 + "\n"
    repository = two({"src/a.py": File(old.encode())}, {"src/a.py": File(new.encode())})
    app = held(Side(repository, Tag("a")), Side(repository, Tag("b")))
    async with app.run_test(size=(120, 30)) as pilot:
        await ready(pilot)
        await pilot.press("right_square_bracket")
        await until(pilot, lambda: "- a = 1" in text_of(pilot))
        line = next(line for line in text_of(pilot).splitlines() if "- a = 1" in line)
        assert "+ a = 2" in line
        assert text_of(pilot).count("x" * 20) > 4, "the whole line is there, below itself"
        await resize(pilot, (110, 30))
        await until(pilot, lambda: not any("- a = 1" in x and "+ a = 2" in x for x in text_of(pilot).splitlines()))
        assert "+ a = 2" in text_of(pilot)


async def test_outputs_of_a_notebook_are_folded_until_o_or_a_search() -> None:
    def tree(said: str) -> dict[str, File]:
        cell = {"cell_type": "code", "source": f"run({said!r})", "outputs": [{"output_type": "stream", "text": said}]}
        return {"src/n.ipynb": File(json.dumps({"nbformat": 4, "cells": [cell]}).encode())}

    repository = two(tree("accuracy 0.91\n"), tree("accuracy 0.97\n"))
    app = held(Side(repository, Tag("a")), Side(repository, Tag("b")))
    async with app.run_test(size=LARGE, notifications=True) as pilot:
        screen = await ready(pilot)
        await to_row(pilot, screen, "src/n.ipynb")
        await until(pilot, lambda: "cell 1 (output), changed  2 lines, folded" in text_of(pilot))
        assert text_of(pilot).count("accuracy 0.9") == 2, "the source alone"
        await pilot.press("o")
        await until(pilot, lambda: text_of(pilot).count("accuracy 0.9") == 4)
        await pilot.press("o")
        await until(pilot, lambda: "2 lines, folded" in text_of(pilot))
        await pilot.press("slash", *"accuracy", "enter")
        await until(pilot, lambda: text_of(pilot).count("accuracy 0.9") == 4)


async def test_what_is_folded_stays_folded_and_n_stops_there(fraud: Callable[..., KittuiApp]) -> None:
    async with fraud().run_test(size=LARGE) as pilot:
        screen = await ready(pilot)
        before = len(screen.change_tree.rows)
        await pilot.press("g", "h")
        await until(pilot, lambda: len(screen.change_tree.rows) < before)
        await pilot.press("r")
        await ready(pilot)
        await until(pilot, lambda: screen.comparison is not None and screen.change_tree.rows[0].folded)
        await pilot.press("g", "l")
        await until(pilot, lambda: len(screen.change_tree.rows) == before)


@SIZES
async def test_a_value_over_the_versions_is_one_key_away(
    fraud: Callable[..., KittuiApp], size: tuple[int, int]
) -> None:
    app = fraud()
    async with app.run_test(size=size) as pilot:
        screen = await ready(pilot)
        await pilot.press("n", "n", "i")
        await until(pilot, lambda: "last with" in text_of(pilot), 60)
        shown = text_of(pilot)
        assert "model.parameters.epochs" in shown
        assert "v0.9.0, rollback" in shown
        assert "changed 2 times, last with v1.1.0, challenger · not there in 1" in shown
        assert "- 12" in shown
        assert "+ 20" in shown
        await pilot.press("y")
        await until(pilot, lambda: app.clipboard.startswith("model.parameters.epochs\n"))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, CompareScreen) and app.screen is not screen)
        await until(pilot, lambda: "new v1.1.0 bc0db86d1084" in text_of(pilot), 60)
        await pilot.press("escape", "escape")
        await until(pilot, lambda: app.screen is screen)


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
    app = held(Side(repository, Tag("a")), Side(repository, Tag("b")))
    async with app.run_test(size=LARGE) as pilot:
        screen = await ready(pilot)
        assert screen.comparison is not None
        await until(pilot, lambda: "C Compare values, 4" in text_of(pilot))
        await pilot.press("C")
        await until(pilot, lambda: "All values" in text_of(pilot))
        await pilot.press("enter")

        def statuses() -> list[str]:
            return [tensor.status for tensor in screen.comparison.tensors] if screen.comparison else []

        await until(pilot, lambda: statuses() == ["changed"])
        await ready(pilot)
        assert screen.comparison.verified


async def ten_thousand(kind: str) -> KittuiApp:
    """A comparison of ten thousand changed files, or of as many tensors of one file."""
    if kind == "files":
        a = {f"src/{number:05}.txt": File(b"%d" % number) for number in range(10_000)}
        b = {path: File(file.content + b"!") for path, file in a.items()}
    else:
        shapes = (
            {f"l.{n}.w": ("U8", [1], b"\0") for n in range(10_000)},
            {f"l.{n}.w": ("U8", [2], b"\0\1") for n in range(10_000)},
        )
        a, b = ({"model/w.safetensors": File(safetensors(tensors))} for tensors in shapes)
    repository = two(a, b)
    return held(Side(repository, Tag("a")), Side(repository, Tag("b")))


@pytest.mark.parametrize("kind", ["files", "tensors"])
async def test_ten_thousand_changes_cost_a_screenful_a_key(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a key press makes is counted, not timed: rows of the tree, drawn cells, lines of the detail pane."""
    made: Counter[str] = Counter()

    def counting(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any) -> Any:
            made[name] += 1
            return function(*arguments)

        return counted

    def lines(*arguments: Any, **settings: Any) -> Any:
        for line in lines_of(*arguments, **settings):
            made["lines"] += 1
            yield line

    monkeypatch.setattr("kittui.tui.compare.tree.Row", counting("rows", Row))
    monkeypatch.setattr("kittui.tui.compare.tree.outline", counting("outlines", outline))
    monkeypatch.setattr("kittui.tui.compare.panes.cells", counting("cells", cells))
    monkeypatch.setattr("kittui.tui.compare.panes.lines_of", lines)
    app = await ten_thousand(kind)
    async with app.run_test(size=LARGE) as pilot:
        screen = await ready(pilot)
        await until(pilot, lambda: len(screen.change_tree.rows) > 10_000)
        for key in ("n", "j", "pagedown", "n", "G", "N", "k", "g", "n", "j", "right_square_bracket"):
            made.clear()
            await pilot.press(key)
            await pilot.pause()
            assert made["rows"] == made["outlines"] == 0, key
            assert made["cells"] <= 2 * LARGE[1], key
            assert made["lines"] <= 4 * LARGE[1], key
        await pilot.press("tab", "g")
        made.clear()
        await pilot.press("h", "l")
        await pilot.pause()
        assert made["rows"] == made["outlines"] == 0, "folding builds nothing"


async def test_an_unreadable_side_says_what_failed(kithome: Path) -> None:
    repository = LocalSource(kithome, recheck=0).repository("127.0.0.1:5055/fraud")
    app = held(Side(repository, Tag("champion")), Side(repository, Tag("gone")))
    async with app.run_test(size=LARGE) as pilot:
        await shown(pilot)
        await until(pilot, lambda: "no tag gone" in text_of(pilot))


def test_pairs_at_hand_come_first() -> None:
    names = [Tag(name) for name in ("champion", "challenger", "rollback", "v1.9.0", "v1.10.0", "v1.8.0")]
    hand = common_pairs(names, Tag("v1.10.0"))
    assert [offer.pair for offer in hand] == [
        ("v1.9.0", "v1.10.0"),
        ("champion", "v1.10.0"),
        ("champion", "challenger"),
        ("champion", "rollback"),
    ]
    assert next(offer.pair for offer in common_pairs(names, Tag("rollback"))) == ("champion", "rollback")
    others = [offer.pair for offer in other_tags(names, Tag("v1.10.0"), hand)]
    assert len(others) == len(set(others)) == 3
    assert common_pairs(names[:3], Tag("challenger"))[0].pair == ("champion", "challenger")
    assert common_pairs([*names[:3], Tag("tuned")], Tag("tuned"))[0].pair == ("champion", "tuned")
    assert not set(others) & {offer.pair for offer in hand}
    assert common_pairs([Tag("only")], Tag("only")) == other_tags([Tag("only")], Tag("only")) == []


def test_pairs_at_hand_follow_the_configured_stages() -> None:
    stages = LifecycleTags(Tag("next"), Tag("live"), Tag("last"))
    assert [offer.pair for offer in common_pairs([Tag("next"), Tag("live"), Tag("last")], Tag("next"), stages)] == [
        ("live", "next"),
        ("live", "last"),
    ]


def test_every_key_in_the_docs_can_be_remapped(fraud: Callable[..., KittuiApp]) -> None:
    page = Path(__file__).parents[2].joinpath("docs", "keys.md").read_text()
    names = set(re.findall(r"\| `([a-z.-]+)` \|$", page, re.MULTILINE))
    assert {"compare.next-hunk", "timeline.compare", "pick.type", "viewer.search", "diff"} <= names
    assert names - set(fraud().ports.keys.all) == set()


async def test_remapped_keys_of_the_comparison_work_and_are_shown(fraud: Callable[..., KittuiApp]) -> None:
    """`x` steps to the next change; `d`, a key of the browse screen alone, may be one here as well."""
    app = fraud(keymap={"compare.next": ["x"], "compare.swap": ["d"], "compare.report": ["j"]})
    async with app.run_test(size=LARGE, notifications=True) as pilot:
        await until(
            pilot,
            lambda: "keymap.compare.report: j was move.down's; move.down has ↓" in " ".join(text_of(pilot).split()),
        )
        screen = await ready(pilot)
        await until(pilot, lambda: "change 1 of 14" in text_of(pilot))
        await pilot.press("x")
        await until(pilot, lambda: "change 2 of 14" in text_of(pilot))
        assert " x Next  ] Hunk" in text_of(pilot)
        await pilot.press("question_mark")
        await until(pilot, lambda: isinstance(app.screen, HelpDialog))
        shown = text_of(pilot)
        assert "Comparing" in shown
        assert re.search(r"x +Next +Next change", shown)
        assert re.search(r"\] +Next hunk", shown)
        await pilot.press("escape", "d")
        await until(pilot, lambda: "challenger bc0db86d1084 → new champion" in text_of(pilot), 60)
        assert app.screen is screen


@SIZES
async def test_i_in_the_tag_list_follows_a_kitfile_value(kithome: Path, size: tuple[int, int]) -> None:
    app = over(LocalSource(kithome, recheck=0))
    async with app.run_test(size=size) as pilot:
        await to_challenger(pilot)
        await pilot.press("i")
        await until(pilot, lambda: isinstance(app.screen, PickDialog))
        await pilot.press("slash", *"auc")
        await until(pilot, lambda: "model.parameters.metrics.auc" in text_of(pilot))
        await pilot.press("enter")
        await until(pilot, lambda: "last with v1.1.0, challenger" in text_of(pilot), 60)
        assert "model.parameters.metrics.auc" in text_of(pilot)
        await pilot.press("N")
        await until(pilot, lambda: "changed since v0.9.0, rollback" in text_of(pilot))
        await pilot.press("question_mark")
        await until(pilot, lambda: "Over the versions" in text_of(pilot))
        assert "Go to the next version that changed it" in text_of(pilot)
        await pilot.press("escape", "escape")
        await until(pilot, lambda: app.screen is app.browser)


@SIZES
async def test_i_in_the_layers_follows_a_file_and_a_tensor(kithome: Path, size: tuple[int, int]) -> None:
    app = over(LocalSource(kithome, recheck=0))
    async with app.run_test(size=size) as pilot:
        await to_challenger(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: app.browser.at == "layers" and app.browser.selection.layer is not None, 60)
        await pilot.press("g", "l")
        await until(pilot, lambda: len(app.browser.layers_pane.body.rows) > 5, 60)
        await quiet(pilot)
        await pilot.press("j")
        await until(pilot, lambda: app.browser.selection.node is not None)
        await pilot.press("i")
        await until(pilot, lambda: "changed 3 times" in text_of(pilot), 60)
        assert "model/fraud.safetensors" in text_of(pilot)
        await pilot.press("i")
        await until(pilot, lambda: app.screen is app.browser)
        await pilot.press("l")
        for _ in range(20):
            await quiet(pilot)
            node = app.browser.selection.node
            if node is not None and node.kind == "tensor":
                break
            await pilot.press("l" if node is not None and node.kind == "dir" else "j")
            if node is not None and node.kind == "dir":
                await quiet(pilot)
                await pilot.press("j")
        assert app.browser.selection.node is not None
        assert app.browser.selection.node.kind == "tensor"
        await pilot.press("i")
        await until(pilot, lambda: " in model/fraud.safetensors" in text_of(pilot))
        await until(pilot, lambda: "no times are known" in text_of(pilot), 60)
        assert re.search(r"[FI]\d+ \[", text_of(pilot))


@SIZES
async def test_progress_is_told_in_words_and_escape_stops_reading_values(
    fraud: Callable[..., KittuiApp], size: tuple[int, int]
) -> None:
    """A state that names its step changes the words alone; Escape ends the reading and keeps what was found."""
    app = fraud()
    async with app.run_test(size=size, notifications=True) as pilot:
        screen = await ready(pilot)
        whole = screen.comparison
        assert whole is not None
        stopped = asyncio.Event()

        async def reading(a: Side, b: Side, depth: Depth, on_update: Callable[[Comparison], None]) -> Comparison:
            on_update(replace(whole, complete=False, unread=0))
            on_update(replace(whole, doing="comparing values of model ./model", done=120_000_000, total=2_200_000_000))
            try:
                await asyncio.Event().wait()
            finally:
                stopped.set()
            return whole

        screen._reading.case = SimpleNamespace(compare=reading)  # type: ignore[assignment]
        screen.read_values(Depth(content=True))
        words = "comparing values of model ./model: 120" if size == LARGE else "120 MB of 2.2 GB …"
        await until(pilot, lambda: words in text_of(pilot))
        assert "Esc Stop" in text_of(pilot)
        assert screen.working
        await pilot.press("escape")
        await until(pilot, stopped.is_set)
        await until(pilot, lambda: "Stopped reading values" in " ".join(text_of(pilot).split()))
        assert not screen.working
        assert app.screen is screen
        assert "package.version" in text_of(pilot)


async def test_the_tree_has_the_room_that_its_rows_need(fraud: Callable[..., KittuiApp]) -> None:
    async with fraud().run_test(size=(160, 45)) as pilot:
        screen = await ready(pilot)
        await quiet(pilot)
        tree, detail = screen.query_one("#changes"), screen.query_one("#detail")
        fitted = tree.size.width
        assert 48 <= fitted <= 80
        await pilot.press("greater_than_sign", "greater_than_sign", "less_than_sign")
        await until(pilot, lambda: tree.size.width == fitted + 8)
        await pilot.press("Z")
        await until(pilot, lambda: tree.size.width == 160 and not detail.display)
        await pilot.press("greater_than_sign", "tab")
        await until(pilot, lambda: detail.size.width == 160 and not tree.display)
        await pilot.press("Z")
        await until(pilot, lambda: tree.display and tree.size.width + detail.size.width < 160)
        await pilot.press("tab", "less_than_sign")
        await until(pilot, lambda: tree.size.width == fitted)


async def test_a_short_tree_leaves_the_room_to_the_detail() -> None:
    repository = two({"code/a": File(b"1\n")}, {"code/a": File(b"2\n")})
    async with held(Side(repository, Tag("a")), Side(repository, Tag("b"))).run_test(size=(160, 45)) as pilot:
        screen = await ready(pilot)
        await until(pilot, lambda: screen.query_one("#changes").size.width == 48)


async def test_stacked_panes_share_the_height_as_it_is_moved(fraud: Callable[..., KittuiApp]) -> None:
    async with fraud().run_test(size=SMALL) as pilot:
        screen = await ready(pilot)
        await quiet(pilot)
        tree = screen.query_one("#changes")
        before = tree.size.height
        await pilot.press("greater_than_sign", "greater_than_sign", "greater_than_sign")
        await until(pilot, lambda: tree.size.height > before + 1)
        grown = tree.size.height
        await pilot.press("less_than_sign", "less_than_sign", "less_than_sign")
        await until(pilot, lambda: tree.size.height < grown - 1)
