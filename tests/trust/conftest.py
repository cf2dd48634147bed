"""What tests of signatures share: the ModelKit that cosign signed in every form, served by a real registry."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from kittui.cli.app import main
from kittui.registry import Access, RegistrySource
from tests.fakes.command_line import Ran, Run
from tests.fakes.docker_registry import DockerRegistry
from tests.fakes.peers import running, servers


@pytest.fixture
async def signed_source(signed_registry: DockerRegistry) -> AsyncIterator[RegistrySource]:
    """A client of that registry."""
    async with RegistrySource(signed_registry.host, access=Access(plain_http=True)) as source:
        yield source


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run kittui with folders of its own; `home` is another user's machine."""
    monkeypatch.chdir(tmp_path)
    for name in ("KITTUI_KEY_PASSWORD", "KITTUI_CONFIG"):
        monkeypatch.delenv(name, raising=False)

    def call(*words: str, home: str = "home") -> Ran:
        for name in ("STATE", "CACHE", "CONFIG"):
            monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / home / name))
        monkeypatch.setenv("KITOPS_HOME", str(tmp_path / home / "kit"))
        monkeypatch.setenv("HOME", str(tmp_path / home))
        status = main(list(words))
        out, err = capsys.readouterr()
        return Ran(status, out, err)

    return call


@pytest.fixture(params=servers("Distribution 2.8", "zot"))
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DockerRegistry]:
    """A real registry, once without and once with a referrers API."""
    with running(request.param, tmp_path / "server") as server:
        yield server
