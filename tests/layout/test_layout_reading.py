"""Layouts as other tools write them, whole and damaged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kittui.disk.documents import IndexDocument
from kittui.errors import BadReference, KittuiError, Malformed, NotFound
from kittui.layout import LayoutSource, is_layout
from kittui.layout.index import join_name, named_entries, split_name
from kittui.oci.digest import Digest
from kittui.oci.media_types import OCI_CONFIG, OCI_INDEX, OCI_MANIFEST, REF_NAME
from kittui.oci.protocols import RepositoryEntry, TagEntry
from kittui.oci.reference import parse_reference
from kittui.oci.tag import Tag
from kittui.oci.target import parse_target
from kittui.usecases.browse.places import DEFAULT_TAG, Places


class Maker:
    """Writes a layout by hand, as bytes that kittui's own writer has no part in."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        (directory / "blobs/sha256").mkdir(parents=True)
        (directory / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
        self.entries: list[dict[str, Any]] = []

    def blob(self, raw: bytes, media_type: str) -> dict[str, Any]:
        digest = Digest.of(raw)
        (self.directory / "blobs/sha256" / digest.hex).write_bytes(raw)
        return {"mediaType": media_type, "digest": str(digest), "size": len(raw)}

    def image(self, text: str, **more: Any) -> dict[str, Any]:
        config = self.blob(json.dumps({"x": text}).encode(), OCI_CONFIG)
        manifest = {"schemaVersion": 2, "config": config, "layers": [], **more}
        return self.blob(json.dumps(manifest).encode(), OCI_MANIFEST)

    def index(self, *manifests: dict[str, Any]) -> dict[str, Any]:
        document = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": manifests}
        return self.blob(json.dumps(document).encode(), OCI_INDEX)

    def add(self, descriptor: dict[str, Any], name: str | None = None) -> None:
        annotations = {"annotations": {REF_NAME: name}} if name else {}
        self.entries.append({**descriptor, **annotations})
        (self.directory / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": self.entries}))


@pytest.fixture
def maker(tmp_path: Path) -> Maker:
    return Maker(tmp_path / "layout")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kittui.disk.documents.PAUSE", 0.001)


async def repositories(directory: Path) -> dict[str, RepositoryEntry]:
    return {entry.name: entry async for page in LayoutSource(directory).repositories() for entry in page}


async def tags(directory: Path, name: str = ".") -> list[TagEntry]:
    return [entry async for page in LayoutSource(directory).repository(name).tags() for entry in page]


async def test_names_make_repositories_and_tags(maker: Maker) -> None:
    one, two = maker.image("one"), maker.image("two")
    for name in ("v1", "team/kit:v1", "host.example:5000/team/kit:v2", "localhost:5000/kit:v3"):
        maker.add(one, name)
    maker.add(two)
    found = await repositories(maker.directory)
    assert list(found) == [".", "host.example:5000/team/kit", "localhost:5000/kit", "team/kit"]
    assert found["."].tag_count == 1
    assert [(entry.name, entry.problem) for entry in await tags(maker.directory)] == [("v1", None), (None, None)]
    repository = LayoutSource(maker.directory).repository("localhost:5000/kit")
    assert (await repository.manifest(Tag("v3"))).digest == one["digest"]
    reference = parse_reference(repository.reference(Tag("v3")), is_layout)
    assert (reference.directory, reference.repository, reference.tag) == (
        str(maker.directory),
        "localhost:5000/kit",
        "v3",
    )


async def test_what_is_attached_makes_no_repository(maker: Maker) -> None:
    image = maker.image("image")
    maker.add(image, "team/kit:v1")
    maker.add(maker.image("signature", subject=image))
    assert list(await repositories(maker.directory)) == ["team/kit"]
    maker.add(maker.image("without a name"))
    assert list(await repositories(maker.directory)) == [".", "team/kit"]


async def test_an_index_is_shown_as_one_and_its_manifests_are_reached_by_digest(maker: Maker) -> None:
    child = maker.image("child")
    nested = maker.index(maker.index(child))
    maker.add(nested, "all")
    repository = LayoutSource(maker.directory).repository(".")
    assert (await repository.manifest(Tag("all"))).is_index
    assert (await repository.manifest(child["digest"])).config is not None
    assert [entry.name for entry in await tags(maker.directory)] == ["all"]


async def test_a_name_that_is_no_tag_is_marked_and_reached_by_digest(maker: Maker) -> None:
    descriptor = maker.image("x")
    maker.add(descriptor, "no such: name")
    [entry] = await tags(maker.directory)
    assert (entry.name, bool(entry.problem)) == (None, True)
    assert await LayoutSource(maker.directory).repository(".").manifest(descriptor["digest"])


async def test_of_two_entries_with_one_name_the_first_has_it(maker: Maker) -> None:
    first, second = maker.image("first"), maker.image("second")
    maker.add(first, "v1")
    maker.add(second, "v1")
    repository = LayoutSource(maker.directory).repository(".")
    assert (await repository.resolve(Tag("v1"))).digest == first["digest"]
    assert [(entry.name, bool(entry.problem)) for entry in await tags(maker.directory)] == [("v1", False), (None, True)]


async def test_missing_and_damaged_manifests_are_one_marked_tag(maker: Maker) -> None:
    gone, cut, good = maker.image("gone"), maker.image("cut"), maker.image("good")
    for name, descriptor in (("gone", gone), ("cut", cut), ("good", good)):
        maker.add(descriptor, name)
    (maker.directory / "blobs/sha256" / gone["digest"][7:]).unlink()
    (maker.directory / "blobs/sha256" / cut["digest"][7:]).write_bytes(b"{")
    assert {entry.name for entry in await tags(maker.directory) if entry.problem} == {"gone", "cut"}
    for name in ("gone", "cut"):
        with pytest.raises(KittuiError) as caught:
            await LayoutSource(maker.directory).repository(".").manifest(parse_target(name))
        assert caught.value.reference == f"oci:{maker.directory}:{name}"


@pytest.mark.parametrize("content", [None, b"", b"{", b"[]", b'{"manifests": 5}', b"\xff"])
async def test_a_damaged_index_json_is_a_marked_row(maker: Maker, content: bytes | None) -> None:
    maker.add(maker.image("x"), "v1")
    path = maker.directory / "index.json"
    path.unlink() if content is None else path.write_bytes(content)
    found = await repositories(maker.directory)
    assert list(found) == ["."]
    assert found["."].problem
    with pytest.raises(NotFound if content is None else Malformed):
        await tags(maker.directory)


@pytest.mark.parametrize(
    ("content", "sound"),
    [
        ('{"imageLayoutVersion": "1.0.0"}', True),
        ('{"imageLayoutVersion": "1.1.0"}', True),
        ('{"imageLayoutVersion": "2.0.0"}', False),
        ("{", False),
        ("", False),
        (None, False),
    ],
)
async def test_both_versions_are_read_and_others_marked(maker: Maker, content: str | None, sound: bool) -> None:
    maker.add(maker.image("x"), "v1")
    path = maker.directory / "oci-layout"
    path.unlink() if content is None else path.write_text(content)
    assert ((await repositories(maker.directory))["."].problem is None) == sound
    assert [entry.name for entry in await tags(maker.directory)] == ["v1"]


async def test_a_folder_that_is_no_layout_is_not_found(tmp_path: Path) -> None:
    for directory in (tmp_path, tmp_path / "none"):
        with pytest.raises(NotFound, match="not an OCI image layout"):
            await repositories(directory)
        assert not is_layout(str(directory))
    assert not is_layout("\0")


async def test_an_empty_layout_shows_itself(maker: Maker) -> None:
    (maker.directory / "index.json").write_text('{"schemaVersion":2,"manifests":null}')
    assert list(await repositories(maker.directory)) == ["."]
    assert is_layout(str(maker.directory))


async def test_referrers_by_subject_and_by_fallback_tag(maker: Maker) -> None:
    subject = maker.image("subject")
    direct = maker.image("direct", subject=subject, artifactType="application/x")
    listed = maker.image("listed", subject=subject)
    other = maker.image("other", subject=direct)
    maker.add(subject, "v1")
    maker.add(direct)
    maker.add(maker.index(listed, other), "sha256-" + subject["digest"][7:])
    repository = LayoutSource(maker.directory).repository(".")
    found = await repository.referrers(Digest.parse(subject["digest"]))
    assert {entry.digest: entry.artifact_type for entry in found} == {
        direct["digest"]: "application/x",
        listed["digest"]: OCI_CONFIG,
    }


@pytest.mark.parametrize("name", ["UPPER", "a b", "..", "../x", ""])
def test_names_that_are_no_repositories_are_refused(maker: Maker, name: str) -> None:
    with pytest.raises(BadReference):
        LayoutSource(maker.directory).repository(name)


@given(st.text(max_size=60) | st.from_regex(r"[a-z.:@/0-9A-Z_-]{1,60}", fullmatch=True))
def test_any_name_is_split_into_what_joins_again_or_refused(name: str) -> None:
    try:
        repository, tag = split_name(name)
    except BadReference:
        return
    if tag is not None:
        assert split_name(join_name(repository, tag)) == (repository, tag)
    if repository != ".":
        LayoutSource(Path("x")).repository(repository)


@given(st.lists(st.text(max_size=20) | st.sampled_from(["v1", "a:v1", "a/b:v1", "a@b", ":"]), max_size=8))
def test_every_entry_is_shown_once_whatever_it_is_called(names: list[str]) -> None:
    entries = [
        {"mediaType": OCI_MANIFEST, "digest": f"sha256:{n:064x}", "size": 1, "annotations": {REF_NAME: name}}
        for n, name in enumerate(names)
    ]
    index = IndexDocument.parse(json.dumps({"manifests": entries}).encode())
    found = named_entries(index)
    assert [entry.number for entry in found] == list(range(len(names)))
    tagged = [(entry.repository, entry.tag) for entry in found if entry.tag]
    assert len(tagged) == len(set(tagged))


async def only(maker: Maker) -> str | None:
    return await LayoutSource(maker.directory).repository(".").only()


async def test_the_one_manifest_of_a_layout_needs_no_name(maker: Maker) -> None:
    """As crane and `cosign save` leave it."""
    image = maker.image("x")
    maker.add(image)
    assert await only(maker) == image["digest"]
    maker.add(maker.image("signature", subject=image))
    maker.entries.append({**maker.image("sigs"), "annotations": {"kind": "dev.cosignproject.cosign/sigs"}})
    maker.add(image)
    assert await only(maker) == image["digest"]
    maker.add(maker.image("another"))
    assert await only(maker) is None


async def test_the_one_manifest_of_a_layout_goes_by_its_tag(maker: Maker) -> None:
    maker.add(maker.image("x"), "v1")
    assert await only(maker) == "v1"


@pytest.mark.parametrize("tag", ["latest", None])
async def test_a_layout_opens_by_its_name_alone(maker: Maker, tag: str | None) -> None:
    image = maker.image("x")
    maker.add(image, tag)
    places = Places(lambda place: LayoutSource(Path(place.directory)), is_layout)
    located = await places.locate(f"oci:{maker.directory}")
    assert (await located.repository.resolve(located.target or DEFAULT_TAG)).digest == image["digest"]
    changing = await places.locate(f"oci:{maker.directory}", changing=True)
    assert changing.target == "latest"
