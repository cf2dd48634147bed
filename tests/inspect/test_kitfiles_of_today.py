"""What newer kits pack: prompts, MCP servers, raw and zstd layers, datasets that are kept elsewhere, exact numbers."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
import zstandard

from kittui.oci.reference import LOCAL, Place
from tests.cli.conftest import home, kittui
from tests.fakes.artifacts import KIT, Layout, gguf, tarred
from tests.fakes.command_line import Run
from tests.fakes.docker_registry import StartRegistry
from tests.tui.waiting import browse, quiet, text_of, until
from tests.tui.world import World, WorldSource

__all__ = ["home", "kittui"]

WEIGHTS = gguf([1.0, 2.0])
PROMPT = b"Answer briefly.\n"
S3 = {"name": "far", "path": "data/far", "remotePath": "s3://bucket/key", "remoteHash": "sha256-abc"}


def bundle() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(zipfile.ZipInfo("manifest.json"), '{"name": "files"}')
    return stream.getvalue()


def config_of(layers: list[tuple[str, bytes, bytes]]) -> str:
    """A Kitfile of each layer (its entry as JSON), numbers in it as no float keeps them."""
    digests = [(f"sha256:{hashlib.sha256(raw).hexdigest()}", f"sha256:{hashlib.sha256(plain).hexdigest()}")
               for _, raw, plain in layers]  # fmt: skip
    info = [json.dumps({"digest": digest, "diffId": diff})[1:-1] for digest, diff in digests]
    return (
        '{"manifestVersion":"1.0.0","package":{"name":"today"},'
        '"model":{"path":"model.gguf","parameters":{"exact":0.12345678901234567890,"lr":0.00001,"big":123456789012345678901},'
        + info[0]
        + '},"datasets":[{"path":"data/a.csv",' + info[1] + "}," + json.dumps(S3) + ',{"path":"data/b.csv",' + info[2]
        + '}],"prompts":[{"path":"system.md","description":"x",' + info[3]
        + '}],"mcpServers":[{"name":"files","path":"files.mcpb",' + info[4] + "}]}"
    )  # fmt: skip


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    found = Layout(tmp_path / "layout")
    tables = [tarred({f"data/{name}.csv": f"id\n{name}\n".encode()}) for name in "ab"]
    contents = [WEIGHTS, *tables, PROMPT, bundle()]
    raw = [zstandard.compress(WEIGHTS), zstandard.compress(tables[0]), tables[1], PROMPT, contents[4]]
    types = ["model.v1.raw+zstd", "dataset.v1.tar+zstd", "dataset.v1.tar", "code.v1.raw", "mcpb.v1.raw"]
    subtype = {"ml.kitops.modelkit.layer-subtype": "prompt", "org.cncf.model.filepath": "system.md"}
    config = config_of(list(zip(types, raw, contents, strict=True)))
    document: dict[str, Any] = {
        "schemaVersion": 2,
        "config": {"mediaType": KIT + "config.v1+json", **found.blob(config.encode())},
        "layers": [
            {"mediaType": KIT + kind, **found.blob(blob), **({"annotations": subtype} if kind == "code.v1.raw" else {})}
            for kind, blob in zip(types, raw, strict=True)
        ],
    }
    found.put("today", document)
    return found


@pytest.fixture(params=["layout", pytest.param("registry", marks=pytest.mark.real)])
def ref(request: pytest.FixtureRequest, layout: Layout, kittui: Run) -> str:
    here = f"oci:{layout.folder}:today"
    if request.param == "layout":
        return here
    start: StartRegistry = request.getfixturevalue("docker_registry")
    there = f"{start().host}/today:today"
    assert kittui("copy", here, there).status == 0
    return there


def test_every_layer_has_its_entry_and_what_is_elsewhere_has_none(kittui: Run, ref: str) -> None:
    shown = kittui("show", ref, "--json").json
    assert shown["problems"] == []
    assert [(one["type"], one["path"], one["format"], one["compression"]) for one in shown["layers"]] == [
        ("model", "model.gguf", "raw", "zstd"),
        ("datasets", "data/a.csv", "tar", "zstd"),
        ("datasets", "data/b.csv", "tar", "none"),
        ("prompts", "system.md", "raw", "none"),
        ("mcpServers", "files.mcpb", "raw", "none"),
    ]
    elsewhere = {"type": "datasets", "name": "far", "path": "data/far", "location": "s3://bucket/key",
                 "hash": "sha256-abc"}  # fmt: skip
    assert shown["remote"] == [elsewhere]
    assert kittui("tree", ref, "--json").json["remote"] == [elsewhere]
    for command in ("show", "tree"):
        line = next(line for line in kittui(command, ref).out.splitlines() if line.find("s3://") > 0 and "far" in line)
        assert "sha256-abc" in line


def test_a_modelkit_of_remote_datasets_alone_is_sound(kittui: Run, layout: Layout) -> None:
    config = {"manifestVersion": "1.0.0", "package": {}, "datasets": [S3]}
    layout.artifact("far", KIT + "config.v1+json", config, [])
    shown = kittui("show", f"oci:{layout.folder}:far", "--json").json
    assert (shown["problems"], len(shown["remote"])) == ([], 1)


def test_it_is_read_and_unpacked(kittui: Run, ref: str, tmp_path: Path) -> None:
    assert "blk.0.weight" in kittui("cat", ref, "model.gguf", "--tensors").out
    assert kittui("cat", ref, "system.md").out == PROMPT.decode()
    target = tmp_path / "out"
    ran = kittui("unpack", ref, "-d", str(target))
    assert ran.status == 0
    assert "s3://bucket/key" in ran.err
    assert (target / "model.gguf").read_bytes() == WEIGHTS
    assert (target / "files.mcpb").read_bytes() == bundle()
    assert (target / "data/b.csv").read_text() == "id\nb\n"
    assert "remoteHash: sha256-abc" in (target / "Kitfile").read_text()


def test_numbers_of_the_config_are_those_in_it(kittui: Run, ref: str) -> None:
    text = kittui("show", ref).out
    assert "exact: 0.12345678901234567890" in text
    assert "lr: 0.00001" in text
    assert "big: 123456789012345678901" in text
    parameters = kittui("show", ref, "--json").json["kitfile"]["model"]["parameters"]
    assert parameters == {"exact": "0.12345678901234567890", "lr": 1e-05, "big": 123456789012345678901}


def test_a_difference_no_float_sees_is_a_difference(kittui: Run, layout: Layout) -> None:
    for tag, number in (("a", "0.12345678901234567890"), ("b", "0.12345678901234567891"), ("c", "1.50"), ("d", "1.5")):
        text = '{"manifestVersion":"1.0.0","package":{},"model":{"parameters":{"x":' + number + "}}}"
        document = {"config": {"mediaType": KIT + "config.v1+json", **layout.blob(text.encode())}, "layers": []}
        layout.put(tag, {"schemaVersion": 2, **document})
    here = f"oci:{layout.folder}"
    (change,) = kittui("diff", f"{here}:a", f"{here}:b", "--json").json["kitfile"]
    assert (change["path"], change["a"], change["b"]) == (
        "model.parameters.x", "0.12345678901234567890", "0.12345678901234567891",
    )  # fmt: skip
    assert kittui("diff", f"{here}:c", f"{here}:d", "--json").json["kitfile"] == []


async def test_the_interface_lists_what_is_kept_elsewhere() -> None:
    source = WorldSource(Place("remote", host="registry.test"))
    kitfile = {"manifestVersion": "1.0.0", "package": {"name": "x"}, "model": {"path": "m"}, "datasets": [S3]}
    source.repository("today").add(kitfile, [("model", 1000, "none")], "v1")
    made = World(WorldSource(LOCAL), source)
    async with made.app("registry.test/today:v1").run_test(size=(160, 40)) as pilot:
        await until(pilot, lambda: browse(pilot).tags_pane.current is not None)
        await quiet(pilot)
        line = next(line for line in text_of(pilot).splitlines() if "↗" in line)
        assert "data/far" in line
        assert "s3://bucket/key" in line
        browse(pilot).go("layers")
        await pilot.press("j", "enter")
        await quiet(pilot)
        assert browse(pilot).at == "details"
