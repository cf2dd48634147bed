"""Where a password must not get to: a core file, the list of processes, what is said of a proxy."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

PASSWORD = "s3cret-pa55"


def run(*words: str, home: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    known = {"PATH": os.environ["PATH"], "HOME": str(home), "KITOPS_HOME": str(home / "kit")}
    return subprocess.run(
        [sys.executable, *words], env={**known, **environ}, capture_output=True, text=True, timeout=60, check=False
    )


def test_a_crash_leaves_no_core_file(tmp_path: Path) -> None:
    program = """
import resource, sys
from unittest import mock
from kittui.__main__ import main

def said(_):
    print(resource.getrlimit(resource.RLIMIT_CORE)[0])
    return 0

with mock.patch("kittui.cli.app.main", said):
    sys.argv = ["kittui", "ls"]
    main()
"""
    assert run("-c", program, home=tmp_path).stdout == "0\n"


@pytest.mark.parametrize(
    "words", [("ls", "registry.example:9/a"), ("doctor", "registry.example:9"), ("doctor", "--json")]
)
def test_a_proxys_password_is_said_nowhere(words: tuple[str, ...], tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    proxy = f"http://ann:{PASSWORD}@127.0.0.1:9"
    proxies = dict.fromkeys(("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"), proxy)
    ran = run("-m", "kittui", *words, "--log-file", str(log), home=tmp_path, **proxies)
    assert ran.stdout + ran.stderr
    assert PASSWORD not in ran.stdout + ran.stderr
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or PASSWORD.encode() not in path.read_bytes()


def test_no_command_takes_a_password_as_an_argument() -> None:
    """Whoever is on the machine sees arguments."""
    from importlib import import_module

    import click

    from kittui.cli.app import COMMANDS

    for name in COMMANDS:
        command = import_module(f"kittui.cli.commands.{name}").command
        commands = [command, *command.commands.values()] if isinstance(command, click.Group) else [command]
        for one in commands:
            for parameter in one.params:
                if isinstance(parameter, click.Option) and not parameter.is_flag:
                    assert not any(word in option for option in parameter.opts for word in ("pass", "secret", "token"))
