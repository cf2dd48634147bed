"""What the doctor finds in a store, and what it repairs; nothing of a ModelKit is ever lost by it."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from kittui.oci.digest import Digest
from kittui.oci.media_types import OCI_MANIFEST
from kittui.oci.tag import Tag
from kittui.store import LocalSource
from kittui.store.doctor import inspect_store
from kittui.store.repair import RepairReport, repair_store
from kittui.store.root import encode_name
from kittui.store.survey import Problem
from tests.fakes.kit_semantics import complete, kit_list

FRAUD = "127.0.0.1:5055/fraud"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kittui.disk.documents.PAUSE", 0.001)


def index_file(root: Path, name: str, kind: str = "index") -> Path:
    return root / "storage" / f"{encode_name(name)}-{kind}.json"


def age(path: Path, seconds: float) -> None:
    moment = time.time() - seconds
    os.utime(path, (moment, moment))


async def problems(root: Path) -> dict[str, Problem]:
    return {problem.kind: problem for problem in (await inspect_store(root)).problems}


async def repair(root: Path) -> RepairReport:
    report = await repair_store(root)
    complete(root)
    return report


async def test_a_store_that_kit_wrote_is_sound(root: Path) -> None:
    report = await inspect_store(root, verify=True)
    assert report.problems == ()
    assert (report.repositories, report.tags, report.manifests) == (7, 16, 11)
    assert report.blobs == 67
    assert report.size > 0
    before = {path: path.read_bytes() for path in (root / "storage").rglob("*") if path.is_file()}
    assert (await repair(root)).repairs == ()
    assert {path: path.read_bytes() for path in (root / "storage").rglob("*") if path.is_file()} == before


async def test_a_missing_store_is_sound_and_stays_missing(tmp_path: Path) -> None:
    assert (await inspect_store(tmp_path / "none")).problems == ()
    assert (await repair_store(tmp_path / "none")).repairs == ()
    assert not (tmp_path / "none").exists()


async def test_every_repository_is_merged_into_index_json(root: Path) -> None:
    path = root / "storage/index.json"
    document = json.loads(path.read_bytes())
    document["manifests"] = document["manifests"][:1]
    path.write_text(json.dumps(document))
    report = await inspect_store(root)
    assert [problem.kind for problem in report.problems] == ["not-in-index"] * 10
    assert report.unused == 0
    repaired = await repair(root)
    assert len(repaired.repairs) == 10
    assert repaired.problems == ()


async def test_a_lost_index_json_is_made_again(root: Path) -> None:
    (root / "storage/index.json").unlink()
    await repair(root)
    assert len(json.loads((root / "storage/index.json").read_bytes())["manifests"]) == 11


async def test_a_tag_gets_its_manifest_back_or_goes(root: Path) -> None:
    path = index_file(root, FRAUD)
    document = json.loads(path.read_bytes())
    kept, lost = document["manifests"][0], document["manifests"][3]
    document["manifests"] = [kept]
    path.write_text(json.dumps(document))
    (root / "storage/blobs/sha256" / lost["digest"][7:]).unlink()
    found = [problem for problem in (await inspect_store(root)).problems if problem.kind == "dangling-tag"]
    assert len(found) == 5
    repaired = await repair(root)
    rows = {tag: row["digest"] for row in kit_list(root) if row["full"] == FRAUD for tag in row["tags"] or []}  # type: ignore[attr-defined]
    assert set(rows) == {"champion", "v1.0.0", "challenger", "v1.1.0", "rollback", "v0.9.0"}
    assert any("pull it again" in repair.done and repair.subject.endswith(":tuning") for repair in repaired.repairs)


async def test_entries_that_make_kit_fail_go_and_are_named(root: Path) -> None:
    source = LocalSource(root)
    digest = (await source.repository(FRAUD).resolve(Tag("champion"))).digest
    source.blobs.path(digest).unlink()
    found = (await problems(root))["missing-manifest"]
    assert found.breaks_kit
    repaired = await repair(root)
    assert any("champion, v1.0.0: pull them again" in repair.done for repair in repaired.repairs)
    assert repaired.problems == ()


async def test_a_manifest_that_nobody_lists_comes_back_unnamed(root: Path) -> None:
    """What is left when kit's own write took a repository's list away, tags and all."""
    index_file(root, "127.0.0.1:5055/refkit").unlink()
    index_file(root, "127.0.0.1:5055/refkit", "tags").unlink()
    assert (await problems(root)).keys() == {"unlisted-manifest"}
    repaired = await repair(root)
    assert [repair.kind for repair in repaired.repairs] == ["unlisted-manifest"]
    assert len([row for row in kit_list(root) if row["full"] == "localhost/_"]) == 2


@pytest.mark.parametrize("kind", ["index", "tags"])
async def test_a_broken_file_is_set_aside_once_it_has_settled(root: Path, kind: str) -> None:
    path = index_file(root, FRAUD, kind)
    path.write_bytes(b'{"broken')
    assert (await problems(root))["unreadable-index"].breaks_kit
    untouched = await repair_store(root)
    assert path.read_bytes() == b'{"broken'
    assert untouched.problems
    age(path, 120)
    await repair(root)
    aside = list((root / "kittui/set-aside").iterdir())
    assert [file.read_bytes() for file in aside] == [b'{"broken']
    rows = [row for row in kit_list(root) if row["full"] == FRAUD]
    assert len(rows) == 4
    assert any(row["tags"] for row in rows) == (kind == "index")


async def test_a_name_that_stops_kit_is_named_and_left_alone(root: Path) -> None:
    """A newer kit may have written it."""
    path = root / "storage/abc-index.json"
    content = index_file(root, FRAUD).read_bytes()
    path.write_bytes(content)
    age(path, 120)
    problem = (await problems(root))["bad-name"]
    assert (problem.breaks_kit, problem.repairable) == (True, False)
    await repair_store(root)
    assert path.read_bytes() == content


async def test_what_is_no_modelkit_is_reported_and_left(root: Path) -> None:
    source = LocalSource(root)
    manifest = json.dumps({"schemaVersion": 2, "config": {"mediaType": "x", "digest": "sha256:" + "0" * 64, "size": 0}})
    path = index_file(root, "localhost/image")
    digest = Digest.of(manifest.encode())
    source.blobs.path(digest).write_text(manifest)
    entry = {"mediaType": OCI_MANIFEST, "digest": digest, "size": len(manifest)}
    path.write_text(json.dumps({"manifests": [entry]}))
    found = (await problems(root))["not-a-modelkit"]
    assert (found.breaks_kit, found.repairable) == (True, False)
    await repair_store(root)
    assert digest in path.read_text()


async def test_missing_layers_and_damage_are_reported(root: Path) -> None:
    source = LocalSource(root)
    manifest = await source.repository(FRAUD).manifest(Tag("tuning"))
    assert manifest.config is not None
    source.blobs.path(manifest.layers[1].digest).unlink()
    damaged = source.blobs.path(manifest.config.digest)
    damaged.write_bytes(b"x" * manifest.config.size)
    kinds = [problem.kind for problem in (await inspect_store(root, verify=True)).problems]
    assert sorted(kinds) == ["damaged-blob", "missing-blob", "missing-blob"]
    assert [problem.kind for problem in (await inspect_store(root)).problems] == ["missing-blob", "missing-blob"]


async def test_unused_blobs_go_when_they_are_old_and_nobody_pulls(root: Path) -> None:
    old, young = (root / "storage/blobs/sha256" / (letter * 64) for letter in "ab")
    for path in (old, young):
        path.write_bytes(b"unused")
    age(old, 7200)
    report = await inspect_store(root)
    assert (report.unused, [problem.kind for problem in report.problems]) == (6, ["unused-blobs"])
    ingest = root / "storage/ingest/partial"
    ingest.parent.mkdir()
    ingest.write_bytes(b"kit is pulling")
    await repair(root)
    assert old.exists()
    age(ingest, 7200)
    await repair(root)
    assert (old.exists(), young.exists()) == (False, True)


async def test_nothing_is_deleted_while_something_cannot_be_read(root: Path) -> None:
    old = root / "storage/blobs/sha256" / ("a" * 64)
    old.write_bytes(b"unused")
    age(old, 7200)
    index_file(root, FRAUD).write_bytes(b"{")
    await repair_store(root)
    assert old.exists()


async def test_old_partials_go(root: Path) -> None:
    folder = root / "kittui/partial"
    folder.mkdir(parents=True)
    for name, seconds in (("sha256-old", 2 * 86400), ("sha256-new", 60)):
        (folder / name).write_bytes(b"part")
        age(folder / name, seconds)
    assert (await problems(root)).keys() == {"leftovers"}
    await repair(root)
    assert [path.name for path in folder.iterdir()] == ["sha256-new"]


async def test_credentials_are_closed(root: Path) -> None:
    path = root / "credentials.json"
    path.write_text("{}")
    path.chmod(0o644)
    assert (await problems(root)).keys() == {"open-credentials"}
    await repair(root)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text() == "{}"


async def test_a_file_that_makes_kit_migrate_is_reported(root: Path) -> None:
    folder = root / "storage/old"
    folder.mkdir()
    (folder / "index.json").write_text("{}")
    found = (await problems(root))["migration"]
    assert (found.subject, found.repairable) == ("storage/old/index.json", False)


@pytest.mark.kit
async def test_kit_lists_again_after_the_repair(
    root: Path, kit: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    source = LocalSource(root)
    source.blobs.path((await source.repository(FRAUD).resolve(Tag("tuning"))).digest).unlink()
    (root / "storage/abc-index.json").write_text("{}")
    age(root / "storage/abc-index.json", 120)
    assert kit("list").returncode != 0
    await repair(root)
    assert kit("list").returncode == 0
