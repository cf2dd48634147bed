"""Registry servers of other makers, where they are on PATH: Distribution 2.8 and 3, zot and olareg on loopback."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.fakes.docker_registry import DockerRegistry, distribution, launch, written

Command = Callable[[str, Path, int], list[str]]


def _distribution(program: str, folder: Path, port: int) -> list[str]:
    return [program, "serve", written(folder / f"config-{port}.yml", distribution(folder / "storage", port))]


def _zot(program: str, folder: Path, port: int) -> list[str]:
    config = {
        "distSpecVersion": "1.1.1",
        "storage": {"rootDirectory": str(folder / "storage"), "gc": False, "dedupe": False},
        "http": {"address": "127.0.0.1", "port": str(port)},
        "log": {"level": "error"},
    }
    return [program, "serve", written(folder / f"config-{port}.json", config)]


def _olareg(program: str, folder: Path, port: int) -> list[str]:
    where = ["--addr", "127.0.0.1", "--port", str(port), "--dir", str(folder / "storage")]
    return [program, "serve", *where, "--api-push", "--api-delete", "--api-blob-delete"]


SERVERS: Mapping[str, tuple[str, Command]] = {
    "Distribution 2.8": ("docker-registry", _distribution),
    "Distribution 3": ("registry", _distribution),
    "zot": ("zot", _zot),
    "olareg": ("olareg", _olareg),
}
"""By the names of their personalities: the program, and how it is called."""


@contextmanager
def running(name: str, folder: Path) -> Iterator[DockerRegistry]:
    """Run one with its files in a folder; skips the test where it is not on PATH."""
    program, command = SERVERS[name]
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"{program} is not on PATH")
    folder.mkdir(parents=True, exist_ok=True)
    server = launch(folder, lambda port: command(found, folder, port))
    try:
        yield server
    finally:
        server.stop()
