"""What doctor says of a registry: each capability, or why it could not tell; and blobs that are only listed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.fakes.command_line import Run
from tests.fakes.scripted_registry import Reply, ScriptedRegistry, serving
from tests.field.world import KIB, Scripted, kit


def told(kittui: Run, where: str) -> dict[str, Any]:
    """State and text of each check of a registry."""
    checks = kittui("doctor", "--json", where).json["registry"]
    return {check["name"]: (check["state"], check["seen"]) for check in checks}


def test_each_capability_is_told(kittui: Run) -> None:
    with serving(ScriptedRegistry(untag=False)) as server:
        Scripted(server).add("team/fraud", kit("0.9.0", KIB, 1), "v1")
        checks = told(kittui, server.host)
        states = {name: state for name, (state, _) in checks.items()}
        assert states == {
            "registry": "good", "catalog": "good", "repository": "good", "manifests": "good", "ranges": "good",
            "referrers": "good", "deletes": "good", "untagging": "warn",
        }  # fmt: skip


def test_one_that_can_not_be_told_says_why_and_the_others_go_on(kittui: Run) -> None:
    with serving(ScriptedRegistry()) as server:
        Scripted(server).add("team/fraud", kit("0.9.0", KIB, 1), "v1")
        server.script("GET", "/referrers/", Reply(418), times=-1)
        server.script("GET", "/blobs/", Reply(418), times=-1)
        checks = told(kittui, server.host)
        for name in ("referrers", "ranges"):
            state, seen = checks[name]
            assert state == "unknown"
            assert "could not tell" in seen
            assert "418" in seen
        assert checks["deletes"][0] == "good"


@pytest.mark.parametrize("how", ["named", "configured"])
def test_a_registry_without_catalog_is_looked_into(kittui: Run, home: Path, how: str) -> None:
    with serving(ScriptedRegistry(catalog=False)) as server:
        Scripted(server).add("team/fraud", kit("0.9.0", KIB, 1), "v1")
        where = f"{server.host}/team/fraud"
        if how == "configured":
            where = server.host
            (home / ".config" / "kittui").mkdir(parents=True)
            (home / ".config" / "kittui" / "config.yaml").write_text(
                f"registries: [{{host: '{server.host}', repositories: [nothing/here, team/fraud]}}]\n"
            )
        checks = told(kittui, where)
        assert checks["catalog"][0] == "warn"
        assert checks["manifests"][0] == "good"


def test_blobs_that_a_registry_only_lists_are_sent_again(kittui: Run) -> None:
    """Collected with their manifest, and remembered by the registry's cache."""
    packed = kit("0.9.0", KIB, 1)
    with serving(ScriptedRegistry()) as origin, serving(ScriptedRegistry()) as server:
        Scripted(origin).add("team/fraud", packed, "v1")
        for content in packed.blobs.values():
            server.script("HEAD", "/blobs/", Reply(200, {"Content-Length": str(len(content))}), times=-1)
        ran = kittui("copy", f"remote://{origin.host}/team/fraud:v1", f"remote://{server.host}/team/fraud:v1")
        assert ran.status == 0, ran.err
        assert {digest for _, digest in server.owners} == set(packed.blobs)
