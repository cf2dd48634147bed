"""`.ci/dev.py test`: what is kept of a failed run, and that every failure is summed up."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest


@pytest.fixture
def dev() -> ModuleType:
    spec = importlib.util.spec_from_file_location("dev", Path(__file__).parents[2] / ".ci" / "dev.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("status", [0, 1])
def test_what_failed_tests_left_is_kept(
    dev: ModuleType,
    status: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for step in ("prepare", "install_registry", "install_skopeo"):
        monkeypatch.setattr(dev, step, lambda *_: None)
    monkeypatch.setattr(dev, "run_checks", lambda env: (Path(env["TMPDIR"]) / "left").write_text("x") * status)
    assert dev.test({"TMPDIR": str(tmp_path)}) == status
    kept = [path.parent for path in tmp_path.glob("*/left")]
    assert len(kept) == status
    assert [str(path) in capsys.readouterr().err for path in kept] == [True] * status


@pytest.mark.parametrize(("flag", "used"), [(0, True), (os.ST_NOEXEC, False)])
def test_memory_where_no_program_may_be_run_is_not_used(
    dev: ModuleType, flag: int, used: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dev, "MEMORY", str(tmp_path))
    monkeypatch.setattr(dev, "ROOM", 0)
    monkeypatch.setattr(
        dev.os, "statvfs", lambda _: SimpleNamespace(f_flag=flag, f_bavail=1, f_blocks=1, f_bfree=1, f_frsize=1)
    )
    assert dev.memory({}) == (str(tmp_path) if used else None)


def test_a_tool_that_is_missing_is_summed_up_with_the_rest(
    dev: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(command: list[str], *_: object, **__: object) -> int:
        if command[0].endswith("mypy"):
            raise FileNotFoundError(2, "No such file or directory", "mypy")
        return int(command[0].endswith("pytest"))

    monkeypatch.setattr(dev, "run", run)
    assert dev.run_checks({}) == 1
    assert "Failed: tests, types" in capsys.readouterr().err
