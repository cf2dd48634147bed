"""Indexes of variants in a layout and in a real docker-registry: listed, chosen from, changed, moved."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import home, kittui
from tests.fakes.artifacts import Layout, gguf
from tests.fakes.command_line import Run
from tests.fakes.docker_registry import StartRegistry

__all__ = ["home", "kittui"]

VARIANTS = {"q4_0": "6GB", "q5_0": "8GB", "q8_0": "12GB", "f16": "12GB"}


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """ModelKits of four quantisations, and an index of them: `all`."""
    found = Layout(tmp_path / "layout")
    entries = []
    for number, (name, vram) in enumerate(VARIANTS.items()):
        kit = found.modelkit(name, {"model.gguf": gguf([1.0, float(number)], name)}, name=name)
        labels = {"quantization": name, "vram": vram, "gpuArchs": ["sm_80", f"sm_9{number}"], "score": 0}
        entries.append({**kit, "annotations": {"org.example.tag": name}, "modelMetadata": labels, "future": {"a": 1}})
    found.index("all", entries, future=[1, {"b": 2}])
    return found


@pytest.fixture(params=["layout", pytest.param("registry", marks=pytest.mark.real)])
def place(request: pytest.FixtureRequest, layout: Layout, kittui: Run) -> str:
    here = f"oci:{layout.folder}"
    if request.param == "layout":
        return here
    start: StartRegistry = request.getfixturevalue("docker_registry")
    there = f"{start().host}/llm"
    for name in VARIANTS:
        assert kittui("copy", f"{here}:{name}", f"{there}:{name}").status == 0
    assert kittui("index", "push", f"{here}:all", f"{there}:all").status == 0
    return there


def test_an_index_is_shown_with_its_labels(kittui: Run, place: str) -> None:
    shown = kittui("show", f"{place}:all", "--json").json
    assert shown["kind"] == "modelkit-index"
    assert [one["labels"]["quantization"] for one in shown["manifests"]] == list(VARIANTS)
    assert shown["manifests"][1]["labels"]["gpuArchs"] == ["sm_80", "sm_91"]
    assert shown["manifests"][0]["annotations"] == {"org.example.tag": "q4_0"}
    for command in ("show", "tree"):
        text = kittui(command, f"{place}:all").out
        assert "quantization" in text
        assert '["sm_80","sm_93"]' in text
    listed = kittui("index", "list", f"{place}:all", "--json").json
    assert [one["content_size"] for one in listed["variants"]] == [10500, 10500, 10500, 10499]
    assert (
        kittui("index", "list", f"{place}:all", "-l", "vram=12GB", "--json").json["variants"] == listed["variants"][2:]
    )


def test_a_variant_is_chosen_by_its_labels(kittui: Run, place: str, tmp_path: Path) -> None:
    ref, chosen = f"{place}:all", ("-l", "quantization=q5_0")
    assert kittui("show", ref, *chosen, "--json").json["kitfile"]["package"]["name"] == "q5_0"
    assert kittui("tree", ref, *chosen, "--json").json["layers"][0]["files"][0]["path"] == "model.gguf"
    assert "blk.0.weight" in kittui("cat", ref, "model.gguf", "--view", *chosen).out
    target = tmp_path / "out"
    assert kittui("unpack", ref, "-d", str(target), "-l", "vram=12GB", "-l", "quantization=f16").status == 0
    assert (target / "model.gguf").read_bytes() == gguf([1.0, 3.0], "f16")
    found = kittui("diff", ref, ref, "--a-label", "quantization=q4_0", "--b-label", "quantization=f16", "--json").json
    assert (found["identical"], [one["name"] for one in found["tensors"]]) == (False, ["blk.0.weight"])


@pytest.mark.parametrize(
    ("labels", "code", "said"),
    [
        ((), "refused", "index of 4 variants"),
        (("vram=12GB",), "refused", "2 variants have vram=12GB"),
        (("vram=7GB",), "not-found", "no variant has vram=7GB"),
        (("vram",), "usage", "not a label"),
    ],
)
def test_a_choice_that_is_none_says_which_there_are(
    kittui: Run, place: str, tmp_path: Path, labels: tuple[str, ...], code: str, said: str
) -> None:
    options = [word for label in labels for word in ("-l", label)]
    for arguments in (["unpack", f"{place}:all", "-d", str(tmp_path / "x")], ["cat", f"{place}:all", "model.gguf"]):
        error = kittui(*arguments, *options, "--json").error
        assert (error["code"], said in error["message"]) == (code, True)
        if code != "usage":
            assert "quantization=f16" in error["hint"]
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("command", [("tree", "--risk"), ("tree", "--tensors"), ("bom",)])
def test_nothing_is_said_of_contents_that_no_variant_was_chosen_for(
    kittui: Run, place: str, command: tuple[str, ...]
) -> None:
    """Neither safe nor empty: an index has no files of its own."""
    ran = kittui(command[0], f"{place}:all", *command[1:], "--json")
    assert (ran.status, ran.error["code"]) == (1, "refused")


def test_variants_without_tags_are_searched_and_indexes_are_no_versions(kittui: Run, layout: Layout) -> None:
    alone = layout.modelkit("x", {"only/here.txt": b"x"}, name="x")
    del layout._named[-1]
    layout.index("more", [{**alone, "modelMetadata": {"n": 1}}])
    whole = f"oci:{layout.folder}//."
    (match,) = kittui("find", "here.txt", whole, "--json").json["matches"]
    assert (match["tag"], match["digest"]) == (None, alone["digest"])
    found = kittui("find", "model.gguf", whole, "--json").json["matches"]
    assert sorted(one["tag"] for one in found) == sorted(VARIANTS)
    moments = kittui("timeline", whole, "package.name", "--json").json
    assert "all" not in json.dumps(moments)


def test_an_index_is_removed_without_its_modelkits(kittui: Run, layout: Layout) -> None:
    alone = layout.modelkit("x", {"only/here.txt": b"x"}, name="x")
    del layout._named[-1]
    layout.index("more", [{**alone, "modelMetadata": {"n": 1}}])
    here = f"oci:{layout.folder}"
    assert kittui("remove", f"{here}:more", "--delete", "--yes").status == 0
    assert kittui("remove", f"{here}:all", "--delete", "--yes").status == 0
    rows = kittui("ls", f"{here}//.", "--json").json["tags"]
    assert sorted(one["tag"] or "" for one in rows) == ["", *sorted(VARIANTS)]
    assert kittui("cat", f"{here}@{alone['digest']}", "only/here.txt").out == "x"
    assert kittui("show", f"{here}:all", "--json").error["code"] == "not-found"


def test_labels_of_what_is_not_an_index(kittui: Run, place: str) -> None:
    assert kittui("show", f"{place}:q4_0", "-l", "a=b", "--json").error["code"] == "usage"


@pytest.mark.real
def test_a_variant_is_pulled_under_its_own_tag(
    kittui: Run, layout: Layout, docker_registry: StartRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = f"{docker_registry().host}/llm"
    assert kittui("index", "push", f"oci:{layout.folder}:all", f"{there}:all").status == 0
    assert "-l LABEL=VALUE" in kittui("pull", f"{there}:all", "--json").error["hint"]
    pulled = kittui("pull", f"{there}:all", "-l", "quantization=q8_0", "--json").json
    assert pulled["reference"].startswith(f"local://{there}@sha256:")
    assert kittui("copy", f"oci:{layout.folder}:q4_0", f"{there}:q4_0").status == 0
    pulled = kittui("pull", f"{there}:all", "-l", "quantization=q4_0", "--json").json
    assert pulled["reference"] == f"local://{there}:q4_0"
    assert kittui("show", f"local://{there}:q4_0", "--json").json["kitfile"]["package"]["name"] == "q4_0"


def test_an_index_is_made_and_changed(kittui: Run, place: str) -> None:
    ref = f"{place}:small"
    made = kittui("index", "create", ref, "--annotate", "org.example.a=b", "--json").json
    assert made["changes"][0]["before"] is None
    assert kittui("index", "create", ref, "--json").error["code"] == "conflict"
    labels = ("-l", "quantization=q4_0", "-l", 'archs:=["sm_80", 9.50]')
    assert kittui("index", "add", ref, "q4_0", *labels, "--yes").status == 0
    assert kittui("index", "add", ref, "q8_0", f"{place}:f16", "--annotate", "x=y", "--yes").status == 0
    assert kittui("index", "add", ref, "q4_0", "-l", "vram=6GB", "-l", "quantization-", "--yes").status == 0
    shown = kittui("show", ref, "--json").json
    assert shown["kind"] == "modelkit-index"
    assert shown["annotations"] == {"org.example.a": "b"}
    assert [one["labels"] for one in shown["manifests"]] == [{"archs": ["sm_80", 9.5], "vram": "6GB"}, {}, {}]
    assert "9.50" in kittui("show", ref).out
    assert kittui("index", "remove", ref, "q8_0", "--yes").status == 0
    assert len(kittui("show", ref, "--json").json["manifests"]) == 2
    assert kittui("show", f"{place}:q8_0", "--json").json["kind"] == "modelkit"
    assert kittui("undo", place if "/llm" in place else f"{place}//.", "--yes").status == 0
    assert len(kittui("show", ref, "--json").json["manifests"]) == 3
    assert kittui("index", "remove", ref, "q8_0", "--yes").status == 0
    assert kittui("index", "add", ref, "all", "--yes", "--json").error["code"] == "refused"
    assert kittui("index", "add", f"{place}:q4_0", "q8_0", "--yes", "--json").error["code"] == "refused"
    assert kittui("index", "remove", ref, "q8_0", "--yes", "--json").error["code"] == "not-found"
    assert kittui("index", "create", "local://x:all", "--json").error["code"] == "unsupported"


def test_a_round_trip_keeps_every_byte(kittui: Run, layout: Layout, place: str, tmp_path: Path) -> None:
    back = f"oci:{tmp_path / 'back'}:all"
    assert kittui("copy", f"{place}:all", back).status == 0
    before = kittui("show", f"oci:{layout.folder}:all", "--json").json
    after = kittui("show", back, "--json").json
    assert after["digest"] == before["digest"]
    assert (after["manifests"], after["artifact_type"]) == (before["manifests"], before["artifact_type"])
    raw = (tmp_path / "back/blobs/sha256" / after["digest"].removeprefix("sha256:")).read_bytes()
    assert json.loads(raw)["manifests"][0]["future"] == {"a": 1}
    assert kittui("index", "add", back, f"{back.removesuffix(':all')}@{after['manifests'][0]['digest']}", "-l", "n=1",
                  "--yes").status == 0  # fmt: skip
    digest = kittui("show", back, "--json").json["digest"]
    document = json.loads((tmp_path / "back/blobs/sha256" / digest.removeprefix("sha256:")).read_bytes())
    assert document["future"] == [1, {"b": 2}]
    assert document["manifests"][0]["modelMetadata"]["n"] == "1"


def test_two_indexes_are_compared(kittui: Run, place: str) -> None:
    assert kittui("copy", f"{place}:all", f"{place}:next").status == 0
    assert kittui("index", "add", f"{place}:next", "q4_0", "-l", "vram=7GB", "--yes").status == 0
    assert kittui("index", "remove", f"{place}:next", "f16", "--yes").status == 0
    found = kittui("diff", f"{place}:all", f"{place}:next", "--json").json
    changed = [(one["a"], one["b"]) for one in found["metadata"] if one["key"].endswith("vram")]
    assert ("6GB", "7GB") in changed
    assert sum(one["status"] == "removed" for one in found["layers"]) == 1


@pytest.mark.real
def test_an_index_of_200_variants_is_one_request(kittui: Run, tmp_path: Path, docker_registry: StartRegistry) -> None:
    layout = Layout(tmp_path / "many")
    kits = [layout.modelkit(f"v{n}", {"model.gguf": gguf([float(n)])}, name=f"v{n}") for n in range(200)]
    layout.index("all", [{**kit, "modelMetadata": {"n": n}} for n, kit in enumerate(kits)])
    server = docker_registry()
    ref = f"{server.host}/many:all"
    assert kittui("copy", f"oci:{layout.folder}:all", ref).status == 0

    def asked() -> int:
        return sum(b'"GET' in line or b'"HEAD' in line for line in server.log.read_bytes().splitlines())

    before = asked()
    assert kittui("tree", ref, "-l", "n=150", "--json").json["layers"][0]["files"][0]["path"] == "model.gguf"
    chosen = asked() - before
    assert chosen <= 8
    before = asked()
    assert len(kittui("tree", ref, "--json").json["variants"]) == 200
    assert asked() - before <= 3
