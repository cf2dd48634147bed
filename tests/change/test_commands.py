"""The commands that move things: JSON as contract.md has it, exit statuses, nothing changed without a yes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kittui.cli.app import main
from tests.change.big import put_kit
from tests.fakes.docker_registry import DockerRegistry, StartRegistry

FIXTURES = Path(__file__).parent.parent / "fixtures"
Run = Callable[..., tuple[int, Any, str]]
pytestmark = pytest.mark.real


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    for name in ("STATE", "CACHE", "CONFIG"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name))
    monkeypatch.setenv("KITOPS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)

    def call(*words: str) -> tuple[int, Any, str]:
        status = main([*words, "--json"])
        out, err = capsys.readouterr()
        return status, json.loads(out) if out else None, err

    return call


def problem(err: str) -> dict[str, Any]:
    found = json.loads(err[err.index('{"error"') :])["error"]
    assert isinstance(found, dict)
    return found


def test_pull_push_copy_and_unpack(run: Run, kit_registry: DockerRegistry, tmp_path: Path) -> None:
    host = kit_registry.host
    status, pulled, _ = run("pull", f"{host}/fraud:v1.0.0")
    assert status == 0
    assert pulled["reference"] == f"local://{host}/fraud:v1.0.0"
    assert {layer["outcome"] for layer in pulled["layers"]} == {"copied"}
    assert pulled["traffic"]["requests"] > 0
    assert run("pull", f"{host}/fraud:v1.0.0")[1]["layers"][0]["outcome"] == "present"
    status, pushed, _ = run("push", f"local://{host}/fraud:v1.0.0", f"remote://{host}/team/fraud:x")
    assert (status, pushed["digest"]) == (0, pulled["digest"])
    status, copied, _ = run("copy", f"remote://{host}/fraud:v1.0.0", f"remote://{host}/other")
    assert status == 0
    assert copied["reference"] == f"remote://{host}/other:v1.0.0"
    assert {layer["outcome"] for layer in copied["layers"]} == {"mounted"}
    status, unpacked, _ = run("unpack", f"local://{host}/fraud:v1.0.0", "-d", str(tmp_path / "out"))
    assert status == 0
    assert unpacked["verified"] is True
    assert {"path": "README.md", "size": 136, "outcome": "written"} in unpacked["files"]
    status, _, err = run("unpack", f"local://{host}/fraud:v1.0.0", "-d", str(tmp_path / "out"))
    assert (status, problem(err)["code"]) == (1, "conflict")
    status, kept, _ = run("unpack", f"local://{host}/fraud:v1.0.0", "-d", str(tmp_path / "out"), "-i")
    assert {one["outcome"] for one in kept["files"]} == {"kept"}


def test_a_parent_that_is_missing_is_said_and_what_came_is_the_result(run: Run, docker_registry: StartRegistry) -> None:
    registry = docker_registry()
    put_kit(registry, "child", model={"path": f"{registry.host}/parent:v1"})
    put_kit(registry, "parent", model={"path": f"{registry.host}/nobody:v1"})
    status, pulled, err = run("pull", f"{registry.host}/child:v1")
    assert status == 1
    assert pulled["reference"] == f"local://{registry.host}/child:v1"
    assert [parent["reference"] for parent in pulled["parents"]] == [f"local://{registry.host}/parent:v1"]
    assert problem(err)["code"] == "parent-missing"
    put_kit(registry, "nobody")
    status, pulled, _ = run("pull", f"{registry.host}/child:v1")
    assert (status, len(pulled["parents"])) == (0, 1)
    assert run("show", f"local://{registry.host}/nobody:v1")[0] == 0


def test_several_references_one_of_them_missing(run: Run, kit_registry: DockerRegistry) -> None:
    host = kit_registry.host
    status, pulled, err = run("pull", f"{host}/fraud:v9", f"{host}/fraud:v1.0.0")
    assert status == 1
    assert [one["reference"] for one in pulled] == [f"local://{host}/fraud:v1.0.0"]
    assert "v9" in err


def test_promote_rollback_undo_and_history(run: Run, kit_registry: DockerRegistry) -> None:
    repository = f"remote://{kit_registry.host}/fraud"
    status, _, err = run("promote", repository)
    assert (status, problem(err)["code"]) == (2, "terminal-needed")
    assert err.startswith(f"Promote in {repository}")
    status, promoted, _ = run("promote", repository, "--yes", "--reason", "recall")
    assert status == 0
    assert promoted["repository"] == repository
    assert [change["tag"] for change in promoted["changes"]] == ["rollback", "champion"]
    assert run("promote", repository)[:2] == (
        0,
        {"repository": repository, "changes": [], "deleted": [], "not_visible_yet": [], "review": None},
    )
    status, back, _ = run("rollback", repository, "--yes")
    assert back["changes"][0]["after"] == promoted["changes"][1]["before"]
    assert run("rollback", repository)[1]["changes"] == []
    assert run("undo", repository, "--yes")[1]["changes"][0]["after"] == promoted["changes"][1]["after"]
    assert run("undo", "--redo", repository, "--yes")[1]["changes"][0]["after"] == back["changes"][0]["after"]
    assert run("undo", repository, "--yes")[1]["changes"][0]["after"] == promoted["changes"][1]["after"]
    _, history, _ = run("history", repository, "champion")
    assert [event["action"] for event in history["events"]] == ["undo", "redo", "undo", "rollback", "promote"]
    assert history["events"][-1]["reason"] == "recall"
    assert run("promote", f"{repository}:v1.0.0", "--yes")[0] == 2
    assert run("promote", repository, "--from", "nope", "--yes")[0] == 1


def test_promotions_move_the_configured_tags(run: Run, kit_registry: DockerRegistry, tmp_path: Path) -> None:
    repository = f"remote://{kit_registry.host}/fraud"
    for stage, name in (("champion", "live"), ("challenger", "candidate")):
        assert run("tag", f"{repository}:{stage}", name, "--yes")[0] == 0
    (tmp_path / "CONFIG/kittui").mkdir(parents=True)
    moves = "moves: {challenger: candidate, champion: live, rollback: previous, retired: old}\n"
    (tmp_path / "CONFIG/kittui/config.yaml").write_text(moves)
    status, promoted, _ = run("promote", repository, "--yes")
    assert status == 0
    assert [change["tag"] for change in promoted["changes"]] == ["previous", "live"]
    status, back, _ = run("rollback", repository, "--yes")
    assert [change["tag"] for change in back["changes"]] == ["live"]
    assert back["changes"][0]["after"] == promoted["changes"][1]["before"]


def test_tag_and_remove(run: Run, kit_registry: DockerRegistry) -> None:
    repository = f"remote://{kit_registry.host}/fraud"
    status, tagged, _ = run("tag", f"{repository}:v1.0.0", "new", "newer", "--yes")
    assert status == 0
    assert [(change["tag"], change["before"]) for change in tagged["changes"]] == [("new", None), ("newer", None)]
    assert run("tag", f"{repository}:v1.1.0", "champion")[0] == 2
    assert run("tag", f"{repository}:v1.1.0", "champion", "--yes")[0] == 0
    assert run("tag", f"{repository}:v1.1.0", "not a tag", "--yes")[0] == 2
    status, _, err = run("remove", f"{repository}:new", "--yes")
    assert (status, problem(err)["code"]) == (1, "unsupported")
    status, removed, _ = run("remove", f"{repository}:new", "--placeholder", "--yes")
    assert status == 0
    assert [(change["tag"], change["after"]) for change in removed["changes"]] == [("new", None)]
    status, deleted, _ = run("remove", f"{repository}:newer", "--delete", "--yes")
    assert status == 0
    assert sorted(change["tag"] for change in deleted["changes"]) == ["newer", "v1.0.0"]
    assert len(deleted["deleted"]) == 1


def test_read_only_holds(run: Run, kit_registry: DockerRegistry, tmp_path: Path) -> None:
    host = kit_registry.host
    assert run("pull", f"{host}/fraud:champion")[0] == 0
    for words in (
        ("promote", f"remote://{host}/fraud"),
        ("tag", f"remote://{host}/fraud:v1.0.0", "x"),
        ("remove", f"remote://{host}/fraud:champion", "--delete"),
        ("pull", f"{host}/fraud:v1.0.0"),
        ("push", f"local://{host}/fraud:champion", f"remote://{host}/fraud:x"),
    ):
        status, _, err = run(*words, "--yes", "--read-only")
        assert (status, problem(err)["code"]) == (1, "read-only"), words


def test_a_protected_tag_needs_its_name(run: Run, kit_registry: DockerRegistry, tmp_path: Path) -> None:
    (tmp_path / "CONFIG/kittui").mkdir(parents=True)
    (tmp_path / "CONFIG/kittui/config.yaml").write_text("protected_tags: [champion]\n")
    repository = f"remote://{kit_registry.host}/fraud"
    status, _, err = run("tag", f"{repository}:v1.1.0", "champion", "--yes")
    assert (status, problem(err)["code"]) == (1, "tag-protected")
    assert run("tag", f"{repository}:v1.1.0", "champion", "--yes", "--confirm", "champion")[0] == 0
    assert run("rollback", repository, "--yes")[0] == 1
    assert run("rollback", repository, "--yes", "--confirm", "champion")[0] == 0


def test_from_the_store_to_a_layout_and_back(run: Run, tmp_path: Path) -> None:
    shutil.copytree(FIXTURES / "kithome", tmp_path / "home")
    status, copied, _ = run("copy", "local://myorg/fraud:prod", f"oci:{tmp_path}/disk:prod")
    assert status == 0
    assert run("copy", f"oci:{tmp_path}/disk:prod", "local://again:v1")[1]["digest"] == copied["digest"]
    status, _, err = run("pull", f"oci:{tmp_path}/disk:prod")
    assert (status, problem(err)["code"]) == (2, "usage")
