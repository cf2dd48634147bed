"""How blobs are uploaded to registries that take one PUT, chunks, or only short ones; and what is said of none."""

from __future__ import annotations

import os

import pytest

from kittui.errors import DigestMismatch, NotFound, RegistryError
from kittui.oci.content import BytesContent
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.registry import uploads
from kittui.registry.problems import Complaint, http_problem
from kittui.registry.upload_ways import UploadLimits, Way
from tests.fakes.faulty_proxy import Fault, FaultyProxy
from tests.fakes.registry_servers import connect
from tests.fakes.scripted_registry import Reply, ScriptedRegistry

CONTENT = os.urandom(100_000)
LAYER = Descriptor("a/b", Digest.of(CONTENT), len(CONTENT))


@pytest.fixture(autouse=True)
def short_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "CHUNK", 40_000)
    monkeypatch.setattr(uploads, "SHORTEST", 1_000)


def sent(registry: ScriptedRegistry) -> list[tuple[str, int]]:
    """Methods and lengths of what brought bytes."""
    return [(each.method, len(each.body)) for each in registry.requests if each.method in ("PUT", "PATCH")]


async def put(registry: ScriptedRegistry, content: bytes = CONTENT) -> None:
    async with connect(registry.host) as source:
        descriptor = Descriptor("a/b", Digest.of(content), len(content))
        await source.repository("fraud").put_blob(descriptor, BytesContent(content))
    assert registry.blobs[descriptor.digest] == content


async def test_a_blob_goes_in_one_put_however_large() -> None:
    async with ScriptedRegistry(patch=405) as registry:
        await put(registry)
        assert sent(registry) == [("PUT", 100_000)]


async def test_what_is_too_long_for_one_request_goes_in_chunks_that_fit() -> None:
    async with ScriptedRegistry(most_sent=9_000) as registry:
        await put(registry)
        lengths = [length for method, length in sent(registry) if method == "PATCH"]
    assert lengths[0] > 9_000  # the first that is tried
    assert set(lengths[1:-1]) == {lengths[1]}
    assert lengths[1] <= 9_000


async def test_the_limit_of_a_registry_is_met_once() -> None:
    async with ScriptedRegistry(most_sent=30_000) as registry, connect(registry.host) as source:
        repository = source.repository("fraud")
        await repository.put_blob(LAYER, BytesContent(CONTENT))
        first = len(registry.requests)
        other = CONTENT[::-1]
        await repository.put_blob(Descriptor("a/b", Digest.of(other), len(other)), BytesContent(other))
        assert [each.method for each in registry.requests[first:]] == ["POST", *["PATCH"] * 4, "PUT"]


async def test_a_longest_chunk_that_is_stated_is_kept_from_the_start() -> None:
    async with ScriptedRegistry(most_sent=8_000) as registry:
        where = {"Location": "/v2/fraud/blobs/uploads/here", "OCI-Chunk-Max-Length": "8000"}
        registry.uploads["here"] = []
        registry.script("POST", "", Reply(202, where))
        await put(registry)
        assert {length for _, length in sent(registry)[:-2]} == {8_000}


async def test_a_shortest_chunk_that_is_stated_is_kept() -> None:
    async with ScriptedRegistry(most_sent=90_000, least_chunk=45_000) as registry:
        await put(registry)
        assert sent(registry)[1:] == [("PATCH", 45_000), ("PATCH", 45_000), ("PATCH", 10_000), ("PUT", 0)]


@pytest.mark.parametrize("status", [400, 404, 405, 416, 501])
async def test_chunks_that_are_refused_after_a_cut_lead_back_to_one_put(status: int) -> None:
    async with ScriptedRegistry(patch=status) as registry, FaultyProxy(registry.host) as proxy:
        proxy.add(Fault("PUT", "/uploads/", cut_upload_after=30_000))
        async with connect(proxy.host) as source:
            await source.repository("fraud").put_blob(LAYER, BytesContent(CONTENT))
        assert registry.blobs[LAYER.digest] == CONTENT
        assert sent(registry)[-1] == ("PUT", 100_000)


@pytest.mark.parametrize("status", [200, 201, 204])
async def test_a_chunk_may_be_accepted_with_other_statuses(status: int) -> None:
    async with ScriptedRegistry(most_sent=40_000, patch=status) as registry:
        await put(registry)


@pytest.mark.parametrize("habit", ["first", "none"])
async def test_a_range_that_says_less_than_is_kept_is_asked_after(habit: str) -> None:
    async with ScriptedRegistry(most_sent=40_000, chunk_range=habit) as registry:
        await put(registry)


async def test_a_connection_that_drops_at_a_length_is_answered_by_shorter_requests() -> None:
    async with ScriptedRegistry() as registry, FaultyProxy(registry.host) as proxy:
        proxy.add(Fault("PUT", "/uploads/", cut_upload_after=20_000, times=1))
        proxy.add(Fault("PATCH", "/uploads/", cut_upload_after=20_000, times=1))
        async with connect(proxy.host) as source:
            await source.repository("fraud").put_blob(LAYER, BytesContent(CONTENT))
        assert registry.blobs[LAYER.digest] == CONTENT


async def test_a_limit_below_every_chunk_is_named_with_who_sets_it() -> None:
    async with ScriptedRegistry() as registry:
        for method in ("PUT", "PATCH"):
            registry.script(method, "/uploads/", Reply(413, {"Server": "nginx/1.25"}, close=True), times=-1)
        async with connect(registry.host) as source:
            with pytest.raises(RegistryError) as caught:
                await source.repository("fraud").put_blob(LAYER, BytesContent(CONTENT))
    assert caught.value.status == 413
    assert "nginx/1.25" in caught.value.message
    assert "1.0 kB" in caught.value.message
    assert "client_max_body_size" in (caught.value.hint or "")


async def test_chunks_that_are_thrown_away_are_noticed() -> None:
    async with ScriptedRegistry(most_sent=40_000, only_first_chunk=True) as registry:
        async with connect(registry.host) as source:
            with pytest.raises((DigestMismatch, RegistryError)):
                await source.repository("fraud").put_blob(LAYER, BytesContent(CONTENT))
        assert LAYER.digest not in registry.blobs


@pytest.mark.parametrize("status", [302, 303, 307, 301, 308])
async def test_a_redirect_to_the_storage_answers_whether_a_blob_is_there(status: int) -> None:
    async with ScriptedRegistry() as registry, connect(registry.host) as source:
        registry.script("HEAD", "/blobs/", Reply(status, {"Location": "http://storage.invalid/a?signature=x"}))
        assert await source.repository("fraud").has_blob(LAYER)
        assert not await source.repository("fraud").has_blob(LAYER)


def test_the_ways_of_a_blob_end() -> None:
    """Whatever is refused, there are only so many ways."""
    for statuses in ([413], [405, 413], [416, 413, 400], [413, 416], [501]):
        way = Way(UploadLimits(), 10**12, 64 << 20, 1 << 20)
        tries = 0
        length = 10**12
        while way.refuse(statuses[tries % len(statuses)], length):
            tries += 1
            length = way.chunk() or 10**12
            assert tries < 20


@pytest.mark.parametrize("status", [400, 403, 405, 501])
async def test_a_blob_is_found_where_the_registry_refuses_to_be_asked_by_head(status: int) -> None:
    async with ScriptedRegistry(blob_head=status) as registry, connect(registry.host) as source:
        repository = source.repository("fraud")
        assert not await repository.has_blob(LAYER)
        await repository.put_blob(LAYER, BytesContent(CONTENT))
        assert await repository.has_blob(LAYER)


@pytest.mark.parametrize(("status", "code"), [(404, "NAME_UNKNOWN"), (400, "NAME_INVALID"), (403, "DENIED")])
def test_a_repository_that_must_be_created_first_is_called_that(status: int, code: str) -> None:
    complaint = Complaint(code, "The repository with name 'new/fraud' does not exist in the registry with id '1234'")
    problem = http_problem(status, complaint, "r.test", "begin an upload")
    assert isinstance(problem, NotFound)
    assert "does not exist in the registry" in problem.message
    assert "create it first" in str(problem.hint)


def test_other_refusals_do_not_blame_the_repository() -> None:
    denied = http_problem(403, Complaint("DENIED", "access to the repository is denied"), "r.test", "begin an upload")
    assert denied.code == "denied"
