"""The interface on real ModelKits: layers unfold into files, files into tensors, and a viewer shows them."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Markdown
from textual.worker import WorkerCancelled

from kittui.cli.compose import Composition
from kittui.cli.ports import build_ports
from kittui.config import Flags
from kittui.oci.reference import Place
from kittui.oci.tag import Tag
from kittui.tui.app import KittuiApp
from kittui.tui.frame.ports import PlaceEntry, Ports
from kittui.tui.frame.selection import Node
from kittui.tui.inspect.nodes import LayerTree
from kittui.tui.inspect.pages import lines_page
from kittui.tui.inspect.tensor_view import TensorView
from kittui.tui.inspect.viewer import ViewerScreen
from kittui.tui.panes.layer_rows import NodeRow
from tests.fakes.docker_registry import DockerRegistry

FIXTURES = Path(__file__).parent.parent / "fixtures"


@asynccontextmanager
async def opened(tmp_path: Path, start: str, host: str | None = None) -> AsyncIterator[tuple[KittuiApp, Pilot[None]]]:
    store = tmp_path / "store"
    shutil.copytree(FIXTURES / "kithome", store)
    environ = {"XDG_CACHE_HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path), "HOME": str(tmp_path)}
    async with Composition(Flags(store=str(store)), environ=environ) as composition:
        ports = await build_ports(composition)
        if host:
            ports = Ports(**{**vars(ports), "places": (PlaceEntry(Place("remote", host)),)})
        app = KittuiApp(ports, start)
        async with app.run_test(size=(130, 40)) as pilot:
            await settle(app, pilot)
            yield app, pilot


async def settle(app: KittuiApp, pilot: Pilot[None]) -> None:
    for _ in range(8):
        # One that gives way to its successor is cancelled.
        with suppress(WorkerCancelled):
            await app.workers.wait_for_complete([worker for worker in app.workers if not worker.is_finished])
        await pilot.pause()


async def until(pilot: Pilot[None], reached: Callable[[], bool]) -> None:
    """Let the interface work until something is so; fails after about ten seconds."""
    for _ in range(1000):
        if reached():
            return
        await pilot.pause(0.01)
    raise AssertionError("it never came to that")


async def on_file(app: KittuiApp, pilot: Pilot[None], name: str) -> None:
    """Go to the layers pane, unfold everything, and put the cursor on a file."""
    rows = app.browser.layers_pane.body
    await until(pilot, lambda: len(rows.rows) > 1)
    await settle(app, pilot)
    await pilot.press("3")
    number = 0
    while number < len(rows.rows):
        rows.move_to(number)
        row = rows.rows[number]
        if isinstance(row, NodeRow):
            if row.node.name == name:
                await pilot.pause()
                return
        else:
            for _ in range(100):
                if rows.rows[number].unfolded:
                    break
                rows.move_to(number)
                rows.focus()
                await pilot.press("right")
                await settle(app, pilot)
                await pilot.pause(0.05)
        number += 1
    raise AssertionError(f"no row {name}")


def text_of(app: KittuiApp) -> str:
    """Everything that the viewer holds, whichever way it is shown."""
    screen = app.screen
    assert isinstance(screen, ViewerScreen)
    if screen.contents is None:
        return ""
    lines = [line for way in screen.contents.ways for line in lines_page(way.content).lines]
    return "\n".join("".join(span[0] for span in line) if not isinstance(line, str) else line for line in lines)


def nobody(*_: object) -> None:
    """Progress is not looked at."""


async def test_a_file_is_viewed_from_its_row(tmp_path: Path) -> None:
    async with opened(tmp_path, "local://127.0.0.1:5055/fraud:champion") as (app, pilot):
        await on_file(app, pilot, "src/train.py")
        await pilot.press("v")
        await until(pilot, lambda: isinstance(app.screen, ViewerScreen) and "import" in text_of(app))
        await pilot.press("slash", *"import", "enter")
        await pilot.press("escape", "escape")
        await until(pilot, lambda: not isinstance(app.screen, ViewerScreen))


async def test_a_table_shows_its_columns(tmp_path: Path) -> None:
    async with opened(tmp_path, "local://127.0.0.1:5055/fraud:champion") as (app, pilot):
        await on_file(app, pilot, "data/train.csv")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, ViewerScreen) and "T000041" in text_of(app))


@pytest.mark.real
async def test_a_readme_from_a_registry_is_rendered_and_its_links_stay_closed(
    tmp_path: Path, kit_registry: DockerRegistry
) -> None:
    start = f"remote://{kit_registry.host}/fraud:champion"
    async with opened(tmp_path, start, kit_registry.host) as (app, pilot):
        await on_file(app, pilot, "README.md")
        await pilot.press("v")
        await until(pilot, lambda: bool(app.screen.query(Markdown)))
        shown = app.screen.query_one(Markdown)
        assert shown._open_links is False
        assert "Fraud scorer" in text_of(app)


@pytest.mark.real
async def test_tensors_of_a_registrys_champion_are_read_and_nothing_is_pulled(
    tmp_path: Path, kit_registry: DockerRegistry
) -> None:
    start = f"remote://{kit_registry.host}/fraud:champion"
    async with opened(tmp_path, start, kit_registry.host) as (app, pilot):
        store = tmp_path / "store"
        before = sorted(path for path in store.rglob("*") if path.is_file())
        await on_file(app, pilot, "model/fraud.safetensors")
        await pilot.press("v")
        await until(pilot, lambda: isinstance(app.screen, ViewerScreen) and bool(app.screen.query(TensorView)))
        tree = app.screen.query_one(TensorView)
        await until(pilot, lambda: len(tree.rows.rows) > 0)
        assert "dense1" in {row.name for row in tree.rows.rows}
        await pilot.press("escape")
        await until(pilot, lambda: not isinstance(app.screen, ViewerScreen))
        assert sorted(path for path in store.rglob("*") if path.is_file()) == before


async def test_a_model_file_unfolds_into_tensors(tmp_path: Path) -> None:
    async with opened(tmp_path, "local://127.0.0.1:5055/fraud:champion") as (app, _):
        source = await app.ports.source(Place("local"))
        repository = source.repository("127.0.0.1:5055/fraud")
        kit = await app.ports.modelkit(repository, Tag("champion"))
        [node] = await LayerTree().rows(app.ports, repository, kit, kit.layers[0], nobody)
        assert node.name == "model/fraud.safetensors"
        assert callable(node.children)
        modules: list[Node] = list(await node.children(nobody))
        names = [one for module in modules if callable(module.children) for one in await module.children(nobody)]
        assert {"dense1", "dense2"} <= {module.name for module in modules}
        assert "weight" in {one.name for one in names}
