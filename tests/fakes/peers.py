"""Registry servers of other makers, where they are on PATH: Distribution 2.8 and 3, zot and olareg on loopback."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.docker_registry import DockerRegistry, distribution, launch, written

Command = Callable[[str, Path, int, str], list[str]]


def _distribution(program: str, folder: Path, port: int, users: str) -> list[str]:
    config = distribution(folder / "storage", port)
    if users:
        config["auth"] = {"htpasswd": {"realm": "kittui tests", "path": users}}
    return [program, "serve", written(folder / f"config-{port}.yml", config)]


def _zot(program: str, folder: Path, port: int, users: str) -> list[str]:
    config = {
        "distSpecVersion": "1.1.1",
        "storage": {"rootDirectory": str(folder / "storage"), "gc": False, "dedupe": False},
        "http": {"address": "127.0.0.1", "port": str(port)},
        "log": {"level": "error"},
    }
    if users:
        config["http"] = {**config["http"], "auth": {"htpasswd": {"path": users}}}  # type: ignore[dict-item]
    return [program, "serve", written(folder / f"config-{port}.json", config)]


def _olareg(program: str, folder: Path, port: int, users: str) -> list[str]:
    assert not users, "olareg knows no users"
    where = ["--addr", "127.0.0.1", "--port", str(port), "--dir", str(folder / "storage")]
    return [program, "serve", *where, "--api-push", "--api-delete", "--api-blob-delete"]


SERVERS: Mapping[str, tuple[str, Command]] = {
    "Distribution 2.8": ("docker-registry", _distribution),
    "Distribution 3": ("registry", _distribution),
    "zot": ("zot", _zot),
    "olareg": ("olareg", _olareg),
}
"""By the names of their personalities: the program, and how it is called."""


def servers(*names: str) -> list[Any]:
    """Parameters of tests that run against these, all by default: only Debian's server has to be there under CI."""
    marks = {name: pytest.mark.real if SERVERS[name][0] == "docker-registry" else pytest.mark.peers for name in SERVERS}
    return [pytest.param(name, marks=marks[name], id=name) for name in names or SERVERS]


@contextmanager
def running(name: str, folder: Path, htpasswd: str = "") -> Iterator[DockerRegistry]:
    """Run one with its files in a folder; skips the test where it is not on PATH. `htpasswd`: a file's text, bcrypt."""
    program, command = SERVERS[name]
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"{program} is not on PATH")
    folder.mkdir(parents=True, exist_ok=True)
    users = folder / "users"
    users.write_text(htpasswd)
    server = launch(folder, lambda port: command(found, folder, port, str(users) if htpasswd else ""))
    try:
        yield server
    finally:
        server.stop()
