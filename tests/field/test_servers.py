"""The same operations on real servers: what kittui makes of them, and what crane and oras give of the same thing.

Distribution 2.8 always; Distribution 3, zot and olareg where they, crane and oras are on PATH.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.fakes.peers import SERVERS, running, servers
from tests.fakes.scripted_registry import ScriptedRegistry, digest_of, serving
from tests.field.operations import OPERATIONS
from tests.field.personalities import PERSONALITIES
from tests.field.real import Real
from tests.field.world import LARGE, REPOSITORY, Scripted, World, fill

HABITS = {each.name: each.habits for each in PERSONALITIES}


@pytest.fixture
def world(server: str, tmp_path: Path) -> Iterator[World]:
    with running(server, tmp_path / "server") as running_server, serving(ScriptedRegistry()) as other:
        registry = Real(running_server.host)
        fill(registry)
        yield World(HABITS[server], registry, Scripted(other), tmp_path)
        registry.close()


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("server", servers())
def test_operations(server: str, operation: Callable[[World], None], world: World) -> None:
    operation(world)


def call(*words: str) -> bytes:
    return subprocess.run(words, check=True, capture_output=True, timeout=60).stdout


@pytest.mark.peers
@pytest.mark.parametrize("server", SERVERS)
def test_crane_and_oras_give_the_same(server: str, world: World) -> None:
    """Of every tag after a push and a promotion: digest, manifest, sizes and bytes."""
    if shutil.which("crane") is None or shutil.which("oras") is None:
        pytest.skip("crane and oras are not on PATH")
    assert world.kittui("push", world.keep(LARGE, "v2.0"), f"{world.repository}:v2.0").status == 0
    assert world.kittui("promote", "--yes", world.repository).status == 0

    listed = {row["tag"]: row for row in world.kittui("ls", world.repository).json["tags"]}
    theirs = call("crane", "ls", f"{world.registry.host}/{REPOSITORY}").decode().split()
    assert sorted(listed) == sorted(tag for tag in theirs if not tag.startswith("sha256-"))
    for tag, row in listed.items():
        reference = f"{world.registry.host}/{REPOSITORY}:{tag}"
        assert row["digest"] == call("crane", "digest", reference).decode().strip()
        raw = call("oras", "manifest", "fetch", "--plain-http", reference)
        assert digest_of(raw) == row["digest"]
        manifest = json.loads(raw)
        assert row["size"] == sum(blob["size"] for blob in [manifest["config"], *manifest["layers"]])
    for layer in json.loads(LARGE.manifest)["layers"]:
        content = call("crane", "blob", f"{world.registry.host}/{REPOSITORY}@{layer['digest']}")
        assert f"sha256:{hashlib.sha256(content).hexdigest()}" == layer["digest"]
        assert len(content) == layer["size"]


@pytest.mark.peers
@pytest.mark.parametrize("server", SERVERS)
def test_what_oras_copied_is_pulled_byte_for_byte(server: str, world: World) -> None:
    """A ModelKit that neither kittui nor its tests brought there."""
    if shutil.which("oras") is None:
        pytest.skip("oras is not on PATH")
    there = f"{world.registry.host}/team/by-oras:v1"
    call("oras", "cp", "--from-plain-http", "--to-plain-http", f"{world.registry.host}/{REPOSITORY}:v1.0", there)
    assert world.kittui("pull", f"remote://{there}").status == 0
    layout = world.home / "by-oras"
    call("oras", "cp", "--from-plain-http", "--to-oci-layout", there, f"{layout}:v1")
    for path in (layout / "blobs/sha256").iterdir():
        assert world.stored(path.name) == path.read_bytes()
