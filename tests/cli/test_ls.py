"""`kittui ls`: the stage and the age of tags, and what they cost."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from kittui.oci.media_types import CREATED, MODELPACK_CONFIG
from tests.fakes.command_line import Run
from tests.fakes.scripted_registry import KIT_CONFIG, ScriptedRegistry, manifest_of, serving

DATED = "2026-11-02T08:00:00Z"
CONFIGS = "/blobs/"


def add_pack(registry: ScriptedRegistry, tag: str, created: str, *, held: bool = True) -> None:
    """A ModelPack, whose config alone says when it was created."""
    config = json.dumps({"descriptor": {"name": tag, "createdAt": created}}).encode()
    raw = manifest_of([tag.encode()], config).replace(KIT_CONFIG.encode(), MODELPACK_CONFIG.encode())
    registry.add_manifest("fraud", raw, tag)
    if held:
        registry.add_blob("fraud", config)


@pytest.fixture
def registry() -> Iterator[ScriptedRegistry]:
    with serving(ScriptedRegistry()) as server:
        dated = {"annotations": {CREATED: DATED}}
        server.add_kit("fraud", "challenger", "champion", "v1", layers=[b"one"], config=b'{"a": 1}', **dated)
        server.add_kit("fraud", "v0", layers=[b"none"], config=b'{"a": 2}')
        server.add_kit("fraud", "odd", layers=[b"odd"], config=b'{"a": 3}', annotations={CREATED: "yesterday"})
        add_pack(server, "pack", "2026-11-03T08:00:00Z")
        add_pack(server, "lost", "2026-11-04T08:00:00Z", held=False)
        yield server


def test_stage_and_age_cost_no_config(kittui: Run, registry: ScriptedRegistry) -> None:
    rows = {row["tag"]: row for row in kittui("ls", "--json", f"{registry.host}/fraud").json["tags"]}
    assert registry.count("GET", CONFIGS) == 0
    assert {tag: row["stage"] for tag, row in rows.items()} == {
        **dict.fromkeys(("challenger", "champion", "v1"), "champion"),
        **dict.fromkeys(("v0", "odd", "pack", "lost")),
    }
    assert {tag: row["created"] for tag, row in rows.items()} == {
        **dict.fromkeys(("challenger", "champion", "v1"), DATED),
        **dict.fromkeys(("v0", "odd", "pack", "lost")),
    }
    shown = kittui("ls", f"{registry.host}/fraud")
    assert "2 ages are only in their configs: ls -l shows them" in shown.err


def test_long_reads_the_configs_that_can_say_an_age(kittui: Run, registry: ScriptedRegistry) -> None:
    rows = {row["tag"]: row for row in kittui("ls", "-l", "--json", f"{registry.host}/fraud").json["tags"]}
    assert rows["pack"]["created"] == "2026-11-03T08:00:00Z"
    assert rows["v0"]["created"] is None
    assert [rows["lost"][key] for key in ("created", "kind", "problem")] == [None, "modelpack", None]
    assert registry.count("GET", CONFIGS) == 2, "those of the two ModelPacks: a ModelKit's config has no date"
