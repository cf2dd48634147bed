"""Models of other tools in the interface: opened, looked into by ranges, compared with a ModelKit, unpacked."""

from __future__ import annotations

from pathlib import Path

from kittui.cli.compose import Composition
from kittui.cli.ports import build_ports
from kittui.config import Flags
from kittui.oci.tag import Tag
from kittui.tui.app import KittuiApp
from kittui.tui.compare.screen import CompareScreen
from kittui.tui.inspect.viewer import ViewerScreen
from tests.fakes.artifacts import Layout, gguf
from tests.inspect.shipped import to_file
from tests.tui.waiting import browse, quiet, text_of, until

WEIGHTS = gguf([1.0, 2.0, 3.0])


async def test_a_docker_model_is_looked_into_and_compared(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "layout")
    layout.modelkit("kit", {"model.gguf": WEIGHTS}, name="tiny")
    layout.docker_model("docker", WEIGHTS)
    layout.ollama_model("ollama", WEIGHTS)
    environ = {"HOME": str(tmp_path), "KITOPS_HOME": str(tmp_path / "kit"), "PATH": "/usr/bin:/bin"}
    async with Composition(Flags(), environ=environ) as composition:
        ports = await build_ports(composition)
        app = KittuiApp(ports, f"oci:{layout.folder}:docker")
        async with app.run_test(size=(160, 45)) as pilot:
            await until(pilot, lambda: browse(pilot).selection.target == "docker")
            await quiet(pilot)
            text = text_of(pilot)
            for words in ("Docker model", "license", "template", "parameters", "chat_template.jinja"):
                assert words in text
            browse(pilot).go("layers")
            await pilot.pause()
            await to_file(pilot, "model.gguf", "model.gguf")
            await pilot.press("v")
            await until(pilot, lambda: isinstance(app.screen, ViewerScreen))
            await until(pilot, lambda: "blk" in text_of(pilot))
            await pilot.press("q")
            await until(pilot, lambda: app.screen is app.browser)
            browse(pilot).go("tags")
            await pilot.press("space")
            shown = browse(pilot).selection
            assert shown.place is not None
            assert shown.repository is not None
            browse(pilot).open(shown.place, shown.repository.name, Tag("kit"))
            await quiet(pilot)
            await pilot.press("d")
            await until(pilot, lambda: isinstance(app.screen, CompareScreen))
            await until(pilot, lambda: "different kinds" in text_of(pilot))
            assert "ModelKit" in text_of(pilot)
