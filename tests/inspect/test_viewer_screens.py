"""Pictures of the viewers; each docstring says what its picture proves."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from textual.pilot import Pilot

from kittui.tui.inspect.viewer import ViewerScreen
from tests.fakes.layers import archive
from tests.inspect.kits import kit_world
from tests.inspect.shipped import move, named, shipped, to_file, to_kit
from tests.tui.waiting import LARGE, MIDDLE, SMALL, browse, quiet, text_of, until

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


def layers_of(layers: dict[str, bytes], *, ranges: bool = True, media: str = "tar") -> Any:
    """A registry with one ModelKit of these layers, opened on it."""
    world, repository = kit_world(layers, ranges=ranges, media=dict.fromkeys(layers, media))
    return world.app("remote://registry.acme.dev/team/kit:champion"), repository


async def at_layers(pilot: Pilot[Any]) -> None:
    """The first layer, unfolded."""
    await until(pilot, lambda: len(browse(pilot).layers_pane.body.rows) > 0)
    await quiet(pilot)
    await pilot.press("3", "enter")
    await until(pilot, lambda: len(browse(pilot).layers_pane.body.rows) > 1)
    await quiet(pilot)


def test_price_of_a_layer(snap_compare: Compare) -> None:
    """A packed layer on 80x24: what listing it would cost, the key that agrees, and what works instead."""
    app, _ = layers_of({"images": Random(3).randbytes(2_500_000)}, media="tar+gzip")
    assert snap_compare(app, terminal_size=SMALL, run_before=at_layers)


def test_price_dialog(snap_compare: Compare) -> None:
    """A file behind a registry that serves no ranges: the dialog says the price, why, and what works instead."""
    app, _ = layers_of({"m": archive({"m/a.txt": b"words\n", "m/noise.dat": bytes(1_400_000)})}, ranges=False)

    async def walk(pilot: Pilot[Any]) -> None:
        await at_layers(pilot)
        await pilot.press("j", "enter")
        await until(pilot, lambda: "m/a.txt" in text_of(pilot))
        await move(pilot, browse(pilot).layers_pane.body, lambda row: named(row) == "m/a.txt")
        await pilot.press("v")
        await until(pilot, lambda: "Read 1.4 MB?" in text_of(pilot))
        await pilot.pause()

    assert snap_compare(app, terminal_size=SMALL, run_before=walk)


def test_risk(snap_compare: Compare, monkeypatch: pytest.MonkeyPatch) -> None:
    """Badges on the rows of files and their layer; the tab says what was found, looked at and not looked at."""
    monkeypatch.setenv("PATH", "")
    files = {"m/evil.pkl": pickle.dumps(os.system, 2), "m/fine.pkl": pickle.dumps([1], 2), "m/run.sh": b"#!/bin/sh\n"}
    app, _ = layers_of({"m": archive(files)})

    async def walk(pilot: Pilot[Any]) -> None:
        await at_layers(pilot)
        await until(pilot, lambda: "imports code" in text_of(pilot))
        await pilot.press("8")
        await until(pilot, lambda: "Looked at" in text_of(pilot))
        await quiet(pilot)

    assert snap_compare(app, terminal_size=LARGE, run_before=walk)


def test_table(snap_compare: Compare) -> None:
    """Rows of a JSONL file under their titles; the one under the cursor is shown in full."""
    walk = viewing("acme/support-bot", "champion", "data/conversations.jsonl", "data/conversations.jsonl", "enter", "j")
    assert snap_compare(shipped().app(), terminal_size=LARGE, run_before=walk)
