"""`kittui demo` as a user runs it: on a terminal, without one, left by a key and ended by a signal."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner

from kittui.cli.app import program
from kittui.cli.commands import demo as demo_command
from tests.bench.terminal import Terminal

KITTUI = [sys.executable, "-m", "kittui"]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A home and a folder for temporary files of the test's own."""
    for name in ("home", "temporary"):
        (tmp_path / name).mkdir()
    kept = {key: os.environ[key] for key in ("PATH", "LANG") if key in os.environ}
    return {
        **kept,
        "HOME": str(tmp_path / "home"),
        "TMPDIR": str(tmp_path / "temporary"),
        "TERM": "xterm-256color",
        "TEXTUAL_ANIMATIONS": "none",
    }


def left(tmp_path: Path) -> list[str]:
    return sorted(str(path) for name in ("home", "temporary") for path in (tmp_path / name).rglob("*"))


@pytest.mark.parametrize("end", [b"q", signal.SIGTERM, signal.SIGHUP])
def test_nothing_outlives_the_demo(end: bytes | signal.Signals, tmp_path: Path, environment: dict[str, str]) -> None:
    with Terminal([*KITTUI, "demo"], environment) as demo:
        demo.wait_for(b"fraud-detector", b"champion", b"rollback", timeout=30)
        assert left(tmp_path) != []
        if isinstance(end, bytes):
            demo.send(end)
        else:
            os.kill(demo.pid, end)
        status = demo.ended(20)

    assert status == (0 if end == b"q" else 130)
    assert left(tmp_path) == []
    assert b"\x1b[?1049l" in demo.painted  # the terminal is given back


def test_what_a_cancelled_task_still_writes_does_not_outlive_the_demo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = threading.Event()

    def write_late(folder: Path) -> None:
        gone.wait(0.5)
        late = folder / "cache" / "late"
        late.mkdir(parents=True)
        (late / "file").write_bytes(b"x")

    async def play(call: object, folder: Path, *, kept: bool) -> int:
        task = asyncio.create_task(asyncio.to_thread(write_late, folder))
        await asyncio.sleep(0)
        task.cancel()
        return 0

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(demo_command, "need_terminal", lambda hint: None)
    monkeypatch.setattr(demo_command, "_play", play)
    done = CliRunner().invoke(program, ["demo"], standalone_mode=False)

    assert done.return_value == 0
    assert list(tmp_path.iterdir()) == []


def test_what_is_kept_is_a_layout_and_a_store(tmp_path: Path, environment: dict[str, str]) -> None:
    kept = tmp_path / "kept"
    with Terminal([*KITTUI, "demo", "--keep", str(kept)], environment) as demo:
        demo.wait_for(b"champion", timeout=30)
        demo.send(b"q")
        assert demo.ended(20) == 0

    inside = {"KITOPS_HOME": str(kept / "store"), **environment}
    listed = subprocess.run(
        [*KITTUI, "ls", "--json", f"oci:{kept}/models"], env=inside, capture_output=True, check=True
    )
    names = [entry["name"] for entry in json.loads(listed.stdout)["repositories"]]
    assert "acme/fraud-detector" in names
    gate = [*KITTUI, "--config", str(kept / "config.yaml"), "gate", "--json", f"oci:{kept}/models/acme/fraud-detector"]
    asked = json.loads(subprocess.run(gate, env=inside, capture_output=True, check=False).stdout)
    assert [one["state"] for one in asked["gates"]] == ["pass", "pass", "pass", "pass", "fail"]
    again = subprocess.run([*KITTUI, "ls", "--json", "local://"], env=inside, capture_output=True, check=True)
    assert {"name": "acme/sentiment"}.items() <= json.loads(again.stdout)["repositories"][1].items()


@pytest.mark.parametrize("arguments", [[], ["--json"]])
def test_without_a_terminal_it_says_what_works(arguments: list[str], environment: dict[str, str]) -> None:
    done = subprocess.run([*KITTUI, "demo", *arguments], env=environment, capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert done.stdout == ""
    assert "kittui" in done.stderr
    if arguments:
        error = json.loads(done.stderr)["error"]
        assert error["code"] == "terminal-needed"
        assert error["hint"]
