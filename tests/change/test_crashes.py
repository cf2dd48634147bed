"""A crash at every point that something durable hangs on: running it again finishes the job."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

import kittui
from kittui import crashpoints
from kittui.cli.app import main
from kittui.oci.tag import Tag
from kittui.oci.target import parse_target
from kittui.registry import RegistrySource
from kittui.store import LocalSource
from tests.fakes.docker_registry import DockerRegistry, StartRegistry

PACKAGE = Path(kittui.__file__).parent
DURABLE = {"fsync", "sync_file", "rename", "rename_new", "replace", "link", "put_manifest", "put_blob", "untag"}
OURS = ("transfer", "state", "usecases", "disk", "store")
# Functions that hand on to one that has a point: the protocol's own methods, and syncs that nothing waits for.
HANDED_ON = {"sync_folder", "sync_file", "rename_new", "put_blob", "_link", "sync", "_put", "untag", "_delete_digest"}
CACHES = {"indexes.py", "cache.py", "folder_cache.py"}


def functions() -> Iterator[tuple[Path, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for part in OURS:
        for path in sorted(path for path in (PACKAGE / part).rglob("*.py") if path.name not in CACHES):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    yield path, node


def called(node: ast.AST) -> dict[str, list[ast.Call]]:
    found: dict[str, list[ast.Call]] = {}
    for each in ast.walk(node):
        if isinstance(each, ast.Call):
            function = each.func
            name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
            owner = function.value if isinstance(function, ast.Attribute) else None
            if name in ("replace", "link", "rename") and not _is_file_call(name, owner, each):
                continue
            found.setdefault(name, []).append(each)
    return found


def _is_file_call(name: str, owner: ast.expr | None, call: ast.Call) -> bool:
    if name == "replace":
        return isinstance(owner, ast.Name) and owner.id in ("draft", "partial", "temporary") and len(call.args) == 1
    return isinstance(owner, ast.Name) and owner.id == "os"


def test_every_durable_step_has_a_crash_point() -> None:
    bare = [
        f"{path.relative_to(PACKAGE)}:{node.lineno} {node.name}"
        for path, node in functions()
        if DURABLE & set(called(node)) and "crash_point" not in called(node) and node.name not in HANDED_ON
    ]
    assert bare == []


def crashed(environment: dict[str, str], point: str, *words: str) -> int:
    """Run kittui in a process that dies at a point; its exit status."""
    run = {**os.environ, **environment, "KITTUI_CRASH_AT": point}
    return subprocess.run(
        [sys.executable, "-m", "kittui", *words], env=run, capture_output=True, timeout=100
    ).returncode


def again(environment: dict[str, str], *words: str) -> Any:
    """Run kittui in this process, which must succeed; the JSON that it prints."""
    output = io.StringIO()
    with mock.patch.dict(os.environ, environment), contextlib.redirect_stdout(output):
        assert main([*words, "--json"]) == 0
    return json.loads(output.getvalue())


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {
        "KITOPS_HOME": str(tmp_path / "home"),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "HOME": str(tmp_path),
    }


def listed(home: Path) -> dict[str, list[str]]:
    """What `kit list` reads: raises where it would fail, on a broken index or a manifest that is missing."""
    found: dict[str, list[str]] = {}
    storage = home / "storage"
    for index in storage.glob("*-index.json"):
        manifests = [entry["digest"] for entry in json.loads(index.read_text())["manifests"]]
        for digest in manifests:
            assert (storage / "blobs/sha256" / digest.partition(":")[2]).is_file()
        found[index.name] = manifests
    if (storage / "index.json").exists():
        json.loads((storage / "index.json").read_text())
    for path in (storage / "blobs/sha256").glob("*") if (storage / "blobs/sha256").is_dir() else ():
        import hashlib

        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name, "half a blob"
    return found


PULL = (
    *("blob.before-fsync", "blob.before-rename", "blob.after-rename", "blob.after-fsync"),
    *("tags.before-put", "tags.after-put", "history.before-fsync"),
)
PULL_BIG = ("transfer.before-fsync", "transfer.before-commit", "transfer.after-commit")
UPLOAD = (
    *("transfer.before-upload", "registry.blob.before-put", "registry.blob.after-put"),
    *("registry.manifest.before-put", "registry.manifest.after-put"),
)


def killed_and_again(environment: dict[str, str], point: str, reference: str) -> None:
    assert crashed(environment, point, "pull", reference) == crashpoints.STATUS
    home = Path(environment["KITOPS_HOME"])
    listed(home)
    done = again(environment, "pull", reference)
    (manifests,) = listed(home).values()
    assert manifests == [done["digest"]]
    partial = home / "storage/kittui/partial"
    assert [name for name in partial.glob("*") if not name.name.startswith(".write")] == []


@pytest.mark.real
@pytest.mark.parametrize("point", PULL)
def test_check_25_a_pull_killed_anywhere_leaves_no_half_blob_and_finishes_when_run_again(
    point: str, shared_kit_registry: DockerRegistry, environment: dict[str, str]
) -> None:
    killed_and_again(environment, point, f"{shared_kit_registry.host}/fraud:v1.0.0")


@pytest.mark.real
@pytest.mark.parametrize("point", PULL_BIG)
def test_a_pull_of_a_big_layer_killed_anywhere_goes_on_when_run_again(
    point: str, big_registry: DockerRegistry, environment: dict[str, str]
) -> None:
    killed_and_again(environment, point, f"{big_registry.host}/big:v1")


@pytest.mark.real
@pytest.mark.parametrize("point", UPLOAD)
async def test_an_upload_killed_anywhere_finishes_when_run_again(
    point: str, docker_registry: StartRegistry, environment: dict[str, str], kithome: Path
) -> None:
    environment["KITOPS_HOME"] = str(kithome)
    host = docker_registry().host
    words = ("copy", "local://127.0.0.1:5055/fraud:v1.0.0", f"remote://{host}/copied:v1")
    assert await asyncio.to_thread(crashed, environment, point, *words) == crashpoints.STATUS
    done = await asyncio.to_thread(again, environment, *words)
    async with RegistrySource(host) as source:
        repository = source.repository("copied")
        manifest = await repository.manifest(Tag("v1"))
        assert manifest.digest == done["digest"]
        for blob in manifest.layers:
            assert len(await repository.read_blob(blob, blob.size)) == blob.size


async def state(host: str) -> dict[str, str]:
    async with RegistrySource(host) as source:
        repository = source.repository("fraud")
        return {
            tag: (await repository.resolve(parse_target(tag))).digest.short
            for tag in ("champion", "challenger", "rollback")
        }


PROMOTED = {"champion": "bc0db86d1084", "challenger": "bc0db86d1084", "rollback": "afd90276678c"}
PROMOTE = ["tags.before-put:1", "tags.before-put:2", "tags.after-put:1", "tags.after-put:2", "history.before-fsync:2"]


@pytest.mark.real
@pytest.mark.parametrize("point", PROMOTE)
async def test_check_37_a_promotion_killed_at_each_step_ends_in_the_same_state(
    point: str, kit_registry: DockerRegistry, environment: dict[str, str]
) -> None:
    repository = f"remote://{kit_registry.host}/fraud"
    assert await asyncio.to_thread(crashed, environment, point, "promote", repository, "--yes") == 137
    assert (await state(kit_registry.host))["champion"] in ("afd90276678c", "bc0db86d1084")
    await asyncio.to_thread(again, environment, "promote", repository, "--yes")
    assert await state(kit_registry.host) == PROMOTED
    told = await asyncio.to_thread(again, environment, "history", repository)
    assert sorted(event["tag"] for event in told["events"]) == ["champion", "rollback"]


@pytest.mark.real
def test_check_26_pulls_in_parallel_all_end_up_in_the_lists(
    shared_kit_registry: DockerRegistry, environment: dict[str, str]
) -> None:
    host = shared_kit_registry.host
    kits = ["fraud:v0.9.0", "fraud:v1.0.0", "fraud:v1.1.0", "sentiment:v2.0.0", "sentiment:v2.0.0-none"]
    run = {**os.environ, **environment}
    processes = [
        subprocess.Popen([sys.executable, "-m", "kittui", "pull", f"{host}/{kit}"], env=run, stderr=subprocess.PIPE)
        for kit in kits
    ]
    for process in processes:
        _, said = process.communicate(timeout=60)
        assert process.returncode == 0, said
    home = Path(environment["KITOPS_HOME"])
    everything = {entry["digest"] for entry in json.loads((home / "storage/index.json").read_text())["manifests"]}
    assert {digest for digests in listed(home).values() for digest in digests} == everything
    assert len(everything) >= 5


@pytest.mark.real
@pytest.mark.kit
def test_check_26_kit_and_kittui_at_once(shared_kit_registry: DockerRegistry, environment: dict[str, str]) -> None:
    import shutil

    if shutil.which("kit") is None:
        pytest.skip("kit is not installed")
    home = Path(environment["KITOPS_HOME"])
    home.mkdir()
    (home / "disable-update-notifications").touch()
    host = shared_kit_registry.host
    run = {**os.environ, **environment}
    theirs = subprocess.Popen(["kit", "pull", "--plain-http", f"{host}/sentiment:v2.0.0-none"], env=run)
    ours = [
        subprocess.Popen([sys.executable, "-m", "kittui", "pull", f"{host}/{kit}"], env=run)
        for kit in ("fraud:v0.9.0", "fraud:v1.0.0")
    ]
    assert [process.wait(60) for process in ours] == [0, 0]
    theirs.wait(60)
    names = subprocess.run(["kit", "list"], env=run, check=True, capture_output=True, text=True).stdout
    assert "v0.9.0" in names
    assert "v1.0.0" in names
    listed(home)


@pytest.mark.real
@pytest.mark.parametrize("kit", ["fraud:v0.9.0", "fraud:v1.0.0", "fraud:v1.1.0", "fraud:tuning", "sentiment:latest"])
async def test_what_was_pulled_is_what_kit_would_have_left(
    kit: str, shared_kit_registry: DockerRegistry, environment: dict[str, str]
) -> None:
    """The same blobs and the same entries as in the store that kit itself filled."""
    await asyncio.to_thread(again, environment, "pull", f"{shared_kit_registry.host}/{kit}")
    golden = LocalSource(Path(__file__).parent.parent / "fixtures/kithome", recheck=0)
    name, _, tag = kit.partition(":")
    theirs = golden.repository(f"127.0.0.1:5055/{name}")
    ours = LocalSource(Path(environment["KITOPS_HOME"]), recheck=0).repository(f"{shared_kit_registry.host}/{name}")
    assert await ours.resolve(parse_target(tag)) == await theirs.resolve(parse_target(tag))
    manifest = await ours.manifest(parse_target(tag))
    assert manifest.config is not None
    for blob in (manifest.config, *manifest.layers):
        assert ours.files.path(blob.digest).read_bytes() == theirs.files.path(blob.digest).read_bytes()
