"""An index's row opens into its variants, with labels as columns; they are read when they are seen."""

from __future__ import annotations

from typing import Any

import pytest
from textual.pilot import Pilot
from textual.widgets import OptionList

from kittui.oci.reference import LOCAL, Place
from kittui.tui.change.unpack_dialog import UnpackDialog
from kittui.tui.dialogs.choice import ChoiceDialog
from tests.change.kits import jobs_of
from tests.tui.waiting import browse, quiet, text_of, until
from tests.tui.world import World, WorldSource, kitfile

REGISTRY = Place("remote", host="registry.test")
SIZE = (160, 45)


def world(count: int = 4) -> tuple[World, WorldSource]:
    source = WorldSource(REGISTRY)
    repository = source.repository("llm")
    labels = {}
    for number in range(count):
        digest = repository.add(kitfile(f"{number}"), [("model", 1000 + number, "none")])
        labels[digest] = {"quantization": f"q{number}_0", "vram": 6.50 + number, "archs": ["sm_80"]}
    repository.named["first"] = next(iter(labels))
    repository.add_index("all", labels)
    return World(WorldSource(LOCAL), source), source


async def to_index(pilot: Pilot[Any]) -> None:
    await until(pilot, lambda: browse(pilot).tags_pane.current is not None)
    await quiet(pilot)
    assert browse(pilot).selection.target == "all"


async def test_an_index_opens_into_its_variants_with_labels_as_columns() -> None:
    made, _ = world()
    async with made.app("registry.test/llm:all").run_test(size=SIZE) as pilot:
        await to_index(pilot)
        assert "This is an index of 4 variants." in text_of(pilot)
        assert "quantization=q0_0" in text_of(pilot)
        assert "LABEL=VALUE" in text_of(pilot)
        assert "kit pull" not in text_of(pilot)
        browse(pilot).go("tags")
        await pilot.press("right")
        await quiet(pilot)
        text = text_of(pilot)
        titles = next(line for line in text.splitlines() if "tag " in line and "digest" in line)
        assert titles.index("quantization") < titles.index("vram") < titles.index("archs") < titles.index("digest")
        row = next(line for line in text.splitlines() if "variant 2" in line)
        assert "q1_0" in row
        assert '["sm_80"]' in row
        assert "1.5 kB" in row
        assert any("first" in line and "q0_0" in line and "6.5" in line for line in text.splitlines())
        await pilot.press("j", "j")
        await quiet(pilot)
        chosen = browse(pilot).selection
        assert chosen.modelkit is not None
        assert chosen.modelkit.version == "1"
        assert chosen.target == chosen.modelkit.digest
        await pilot.press("left", "left")
        await quiet(pilot)
        assert browse(pilot).selection.target == "all"
        assert not any("quantization " in line and "digest" in line for line in text_of(pilot).splitlines())


async def test_two_variants_are_marked_and_compared() -> None:
    made, _ = world()
    async with made.app("registry.test/llm:all").run_test(size=SIZE) as pilot:
        await to_index(pilot)
        browse(pilot).go("tags")
        await pilot.press("enter", "j", "space", "space")
        await quiet(pilot)
        assert [mark.target[:7] for mark in browse(pilot).marks] == ["sha256:"] * 2
        await pilot.press("d")
        await until(pilot, lambda: type(pilot.app.screen).__name__ == "CompareScreen")
        await until(pilot, lambda: "package.version" in text_of(pilot))


async def test_only_the_variants_in_view_are_read_and_each_once() -> None:
    made, source = world(200)
    async with made.app("registry.test/llm:all").run_test(size=SIZE) as pilot:
        await to_index(pilot)
        browse(pilot).go("tags")
        before, configs = source.asked["manifest"], source.asked["config"]
        await pilot.press("right")
        await quiet(pilot)
        visible = [row for row in browse(pilot).tags_pane.body.in_view if row.variant is not None]
        assert 5 < len(visible) < 60
        assert source.asked["manifest"] - before == len(visible)
        assert source.asked["config"] == configs
        await pilot.press("left", "right")
        await quiet(pilot)
        assert source.asked["manifest"] - before == len(visible)


@pytest.mark.parametrize("answer", ["enter", "escape"])
async def test_unpacking_an_index_asks_which_variant(answer: str) -> None:
    made, _ = world()
    async with made.app("registry.test/llm:all").run_test(size=SIZE) as pilot:
        await to_index(pilot)
        browse(pilot).go("tags")
        await pilot.press("u")
        await until(pilot, lambda: isinstance(pilot.app.screen, ChoiceDialog))
        assert pilot.app.screen.query_one(OptionList).option_count == 4
        await pilot.press("j", answer)
        if answer == "escape":
            await until(pilot, lambda: pilot.app.screen is browse(pilot))
            assert not jobs_of(pilot)
            return
        await until(pilot, lambda: isinstance(pilot.app.screen, UnpackDialog))
        assert "Unpack sha256:" in text_of(pilot)


async def test_pulling_an_index_into_the_store_asks_which_variant() -> None:
    made, _ = world()
    async with made.app("registry.test/llm:all").run_test(size=SIZE) as pilot:
        await to_index(pilot)
        browse(pilot).go("tags")
        await pilot.press("p")
        await until(pilot, lambda: isinstance(pilot.app.screen, ChoiceDialog))
        assert "quantization=q3_0" in text_of(pilot)
        await pilot.press("escape")
        await until(pilot, lambda: pilot.app.screen is browse(pilot))


@pytest.mark.parametrize("size", [(80, 24), (120, 35), (160, 45)])
@pytest.mark.parametrize(("opens", "closes"), [("right", "left"), ("l", "h")])
async def test_right_opens_the_next_level_at_once(size: tuple[int, int], opens: str, closes: str) -> None:
    made, _ = world()
    async with made.app("registry.test/llm:all").run_test(size=size) as pilot:
        await to_index(pilot)
        screen = browse(pilot)
        screen.go("tags")
        await pilot.press(opens)
        await quiet(pilot)
        assert sum(row.variant is not None for row in screen.tags_pane.body.rows) == 4
        await pilot.press(opens)
        await quiet(pilot)
        row = screen.tags_pane.current
        assert row is not None
        assert row.variant is not None
        await pilot.press(opens)
        await quiet(pilot)
        assert screen.layers_pane.body.has_focus
        await pilot.press(closes)
        assert screen.tags_pane.body.has_focus
        await pilot.press(closes, closes)
        await quiet(pilot)
        assert screen.selection.target == "all"
        assert all(row.variant is None for row in screen.tags_pane.body.rows)
        await pilot.press(closes)
        assert screen.repositories_pane.body.has_focus


@pytest.mark.parametrize(("right", "left"), [("shift+right", "shift+left"), ("full_stop", "comma")])
async def test_columns_that_do_not_fit_have_keys_of_their_own(right: str, left: str) -> None:
    made, _ = world()
    async with made.app("registry.test/llm:all").run_test(size=(80, 24)) as pilot:
        await to_index(pilot)
        browse(pilot).go("tags")
        assert "signed" not in text_of(pilot)
        shown = [text_of(pilot)]
        for key in [right] * 12 + [left] * 12:
            await pilot.press(key)
            shown.append(text_of(pilot))
        assert [text for text in shown if "signed" in text]
        assert [text for text in shown if "author" in text]
        assert shown[-1] == shown[0]
