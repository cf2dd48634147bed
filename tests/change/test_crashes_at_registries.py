"""Every command that works on a registry is killed at every point it reaches, and run again."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from kittui.disk import drafts
from kittui.oci.media_types import OCI_INDEX, OCI_MANIFEST
from tests.change.test_every_command import FRAUD, Case, counting, dies, inside, named_points, prepare, run, state
from tests.fakes.docker_registry import DockerRegistry, StartRegistry
from tests.faults.lab import HTPASSWD
from tests.faults.model import RIGHT

pytestmark = pytest.mark.real
ONE, TWO = f"{FRAUD}:v1.0.0", f"{FRAUD}:v1.1.0"
GONE = ("not found",)
MANIFESTS = f"{OCI_MANIFEST}, {OCI_INDEX}"
PUSHED = (("push", ONE, "HERE/REPO:v1"), ("push", ONE, "HERE/REPO:v2"), ("push", TWO, "HERE/REPO:v3"))


@dataclass(frozen=True)
class Registries:
    """The ModelKits that cosign signed, one layer that comes in parts, and two that a test may write to."""

    signed: DockerRegistry
    big: DockerRegistry
    here: DockerRegistry
    locked: DockerRegistry

    @property
    def attested(self) -> str:
        """The digest of the ModelKit that was signed."""
        path, accept = "/v2/acme/attested/manifests/v1", {"Accept": MANIFESTS}
        return str(self.signed.request("HEAD", path, headers=accept)[1]["Docker-Content-Digest"])

    def words(self, words: tuple[str, ...], repository: str) -> tuple[str, ...]:
        names = {
            "SIGNED": f"remote://{self.signed.host}",
            "BIG": f"remote://{self.big.host}",
            "HERE": f"remote://{self.here.host}",
            "LOCKED": self.locked.host,
            "REPO": repository,
            "ATTESTED": self.attested,
        }
        for name, value in names.items():
            words = tuple(word.replace(name, value) for word in words)
        return words


CASES = {
    "copy with what refers to it": Case(("copy", "SIGNED/acme/attested:v1", "HERE/REPO:v1")),
    "push": Case(("push", ONE, "HERE/REPO:v1")),
    "push an index": Case(("copy", "HERE/indexed:all", "HERE/REPO:all")),
    "pull": Case(("pull", "SIGNED/acme/attested:v1")),
    "pull by digest": Case(("pull", "SIGNED/acme/attested@ATTESTED")),
    "pull what comes in parts": Case(("pull", "BIG/big:v1")),
    "remove with a placeholder": Case(("remove", "--placeholder", "HERE/REPO:v1", "-y"), PUSHED, GONE),
    "delete": Case(("remove", "--delete", "HERE/REPO:v1", "-y"), PUSHED, GONE),
    "undo a promotion": Case(
        ("undo", "HERE/REPO", "-y"),
        (*PUSHED, ("tag", "HERE/REPO:v1", "champion", "-y"), ("tag", "HERE/REPO:v3", "challenger", "-y"),
         ("tag", "HERE/REPO:v2", "rollback", "-y"), ("promote", "HERE/REPO", "-y")),
    ),
    "login": Case(("login", "LOCKED", "-u", "ann", "--password-stdin")),
    "logout": Case(
        ("logout", "LOCKED"), (("login", "LOCKED", "-u", "ann", "--password-stdin"),), ("no login", "not logged in")
    ),
}  # fmt: skip


AT_REGISTRIES = ("registry.", "transfer.", "remove.", "carry.")
ON_REFUSAL = {"remove.after-put-back"}
"""Reached only where a registry takes a placeholder and refuses to delete it: see test_displacing.py."""


@pytest.fixture
def registries(
    signed_registry: DockerRegistry, big_registry: DockerRegistry, docker_registry: StartRegistry, tmp_path: Path
) -> Registries:
    here = docker_registry()
    prepare(tmp_path / "indexing", Case(()))
    with inside(tmp_path / "indexing"):
        index(here)
    return Registries(signed_registry, big_registry, here, docker_registry(htpasswd=HTPASSWD))


def begin(root: Path, case: Case, registries: Registries, repository: str) -> tuple[str, ...]:
    """Do what comes before the command; the command itself."""
    prepare(root, Case(()))
    with inside(root):
        for words in case.before:
            assert run(*registries.words(words, repository), stdin=RIGHT) == (0, mock.ANY)
    return registries.words(case.words, repository)


def index(registry: DockerRegistry) -> None:
    """An index of two ModelKits as indexed:all."""
    entries = []
    for name, tag in ((ONE, "v1"), (TWO, "v2")):
        assert run("push", name, f"remote://{registry.host}/indexed:{tag}") == (0, mock.ANY)
        _, headers, raw = registry.request("GET", f"/v2/indexed/manifests/{tag}", headers={"Accept": OCI_MANIFEST})
        digest = headers["Docker-Content-Digest"]
        entries.append({"mediaType": OCI_MANIFEST, "digest": digest, "size": len(raw)})
    body = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}).encode()
    assert registry.request("PUT", "/v2/indexed/manifests/all", body, {"Content-Type": OCI_INDEX})[0] == 201


def there(registry: DockerRegistry, repository: str) -> dict[str, Any]:
    """What a registry has under each tag of a repository; of what is attached to a manifest, how much."""
    status, _, raw = registry.request("GET", f"/v2/{repository}/tags/list")
    found: dict[str, Any] = {}
    for tag in (json.loads(raw)["tags"] or []) if status == 200 else []:
        status, _, raw = registry.request("GET", f"/v2/{repository}/manifests/{tag}", headers={"Accept": MANIFESTS})
        document = json.loads(raw) if status == 200 else {}
        if status != 404:
            listed = sorted(map(str, document.get("manifests", [document])))
            found[tag] = len(listed) if tag.startswith("sha256-") else listed
    return found


def seen(root: Path, registries: Registries, repository: str) -> object:
    """All that a user sees, here and there."""
    locally = {name: value for name, value in state(root).items() if not name.endswith((".lock", "undoing"))}
    entries = [json.loads(path.read_bytes()) for path in root.rglob("journal/*.json")]
    return locally, there(registries.here, repository), [one["id"] for one in entries if one["state"] == "open"]


@pytest.mark.parametrize("name", CASES)
def test_a_command_that_was_killed_anywhere_is_finished_by_running_it_again(
    name: str, tmp_path: Path, registries: Registries, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kittui.store.neighbours.kit_at_work", lambda *_: False)
    case = CASES[name]
    words = begin(tmp_path / "first", case, registries, "first")
    with inside(tmp_path / "first"), counting() as points:
        assert run(*words, stdin=RIGHT) == (0, mock.ANY)
    expected = seen(tmp_path / "first", registries, "first")
    assert points
    # Where a command has points of a registry, what it does on this machine alone is killed in test_every_command.
    here = {point: times for point, times in points.items() if point.startswith(AT_REGISTRIES)} or points
    for number, (point, times) in enumerate(here.items()):
        for turn in sorted({1, times}):
            root, repository = tmp_path / f"{number}-{turn}", f"r{number}/t{turn}"
            words = begin(root, case, registries, repository)
            dies(root, words, f"{point}:{turn}", RIGHT)
            drafts._swept.clear()  # a new process looks for what others left
            with inside(root):
                status, said = run(*words, stdin=RIGHT)
            ended = bool(case.again) and status == 1 and any(words in said for words in case.again)
            assert status == 0 or ended, (point, turn, said)
            assert seen(root, registries, repository) == expected, (point, turn)
            assert not [path.name for path in root.rglob(".write-*")], (point, turn)
            shutil.rmtree(root)


def test_every_point_of_a_registry_is_reached_by_some_command(tmp_path: Path, registries: Registries) -> None:
    found: set[str] = set()
    for number, case in enumerate(CASES.values()):
        words = begin(tmp_path / str(number), case, registries, f"reached{number}")
        with inside(tmp_path / str(number)), counting() as points:
            assert run(*words, stdin=RIGHT) == (0, mock.ANY)
        found |= set(points)
    assert {point for point in named_points() - found if point.startswith(AT_REGISTRIES)} == ON_REFUSAL
