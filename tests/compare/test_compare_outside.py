"""Both sides of a file in the difftool."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from textual.pilot import Pilot

from kittui.compare.comparison import Comparison
from kittui.errors import UsageError
from kittui.oci.tag import Tag
from kittui.tui.app import KittuiApp
from kittui.tui.compare import handing
from kittui.tui.compare.handing import How
from kittui.usecases.diff.compare import DiffUseCase, Side
from kittui.usecases.diff.originals import file_of, files_of, kitfiles_of
from kittui.usecases.inspect.copies import LayerFile, TextFile
from kittui.usecases.inspect.inspector import Inspector
from kittui.usecases.inspect.programs import Programs
from tests.compare.kits import opened, safetensors, two
from tests.compare.test_compare_screen import held, ready, to_row
from tests.demo.pack import File
from tests.tui.test_outside import lent, seen
from tests.tui.waiting import LARGE, text_of, until

__all__ = ["lent"]
pytestmark = pytest.mark.usefixtures("temporary")

WEIGHTS = [safetensors({"w": ("U8", [2], bytes([1, number]))}) for number in (1, 2)]
OLD = {
    "src/train.py": File(b"lr = 1\n"),
    "src/gone.py": File(b"gone\n"),
    "src/here.py": File(b"moved = True\n" * 9),
    "model/m.safetensors": File(WEIGHTS[0]),
}
NEW = {
    "src/train.py": File(b"lr = 2\n"),
    "src/new.py": File(b"new\n"),
    "src/there.py": File(b"moved = True\n" * 9),
    "model/m.safetensors": File(WEIGHTS[1]),
}


def sides() -> tuple[Side, Side]:
    repository = two(OLD, NEW)
    return Side(repository, Tag("a")), Side(repository, Tag("b"))


def app_of(programs: Programs) -> KittuiApp:
    app = held(*sides())
    app.ports = replace(app.ports, settings=replace(app.ports.settings, programs=programs))
    return app


async def compared() -> tuple[DiffUseCase, tuple[Side, Side], Comparison]:
    case, both = DiffUseCase(opened, Inspector()), sides()
    return case, both, await case.compare(*both)


async def test_each_row_stands_for_its_files_on_both_sides() -> None:
    case, both, comparison = await compared()

    async def paths(key: str) -> tuple[str | None, ...]:
        change = file_of(comparison, key)
        assert change is not None
        found = await files_of(case, both, comparison, change)
        return tuple(one.path if isinstance(one, LayerFile) else None for one in found)

    number = next(n for n, layer in enumerate(comparison.layers) if layer.type == "code")
    model = next(n for n, layer in enumerate(comparison.layers) if layer.type == "model")
    assert await paths(f"layer/{number}/src/train.py") == ("src/train.py", "src/train.py")
    assert await paths(f"layer/{number}/src/gone.py") == ("src/gone.py", None)
    assert await paths(f"layer/{number}/src/new.py") == (None, "src/new.py")
    assert await paths(f"layer/{number}/src/there.py") == ("src/here.py", "src/there.py")
    assert await paths(f"layer/{model}/model/m.safetensors//w") == ("model/m.safetensors", "model/m.safetensors")
    assert await paths(f"layer/{model}") == ("model/m.safetensors", "model/m.safetensors")
    assert file_of(comparison, f"layer/{number}") is None
    assert file_of(comparison, "Kitfile/model.name") is None
    old, new = await kitfiles_of(case, both, comparison)
    assert isinstance(old, TextFile)
    assert isinstance(new, TextFile)
    assert "lr: 0.01" in new.text


@pytest.mark.parametrize("how", ["edit", "page", "compare"])
async def test_a_file_that_neither_side_has_is_said_to_be_on_neither(monkeypatch: pytest.MonkeyPatch, how: How) -> None:
    case, both, comparison = await compared()

    async def nothing(*_: object) -> tuple[None, None]:
        return None, None

    monkeypatch.setattr(handing, "kitfiles_of", nothing)
    program: Any = None
    reading: Any = SimpleNamespace(case=case, sides=both)
    with pytest.raises(UsageError, match="neither side has a readable file here"):
        await handing.hand_over(program, reading, comparison, "Kitfile/model.name", how)


async def press(pilot: Pilot[Any], title: str, key: str) -> None:
    screen = await ready(pilot)
    await to_row(pilot, screen, title)
    await pilot.press(key)


async def test_d_opens_both_sides_in_the_difftool(lent: list[str], tmp_path: Path, temporary: Path) -> None:
    tool = seen(tmp_path, "tool")
    async with app_of(Programs(difftool=(tool, "{old}", "{new}"))).run_test(size=LARGE, notifications=True) as pilot:
        await press(pilot, "src/train.py", "D")
        await until(pilot, lambda: lent == ["suspended", "resumed"])
        await until(pilot, lambda: not list(temporary.iterdir()))
        old, new = (tmp_path / "tool.saw").read_text().splitlines()
        assert old.endswith("/old/train.py 0o400 'lr = 1\\n'")
        assert new.endswith("/new/train.py 0o400 'lr = 2\\n'")
        await press(pilot, "src/new.py", "D")
        await until(pilot, lambda: "only the new side has this file" in text_of(pilot))
        await press(pilot, "src/there.py", "D")
        await until(pilot, lambda: lent == ["suspended", "resumed"] * 2)
        old, new = (tmp_path / "tool.saw").read_text().splitlines()
        assert "/old/here.py " in old
        assert "/new/there.py " in new


@pytest.mark.parametrize(("title", "content"), [("src/train.py", "lr = 2"), ("src/gone.py", "gone")])
async def test_e_opens_the_newer_side(title: str, content: str, lent: list[str], tmp_path: Path) -> None:
    async with app_of(Programs(seen(tmp_path))).run_test(size=LARGE) as pilot:
        await press(pilot, title, "e")
        await until(pilot, lambda: lent == ["suspended", "resumed"])
        assert content in (tmp_path / "editor.saw").read_text()


async def test_a_row_that_is_no_file_says_so(lent: list[str]) -> None:
    async with app_of(Programs("vim")).run_test(size=LARGE, notifications=True) as pilot:
        await press(pilot, "code src", "vertical_line")
        await until(pilot, lambda: "Put the cursor on a file" in text_of(pilot))
        assert lent == []
