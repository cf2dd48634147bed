"""The store as kit shows it, and every way in which it can be damaged."""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kittui.disk.documents import IndexDocument, TagsDocument
from kittui.errors import BadReference, DigestMismatch, KittuiError, Malformed, NotFound, TooLarge
from kittui.oci.digest import Digest
from kittui.oci.protocols import RepositoryEntry, SupportsPing, TagEntry
from kittui.oci.reference import parse_reference
from kittui.oci.tag import Tag
from kittui.oci.target import parse_target
from kittui.store import LocalSource, store_root
from kittui.store.root import decode_name, encode_name

FRAUD = "127.0.0.1:5055/fraud"


async def repositories(source: LocalSource) -> dict[str, RepositoryEntry]:
    return {entry.name: entry async for page in source.repositories() for entry in page}


async def tags(source: LocalSource, name: str) -> list[TagEntry]:
    return [entry async for page in source.repository(name).tags() for entry in page]


def index_file(root: Path, name: str, kind: str = "index") -> Path:
    return root / "storage" / f"{encode_name(name)}-{kind}.json"


async def test_lists_what_kit_lists(source: LocalSource, golden: Path) -> None:
    text = (golden / "list-json.txt").read_text()
    expected = json.loads(text[text.index("[") : text.rindex("]") + 1])
    found = []
    for name in await repositories(source):
        entries = await tags(source, name)
        assert all(entry.problem is None for entry in entries)
        by_digest: dict[str, list[str]] = {}
        for entry in entries:
            assert entry.descriptor is not None
            by_digest.setdefault(entry.descriptor.digest, []).extend([entry.name] if entry.name else [])
        shown = "<none>" if name == "localhost/_" else name
        found += [(shown, digest, by_digest[digest] or None) for digest in sorted(by_digest)]
    assert sorted(found, key=str) == sorted(((row["repo"], row["digest"], row["tags"]) for row in expected), key=str)


async def test_names_come_back_and_references_lead_to_them(source: LocalSource) -> None:
    for name in await repositories(source):
        repository = source.repository(name)
        assert repository.name == name
        assert parse_reference(repository.reference(Tag("x"))).store_name == repository.store_name


async def test_reads_the_very_bytes_kit_wrote(source: LocalSource, golden: Path) -> None:
    manifest = await source.repository(FRAUD).manifest(Tag("v1.0.0"))
    assert manifest.raw == (golden / "manifest-fraud-v1.0.0.json").read_bytes().rstrip(b"\n")
    by_digest = await source.repository(FRAUD).manifest(manifest.digest)
    assert by_digest.raw == manifest.raw


async def test_counts_and_sizes(source: LocalSource) -> None:
    found = await repositories(source)
    assert found[FRAUD].tag_count == 7
    assert found["localhost/_"].tag_count == 0
    sizes = {entry.name for entry in found.values() if entry.size}
    assert sizes == set(found)


async def test_a_large_store_is_listed_without_reading_its_manifests(
    source: LocalSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kittui.store.source._SIZED", 5)
    monkeypatch.setattr("kittui.disk.blobs.BlobFolder.manifest", None)
    assert {entry.size for entry in (await repositories(source)).values()} == {None}


async def test_says_where_it_is_and_what_it_can_do(
    source: LocalSource, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(source, SupportsPing)
    assert str(root) in await source.ping()
    assert str(source.place) == "local://"
    assert source.capabilities.untag.state == "yes"
    monkeypatch.setattr("kittui.store.root.os.access", lambda *_: False)
    assert source.capabilities.write.denied
    assert str(root) in source.capabilities.write.reason
    assert source.capabilities.catalog.state == "yes"


async def test_layers_null_and_ranges(source: LocalSource) -> None:
    assert (await source.repository("127.0.0.1:5055/team-a/vision/edge").manifest(Tag("minimal"))).layers == ()
    repository = source.repository(FRAUD)
    layer = (await repository.manifest(Tag("champion"))).layers[0]
    whole = await repository.read_blob(layer, layer.size)
    async with repository.open_blob(layer, 100, 50) as reader:
        assert (reader.offset, reader.length) == (100, 50)
        assert b"".join([piece async for piece in reader]) == whole[100:150]
    async with repository.open_blob(layer, layer.size) as reader:
        assert await reader.readinto(memoryview(bytearray(10))) == 0
    with pytest.raises(TooLarge):
        await repository.read_blob(layer, layer.size - 1)
    assert await repository.has_blob(layer)


async def test_a_missing_store_is_empty(tmp_path: Path) -> None:
    source = LocalSource(tmp_path / "nowhere")
    assert await repositories(source) == {}
    assert await tags(source, "fraud") == []
    with pytest.raises(NotFound):
        await source.repository("fraud").resolve(Tag("v1"))
    assert not (tmp_path / "nowhere").exists()


async def test_index_json_is_not_needed(source: LocalSource, root: Path) -> None:
    (root / "storage/index.json").write_text("{broken")
    assert len(await repositories(source)) == 7


@pytest.mark.parametrize("nothing", [b"null", b'{"schemaVersion":2,"manifests":null}', b"{}"])
async def test_null_lists_are_empty(source: LocalSource, root: Path, nothing: bytes) -> None:
    index_file(root, FRAUD).write_bytes(nothing)
    index_file(root, FRAUD, "tags").write_bytes(b"null")
    entry = (await repositories(source))[FRAUD]
    assert (entry.tag_count, entry.problem) == (0, None)


async def test_a_missing_tags_file_means_no_tags(source: LocalSource, root: Path) -> None:
    index_file(root, FRAUD, "tags").unlink()
    entries = await tags(source, FRAUD)
    assert [entry.name for entry in entries] == [None] * 4


@pytest.mark.parametrize("kind", ["index", "tags"])
@pytest.mark.parametrize(
    "content", [b"", b'{"schemaVersion":2,"mani', b"[]", b'{"manifests":{}}', b"\xff\xfe", b"[" * 9999]
)
async def test_a_broken_file_is_one_marked_repository(
    source: LocalSource, root: Path, kind: str, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kittui.disk.documents.PAUSE", 0.001)
    if kind == "tags" and content.startswith(b'{"manifests'):
        content = b'"text"'
    index_file(root, FRAUD, kind).write_bytes(content)
    found = await repositories(source)
    assert len(found) == 7
    assert {name for name, entry in found.items() if entry.problem} == {FRAUD}
    with pytest.raises(Malformed):
        await tags(source, FRAUD)


async def test_a_half_written_file_is_waited_for(
    source: LocalSource, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = index_file(root, FRAUD)
    whole = path.read_bytes()
    path.write_bytes(whole[:50])

    async def finish(_: float) -> None:
        path.write_bytes(whole)

    monkeypatch.setattr("kittui.disk.documents.asyncio.sleep", finish)
    assert len(await tags(source, FRAUD)) == 7


async def test_unreadable_names_are_marked(source: LocalSource, root: Path) -> None:
    good = index_file(root, FRAUD).read_bytes()
    odd = base64.urlsafe_b64encode(b"localhost/No Such Name!").decode()
    for name in ("ab", odd, base64.urlsafe_b64encode(b"noslash").decode(), "_w=="):
        (root / "storage" / f"{name}-index.json").write_bytes(good)
    found = await repositories(source)
    assert len(found) == 11
    assert {name for name, entry in found.items() if entry.problem} == {"ab", odd, "bm9zbGFzaA==", "_w=="}


async def test_a_missing_manifest_is_one_marked_tag(source: LocalSource, root: Path) -> None:
    repository = source.repository(FRAUD)
    descriptor = await repository.resolve(Tag("tuning"))
    source.blobs.path(descriptor.digest).unlink()
    found = {entry.name: entry.problem for entry in await tags(source, FRAUD)}
    assert found.pop(Tag("tuning"))
    assert not any(found.values())
    with pytest.raises(NotFound, match="missing on disk") as caught:
        await repository.manifest(Tag("tuning"))
    assert caught.value.reference == f"local://{FRAUD}:tuning"


async def test_damaged_bytes_are_refused(source: LocalSource) -> None:
    repository = source.repository(FRAUD)
    descriptor = await repository.resolve(Tag("tuning"))
    path = source.blobs.path(descriptor.digest)
    raw = path.read_bytes()
    path.write_bytes(raw[:-1] + b" ")
    with pytest.raises(DigestMismatch):
        await repository.manifest(Tag("tuning"))
    path.write_bytes(raw[:-1])
    with pytest.raises(DigestMismatch, match="bytes on disk"):
        await repository.manifest(Tag("tuning"))
    assert {entry.name for entry in await tags(source, FRAUD) if entry.problem} == {"tuning"}


async def test_a_tag_without_its_manifest_in_the_list_is_marked_and_not_found(source: LocalSource, root: Path) -> None:
    index_file(root, "localhost/myorg/fraud").unlink()
    entry = (await repositories(source))["myorg/fraud"]
    assert entry.problem
    assert [bool(entry.problem) for entry in await tags(source, "myorg/fraud")] == [True]
    with pytest.raises(NotFound, match="doesn't list"):
        await source.repository("myorg/fraud").resolve(Tag("prod"))


async def test_junk_tags_and_entries_are_marked(source: LocalSource, root: Path) -> None:
    path = index_file(root, FRAUD, "tags")
    document = json.loads(path.read_bytes())
    document["sha256:" + "0" * 64] = document["champion"]
    document["half"] = {"digest": "sha256:../../x", "size": 1}
    path.write_text(json.dumps(document))
    listing = json.loads(index_file(root, FRAUD).read_bytes())
    listing["manifests"].append({"mediaType": "x", "digest": "md5:0", "size": -1})
    index_file(root, FRAUD).write_text(json.dumps(listing))
    problems = [entry.name for entry in await tags(source, FRAUD) if entry.problem]
    assert problems == ["half", "sha256:" + "0" * 64, None]


async def test_a_fifo_in_place_of_a_blob_does_not_hang(source: LocalSource) -> None:
    repository = source.repository(FRAUD)
    path = source.blobs.path((await repository.resolve(Tag("tuning"))).digest)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(KittuiError):
        await repository.manifest(Tag("tuning"))


@pytest.mark.parametrize("name", ["UPPER", "a b", "../x", "fraud:v1", "fraud@sha256:" + "0" * 64, ""])
def test_names_that_are_no_repositories_are_refused(source: LocalSource, name: str) -> None:
    with pytest.raises(BadReference):
        source.repository(name)


async def test_not_found_says_what_and_where(source: LocalSource) -> None:
    for target in ("nope", "sha256:" + "0" * 64):
        with pytest.raises(NotFound) as caught:
            await source.repository(FRAUD).resolve(parse_target(target))
        assert caught.value.reference is not None
        assert target in caught.value.reference


def test_the_root_is_where_kit_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    everything = {"KITOPS_HOME": "/k", "XDG_DATA_HOME": "/x"}
    assert store_root("/flag", everything) == Path("/flag")
    assert store_root(None, everything) == Path("/k")
    monkeypatch.setattr("sys.platform", "linux")
    assert store_root(None, {"XDG_DATA_HOME": "/x"}) == Path("/x/kitops")
    assert store_root(None, {"HOME": str(tmp_path)}) == tmp_path / ".local/share/kitops"
    monkeypatch.setattr("sys.platform", "darwin")
    assert store_root(None, {"HOME": str(tmp_path)}) == tmp_path / "Library/Caches/kitops"


@pytest.mark.parametrize(
    "name", ["localhost/_", "localhost/a", "localhost/localhost/a", "h:5000/a/b", "localhost/foo.bar"]
)
def test_file_names_come_back(name: str) -> None:
    assert decode_name(encode_name(name)).store_name == name


@given(st.binary(max_size=300))
def test_any_bytes_are_an_index_or_malformed(raw: bytes) -> None:
    for parse in (IndexDocument.parse, TagsDocument.parse):
        try:
            parse(raw)
        except Malformed:
            continue


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
_DESCRIPTOR = st.fixed_dictionaries(
    {},
    optional={
        "mediaType": _JSON,
        "digest": st.just("sha256:" + "a" * 64) | _JSON,
        "size": st.integers() | _JSON,
        "annotations": st.dictionaries(st.text(), st.text()) | _JSON,
    },
)


@given(st.dictionaries(st.text(), _JSON), st.lists(_DESCRIPTOR | _JSON) | _JSON)
@settings(max_examples=200)
def test_any_json_is_read_or_malformed_and_written_back_as_it_was(fields: dict[str, object], manifests: object) -> None:
    document = {**fields, "manifests": manifests}
    raw = json.dumps(document).encode()
    try:
        index = IndexDocument.parse(raw)
    except Malformed:
        return
    again = json.loads(index.raw(media_type=False))
    assert repr(again["manifests"]) == repr(json.loads(raw)["manifests"] or [])
    for descriptor in index.descriptors:
        assert Digest.parse(descriptor.digest)
    tags = TagsDocument.parse(json.dumps({str(n): entry for n, entry in enumerate(manifests or [])}).encode())  # type: ignore[arg-type, var-annotated]
    TagsDocument.parse(tags.raw())
