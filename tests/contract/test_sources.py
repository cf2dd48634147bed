"""What every source promises: the same operations and the same errors in memory, kit's store, a layout, a registry.

A source that is added is added to SOURCES here.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from kittui.errors import DigestMismatch, NotFound, TooLarge, Unsupported
from kittui.layout import LayoutSource
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.oci.media_types import KIT_CONFIG, OCI_MANIFEST
from kittui.oci.protocols import Repository, Source
from kittui.oci.reference import parse_reference
from kittui.oci.tag import Tag
from kittui.oci.target import parse_target
from kittui.registry.access import Access
from kittui.store import LocalSource
from tests.fakes.docker_registry import StartRegistry
from tests.fakes.memory import MemoryReader, MemorySource
from tests.fakes.registry_servers import connect

NAME = "team/fraud"
LAYER = bytes(range(256)) * 40
ABSENT = Digest.of(b"absent")
MISSING = ["nope", str(ABSENT)]
Start = Callable[[Path, pytest.FixtureRequest], Source]


def layout(folder: Path, _: pytest.FixtureRequest) -> Source:
    """An empty one: a folder that is not a layout is another error than a missing tag."""
    (folder / "layout").mkdir()
    (folder / "layout/oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (folder / "layout/index.json").write_text('{"schemaVersion": 2, "manifests": []}')
    return LayoutSource(folder / "layout")


def registry(_: Path, request: pytest.FixtureRequest) -> Source:
    start: StartRegistry = request.getfixturevalue("docker_registry")
    return connect(start().host, access=Access(plain_http=True))


SOURCES: list[object] = [
    pytest.param(lambda folder, _: MemorySource(), id="memory"),
    pytest.param(lambda folder, _: LocalSource(folder / "store", recheck=0), id="store"),
    pytest.param(layout, id="layout"),
    pytest.param(registry, id="registry", marks=pytest.mark.real),
]


class Content:
    """Bytes to upload."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw

    @asynccontextmanager
    async def open(self, offset: int = 0) -> AsyncIterator[MemoryReader]:
        yield MemoryReader(self.raw, offset, len(self.raw) - offset, None, 1000)


def describe(media_type: str, raw: bytes) -> Descriptor:
    return Descriptor(media_type, Digest.of(raw), len(raw))


@dataclass(frozen=True)
class Kit:
    raw: bytes
    config: Descriptor
    layer: Descriptor

    @property
    def digest(self) -> Digest:
        return Digest.of(self.raw)


async def put(repository: Repository, name: str, *tags: str, layer: bytes = LAYER) -> Kit:
    """A ModelKit under its tags, or under none."""
    config = json.dumps({"manifestVersion": "1.0.0", "package": {"name": name}}).encode()
    parts = describe(KIT_CONFIG, config), describe("application/vnd.kitops.modelkit.model.v1.tar", layer)
    for descriptor, content in zip(parts, (config, layer), strict=True):
        await repository.put_blob(descriptor, Content(content))
    document = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": parts[0].to_json(),
        "layers": [parts[1].to_json()],
    }
    raw = json.dumps(document, indent=1).encode()
    for tag in [Tag(tag) for tag in tags] or (None,):
        assert (await repository.put_manifest(raw, OCI_MANIFEST, tag)).digest == Digest.of(raw)
    return Kit(raw, *parts)


async def refusal(work: Awaitable[object]) -> Unsupported | None:
    try:
        await work
    except Unsupported as refused:
        return refused
    return None


async def tags_of(repository: Repository) -> list[str]:
    return sorted([entry.name async for page in repository.tags() for entry in page if entry.name is not None])


@pytest.fixture(params=SOURCES)
async def source(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Source]:
    start: Start = request.param
    made = start(tmp_path, request)
    yield made
    await made.aclose()


@pytest.fixture
def repository(source: Source) -> Repository:
    return source.repository(NAME)


async def test_what_was_put_is_resolved_by_tag_and_digest(repository: Repository) -> None:
    kit = await put(repository, "fraud", "v1", "champion")

    for target in ("v1", "champion", str(kit.digest)):
        found = await repository.resolve(parse_target(target))
        assert (found.digest, found.size) == (kit.digest, len(kit.raw))


async def test_a_manifest_comes_in_the_very_bytes_that_were_put(repository: Repository) -> None:
    kit = await put(repository, "fraud", "v1")

    for target in ("v1", str(kit.digest)):
        manifest = await repository.manifest(parse_target(target))
        assert (manifest.raw, manifest.digest, manifest.media_type) == (kit.raw, kit.digest, OCI_MANIFEST)
        assert manifest.config == kit.config
        assert list(manifest.layers) == [kit.layer]


@pytest.mark.parametrize("target", MISSING)
@pytest.mark.parametrize("filled", [True, False])
async def test_what_is_missing_is_not_found(repository: Repository, target: str, filled: bool) -> None:
    if filled:
        await put(repository, "fraud", "v1")

    for ask in (repository.resolve, repository.manifest):
        with pytest.raises(NotFound) as caught:
            await ask(parse_target(target))
        assert target in str(caught.value.reference or caught.value.message)


async def test_the_digest_of_another_repository_is_not_found(source: Source, repository: Repository) -> None:
    kit = await put(repository, "fraud", "v1")
    other = source.repository("team/other")
    await put(other, "other", "v1")

    for ask in (other.resolve, other.manifest):
        if source.place.kind == "oci":  # one index.json for all its repositories: a digest is looked up in it
            assert (await ask(kit.digest)).digest == kit.digest
        else:
            with pytest.raises(NotFound):
                await ask(kit.digest)


async def test_all_tags_and_all_repositories_are_listed(source: Source, repository: Repository) -> None:
    await put(repository, "fraud", "v1", "champion")
    await put(source.repository("team/other"), "other", "v2")

    assert await tags_of(repository) == ["champion", "v1"]
    listed = [entry.name async for page in source.repositories() for entry in page]
    assert sorted(name.removeprefix("localhost/") for name in listed) == ["team/fraud", "team/other"]
    assert await tags_of(source.repository(next(name for name in listed if name.endswith("other")))) == ["v2"]


async def test_a_tag_that_is_put_again_moves(repository: Repository) -> None:
    first = await put(repository, "first", "v1", "champion")
    second = await put(repository, "second", "champion", layer=b"another")

    assert (await repository.resolve(Tag("champion"))).digest == second.digest
    assert (await repository.resolve(Tag("v1"))).digest == first.digest


async def test_a_reference_names_source_repository_and_target(source: Source, repository: Repository) -> None:
    for target, mark in (("v1", ":"), (str(ABSENT), "@")):
        reference = repository.reference(parse_target(target))
        assert reference.endswith(f"/{NAME}{mark}{target}")
        found = parse_reference(reference).place
        assert (found.kind, found.host) == (source.place.kind, source.place.host)


async def test_a_blob_is_read_whole_and_never_beyond_the_limit(repository: Repository) -> None:
    kit = await put(repository, "fraud", "v1")

    assert await repository.read_blob(kit.layer, len(LAYER)) == LAYER
    with pytest.raises(TooLarge):
        await repository.read_blob(kit.layer, len(LAYER) - 1)


@pytest.mark.parametrize(("offset", "length"), [(0, None), (0, 10), (1000, 500), (len(LAYER) - 3, None), (7, 0)])
async def test_a_stretch_of_a_blob_is_read(repository: Repository, offset: int, length: int | None) -> None:
    kit = await put(repository, "fraud", "v1")
    wanted = LAYER[offset : None if length is None else offset + length]

    async with repository.open_blob(kit.layer, offset, length) as reader:
        pieces = [piece async for piece in reader]
    assert b"".join(pieces) == wanted
    async with repository.open_blob(kit.layer, offset, length) as reader:
        assert (reader.offset, reader.length) == (offset, len(wanted))
        buffer, at = bytearray(len(LAYER) + 1), 0
        while got := await reader.readinto(memoryview(buffer)[at:]):
            at += got
    assert buffer[:at] == wanted


async def test_a_missing_blob_is_missing_however_it_is_asked_for(repository: Repository) -> None:
    kit = await put(repository, "fraud", "v1")
    absent = describe("application/octet-stream", b"absent")

    assert await repository.has_blob(kit.layer)
    assert not await repository.has_blob(absent)
    with pytest.raises(NotFound):
        await repository.read_blob(absent, 100)
    with pytest.raises(NotFound):
        async with repository.open_blob(absent) as reader:
            await reader.readinto(memoryview(bytearray(10)))


async def test_bytes_of_another_digest_are_refused(repository: Repository) -> None:
    wrong = Descriptor("application/octet-stream", Digest.of(b"right"), 5)

    with pytest.raises(DigestMismatch):
        await repository.put_blob(wrong, Content(b"wrong"))
    assert not await repository.has_blob(wrong)


async def test_a_blob_comes_from_another_repository_without_its_bytes(source: Source, repository: Repository) -> None:
    kit = await put(repository, "fraud", "v1")
    other = source.repository("team/other")

    assert await other.mount_blob(kit.layer, repository)
    assert await other.read_blob(kit.layer, len(LAYER)) == LAYER


async def test_a_manifest_is_deleted_with_all_its_tags(repository: Repository) -> None:
    kit = await put(repository, "fraud", "v1", "champion")
    other = await put(repository, "other", "v2", layer=b"another")

    await repository.delete(kit.digest)
    assert await tags_of(repository) == ["v2"]
    assert (await repository.resolve(Tag("v2"))).digest == other.digest
    with pytest.raises(NotFound):
        await repository.resolve(kit.digest)
    with pytest.raises(NotFound):
        await repository.delete(kit.digest)


async def test_a_tag_alone_is_removed_or_refused_with_a_reason(source: Source, repository: Repository) -> None:
    kit = await put(repository, "fraud", "v1", "champion")

    refused = await refusal(repository.untag(Tag("champion")))
    if refused is not None:
        assert source.capabilities.untag.denied
        assert refused.hint
        assert await tags_of(repository) == ["champion", "v1"]
        return
    assert await tags_of(repository) == ["v1"]
    assert (await repository.resolve(Tag("v1"))).digest == kit.digest
    with pytest.raises(NotFound):
        await repository.untag(Tag("champion"))


async def test_what_names_a_manifest_as_its_subject_refers_to_it(source: Source, repository: Repository) -> None:
    kit = await put(repository, "fraud", "v1")
    assert list(await repository.referrers(kit.digest)) == []
    document = {
        **json.loads(kit.raw),
        "artifactType": "application/vnd.example.note",
        "subject": describe(OCI_MANIFEST, kit.raw).to_json(),
    }
    raw = json.dumps(document).encode()

    refused = await refusal(repository.put_manifest(raw, OCI_MANIFEST))
    if refused is not None:
        assert source.place.kind == "local"
        assert refused.hint
        return
    assert [each.digest for each in await repository.referrers(kit.digest)] == [Digest.of(raw)]


async def test_an_unfilled_source_has_no_tags(source: Source) -> None:
    names = [entry.name async for page in source.repositories() for entry in page]
    assert [tag for name in names for tag in await tags_of(source.repository(name))] == []


async def test_a_repository_that_is_not_there_has_no_tags(repository: Repository) -> None:
    with suppress(NotFound):
        assert await tags_of(repository) == []
