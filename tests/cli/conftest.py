"""Running the command line in tests, in this process and out of the user's own folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from kittui.cli.app import main
from tests.fakes.command_line import Ran, Run


@pytest.fixture
def home(tmp_path: Path, kithome: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folders: kit's store filled, everything else empty."""
    folder = tmp_path / "home"
    folder.mkdir()
    for variable in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "DOCKER_CONFIG"):
        monkeypatch.delenv(variable, raising=False)
    for variable in ("REGISTRY_AUTH_FILE", "KITTUI_CONFIG", "KITTUI_READ_ONLY", "XDG_RUNTIME_DIR"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("KITOPS_HOME", str(kithome))
    return folder


@pytest.fixture
def kittui(home: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run kittui with arguments."""

    def run(*arguments: str) -> Ran:
        capsys.readouterr()
        status = main(list(arguments))
        captured = capsys.readouterr()
        return Ran(status, captured.out, captured.err)

    return run
