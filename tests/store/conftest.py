"""A throw-away copy of a store that kit made, and kit itself where it is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from kittui.store import LocalSource

FIXTURES = Path(__file__).parent.parent / "fixtures"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A copy of the store in the fixtures, every file of it writable."""
    target = tmp_path / "kithome"
    shutil.copytree(FIXTURES / "kithome", target)
    return target


@pytest.fixture
def source(root: Path) -> LocalSource:
    """The copy as a source that doesn't wait before it looks at a change again."""
    return LocalSource(root, recheck=0)


@pytest.fixture
def golden() -> Path:
    """What kit printed for the store of the fixtures."""
    return FIXTURES / "golden"


@pytest.fixture
def kit(root: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the real kit on the copy."""
    program = shutil.which("kit")
    if program is None:
        pytest.skip("kit is not installed")
    (root / "disable-update-notifications").touch()

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "KITOPS_HOME": str(root)}
        command = [program, "--progress", "none", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)

    return run
