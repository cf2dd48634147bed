"""What version 0.1 left on the disk: its journal and history are read and undone, its caches are read or left alone.

tests/fixtures/state-0.1 was written by kittui 0.1.0 at work on tests/fixtures/registry, served by docker-registry:
`tag fraud:v0.9.0 audited`, `promote fraud`, `tree sentiment:v2.0.0 --tensors`, `tree fraud:v1.0.0`. The host in it was
replaced by REGISTRY.
"""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from kittui.cli.app import main
from kittui.oci.tag import Tag
from kittui.oci.target import parse_target
from kittui.registry import RegistrySource
from tests.fakes.docker_registry import FIXTURES, DockerRegistry

CHALLENGER, CHAMPION, ROLLBACK = "sha256:bc0db86d1084", "sha256:afd90276678c", "sha256:c6cf1d79ed4c"


@pytest.fixture
def written(tmp_path: Path, kit_registry: DockerRegistry, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folders of a user of 0.1, whose registry is the one that runs now."""
    for name in ("state", "cache"):
        shutil.copytree(FIXTURES / "state-0.1" / name, tmp_path / name)
        monkeypatch.setenv(f"XDG_{name.upper()}_HOME", str(tmp_path / name))
    for path in (tmp_path / "state").rglob("*.json*"):
        path.write_text(path.read_text().replace("REGISTRY", kit_registry.host))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KITOPS_HOME", str(tmp_path / "store"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    capsys.readouterr()
    assert main([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.real
def test_its_history_is_told(written: Path, kit_registry: DockerRegistry, capsys: pytest.CaptureFixture[str]) -> None:
    told = run(capsys, "history", f"remote://{kit_registry.host}/fraud")["events"]
    events = [each for each in told if each["actor"] == "ada@build"]

    assert sorted((each["action"], each["tag"], each["after"][:19]) for each in events) == [
        ("promote", "champion", CHALLENGER),
        ("promote", "rollback", CHAMPION),
        ("tag", "audited", ROLLBACK),
    ]


@pytest.mark.real
async def test_its_last_change_is_undone(
    written: Path, kit_registry: DockerRegistry, capsys: pytest.CaptureFixture[str]
) -> None:
    async with RegistrySource(kit_registry.host) as source:
        repository = source.repository("fraud")
        for origin, tag in (("champion", "rollback"), ("challenger", "champion")):
            manifest = await repository.manifest(parse_target(origin))
            await repository.put_manifest(manifest.raw, manifest.media_type, Tag(tag))

        done = await asyncio.to_thread(run, capsys, "undo", f"remote://{kit_registry.host}/fraud", "--yes")

        assert {each["tag"]: each["after"][:19] for each in done["changes"]} == {
            "champion": CHAMPION,
            "rollback": ROLLBACK,
        }
        assert (await repository.resolve(Tag("champion"))).digest.startswith(CHAMPION)


@pytest.mark.real
@pytest.mark.parametrize("reference", ["sentiment:v2.0.0", "fraud:v1.0.0"])
def test_its_caches_change_nothing_of_what_is_shown(
    written: Path,
    kit_registry: DockerRegistry,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    reference: str,
) -> None:
    words = ("tree", f"remote://{kit_registry.host}/{reference}", "--yes", "--tensors")
    warm = run(capsys, *words)
    monkeypatch.setenv("XDG_CACHE_HOME", str(written / "empty"))
    cold = run(capsys, *words)

    assert warm.pop("traffic")["bytes"] < cold.pop("traffic")["bytes"]
    assert warm == cold
