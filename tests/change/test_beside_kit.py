"""The real kit and kittui at work in one store at the same time."""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.change.big import MIB, put_kit
from tests.fakes.docker_registry import DockerRegistry, StartRegistry
from tests.fakes.faulty_proxy import FaultyProxy
from tests.fakes.kit_semantics import complete, kit_list

pytestmark = [pytest.mark.real, pytest.mark.kit]
SLOW = 32 * 1024
"""Bytes a second of a pull that is to last until the other one has ended."""


class Home:
    """A store, and both programs over it."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "home"
        self.root.mkdir()
        (self.root / "disable-update-notifications").touch()
        self.environment = {
            **os.environ,
            "HOME": str(folder),
            "KITOPS_HOME": str(self.root),
            **{f"XDG_{name}_HOME": str(folder / name) for name in ("STATE", "CACHE", "CONFIG")},
        }

    async def run(self, *command: str) -> tuple[int, str]:
        """Exit status and everything that was printed."""
        process = await asyncio.create_subprocess_exec(
            *command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        output, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, output.decode()

    async def kit(self, *words: str) -> tuple[int, str]:
        return await self.run("kit", *words)

    async def kittui(self, *words: str) -> tuple[int, str]:
        return await self.run(sys.executable, "-m", "kittui", *words)

    async def problems(self) -> list[str]:
        """What doctor finds wrong with the store."""
        status, printed = await self.kittui("doctor")
        found = [line.split()[1] for line in printed.splitlines() if line.startswith("  XX")]
        assert status == bool(found), printed
        return found


@pytest.fixture
def home(tmp_path: Path) -> Home:
    if shutil.which("kit") is None:
        pytest.skip("kit is not installed")
    return Home(tmp_path)


@pytest.fixture
def registry(docker_registry: StartRegistry) -> DockerRegistry:
    made = docker_registry()
    for name, size in (("alpha", 2 * MIB), ("beta", 2 * MIB), ("gamma", 1000)):
        put_kit(made, name, random.Random(name).randbytes(size), model={"path": "m"})
    return made


def names(root: Path) -> set[str]:
    return {str(row["modelName"]) for row in kit_list(root)}


async def test_check_26_kittui_ends_last(home: Home, registry: DockerRegistry) -> None:
    """kit begins and ends while kittui pulls: it wipes its own ingest/, writes the indexes, and nothing is lost."""
    async with FaultyProxy(registry.host, rate=SLOW) as slow:
        ours = asyncio.create_task(home.kittui("pull", f"{slow.host}/beta:v1"))
        while slow.body_bytes("/blobs/") < SLOW:
            assert not ours.done()
            await asyncio.sleep(0.02)
        status, printed = await home.kit("pull", f"{registry.host}/alpha:v1", "--plain-http")
        assert status == 0, printed
        slow.rate = 0
        status, printed = await ours
        assert status == 0, printed
    status, printed = await home.kit("list")
    assert status == 0, printed
    assert {"alpha", "beta"} == names(home.root)
    assert "alpha" in printed
    assert "beta" in printed
    complete(home.root)
    assert await home.problems() == []


async def test_check_26_kit_ends_last(home: Home, registry: DockerRegistry) -> None:
    """kit writes back the index.json that it read when it began: doctor names that, and the next pull repairs it."""
    async with FaultyProxy(registry.host, rate=SLOW) as slow:
        theirs = asyncio.create_task(home.kit("pull", f"{slow.host}/alpha:v1", "--plain-http"))
        while slow.body_bytes("/blobs/") < SLOW:
            assert not theirs.done()
            await asyncio.sleep(0.02)
        status, printed = await home.kittui("pull", f"{registry.host}/beta:v1")
        assert status == 0, printed
        slow.rate = 0
        status, printed = await theirs
        assert status == 0, printed
    status, printed = await home.kit("list")
    assert status == 0, printed
    assert {"alpha", "beta"} == names(home.root)
    assert set(await home.problems()) <= {"not-in-index"}
    status, printed = await home.kittui("pull", f"{registry.host}/gamma:v1")
    assert status == 0, printed
    complete(home.root)
    assert await home.problems() == []


async def test_doctor_repairs_what_kit_dropped(home: Home, registry: DockerRegistry) -> None:
    for name in ("alpha", "beta"):
        status, printed = await home.kittui("pull", f"{registry.host}/{name}:v1")
        assert status == 0, printed
    index = home.root / "storage/index.json"
    document = json.loads(index.read_bytes())
    document["manifests"] = document["manifests"][:1]
    index.write_text(json.dumps(document))
    assert await home.problems() == ["not-in-index"]
    status, printed = await home.kittui("doctor", "--repair", "--yes")
    assert status == 0, printed
    assert await home.problems() == []
    status, printed = await home.kit("remove", f"{registry.host}/alpha:v1")
    assert status == 0, printed
    complete(home.root)
    assert names(home.root) == {"beta"}


async def test_a_parent_that_cannot_be_pulled_is_exit_status_1_as_in_kit(home: Home, registry: DockerRegistry) -> None:
    """Either leaves the ModelKit itself, and the parents it got, in the store."""
    host = registry.host
    put_kit(registry, "child", model={"path": f"{host}/parent:v1"})
    put_kit(registry, "parent", model={"path": f"{host}/nobody:v1"})
    status, printed = await home.kit("pull", f"{host}/child:v1", "--plain-http")
    assert status == 1, printed
    assert names(home.root) == {"child", "parent"}
    shutil.rmtree(home.root / "storage")
    status, printed = await home.kittui("pull", f"{host}/child:v1")
    assert status == 1, printed
    assert "is in the store, but the ModelKit that its model.path refers to is not" in printed
    assert names(home.root) == {"child", "parent"}
