"""The terminal is put right again: by Ctrl+L, and by fg after Ctrl+Z."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.tui.ptys import HERE, Program

WORDS = (b"kittui", b"champion", b"v0.9.0", b"Help")
"""What is at the top, in the middle and at the bottom of the screen."""


@pytest.mark.parametrize(("above", "words"), [("", WORDS), ("?", (b"kittui", b"Help", b"Close"))])
def test_ctrl_l_draws_everything_again(tmp_path: Path, above: str, words: tuple[bytes, ...]) -> None:
    with Program(str(HERE / "typing_program.py"), str(tmp_path), "0", size=(120, 40)) as program:
        program.until("v0.9.0")
        program.settle()
        program.press(above)
        program.settle()
        program.press("\x0c")
        drawn = program.settle()
        assert [word for word in words if word not in drawn] == []


def test_ctrl_z_gives_the_shell_back_and_fg_draws_everything_again(tmp_path: Path) -> None:
    start = "import os; os.environ['PS1'] = 'ready$ '; os.execvp('bash', ['bash', '--norc', '--noprofile', '-i'])"
    with Program("-c", start, size=(120, 40)) as shell:
        shell.until("ready$")
        shell.press(f"{sys.executable} {HERE / 'typing_program.py'} {tmp_path} 0\r")
        shell.until("v0.9.0")
        shell.settle()
        shell.press("\x1a")
        left = shell.settle()
        assert b"\x1b[?1049l" in left
        assert b"ready$" in left
        shell.press("echo $((6 * 7))\r")
        shell.until("42")
        shell.settle()
        shell.press("fg\r")
        drawn = shell.settle()
        assert b"\x1b[?1049h" in drawn
        assert [word for word in WORDS if word not in drawn] == []
        shell.press("?")
        shell.until("Close")
