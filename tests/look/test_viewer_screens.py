"""Pictures of the viewers; each docstring says what its picture proves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from look.shipped import shipped, to_file, to_kit
from textual.pilot import Pilot
from waiting import LARGE, MIDDLE, SMALL, until

from kittui.tui.look.viewer import ViewerScreen

pytestmark = pytest.mark.snapshot
Compare = Callable[..., bool]
SIZES = pytest.mark.parametrize("size", [SMALL, MIDDLE, LARGE], ids=["80x24", "100x30", "160x45"])


def viewing(repository: str, tag: str, layer: str, file: str, *keys: str) -> Callable[[Pilot[Any]], Any]:
    """Registry, ModelKit, layer, file, `v`, and more keys."""

    async def walk(pilot: Pilot[Any]) -> None:
        await to_kit(pilot, repository, tag)
        await to_file(pilot, layer, file)
        await pilot.press("v")
        await until(pilot, lambda: isinstance(pilot.app.screen, ViewerScreen) and pilot.app.screen.contents is not None)
        await until(pilot, lambda: all(each.is_finished for each in pilot.app.workers if each.group != "command"))
        for key in keys:
            await pilot.press(key)
        await pilot.pause()

    return walk


SHARD = "model/model-00001-of-00002.safetensors"


@SIZES
def test_tensors(snap_compare: Compare, size: tuple[int, int]) -> None:
    """A shard of a safetensors model in a registry: all tensors of both shards by module, with what they weigh."""
    walk = viewing("acme/sentiment", "champion", SHARD, SHARD)
    assert snap_compare(shipped().app(), terminal_size=size, run_before=walk)


@SIZES
def test_readme(snap_compare: Compare, size: tuple[int, int]) -> None:
    """The README of a ModelKit in a registry, rendered."""
    walk = viewing("acme/sentiment", "champion", "README.md", "README.md")
    assert snap_compare(shipped().app(), terminal_size=size, run_before=walk)
