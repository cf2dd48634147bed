"""The interface ended by a signal, and programs started without their standard files."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench.terminal import Terminal

KITTUI = [sys.executable, "-m", "kittui"]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A home of the test's own."""
    kept = {key: os.environ[key] for key in ("PATH", "LANG") if key in os.environ}
    home = {"HOME": str(tmp_path), "KITOPS_HOME": str(tmp_path / "kit"), "XDG_STATE_HOME": str(tmp_path / "state")}
    return {**kept, **home, "TERM": "xterm-256color", "TEXTUAL_ANIMATIONS": "none"}


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_gives_the_terminal_back(sent: signal.Signals, environment: dict[str, str]) -> None:
    with Terminal([*KITTUI], environment) as interface:
        interface.wait_for(b"Local store", timeout=60)
        os.kill(interface.pid, sent)

        assert interface.ended(60) == 130
        assert b"\x1b[?1049l" in interface.painted
        assert b"\x1b[?1000l" in interface.painted
        assert sent.name.encode() in interface.painted.rpartition(b"\x1b[?1049l")[2]
        assert b"Traceback" not in interface.painted


@pytest.mark.parametrize("closed", ["<&-", "2>&-", "<&- 2>&-"])
def test_a_closed_stdin_or_stderr_keeps_nobody_from_the_result(closed: str, environment: dict[str, str]) -> None:
    command = f'exec "$0" -m kittui ls local:// --json {closed}'
    done = subprocess.run(
        ["sh", "-c", command, sys.executable], env=environment, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0
    assert json.loads(done.stdout)["repositories"] == []


def test_a_closed_stdout_is_an_error_in_words(environment: dict[str, str]) -> None:
    command = 'exec "$0" -m kittui ls local:// --json >&-'
    done = subprocess.run(
        ["sh", "-c", command, sys.executable], env=environment, capture_output=True, text=True, check=False
    )

    assert done.returncode == 1
    assert json.loads(done.stderr)["error"]["message"] == "Bad file descriptor"


@pytest.mark.parametrize("arguments", [["--help"], ["ls", "--help"], ["ls", "local://", "--json"]])
def test_a_reader_that_has_gone_is_no_error(arguments: list[str], environment: dict[str, str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [*KITTUI, *arguments], env=environment, stdout=writing, stderr=subprocess.PIPE, text=True, check=False
        )
    finally:
        os.close(writing)

    assert (done.returncode, done.stderr) == (0, "")
