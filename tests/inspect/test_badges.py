"""Risk on the rows and in its tab: a mark and a word, what was looked at, and ModelScan's findings beside the files."""

from __future__ import annotations

import os
import pickle
import stat
import sys
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from kittui.tui.panes.layer_rows import NodeRow
from tests.fakes.layers import archive
from tests.inspect.kits import kit_world
from tests.tui.waiting import browse, quiet, text_of, until

START = "remote://registry.acme.dev/team/kit:champion"
LONG = 30
FILES = {
    "m/evil.pkl": pickle.dumps(os.system, 2),
    "m/fine.pkl": pickle.dumps([1, 2]),
    "m/run.sh": b"#!/bin/sh\n",
    "m/weights.npy": b"\x93NUMPY",
    "m/zz.dat": bytes(100_000),
}
SCANNER = """
found = sorted(os.listdir(files))
one = {"source": os.path.join(files, found[0]), "severity": "CRITICAL", "operator": "system", "module": "posix",
       "description": "Use of unsafe operator"}
report_ = {"summary": {"modelscan_version": "0.8.8", "scanned": {"total_scanned": len(found)}}, "issues": [one]}
open(report, "w").write(json.dumps(report_))
sys.exit(1)
"""


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all there is on PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def stand_in(folder: Path) -> None:
    program = folder / "modelscan"
    program.write_text(
        f"#!{sys.executable}\nimport json, os, sys\na = sys.argv\nfiles = a[a.index('-p') + 1]\n"
        f"report = a[a.index('-o') + 1]\n{SCANNER}\n"
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)


def line_of(pilot: Pilot[Any], word: str) -> str:
    return next((line for line in text_of(pilot).split("\n") if word in line), "")


def tab(pilot: Pilot[Any]) -> str:
    """What the details say, unwrapped."""
    lines = browse(pilot).details_pane.page.lines
    return "\n".join(line if isinstance(line, str) else "".join(text for text, _ in line) for line in lines)


async def listed(pilot: Pilot[Any]) -> None:
    """Unfold the layer and wait for its badges."""
    rows = browse(pilot).layers_pane.body
    await until(pilot, lambda: len(rows.rows) > 0, LONG)
    await quiet(pilot)
    await pilot.press("3", "enter")
    await until(pilot, lambda: any(isinstance(row, NodeRow) for row in rows.rows), LONG)
    await quiet(pilot)


async def test_what_loading_a_file_would_run_stands_on_its_row(path: Path) -> None:
    world, _ = kit_world({"m": archive(FILES)})
    async with world.app(START).run_test(size=(200, 45)) as pilot:
        await listed(pilot)
        await until(pilot, lambda: "▲ imports code" in line_of(pilot, "evil.pkl"), LONG)
        await until(pilot, lambda: "▲ imports code, script" in line_of(pilot, "model       m"), LONG)
        assert "looked at" in line_of(pilot, "fine.pkl")
        assert "▲ script" in line_of(pilot, "run.sh")
        assert "not looked at" not in line_of(pilot, "fine.pkl")
        assert "not looked at" in line_of(pilot, "weights.npy")
        await pilot.press("8")
        await until(pilot, lambda: "posix.system" in text_of(pilot), LONG)
        assert "Looked at" in text_of(pilot)
        assert "1 of 1 layers" in text_of(pilot)
        assert "uv tool install modelscan" in tab(pilot)
        assert "safe" not in text_of(pilot).casefold()


async def test_that_nothing_was_found_is_no_verdict(path: Path) -> None:
    world, _ = kit_world({"m": archive({"m/fine.pkl": FILES["m/fine.pkl"], "m/a.dat": bytes(100_000)})})
    async with world.app(START).run_test(size=(200, 45)) as pilot:
        await listed(pilot)
        await until(pilot, lambda: "looked at" in line_of(pilot, "fine.pkl"), LONG)
        assert "▲" not in line_of(pilot, "model       m")
        await pilot.press("8")
        await until(pilot, lambda: "Nothing known was found in what was looked at" in text_of(pilot), LONG)
        assert "safe" not in text_of(pilot).casefold()


async def test_modelscans_findings_stand_beside_the_files(path: Path) -> None:
    stand_in(path)
    world, _ = kit_world({"m": archive(FILES)})
    async with world.app(START).run_test(size=(200, 45), notifications=True) as pilot:
        await listed(pilot)
        await until(pilot, lambda: "▲ imports code" in line_of(pilot, "evil.pkl"), LONG)
        await pilot.press("8")
        await until(pilot, lambda: "Not run." in text_of(pilot), LONG)
        await pilot.press("3", "S")
        await until(pilot, lambda: "ModelScan: critical" in line_of(pilot, "▸ m/evil.pkl"), LONG)
        await until(pilot, lambda: "ModelScan: critical" in line_of(pilot, "model       m"), LONG)
        assert "ModelScan: critical" in line_of(pilot, "model       m")
        await until(pilot, lambda: "CRITICAL" in text_of(pilot), LONG)
        assert "Use of unsafe operator" in text_of(pilot)


async def test_without_modelscan_its_key_says_how_to_get_it(path: Path) -> None:
    world, _ = kit_world({"m": archive(FILES)})
    async with world.app(START).run_test(size=(200, 45), notifications=True) as pilot:
        await listed(pilot)
        await pilot.press("S")
        await until(pilot, lambda: "ModelScan is not installed" in text_of(pilot), LONG)
