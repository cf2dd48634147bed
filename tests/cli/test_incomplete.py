"""A list that a registry does not give to its end is called incomplete wherever it is used, and nothing hangs on it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.fakes.command_line import Run
from tests.fakes.scripted_registry import INDEX, MANIFEST, Reply, ScriptedRegistry, digest_of, manifest_of, serving
from tests.field.world import KIB, Scripted, kit

FIRST = ["challenger", "champion", "rollback"]
"""The tags on the first page; those of the second are never had."""
CIRCLE = '</v2/team/fraud/tags/list?n=1000>; rel="next"'


@pytest.fixture
def registry() -> Iterator[ScriptedRegistry]:
    """Six tags on pages of three, the second of which nobody gets to; `zero` is on rollback's digest."""
    with serving(ScriptedRegistry(page=3, link=CIRCLE)) as server:
        held = Scripted(server)
        held.add("team/fraud", kit("0.9.0", KIB, 1), "rollback", "zero")
        held.add("team/fraud", kit("1.0.0", KIB, 2), "champion", "v1")
        held.add("team/fraud", kit("1.1.0", KIB, 3), "challenger", "v2")
        yield server


@pytest.fixture
def reference(registry: ScriptedRegistry) -> str:
    return f"remote://{registry.host}/team/fraud"


def test_ls_prints_what_was_found_and_says_that_there_may_be_more(kittui: Run, reference: str) -> None:
    ran = kittui("ls", reference)
    assert ran.status == 4
    assert [line.split()[1] for line in ran.out.splitlines()[1:]] == FIRST
    assert "could not list the tags of team/fraud completely" in ran.err
    ran = kittui("ls", "--json", reference)
    assert ran.status == 4
    assert [row["tag"] for row in json.loads(ran.out)["tags"]] == FIRST
    assert json.loads(ran.out)["complete"] is False
    assert json.loads(ran.err)["error"]["code"] == "incomplete"


def test_ls_of_repositories_does_so_too(kittui: Run, registry: ScriptedRegistry) -> None:
    for name in ("a", "b", "c", "d"):
        Scripted(registry).add(name, kit("0.9.0", KIB, 1), "v1")
    ran = kittui("ls", "--json", registry.host)
    assert ran.status == 4
    assert [row["name"] for row in json.loads(ran.out)["repositories"]] == ["a", "b", "c"]
    assert json.loads(ran.out)["complete"] is False
    ran = kittui("ls", registry.host)
    assert (ran.status, ran.out.split()) == (4, ["REPOSITORY", "a", "b", "c"])


def test_a_board_s_row_that_was_cut_is_not_one_that_cannot_be_read(kittui: Run, registry: ScriptedRegistry) -> None:
    registry.link = CIRCLE.replace("fraud", "plain")
    Scripted(registry).add("team/plain", kit("0.9.0", KIB, 1), "a", "b", "c", "d")
    gone = f"{registry.host}/team/gone"
    ran = kittui("board", "--json", f"{registry.host}/team/plain", gone)
    assert ran.status == 4
    rows = {row["repository"].rpartition("/")[2]: row for row in json.loads(ran.out)["rows"]}
    assert {name: (row["complete"], len(row["cells"])) for name, row in rows.items()} == {
        "plain": (False, 0),
        "gone": (None, 0),
    }
    shown = kittui("board", f"{registry.host}/team/plain", gone).out
    assert shown.count("not all listed") == shown.count("cannot be read") == 1


def test_find_and_timeline_say_it(kittui: Run, reference: str) -> None:
    ran = kittui("find", "--json", "model.bin", reference)
    found = json.loads(ran.out)
    assert (ran.status, found["complete"], [one["tag"] for one in found["matches"]]) == (4, False, FIRST)
    assert [problem["code"] for problem in found["problems"]] == ["incomplete"]
    ran = kittui("timeline", "--json", reference, "package.version")
    found = json.loads(ran.out)
    assert (ran.status, found["complete"]) == (4, False)
    assert [version["value"] for version in found["versions"]] == ["1.1.0", "1.0.0", "0.9.0"]


def test_show_says_which_list_may_have_more(kittui: Run, reference: str) -> None:
    ran = kittui("show", "--json", "--all-tags", f"{reference}:rollback")
    shown = json.loads(ran.out)
    assert (ran.status, shown["tags"]) == (4, ["rollback"])
    assert shown["complete"] is False
    assert "completely" in ran.err
    assert kittui("show", "--json", f"{reference}:rollback").json["complete"] is True


def test_no_digest_is_deleted_while_its_tags_are_known_in_part(
    kittui: Run, reference: str, registry: ScriptedRegistry
) -> None:
    ran = kittui("remove", "--yes", "--delete", f"{reference}:rollback")
    assert ran.status == 4
    assert "Nothing was deleted" in ran.err
    assert registry.count("DELETE") == 0
    assert set(registry.tags["team/fraud"]) == {*FIRST, "v1", "v2", "zero"}


@pytest.mark.parametrize("tag", ["v1", "zero"])
def test_no_digest_is_deleted_while_a_tag_can_not_be_read(kittui: Run, reference: str, tag: str) -> None:
    with serving(ScriptedRegistry()) as server:
        Scripted(server).add("team/fraud", kit("0.9.0", KIB, 1), "rollback", "zero", "v1")
        server.script("", f"/manifests/{tag}$", Reply(418), times=-1)
        ran = kittui("remove", "--yes", "--delete", f"remote://{server.host}/team/fraud:rollback")
        assert ran.status == 4
        assert f"as {tag}" in ran.err
        assert server.count("DELETE") == 0


def test_a_tag_that_leads_nowhere_does_not_stand_in_the_way_of_a_delete(kittui: Run) -> None:
    with serving(ScriptedRegistry()) as server:
        Scripted(server).add("team/fraud", kit("0.9.0", KIB, 1), "rollback")
        server.tags["team/fraud"]["dangling"] = digest_of(b"collected")
        ran = kittui("remove", "--yes", "--delete", f"remote://{server.host}/team/fraud:rollback")
        assert ran.status == 0, ran.err
        assert server.tags["team/fraud"] == {"dangling": digest_of(b"collected")}


@pytest.mark.parametrize("command", ["promote", "rollback"])
def test_no_digest_is_said_to_lose_its_last_tag(kittui: Run, reference: str, command: str) -> None:
    ran = kittui(command, "--yes", reference)
    assert ran.status == 0, ran.err
    assert "it is unknown whether another tag stays on it: could not list" in ran.err
    assert "loses its last tag" not in ran.err


def test_a_plan_that_nobody_reads_asks_for_nothing_that_only_a_reader_needs(
    kittui: Run, reference: str, registry: ScriptedRegistry
) -> None:
    ran = kittui("promote", "--yes", "--quiet", reference)
    assert (ran.status, ran.err) == (0, "")
    assert registry.count("GET", "/tags/list") == registry.count("DELETE") == 0


def test_untagging_needs_no_other_tag(kittui: Run, reference: str, registry: ScriptedRegistry) -> None:
    ran = kittui("remove", "--yes", f"{reference}:challenger")
    assert ran.status == 0, ran.err
    assert "the ModelKit stays, with every other tag on it" in ran.err
    assert registry.count("", "/tags/list") == 0
    assert registry.count("HEAD", "/manifests/v") == 0


@pytest.mark.parametrize("api", [True, False])
def test_show_asks_for_signatures_wherever_they_are(kittui: Run, api: bool) -> None:
    with serving(ScriptedRegistry(referrers_api=api)) as server:
        subject = kit("0.9.0", KIB, 1)
        Scripted(server).add("team/fraud", subject, "v1")
        digest = digest_of(subject.manifest)
        bundle = "application/vnd.dev.sigstore.bundle.v0.3+json"
        about = {"mediaType": MANIFEST, "digest": digest, "size": len(subject.manifest)}
        referrer = server.add_manifest("team/fraud", manifest_of([], artifactType=bundle, subject=about))
        by_tag = server.add_kit("team/fraud", f"{digest.replace(':', '-')}.sig", layers=[b"cosign"])
        if not api:
            entry = {"mediaType": MANIFEST, "digest": referrer, "size": 1}
            index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}).encode()
            server.add_manifest("team/fraud", index, digest.replace(":", "-"), media_type=INDEX)
        shown = kittui("show", "--json", f"remote://{server.host}/team/fraud:v1").json
        assert shown["signatures"] == [
            {"tag": None, "kind": "signature", "digest": referrer},
            {"tag": f"{digest.replace(':', '-')}.sig", "kind": "signature", "digest": by_tag},
        ]
        server.script("GET", "/referrers/" if api else "/manifests/sha256-[0-9a-f]*$", Reply(418), times=-1)
        ran = kittui("show", "--json", f"remote://{server.host}/team/fraud:v1")
        assert ran.json["signatures"] is None
        assert ran.json["complete"] is False
        assert "signatures" in kittui("show", f"remote://{server.host}/team/fraud:v1").out


def test_ls_calls_signatures_unknown_where_it_does_not_ask(kittui: Run) -> None:
    with serving(ScriptedRegistry()) as server:
        Scripted(server).add("team/fraud", kit("0.9.0", KIB, 1), "v1")
        (row,) = kittui("ls", "--json", f"remote://{server.host}/team/fraud").json["tags"]
        assert row["signatures"] is None
