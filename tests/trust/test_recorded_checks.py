"""The acceptance checks of changing tags, with signed records of every move written to a real registry."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from kittui.crashpoints import crashing
from kittui.oci.media_types import OCI_MANIFEST
from tests.fakes.command_line import Ran, Run
from tests.fakes.docker_registry import DockerRegistry, StartRegistry
from tests.fakes.faulty_proxy import Fault, FaultyProxy
from tests.fakes.peers import servers
from tests.trust.attacker import Attacker, People


@pytest.fixture
def people(tmp_path: Path) -> People:
    people = People(tmp_path, ("ops",), "")
    config = tmp_path / "home" / "CONFIG" / "kittui" / "config.yaml"
    config.write_text(f"{config.read_text()}signing_key: {people.file('ops')}\n")
    return people


@pytest.fixture
def attacker(server: DockerRegistry) -> Attacker:
    return filled(server)


def filled(server: DockerRegistry) -> Attacker:
    attacker = Attacker(server, "fraud")
    attacker.kit("1", "champion", "v1")
    attacker.kit("2", "challenger", "v2")
    return attacker


@pytest.fixture
async def proxy(attacker: Attacker) -> AsyncIterator[FaultyProxy]:
    async with FaultyProxy(attacker.server.host) as proxy:
        yield proxy


def events(ran: Ran) -> list[tuple[str, str, str]]:
    """Action, tag and proof of every move, the oldest first."""
    found: list[dict[str, Any]] = ran.json["events"]
    return [(event["action"], event["tag"], event["proof"]) for event in reversed(found)]


PROMOTED = [("promote", "rollback", "verified"), ("promote", "champion", "verified")]


def test_check_38_what_moved_after_the_plan_is_not_overwritten_and_not_recorded(
    run: Run, people: People, attacker: Attacker
) -> None:
    repository = f"{attacker.server.host}/fraud"
    third = attacker.kit("3", "v3")

    def somebody_else() -> None:
        if attacker.manifest("champion").digest != third.digest:
            attacker.put(third.raw, "champion")

    with crashing("journal.before-rename", somebody_else):
        ran = run("promote", repository, "--yes")
    assert (ran.status, "champion moved" in ran.err) == (1, True), ran.err
    assert attacker.manifest("champion").digest == third.digest
    told = run("history", repository, "champion", "--json", home="elsewhere")
    assert events(told) == []


@pytest.mark.parametrize("path", ["/manifests/champion", "/manifests/sha256", "/blobs/uploads"])
async def test_check_39_lost_answers_are_recognised_and_recorded_once(
    run: Run, people: People, attacker: Attacker, proxy: FaultyProxy, path: str
) -> None:
    proxy.add(Fault(method="PUT", path=path, drop_answer=True, times=2))
    ran = await asyncio.to_thread(run, "promote", f"{proxy.host}/fraud", "--yes", "--json")
    assert ran.status == 0, ran.err
    assert attacker.manifest("champion").digest == attacker.manifest("v2").digest
    told = await asyncio.to_thread(run, "history", f"{proxy.host}/fraud", "--json", home="elsewhere")
    assert sorted(events(told)) == sorted(PROMOTED)


@pytest.mark.parametrize("server", servers("Distribution 2.8"), indirect=True)
def test_check_40_removing_champion_is_warned_of_and_recorded_where_it_was(
    run: Run, people: People, attacker: Attacker
) -> None:
    reference = f"{attacker.server.host}/fraud:champion"
    ran = run("remove", reference, "--yes")
    assert (ran.status != 0, "v1" in ran.err) == (True, True), ran.err
    assert run("remove", "--placeholder", reference, "--yes").status == 0
    asked = {"Accept": OCI_MANIFEST}
    assert attacker.server.request("HEAD", "/v2/fraud/manifests/champion", headers=asked)[0] == 404
    assert events(run("history", f"{attacker.server.host}/fraud", "champion", "--json", home="elsewhere")) == [
        ("remove", "champion", "verified")
    ]
    said = run("verify", f"{attacker.server.host}/fraud:v1", "--type", "tag-move", "--show", "--json", home="elsewhere")
    (record,) = said.json["signatures"]
    predicate = record["predicate"]
    assert (predicate["action"], predicate["tag"], predicate["after"]) == ("remove", "champion", None)
    assert predicate["before"] == attacker.manifest("v1").digest


@pytest.mark.real
def test_check_41_without_deletes_nothing_is_removed_recorded_or_pruned(
    run: Run, people: People, docker_registry: StartRegistry
) -> None:
    attacker = filled(docker_registry(delete=False))
    repository = f"{attacker.server.host}/fraud"
    for _ in range(2):
        assert run("promote", repository, "--yes").status == 0
        assert run("rollback", repository, "--yes").status == 0
    before = run("history", repository, "--json", home="elsewhere").out
    for words in (
        ("remove", f"{repository}:champion"),
        ("remove", "--placeholder", f"{repository}:champion"),
        ("remove", "--delete", f"{repository}:champion"),
        ("prune", repository, "--keep", "1"),
    ):
        ran = run(*words, "--yes")
        assert (ran.status != 0, "switched off" in ran.err or "deletes" in ran.err) == (True, True), ran.err
    assert run("history", repository, "--json", home="elsewhere").out == before


def test_check_42_a_record_is_no_signature_of_the_modelkit(run: Run, people: People, attacker: Attacker) -> None:
    repository = f"{attacker.server.host}/fraud"
    assert run("promote", repository, "--yes").status == 0
    ran = run("verify", f"{repository}:champion", "--json", home="elsewhere")
    assert (ran.status, json.loads(ran.out)["word"]) == (1, "unsigned")
    assert run("sign", f"{repository}:champion", "--key", people.file("ops")).status == 0
    assert run("verify", f"{repository}:champion", home="elsewhere").status == 0
    other = str(people.folder / "mallory.pub")
    ran = run("verify", f"{repository}:champion", "--public-key", other, "--json", home="elsewhere")
    assert (ran.status, json.loads(ran.out)["word"]) == (1, "unknown key")


async def test_check_45_several_tags_are_several_puts_each_recorded(
    run: Run, people: People, attacker: Attacker, proxy: FaultyProxy
) -> None:
    ran = await asyncio.to_thread(run, "tag", f"{proxy.host}/fraud:v2", "champion", "rollback", "blue", "--yes")
    assert ran.status == 0, ran.err
    for tag in ("champion", "rollback", "blue"):
        assert attacker.manifest(tag).digest == attacker.manifest("v2").digest
        assert proxy.count("PUT", f"/manifests/{tag}$") == 1
    assert not proxy.count("", r"\?tag=")
    told = await asyncio.to_thread(run, "history", f"{proxy.host}/fraud", "--json", home="elsewhere")
    # Only stages are recorded, and blue is none.
    assert sorted(events(told)) == [("tag", "champion", "verified"), ("tag", "rollback", "verified")]
