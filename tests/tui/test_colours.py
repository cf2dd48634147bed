"""What terminals of few colours are sent, read from a pseudo-terminal."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

from tests.bench.terminal import Terminal

SGR = re.compile(rb"\x1b\[([0-9;]*)m")
PLAIN = {0, 1, 2, 3, 4, 7, 9, 22, 23, 24, 27, 29, 39, 49}
SIXTEEN = {*range(30, 38), *range(40, 48), *range(90, 98), *range(100, 108)}


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A terminal of sixteen colours, and the theme for it."""
    kept = {key: os.environ[key] for key in ("PATH", "LANG") if key in os.environ}
    look = {"TERM": "xterm-16color", "KITTUI_THEME": "kittui-ansi", "TEXTUAL_ANIMATIONS": "none"}
    return {**kept, **look, "HOME": str(tmp_path), "TMPDIR": str(tmp_path)}


def walked(environment: dict[str, str]) -> bytes:
    """All that the demo writes for a walk through panes, a dialog and a comparison."""
    with Terminal([sys.executable, "-m", "kittui", "demo"], environment) as demo:
        demo.wait_for(b"fraud-detector", b"champion", b"rollback", timeout=60)
        for keys in (b" ", b"\r", b"5", b"?", b"\x1b", b"2", b"d"):
            demo.send(keys)
            demo.settle(0.5)
        demo.wait_for(b"src/features.py", timeout=60)
        demo.settle(0.5)
        return bytes(demo.painted)


def parameters(painted: bytes) -> set[int]:
    return {int(each or 0) for found in SGR.findall(painted) for each in found.split(b";")}


def test_sixteen_colours_are_all_that_is_asked_of_the_terminal(environment: dict[str, str]) -> None:
    painted = walked(environment)

    assert parameters(painted) <= PLAIN | SIXTEEN
    assert parameters(painted) & SIXTEEN


def test_without_colours_the_cursor_is_shown_by_reverse_video(environment: dict[str, str]) -> None:
    painted = walked({**environment, "NO_COLOR": "1"})

    assert parameters(painted) <= PLAIN
    assert re.search(rb"\x1b\[(?:[0-9;]*;)?7(?:;[0-9;]*)?m[^\x1b]*challenger", painted)
