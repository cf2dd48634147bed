"""Browsing asks for each thing once, folds signatures away, and marks what is broken."""

from __future__ import annotations

import asyncio
import json
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kittui.errors import NotFound, RegistryError
from kittui.oci.digest import Digest
from kittui.oci.media_types import OCI_MANIFEST
from kittui.oci.order import is_version, natural_key
from kittui.oci.tag import Tag
from kittui.oci.target import parse_target
from kittui.usecases.browse.modelkits import ModelKits, list_tags, tags
from kittui.usecases.browse.showing import attachments, show
from kittui.usecases.browse.tag_names import attached_tag
from tests.fakes.memory import MemoryRepository, MemorySource


class MemoryCache(dict[Digest, bytes]):
    """A content cache in a dict."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: dict[str, Digest] = {}

    def put(self, digest: Digest, content: bytes) -> None:
        self[digest] = content

    def tag(self, name: str) -> Digest | None:
        return self.tags.get(name)

    def note_tag(self, name: str, digest: Digest) -> None:
        self.tags[name] = digest


@pytest.fixture
def source() -> MemorySource:
    return MemorySource()


@pytest.fixture
def repository(source: MemorySource) -> MemoryRepository:
    found = source.repository("fraud")
    found.add_kit("one", "v1", "v10", "v9", "champion", layers=[("x", b"abc")])
    found.add_kit("two", "v2")
    return found


async def test_one_manifest_and_one_config_request_and_none_the_second_time(
    source: MemorySource, repository: MemoryRepository
) -> None:
    kits = ModelKits()
    first = await kits.open(repository, Tag("v1"))
    assert [verb for verb, _ in source.requests] == ["GET", "GET"]
    assert await kits.open(repository, Tag("v1")) is first
    assert await kits.open(repository, first.digest) is first
    assert kits.cached(first.digest) is first
    assert len(source.requests) == 2
    # Another tag on the same digest: its manifest has to be asked for, its config hasn't.
    assert await kits.open(repository, Tag("champion")) is first
    assert len(source.requests) == 3


async def test_asking_at_the_same_time_is_one_request(source: MemorySource, repository: MemoryRepository) -> None:
    kits = ModelKits()
    found = await asyncio.gather(*(kits.manifest(repository, Tag("v1")) for _ in range(20)))
    assert len(set(found)) == 1
    assert len(source.requests) == 1


async def test_a_tag_that_was_just_read_is_known_while_it_is_noted(
    source: MemorySource, repository: MemoryRepository
) -> None:
    noting, may = threading.Event(), threading.Event()

    class SlowCache(MemoryCache):
        def note_tag(self, name: str, digest: Digest) -> None:
            noting.set()
            may.wait()

    kits = ModelKits(SlowCache())
    first = asyncio.create_task(kits.manifest(repository, Tag("v1")))
    await asyncio.to_thread(noting.wait)
    second = asyncio.create_task(kits.manifest(repository, Tag("v1")))
    await asyncio.wait([second], timeout=0.05)
    may.set()
    assert await second == await first
    assert len(source.requests) == 1


async def test_who_waits_for_a_request_that_is_cancelled_asks_itself(repository: MemoryRepository) -> None:
    kits = ModelKits()
    first = asyncio.create_task(kits.manifest(repository, Tag("v1")))
    second = asyncio.create_task(kits.manifest(repository, Tag("v1")))
    first.cancel()
    assert (await second).digest == repository.tagged["v1"]


async def test_a_moved_tag_is_seen_after_forget(repository: MemoryRepository) -> None:
    kits = ModelKits()
    before = await kits.open(repository, Tag("v1"))
    repository.tagged["v1"] = repository.tagged["v2"]
    assert await kits.open(repository, Tag("v1")) is before
    kits.forget(repository)
    assert (await kits.open(repository, Tag("v1"))).name == "two"


async def test_what_a_digest_names_is_kept_between_runs(source: MemorySource, repository: MemoryRepository) -> None:
    cache = MemoryCache()
    digest = (await ModelKits(cache).open(repository, Tag("v1"))).digest
    source.requests.clear()
    kits = ModelKits(cache)
    assert (await kits.open(repository, digest)).name == "one"
    assert (await kits.open(repository, digest)).name == "one"
    assert [verb for verb, _ in source.requests] == ["HEAD"]


async def test_a_digest_of_another_repository_is_not_found_though_it_is_known(
    source: MemorySource, repository: MemoryRepository
) -> None:
    kits = ModelKits(MemoryCache())
    digest = (await kits.open(repository, Tag("v1"))).digest
    with pytest.raises(NotFound):
        await kits.open(source.repository("elsewhere"), digest)


async def test_a_tag_of_an_earlier_run_that_has_not_moved_costs_one_head(
    source: MemorySource, repository: MemoryRepository
) -> None:
    cache = MemoryCache()
    kit = await ModelKits(cache).open(repository, Tag("v1"))
    source.requests.clear()
    assert (await ModelKits(cache).open(repository, Tag("v1"))).digest == kit.digest
    assert [verb for verb, _ in source.requests] == ["HEAD"]
    # A tag that has moved is asked for again, and so is one whose manifest is kept no more.
    cache.clear()
    source.requests.clear()
    assert (await ModelKits(cache).open(repository, Tag("v1"))).digest == kit.digest
    assert [verb for verb, _ in source.requests] == ["HEAD", "GET", "GET"]


async def test_a_failure_is_not_remembered(repository: MemoryRepository, source: MemorySource) -> None:
    def fail(_: MemoryRepository, __: str, ___: str) -> None:
        source.hooks.clear()
        raise RegistryError("busy", status=503)

    source.hooks.append(fail)
    kits = ModelKits()
    with pytest.raises(RegistryError):
        await kits.open(repository, Tag("v1"))
    assert (await kits.open(repository, Tag("v1"))).name == "one"


async def test_listing_sorts_and_folds(repository: MemoryRepository) -> None:
    digest = repository.tagged["v1"]
    for suffix in (".sig", ".att", ".sbom", ""):
        repository.tagged[f"sha256-{digest.removeprefix('sha256:')}{suffix}"] = digest
    repository.tagged["sha256-short.sig"] = digest
    listing = await list_tags(repository)
    assert [entry.name for entry in listing.tags] == ["champion", "sha256-short.sig", "v1", "v2", "v9", "v10"]
    assert sorted(one.kind for one in listing.attached[digest]) == ["attestation", "referrers", "sbom", "signature"]
    pages = [entry.name async for page in tags(repository) for entry in page]
    assert sorted(pages, key=str) == ["champion", "sha256-short.sig", "v1", "v10", "v2", "v9"]
    rows = await ModelKits().rows(repository, listing)
    assert {row.tag: len(row.attached) for row in rows}[Tag("v1")] == 4
    repository.tagged[f"sha256-{digest.removeprefix('sha256:')}.sig"] = repository.tagged["v2"]
    assert {one.kind for one in (await attachments(repository, digest)).found} == {"signature", "sbom"}


async def test_one_broken_tag_is_one_marked_row(repository: MemoryRepository) -> None:
    repository.tagged["broken"] = Digest.of(b"gone")
    raw = json.dumps({"schemaVersion": 2, "layers": [], "manifests": []}).encode()
    repository.manifests[Digest.of(raw)] = (OCI_MANIFEST, raw)
    repository.tagged["odd"] = Digest.of(raw)
    rows = {row.tag: row for row in await ModelKits().rows(repository, await list_tags(repository))}
    assert rows[Tag("broken")].problem
    assert "ambiguous" in (rows[Tag("odd")].problem or "")
    kit = await ModelKits().open(repository, Tag("v1"))
    assert (rows[Tag("v1")].problem, rows[Tag("v1")].size, rows[Tag("v1")].digest) == (None, kit.size, kit.digest)


async def test_concurrency_is_bounded(repository: MemoryRepository, monkeypatch: pytest.MonkeyPatch) -> None:
    running, most = 0, 0
    plain = repository.manifest
    full = asyncio.Event()

    async def slow(target: str) -> object:
        nonlocal running, most
        running += 1
        most = max(most, running)
        if running == 4:
            full.set()
        await full.wait()
        running -= 1
        return await plain(parse_target(target))

    monkeypatch.setattr(repository, "manifest", slow)
    for number in range(30):
        repository.add_kit(f"kit{number}", f"t{number}")
    repository.source.at_once = 4
    await ModelKits().rows(repository, await list_tags(repository))
    assert most == 4


async def test_show_knows_the_other_tags_where_asked(repository: MemoryRepository, source: MemorySource) -> None:
    kits = ModelKits()
    assert (await show(repository, Tag("v1"), kits)).tags == ("v1",)
    shown = await show(repository, Tag("v1"), kits, all_tags=True)
    assert shown.tags == ("champion", "v1", "v9", "v10")
    with pytest.raises(NotFound):
        await show(repository, Tag("nope"), kits)


@given(st.lists(st.text(max_size=20)))
def test_any_names_have_an_order(names: list[str]) -> None:
    turned = names[::-1]
    assert sorted(turned, key=natural_key) == sorted(names, key=natural_key)


@pytest.mark.parametrize(
    ("tag", "kind"),
    [
        (f"sha256-{'a' * 64}.sig", "signature"),
        (f"sha256-{'a' * 64}.att", "attestation"),
        (f"sha256-{'a' * 64}", "referrers"),
        (f"sha512-{'a' * 128}", "referrers"),
        (f"sha256-{'a' * 63}.sig", None),
        (f"sha512-{'a' * 64}", None),
        (f"sha256-{'A' * 64}.sig", None),
        (f"sha256-{'a' * 64}.txt", None),
        ("v1", None),
    ],
)
def test_tags_that_are_about_others(tag: str, kind: str | None) -> None:
    found = attached_tag(tag)
    assert (found.kind if found else None) == kind


@pytest.mark.parametrize(
    ("name", "version"),
    [
        *dict.fromkeys(
            ("v1", "V2.0", "1.0.0", "1.0rc1", "v2beta", "7", "12-gpu", "2026-11-02", "20261102"), True
        ).items(),
        *dict.fromkeys(("9ab31f0", "3b9f2c1", "1234567", "7b", "run-2", "champion", "v", ""), False).items(),
    ],
)
def test_a_version_is_told_from_a_commit(name: str, version: bool) -> None:
    assert is_version(name) is version
