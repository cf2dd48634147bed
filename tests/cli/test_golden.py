"""`ls` and `show` agree with what kit says of the same ModelKits, in its store and in a registry."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.command_line import Run
from tests.fakes.docker_registry import DockerRegistry

GOLDEN = Path(__file__).parent.parent / "fixtures" / "golden"
INSPECTED = sorted(GOLDEN.glob("inspect-*.txt"))
HANDMADE: dict[str, dict[str, Any]] = json.loads((GOLDEN / "handmade-digests.json").read_text())
TAGS = {
    one["name"]: sorted(one["tags"]) for one in map(json.loads, (GOLDEN / "tags.json").read_text().splitlines()) if one
}


def inspected(path: Path) -> tuple[str, dict[str, Any]]:
    """The reference and what `kit inspect` printed for it."""
    command, text = path.read_text().split("\n", 1)
    reference = re.search(r"(127\.0\.0\.1:5055/\S+)", command)
    assert reference is not None
    document = json.loads(text)
    assert isinstance(document, dict)
    return reference[1], document


def entries(kitfile: dict[str, Any]) -> list[dict[str, Any]]:
    """The Kitfile's entries in the order of their layers."""
    model = kitfile.get("model", {})
    owners = [model] if "digest" in model else []
    lists = (kitfile.get(key, []) for key in ("code", "datasets", "docs"))
    return [*owners, *model.get("parts", []), *chain.from_iterable(lists)]


def agree(shown: dict[str, Any], kit: dict[str, Any]) -> None:
    manifest = kit["manifest"]
    layers = manifest["layers"] or []
    assert shown["digest"] == kit["digest"]
    assert shown["kitfile"] == kit["kitfile"]
    assert shown["annotations"] == manifest["annotations"]
    assert shown["size"] == manifest["config"]["size"] + sum(layer["size"] for layer in layers)
    for ours, theirs, entry in zip(shown["layers"], layers, entries(kit["kitfile"]), strict=True):
        assert (ours["digest"], ours["size"], ours["media_type"]) == tuple(
            theirs[key] for key in ("digest", "size", "mediaType")
        )
        assert (ours["path"], ours["name"], ours["diff_id"]) == (entry["path"], entry.get("name"), entry["diffId"])
        assert ours["problem"] is None
        assert ours["compression"] == ("gzip" if theirs["mediaType"].endswith("+gzip") else "none")
        assert {"datasets": "dataset"}.get(ours["type"], ours["type"]) in theirs["mediaType"]
    assert shown["problems"] == []


@pytest.mark.parametrize("path", INSPECTED, ids=lambda path: path.stem)
def test_show_in_the_store(path: Path, kittui: Run) -> None:
    reference, document = inspected(path)
    shown = kittui("show", "--json", f"local://{reference}").json
    agree(shown, document)
    assert shown["reference"] == f"local://{reference}"
    assert reference.rpartition(":")[2] in shown["tags"]


@pytest.mark.real
@pytest.mark.parametrize("path", INSPECTED, ids=lambda path: path.stem)
def test_show_in_a_registry(path: Path, kittui: Run, shared_kit_registry: DockerRegistry) -> None:
    reference, document = inspected(path)
    remote = reference.replace("127.0.0.1:5055", shared_kit_registry.host)
    agree(kittui("show", "--json", f"remote://{remote}").json, document)


def test_ls_names_what_kit_list_names(kittui: Run) -> None:
    listed = json.loads((GOLDEN / "list-json.txt").read_text().split("\n", 1)[1])
    wanted: dict[str, set[tuple[str | None, str]]] = defaultdict(set)
    for row in listed:
        name = "localhost/_" if row["repo"] == "<none>" else row["repo"]
        wanted[name] |= {(tag, row["digest"]) for tag in row["tags"] or [None]}
    names = [one["name"] for one in kittui("ls", "--json").json["repositories"]]
    assert sorted(names) == sorted(wanted)
    for name in names:
        found = kittui("ls", "--json", f"local://{name}").json
        assert {(row["tag"], row["digest"]) for row in found["tags"]} == wanted[name]
        assert all(row["problem"] is None and row["size"] for row in found["tags"])


@pytest.mark.real
def test_ls_of_a_registry(kittui: Run, shared_kit_registry: DockerRegistry) -> None:
    host = shared_kit_registry.host
    found = kittui("ls", "--json", host).json
    assert found["source"] == f"remote://{host}"
    assert [one["name"] for one in found["repositories"]] == sorted(TAGS)
    checked: list[str] = []
    for name, tags in TAGS.items():
        listed = kittui("ls", "--json", f"{found['source']}/{name}").json
        assert (listed["source"], listed["repository"]) == (found["source"], name)
        assert sorted(row["tag"] for row in listed["tags"]) == tags
        for row in listed["tags"]:
            assert row["digest"].startswith("sha256:")
            if described := HANDMADE.get(f"{name.removeprefix('handmade/')}:{row['tag']}"):
                checked.append(row["digest"])
                assert described["digest"] == row["digest"]
    assert len(checked) == len(HANDMADE)


@pytest.mark.real
@pytest.mark.parametrize(
    ("tag", "kind", "layers"),
    [
        ("modelpack:plain", "modelpack", [("model", "model.safetensors"), ("docs", "README.md")]),
        ("modelpack:with-kitfile", "modelpack", [("model", "model.safetensors"), ("docs", "README.md")]),
        ("prompts:v1", "modelkit", [("prompts", "p.md")]),
        ("odd:legacy", "modelkit", [("model", "models/w.bin")]),
        ("odd:future", "modelkit", [("model", "m")]),
        ("odd:nulllayers", "modelkit", []),
        ("odd:unknownlayer", "modelkit", [("other", None)]),
        ("mixed:image", "image", [("other", None)]),
        ("mixed:index", "index", []),
        ("mixed:kit", "modelkit", None),
        ("hostile:dotdot", "modelkit", None),
    ],
)
def test_handmade_ones_show_as_what_they_are(
    tag: str, kind: str, layers: list[tuple[str, str | None]] | None, kittui: Run, shared_kit_registry: DockerRegistry
) -> None:
    shown = kittui("show", "--json", f"{shared_kit_registry.host}/handmade/{tag}").json
    assert shown["kind"] == kind
    if layers is not None:
        assert [(layer["type"], layer["path"]) for layer in shown["layers"]] == layers


@pytest.mark.real
def test_a_mismatch_is_marked_on_its_layer(kittui: Run, shared_kit_registry: DockerRegistry) -> None:
    (layer,) = kittui("show", "--json", f"{shared_kit_registry.host}/handmade/odd:mismatch").json["layers"]
    assert "another digest" in layer["problem"]


@pytest.mark.real
def test_hostile_texts_are_inert_for_people_and_exact_for_programs(
    kittui: Run, shared_kit_registry: DockerRegistry
) -> None:
    reference = f"{shared_kit_registry.host}/handmade/hostile:escapes"
    shown = kittui("show", reference)
    assert shown.status == 0
    assert "\x1b" not in shown.out
    assert "\u202e" not in shown.out
    assert "[bold red]evil[/]" in shown.out
    exact = kittui("show", "--json", reference)
    assert exact.out.isascii()
    assert exact.json["kitfile"]["model"]["name"] == "\x1b[2J[bold red]evil[/]"


@pytest.mark.real
def test_a_second_look_asks_for_the_tag_alone(kittui: Run, kit_registry: DockerRegistry, home: Path) -> None:
    """What a digest names is cached between runs: the config isn't asked for again."""
    reference = f"{kit_registry.host}/fraud:v1.0.0"
    first = kittui("show", "--json", reference).json
    config = first["config"]["digest"].removeprefix("sha256:")
    cached = home / ".cache" / "kittui" / "content" / "sha256" / config[:2] / config
    assert cached.is_file()
    blob = kit_registry.storage / "docker/registry/v2/blobs/sha256" / config[:2] / config / "data"
    blob.unlink()
    assert kittui("show", "--json", reference).json == first
    cached.write_bytes(b"not it")
    assert kittui("show", "--json", reference).status == 1
    assert not cached.exists()
