"""What tests of signatures share: the ModelKit that cosign signed in every form, served by a real registry."""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from kittui.cli.app import main
from kittui.registry import Access, RegistrySource
from tests.fakes.command_line import Ran, Run
from tests.fakes.docker_registry import DockerRegistry, require_docker_registry, start_registry

SIGNED = Path(__file__).parent.parent / "fixtures" / "signed"


@pytest.fixture(scope="session")
def signed_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    """The registry of tests/fixtures/signed, for tests that only read: one server for the whole run."""
    require_docker_registry()
    folder = tmp_path_factory.mktemp("signed")
    with tarfile.open(SIGNED / "registry.tar.xz") as archive:
        # Python before 3.11.4 knows no filters, and from 3.12 on warns where none is set.
        archive.extraction_filter = getattr(tarfile, "data_filter", None)
        archive.extractall(folder / "storage" / "docker")
    server = start_registry(folder, folder / "storage", delete=False)
    yield server
    server.stop()
    shutil.rmtree(folder)


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
