"""A JSON file in the store that is not understood may list blobs: it, and what it may list, are left alone."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from kittui.oci.digest import Digest
from kittui.oci.media_types import OCI_INDEX, OCI_MANIFEST
from kittui.oci.tag import Tag
from kittui.oci.target import parse_target
from kittui.store import LocalSource
from kittui.store.doctor import inspect_store
from kittui.store.repair import repair_store
from kittui.store.strangers import strangers

FRAUD = "127.0.0.1:5055/fraud"


def put(root: Path, raw: bytes) -> dict[str, object]:
    """A blob that has been in the store for a day."""
    digest = Digest.of(raw)
    path = root / "storage/blobs/sha256" / digest.hex
    path.write_bytes(raw)
    os.utime(path, (time.time() - 86400,) * 2)
    return {"mediaType": OCI_MANIFEST, "digest": digest, "size": len(raw)}


@pytest.fixture
def variants(root: Path) -> set[Path]:
    """The blobs of an index of one variant that no file that kittui knows lists."""
    layer = put(root, b"weights")
    config = put(root, b'{"manifestVersion":"1.0.0"}')
    variant = put(root, json.dumps({"schemaVersion": 2, "config": config, "layers": [layer]}).encode())
    variant["modelMetadata"] = {"quantization": "q4_0"}
    index = put(root, json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [variant]}).encode())
    named = (layer, config, variant, index)
    (root / "index.txt").write_text(str(index["digest"]))
    return {root / "storage/blobs/sha256" / str(each["digest"])[7:] for each in named}


NAMES = [
    "MTI3-index-tags.json",
    "abc-index.json",
    "modelkit-indexes.json",
    "=-tags.json",
    "kit/indexes.json",
    ".json",
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("form", ["{digest}", "{hex}", "nested"])
async def test_what_it_may_list_is_never_swept(root: Path, variants: set[Path], name: str, form: str) -> None:
    assert (await inspect_store(root)).unused > 0
    index = (root / "index.txt").read_text()
    written = form.format(digest=index, hex=index[7:])
    content = json.dumps({"all": [{"nested": written if form != "nested" else {"x": index}}]}).encode()
    path = root / "storage" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    assert strangers(LocalSource(root).paths) == [path]
    assert (await inspect_store(root)).unused == 0
    await repair_store(root)
    repository = LocalSource(root, recheck=0).repository(FRAUD)
    for tag in ("tuning", "v0.9.0"):
        await repository.delete((await repository.resolve(parse_target(tag))).digest)
    await repair_store(root)
    assert path.read_bytes() == content
    assert all(blob.exists() for blob in variants)


@pytest.mark.parametrize("name", NAMES)
async def test_a_form_that_is_not_understood_is_not_broken(root: Path, variants: set[Path], name: str) -> None:
    """Whatever a newer kit calls its file and however it is built: it stays, under its name, to the byte."""
    path = root / "storage" / name
    path.parent.mkdir(exist_ok=True)
    content = json.dumps({"manifests": {"all": {"digest": (root / "index.txt").read_text()}}}).encode()
    path.write_bytes(content)
    os.utime(path, (time.time() - 86400,) * 2)
    await repair_store(root)
    repository = LocalSource(root, recheck=0).repository(FRAUD)
    await repository.delete((await repository.resolve(Tag("tuning"))).digest)
    await repair_store(root)
    assert path.read_bytes() == content
    assert all(blob.exists() for blob in variants)


async def test_a_file_of_an_odd_name_is_called_by_it(root: Path) -> None:
    """kit reads the names of indexes alone: one of tags does it no harm."""
    for name in ("MTI3-index-tags.json", "abc-index.json"):
        (root / "storage" / name).write_text("{}")
    found = {one.subject: one.breaks_kit for one in (await inspect_store(root)).problems if one.kind == "bad-name"}
    assert found == {"MTI3-index-tags.json": False, "abc-index.json": True}


@pytest.mark.parametrize("content", [b"\x00binary", b"{", b""])
async def test_nothing_is_swept_while_it_cannot_be_read(root: Path, variants: set[Path], content: bytes) -> None:
    (root / "storage/x.json").write_bytes(content)
    report = await inspect_store(root)
    assert report.unused == 0
    assert "not-understood" in {problem.kind for problem in report.problems}
    await repair_store(root)
    assert (root / "storage/x.json").read_bytes() == content
    assert all(blob.exists() for blob in variants)


async def test_what_it_lists_is_not_listed_elsewhere_or_dropped(root: Path, variants: set[Path]) -> None:
    """An entry of index.json that only such a file knows is not lost: it is neither adopted nor removed."""
    shared = root / "storage/index.json"
    document = json.loads(shared.read_bytes())
    index = (root / "index.txt").read_text()
    blob = root / "storage/blobs/sha256" / index[7:]
    entry = {"mediaType": OCI_INDEX, "digest": index, "size": blob.stat().st_size, "annotations": {"a": "b"}}
    gone = {"mediaType": OCI_INDEX, "digest": "sha256:" + "9" * 64, "size": 5}
    document["manifests"] += [entry, gone]
    shared.write_text(json.dumps(document))
    (root / "storage/x.json").write_text(json.dumps([index, gone["digest"]]))
    assert (await repair_store(root)).repairs == ()
    assert json.loads(shared.read_bytes())["manifests"][-2:] == [entry, gone]


async def test_a_damaged_blob_that_it_names_keeps_everything(root: Path, variants: set[Path]) -> None:
    index = (root / "index.txt").read_text()
    (root / "storage/x.json").write_text(json.dumps([index]))
    path = root / "storage/blobs/sha256" / index[7:]
    path.write_bytes(b"{" + path.read_bytes()[1:].replace(b"schema", b"SCHEMA"))
    await repair_store(root)
    assert all(blob.exists() for blob in variants)


async def test_an_index_that_was_set_aside_keeps_its_blobs(root: Path, variants: set[Path]) -> None:
    broken = root / "storage" / "bG9jYWxob3N0L3g=-index.json"
    broken.write_text('{"manifests": [{"digest": "' + (root / "index.txt").read_text() + '", ')
    os.utime(broken, (time.time() - 120,) * 2)
    await repair_store(root)
    assert not broken.exists()
    assert len(list((root / "kittui/set-aside").iterdir())) == 1
    await repair_store(root)
    assert all(blob.exists() for blob in variants)


async def test_an_entry_of_index_json_keeps_what_another_program_wrote_into_it(root: Path) -> None:
    shared = root / "storage/index.json"
    document = json.loads(shared.read_bytes())
    document["manifests"][0]["annotations"] = {"a": "b"}
    document["unknown"] = 1
    shared.write_text(json.dumps(document))
    repository = LocalSource(root, recheck=0).repository(FRAUD)
    manifest = await repository.manifest(Tag("tuning"))
    for tag in ("one", "two"):
        await repository.put_manifest(manifest.raw, manifest.media_type, Tag(tag))
    after = json.loads(shared.read_bytes())
    assert after["manifests"][0] == document["manifests"][0]
    assert after["unknown"] == 1
