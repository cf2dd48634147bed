"""What other tools push, in a layout and in a real docker-registry: opened, listed, viewed, compared, unpacked."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from tests.cli.conftest import home, kittui
from tests.fakes.artifacts import Layout, gguf
from tests.fakes.command_line import Run
from tests.fakes.docker_registry import StartRegistry

__all__ = ["home", "kittui"]

OLD, NEW = gguf([1.0, 2.0, 3.0]), gguf([1.0, 2.0, 4.0])


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    found = Layout(tmp_path / "layout")
    found.modelkit("kit", {"model.gguf": OLD}, name="tiny")
    found.docker_model("docker", OLD)
    found.docker_model("docker-new", NEW)
    found.ollama_model("ollama", OLD)
    found.modelpack("pack", OLD)
    found.modelpack("pack-gguf", NEW, last_word="gguf")
    return found


@pytest.fixture(params=["layout", pytest.param("registry", marks=pytest.mark.real)])
def place(request: pytest.FixtureRequest, layout: Layout, kittui: Run) -> str:
    """Where the artifacts are: the text before a tag."""
    here = f"oci:{layout.folder}"
    if request.param == "layout":
        return here
    start: StartRegistry = request.getfixturevalue("docker_registry")
    there = f"{start().host}/models"
    for tag in ("kit", "docker", "docker-new", "ollama", "pack", "pack-gguf"):
        assert kittui("copy", f"{here}:{tag}", f"{there}:{tag}").status == 0
    return there


def test_they_are_listed_by_kind_and_role(kittui: Run, place: str) -> None:
    whole = place if "/models" in place else f"{place}//."
    kinds = {row["tag"]: row["kind"] for row in kittui("ls", whole, "--json").json["tags"]}
    assert kinds == {
        "kit": "modelkit", "docker": "docker-model", "docker-new": "docker-model", "ollama": "ollama-model",
        "pack": "modelpack", "pack-gguf": "modelpack",
    }  # fmt: skip
    shown = kittui("show", f"{place}:docker", "--json").json
    assert [(one["role"], one["path"], one["format"]) for one in shown["layers"]] == [
        ("weights", "model.gguf", "raw"),
        ("license", "LICENSE", "raw"),
        ("template", "chat_template.jinja", "raw"),
        ("parameters", None, "tar"),
    ]
    assert shown["kitfile"]["model"]["parameters"]["architecture"] == "llama"
    shown = kittui("show", f"{place}:ollama", "--json").json
    assert [one["path"] for one in shown["layers"]] == [
        "model.gguf",
        "LICENSE",
        "LICENSE-2",
        "template.txt",
        "params.json",
    ]
    tree = kittui("tree", f"{place}:pack", "--json").json
    assert [(one["role"], [(file["path"], file["mode"]) for file in one["files"]]) for one in tree["layers"]] == [
        ("weights", [("model.gguf", 0o644)]),
        ("code", [("run.sh", 0o755)]),
        ("docs", [("README.md", 0o644)]),
    ]


@pytest.mark.parametrize("tag", ["kit", "docker", "ollama", "pack"])
def test_the_tensors_of_a_layer_are_read_by_ranges(kittui: Run, place: str, tag: str) -> None:
    found = kittui("tree", f"{place}:{tag}", "--tensors", "--json").json
    (model,) = found["models"]
    assert [(one["name"], one["dtype"], one["shape"]) for one in model["tensors"]] == [("blk.0.weight", "F32", [3])]
    assert "blk.0.weight" in kittui("cat", f"{place}:{tag}", "model.gguf", "--view").out


def test_viewers_work_on_raw_layers(kittui: Run, place: str) -> None:
    assert kittui("cat", f"{place}:ollama", "params.json").out == '{"stop":["<end>"],"temperature":0.70}'
    assert "0.70" in kittui("cat", f"{place}:ollama", "params.json", "--view").out
    assert "{{ messages }}" in kittui("cat", f"{place}:docker", "chat_template.jinja", "--view").out


@pytest.mark.parametrize("tag", ["docker", "ollama", "pack"])
def test_kinds_are_compared_by_role_and_content(kittui: Run, place: str, tag: str) -> None:
    found = kittui("diff", f"{place}:kit", f"{place}:{tag}", "--content", "--json").json
    weights = next(one for one in found["layers"] if one["path"] == "model.gguf")
    assert weights["a"]
    assert weights["b"]
    files = {one["path"]: one["status"] for one in found["files"]}
    assert files["model.gguf"] == "same"
    assert [one["status"] for one in found["tensors"]] == ["same"]


def test_what_changed_between_two_kinds_is_named(kittui: Run, place: str) -> None:
    found = kittui("diff", f"{place}:kit", f"{place}:docker-new", "--content", "--json").json
    (tensor,) = found["tensors"]
    assert (tensor["name"], tensor["status"]) == ("blk.0.weight", "changed")
    found = kittui("diff", f"{place}:docker", f"{place}:ollama", "--json").json
    assert {one["path"]: one["status"] for one in found["layers"]}["model.gguf"] == "same"
    moved = next(one for one in found["layers"] if one["path"] == "LICENSE-2")
    assert moved["status"] == "moved"


@pytest.mark.parametrize(("tag", "name"), [("docker", "model.gguf"), ("ollama", "params.json"), ("pack", "run.sh")])
def test_they_are_unpacked_under_their_names_with_their_modes(
    kittui: Run, place: str, tmp_path: Path, tag: str, name: str
) -> None:
    target = tmp_path / "out"
    assert kittui("unpack", f"{place}:{tag}", "-d", str(target)).status == 0
    assert (target / "model.gguf").read_bytes() == OLD
    mode = 0o755 if name == "run.sh" else 0o644
    assert stat.S_IMODE((target / name).stat().st_mode) == mode
    assert (target / "Kitfile").is_file()


def test_kits_that_can_not_read_them_never_get_them(
    kittui: Run, layout: Layout, kithome: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bin" / "kit"
    program.parent.mkdir()
    monkeypatch.setenv("PATH", str(program.parent))
    before = sorted(path.name for path in (kithome / "storage" / "blobs" / "sha256").iterdir())
    for version, what in (("1.7.0", "version 1.7"), ("unknown", "does not report its version")):
        program = tmp_path / version / "kit"
        program.parent.mkdir()
        program.write_text(f"#!/bin/sh\necho 'Version: {version}'\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
        for tag in ("docker", "ollama", "pack"):
            ran = kittui("copy", f"oci:{layout.folder}:{tag}", f"local://models:{tag}", "--json")
            assert ran.status == 1
            assert "oci:DIR" in ran.error["hint"]
        assert what in ran.error["message"]
        doctor = kittui("doctor", "--json")
        assert "ModelPacks (1.10)" in json.loads(doctor.out)["store"]["kit"]["not_read"]
    assert sorted(path.name for path in (kithome / "storage" / "blobs" / "sha256").iterdir()) == before


def test_a_modelpack_gets_into_the_store_of_a_kit_that_reads_it(
    kittui: Run, layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "newer" / "kit"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho 'Version: 1.17.2'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    assert kittui("copy", f"oci:{layout.folder}:pack", "local://models:pack").status == 0
    found = kittui("doctor", "--json").json["store"]
    assert (found["kit"]["version"], found["kit"]["not_read"], found["problems"]) == ("1.17", [], [])
    program = tmp_path / "older" / "kit"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho 'Version: 1.9.0'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    ran = kittui("doctor", "--repair", "--json")
    (problem,) = json.loads(ran.out)["store"]["problems"]
    assert (problem["kind"], problem["breaks_kit"], problem["repairable"]) == ("newer-kit", True, False)
    assert kittui("show", "local://models:pack", "--json").json["kind"] == "modelpack"
