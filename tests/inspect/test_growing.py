"""A layer's rows while they are being read: they appear, can be stopped and gone on with; many stay few on screen."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from textual.pilot import Pilot

from kittui.formats.tar import FileEntry
from kittui.oci.protocols import Repository
from kittui.tui.inspect import nodes as look_nodes
from kittui.tui.panes.layer_rows import NodeRow
from kittui.usecases.inspect.indexes import LayerListing
from kittui.usecases.inspect.inspector import Inspector
from tests.fakes.layers import archive
from tests.inspect.kits import BlobRepository, kit_world
from tests.tui.waiting import browse, quiet, text_of, until
from tests.tui.world import World

START = "remote://registry.acme.dev/team/kit:champion"
LONG = 30


def many() -> bytes:
    """400 small files among five big ones, so that listing them takes several ranges."""
    files = {f"model/{part}/{number:03}.txt": b"x" * 700 for part in "abcde" for number in range(80)}
    for part in "abcde":
        files[f"model/{part}/zz.bin"] = bytes(600_000)
    return archive(dict(sorted(files.items())))


async def at_layers(pilot: Pilot[Any]) -> None:
    """Into the layers of the one ModelKit."""
    await until(pilot, lambda: len(browse(pilot).layers_pane.body.rows) > 0, LONG)
    await quiet(pilot)
    await pilot.press("3")
    await until(pilot, lambda: browse(pilot).at == "layers")


def nodes(pilot: Pilot[Any]) -> list[NodeRow]:
    return [row for row in browse(pilot).layers_pane.body.rows if isinstance(row, NodeRow)]


def held(world: World, repository: BlobRepository) -> asyncio.Semaphore:
    repository.gate = asyncio.Semaphore(0)
    return repository.gate


async def test_rows_appear_while_a_layer_is_listed_and_escape_stops_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(look_nodes, "TICK", 0)
    world, repository = kit_world({"model": many()})
    async with world.app(START).run_test(size=(120, 30)) as pilot:
        await at_layers(pilot)
        gate = held(world, repository)
        await pilot.press("enter")
        await until(pilot, lambda: "Esc stops" in text_of(pilot), LONG)
        gate.release()
        await until(pilot, lambda: len(nodes(pilot)) > 0, LONG)
        words = ("files ·", "read ·", "Esc stops")
        await until(pilot, lambda: all(word in text_of(pilot) for word in words), LONG)
        before = sum(row.node.kind == "file" for row in nodes(pilot))

        await pilot.press("escape")
        await until(pilot, lambda: "Enter continues. Partial:" in text_of(pilot), LONG)
        assert browse(pilot).at == "layers"
        await until(pilot, lambda: "Esc stops" not in text_of(pilot), LONG)
        assert sum(row.node.kind == "file" for row in nodes(pilot)) == before
        await until(pilot, lambda: all(each.is_finished for each in pilot.app.workers if each.group == "children"))

        firsts = repository.asked.count(0)
        repository.gate = None
        await pilot.press("enter")
        await until(pilot, lambda: any("405 files, not verified" in row.node.name for row in nodes(pilot)), LONG)
        await until(pilot, lambda: "Partial" not in text_of(pilot), LONG)
        assert repository.asked.count(0) == firsts


async def test_nothing_is_read_any_more_once_another_tag_is_looked_at() -> None:
    world, repository = kit_world({"model": many()})
    async with world.app(START).run_test(size=(120, 30)) as pilot:
        await at_layers(pilot)
        held(world, repository)
        await pilot.press("enter")
        await until(pilot, lambda: "Esc stops" in text_of(pilot), LONG)
        browse(pilot).layers_pane.show(None)
        await until(pilot, lambda: all(each.is_finished for each in pilot.app.workers if each.group == "children"))


class Listed(Inspector):
    """Gives one listing for every layer."""

    def __init__(self, files: list[FileEntry]) -> None:
        super().__init__()
        self.found = LayerListing(tuple(files), complete=True, verified=True, output=0)

    async def listing(self, repository: Repository, layer: Any, **_: Any) -> LayerListing:
        return self.found


async def test_a_hundred_thousand_files_in_one_folder_are_a_hundred_rows() -> None:
    world, _ = kit_world({"model": many()})
    files = [FileEntry(f"images/{number:06}.png", "file", 100, 0o644, 512 * number) for number in range(100_000)]
    world.inspector = Listed(files)
    async with world.app(START).run_test(size=(120, 40)) as pilot:
        await at_layers(pilot)
        pane = browse(pilot).layers_pane
        drawn: list[object] = []
        cells = pane.body._drawn._cells
        pane.body._drawn._cells = lambda row: (drawn.append(row), cells(row))[1]  # type: ignore[func-returns-value]

        await pilot.press("enter")
        await until(pilot, lambda: any(row.node.name == "images/" for row in nodes(pilot)), LONG)
        await pilot.press("j", "enter")
        await until(pilot, lambda: len(nodes(pilot)) == 101, LONG)
        assert nodes(pilot)[1].node.name == "000000.png … 000999.png"
        await pilot.press("j", "enter")
        await until(pilot, lambda: len(nodes(pilot)) == 1101, LONG)

        drawn.clear()
        for _ in range(20):
            await pilot.press("j")
        await pilot.pause()
        assert len(drawn) < 20 * 4 + 80
        assert len(pane.body.rows) < 1110

        drawn.clear()
        await pilot.press("slash", "0")
        await until(pilot, lambda: pane.filter == "0", LONG)
        assert len(pane.body.rows) < 2000
        await pilot.press(*"5432")
        await until(pilot, lambda: any(row.node.name == "images/054321.png" for row in nodes(pilot)), LONG)
        assert len(drawn) < 6 * 80


async def test_a_stopped_listing_keeps_what_was_unfolded() -> None:
    world, _ = kit_world({"model": many()})
    async with world.app(START).run_test(size=(120, 60)) as pilot:
        await at_layers(pilot)
        await pilot.press("enter")
        await until(pilot, lambda: any(row.node.name == "model/" for row in nodes(pilot)), LONG)
        await until(pilot, lambda: browse(pilot).layers_pane.body.rows[0].progress == "", LONG)  # type: ignore[union-attr]
        folder = next(row for row in nodes(pilot) if row.node.name == "model/")
        pane = browse(pilot).layers_pane
        pane.body.move_to(list(pane.body.rows).index(folder))
        await pilot.press("enter")
        await until(pilot, lambda: any(row.node.name == "c/" for row in nodes(pilot)), LONG)
        layer = pane.current_layer
        assert layer is not None
        pane.relist(layer)
        await until(pilot, lambda: pane.body.rows[0].progress == "", LONG)  # type: ignore[union-attr]
        assert folder in nodes(pilot)
        assert any(row.node.name == "c/" for row in nodes(pilot))
        assert pane.current_node is folder.node
