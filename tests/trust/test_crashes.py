"""What signs, states, decides, records and prunes is killed at every point it reaches, and run again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from kittui.disk import drafts
from tests.change.test_every_command import Case, counting, dies, inside, named_points, prepare
from tests.change.test_every_command import run as run_there
from tests.fakes.docker_registry import StartRegistry
from tests.trust.attacker import Attacker, People

pytestmark = pytest.mark.real

NAMES = ("anna", "ops")
CASES: dict[str, tuple[str, ...]] = {
    "sign": ("sign", "REPO:challenger", "--key", "anna.pem"),
    "attest": ("attest", "REPO:challenger", "--type", "test-result", "--predicate", "passed.json", "--key", "anna.pem"),
    "approve": ("approve", "REPO:challenger", "--for", "champion", "--key", "anna.pem"),
    "reject": ("reject", "REPO:challenger", "--for", "champion", "--key", "anna.pem"),
    "promote": ("promote", "REPO", "--yes", "--reason", "better"),
    "roll back": ("rollback", "REPO", "--yes"),
    "prune": ("prune", "REPO", "--keep", "1", "--yes"),
    "remove with a placeholder": ("remove", "--placeholder", "REPO:rollback", "--yes"),
}
MOVING = ("promote", "roll back", "prune")
BEFORE: dict[str, tuple[tuple[str, ...], ...]] = {
    "remove with a placeholder": (("promote", "REPO", "--yes"),),
    "roll back": (("promote", "REPO", "--yes"),),
    "prune": (("promote", "REPO", "--yes"), ("rollback", "REPO", "--yes"), ("promote", "REPO", "--yes")),
}


def begun(root: Path, attacker: Attacker, people: People, name: str) -> Callable[..., tuple[str, ...]]:
    """A machine with a key of its own, and a repository to work in."""
    prepare(root, Case(()))
    shutil.copy(people.file("anna"), root)
    (root / "passed.json").write_text('{"result": "PASSED"}')
    config = (people.folder / "home" / "CONFIG" / "kittui" / "config.yaml").read_text()
    (root / "config" / "kittui").mkdir(parents=True)
    (root / "config" / "kittui" / "config.yaml").write_text(f"{config}signing_key: {people.file('ops')}\n")
    for version, tag in (("1", "champion"), ("2", "challenger")):
        attacker.kit(version, tag)

    def words(case: tuple[str, ...]) -> tuple[str, ...]:
        repository = f"remote://{attacker.server.host}/{attacker.repository}"
        return tuple(word.replace("REPO", repository) for word in case)

    with inside(root):
        for before in BEFORE.get(name, ()):
            assert run_there(*words(before)) == (0, mock.ANY)
    return words


def seen(root: Path, attacker: Attacker, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """What the registry says to whoever looks from another machine, and that each move is recorded once."""
    elsewhere = root.with_name(f"{root.name}-elsewhere")
    prepare(elsewhere, Case(()))
    shutil.copytree(root / "config", elsewhere / "config")
    repository = f"remote://{attacker.server.host}/{attacker.repository}"
    found: dict[str, Any] = {}
    with inside(elsewhere):
        for tag in ("champion", "challenger"):
            document = asked(capsys, "verify", f"{repository}:{tag}")
            assert document["complete"]
            held = {(one["about"], one["status"], one["owner"]) for one in document["signatures"]}
            found[tag] = attacker.manifest(tag).digest, document["word"], held
        document = asked(capsys, "history", repository)
        assert document["notes"] == []
        # Moves of several tags within one second stand in no order.
        found["moves"] = {(e["action"], e["tag"], e["before"], e["after"], e["proof"]) for e in document["events"]}
        assert len(found["moves"]) == len(document["events"])
    assert [path.name for path in root.rglob("records/*.json")] == []
    shutil.rmtree(elsewhere)
    return found


def asked(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    from kittui.cli.app import main

    capsys.readouterr()
    main([*words, "--json"])
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("name", CASES)
def test_killed_anywhere_and_run_again_it_ends_the_same(
    name: str, tmp_path: Path, docker_registry: StartRegistry, capsys: pytest.CaptureFixture[str]
) -> None:
    server, people = docker_registry(), People(tmp_path, NAMES, "")
    first = Attacker(server, "first")
    words = begun(tmp_path / "first", first, people, name)(CASES[name])
    with inside(tmp_path / "first"), counting() as points:
        assert run_there(*words) == (0, mock.ANY)
    expected = seen(tmp_path / "first", first, capsys)
    assert len(points) >= 2
    for number, (point, times) in enumerate(points.items()):
        # What moves tags reaches a point once for each tag.
        for turn in sorted({1, times if name in MOVING else 1}):
            root, attacker = tmp_path / f"{number}-{turn}", Attacker(server, f"r{number}/t{turn}")
            words = begun(root, attacker, people, name)(CASES[name])
            dies(root, words, f"{point}:{turn}")
            drafts._swept.clear()  # a new process looks for what others left
            attacker.manifest("champion")
            with inside(root):
                status, said = run_there(*words)
            ended = name.startswith("remove") and "not found" in said
            assert status == 0 or ended, (point, turn, said)
            assert seen(root, attacker, capsys) == expected, (point, turn)
            shutil.rmtree(root)


def test_every_point_of_signing_and_recording_is_reached(tmp_path: Path, docker_registry: StartRegistry) -> None:
    server, people = docker_registry(), People(tmp_path, NAMES, "")
    found: set[str] = set()
    for number, name in enumerate(CASES):
        words = begun(tmp_path / str(number), Attacker(server, f"r{number}"), people, name)(CASES[name])
        with inside(tmp_path / str(number)), counting() as points:
            assert run_there(*words) == (0, mock.ANY)
        found |= set(points)
    assert {point for point in named_points() - found if point.startswith(("attach.", "outbox.", "trusted."))} == set()
