"""The client against both registries: what it reads and writes is what the registry has."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

import pytest

from kittui.errors import (
    BadReference,
    Conflict,
    ConnectionLost,
    DigestMismatch,
    NotFound,
    RegistryError,
    TooLarge,
    Unsupported,
)
from kittui.oci.content import BytesReader
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.oci.protocols import BlobReader, Incomplete, Repository
from kittui.oci.tag import Tag
from kittui.oci.target import parse_target
from kittui.oci.traffic import metered
from kittui.registry import uploads
from kittui.registry.referrers import Referrers
from kittui.registry.removal import Removal
from tests.fakes.faulty_proxy import Fault, FaultyProxy
from tests.fakes.registry_servers import Server, connect
from tests.fakes.scripted_registry import INDEX, MANIFEST, digest_of, manifest_of

BIG = os.urandom(300_000)


def blob(content: bytes) -> Descriptor:
    return Descriptor("application/octet-stream", Digest.of(content), len(content))


class Content:
    """Content in memory, in pieces; `cuts` times the source breaks off at `cut_at`."""

    def __init__(self, content: bytes, cuts: int = 0, cut_at: int = 0) -> None:
        self.content = content
        self.cuts = cuts
        self.cut_at = cut_at
        self.opened: list[int] = []

    @asynccontextmanager
    async def open(self, offset: int = 0) -> AsyncIterator[BlobReader]:
        self.opened.append(offset)
        yield _Pieces(self, offset)


class _Pieces(BytesReader):
    def __init__(self, owner: Content, offset: int) -> None:
        super().__init__(owner.content[offset:], offset)
        self.owner = owner
        self.at = offset

    async def readinto(self, buffer: memoryview) -> int:
        if self.owner.cuts and self.at >= self.owner.cut_at:
            self.owner.cuts -= 1
            raise ConnectionLost("the source broke off")
        piece = self.owner.content[self.at : self.at + min(len(buffer), 10_000)]
        buffer[: len(piece)] = piece
        self.at += len(piece)
        return len(piece)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        buffer = memoryview(bytearray(10_000))
        while size := await self.readinto(buffer):
            yield bytes(buffer[:size])


async def test_ping_says_what_answers(server: Server) -> None:
    async with connect(server.host) as source:
        assert await source.ping() == f"http://{server.host} answers (registry/2.0)"
        assert source.secure is False


async def test_repositories_are_listed(server: Server) -> None:
    for name in ("b/two", "a", "c"):
        await server.add_kit(name, "v1", layers=[])
    async with connect(server.host) as source:
        assert [entry.name async for page in source.repositories() for entry in page] == ["a", "b/two", "c"]
        assert source.capabilities.catalog.state == "yes"


async def test_check_01_nine_tags_are_listed_once(server: Server) -> None:
    tags = [f"v{number}" for number in range(9)]
    await server.add_kit("team/fraud", *reversed(tags), layers=[b"x"])
    async with connect(server.host) as source:
        with metered() as traffic:
            found = [entry.name async for page in source.repository("team/fraud").tags() for entry in page]
    assert sorted(name for name in found if name) == tags
    assert traffic.requests == 1


async def test_an_unknown_repository_is_not_found(server: Server) -> None:
    async with connect(server.host) as source:
        repository = source.repository("no/such")
        with pytest.raises(NotFound) as caught:
            _ = [page async for page in repository.tags()]
        assert caught.value.reference == f"remote://{server.host}/no/such"
        with pytest.raises(NotFound):
            await repository.resolve(Tag("v1"))
        with pytest.raises(NotFound):
            await repository.manifest(Tag("v1"))


async def test_manifest_by_tag_and_digest(server: Server) -> None:
    digest = await server.add_kit("fraud", "v1", layers=[BIG])
    async with connect(server.host) as source:
        repository = source.repository("fraud")
        by_tag, by_digest = await repository.manifest(Tag("v1")), await repository.manifest(parse_target(digest))
        assert by_tag == by_digest
        assert by_tag.raw == manifest_of([BIG])
        assert (
            await repository.resolve(Tag("v1")) == by_tag.descriptor == await repository.resolve(parse_target(digest))
        )
        assert by_tag.descriptor.media_type == MANIFEST


async def test_a_blob_whole_and_in_parts(server: Server) -> None:
    await server.add_kit("fraud", "v1", layers=[BIG])
    async with connect(server.host) as source:
        repository = source.repository("fraud")
        layer = (await repository.manifest(Tag("v1"))).layers[0]
        with metered() as traffic:
            assert await repository.read_blob(layer, 1 << 20) == BIG
        assert (traffic.requests, traffic.bytes) == (1, len(BIG))
        for offset, length in ((0, 1), (5, 1000), (len(BIG) - 1, 1), (100, None), (len(BIG), None), (7, 0)):
            with metered() as traffic:
                async with repository.open_blob(layer, offset, length) as reader:
                    content = b"".join([piece async for piece in reader])
            end = len(BIG) if length is None else offset + length
            assert content == BIG[offset:end]
            assert (reader.offset, reader.length) == (offset, end - offset)
            assert traffic.bytes == end - offset
            assert traffic.requests == (1 if end > offset else 0)
        assert source.capabilities.ranges.state == "yes"


async def test_readinto_fills_the_callers_buffer(server: Server) -> None:
    await server.add_kit("fraud", "v1", layers=[BIG])
    async with connect(server.host) as source:
        repository = source.repository("fraud")
        layer = (await repository.manifest(Tag("v1"))).layers[0]
        content, buffer = bytearray(), memoryview(bytearray(7_777))
        async with repository.open_blob(layer, 1000) as reader:
            while count := await reader.readinto(buffer):
                content += buffer[:count]
            assert await reader.readinto(buffer) == 0
        assert content == BIG[1000:]


async def test_leaving_a_blob_early_ends_the_transfer(server: Server) -> None:
    await server.add_kit("fraud", "v1", layers=[BIG])
    async with connect(server.host) as source:
        repository = source.repository("fraud")
        layer = (await repository.manifest(Tag("v1"))).layers[0]
        for _ in range(3):
            async with repository.open_blob(layer) as reader:
                assert await reader.readinto(memoryview(bytearray(10))) == 10
        assert await repository.read_blob(layer, 1 << 20) == BIG


async def test_a_blob_above_the_limit_is_not_asked_for(server: Server) -> None:
    await server.add_blob("fraud", BIG)
    async with connect(server.host) as source:
        with metered() as traffic, pytest.raises(TooLarge):
            await source.repository("fraud").read_blob(blob(BIG), len(BIG) - 1)
        assert traffic.requests == 0


async def test_a_blob_of_another_size_is_refused(server: Server) -> None:
    await server.add_blob("fraud", BIG)
    lying = Descriptor("a/b", Digest.of(BIG), len(BIG) - 10)
    async with connect(server.host) as source:
        with pytest.raises(Exception, match="instead of the requested 299990"):
            await source.repository("fraud").read_blob(lying, 1 << 20)


async def test_a_missing_blob_is_not_found(server: Server) -> None:
    await server.add_kit("fraud", "v1", layers=[])
    async with connect(server.host) as source:
        repository = source.repository("fraud")
        assert not await repository.has_blob(blob(b"never"))
        assert await repository.has_blob(blob(b"{}"))
        with pytest.raises(NotFound):
            await repository.read_blob(blob(b"never"), 100)


async def test_check_14_names_are_refused_before_any_request(server: Server) -> None:
    async with connect(server.host) as source:
        repository = source.repository("fraud")
        with metered() as traffic:
            for target in ("sha256:../../x", "md5:" + "0" * 32, "../x", "a/b", "", "sha256:" + "A" * 64):
                for ask in (repository.resolve, repository.manifest):
                    with pytest.raises(BadReference):
                        await ask(parse_target(target))
            for name in ("../up", "a//b", "A", "a/../b", "a?b"):
                with pytest.raises(BadReference):
                    source.repository(name)
        assert traffic.requests == 0


@pytest.mark.parametrize("size", [0, 1, 9_999, 200_000])
async def test_a_blob_is_put_whole(server: Server, size: int) -> None:
    content = BIG[:size]
    async with connect(server.host) as source:
        repository = source.repository("new/repository")
        with metered() as traffic:
            await repository.put_blob(blob(content), Content(content))
        assert (traffic.requests, traffic.sent) == (2, size)
        assert await repository.read_blob(blob(content), 1 << 20) == content


async def test_a_blob_that_is_too_long_for_one_request_is_put_in_chunks(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "CHUNK", 64_000)
    monkeypatch.setattr(uploads, "SHORTEST", 1_000)
    async with FaultyProxy(server.host) as proxy, connect(proxy.host) as source:
        proxy.add(Fault("PUT", "/uploads/", status=413))
        repository = source.repository("fraud")
        await repository.put_blob(blob(BIG), Content(BIG))
        sent = [seen.method for seen in proxy.requests]
        assert sent == ["POST", "PUT", "DELETE", "POST", *["PATCH"] * 5, "PUT"]
        assert await repository.read_blob(blob(BIG), 1 << 20) == BIG


async def test_a_source_that_breaks_off_is_read_again(server: Server) -> None:
    content = Content(BIG, cuts=2, cut_at=100_000)
    async with connect(server.host) as source:
        repository = source.repository("fraud")
        await repository.put_blob(blob(BIG), content)
        assert await repository.read_blob(blob(BIG), 1 << 20) == BIG
    assert len(content.opened) == 3


@pytest.mark.parametrize("claimed", [BIG[:-1] + b"x", BIG + b"more"], ids=["another end", "more"])
async def test_other_bytes_than_promised_are_not_stored(server: Server, claimed: bytes) -> None:
    promised = Descriptor("a/b", Digest.of(claimed), len(BIG))
    async with connect(server.host) as source:
        repository = source.repository("fraud")
        with pytest.raises(DigestMismatch):
            await repository.put_blob(promised, Content(BIG))
        assert not await repository.has_blob(promised)


async def test_too_short_a_source_is_an_error(server: Server) -> None:
    async with connect(server.host) as source:
        with pytest.raises(Exception, match="fewer bytes"):
            await source.repository("fraud").put_blob(blob(BIG), Content(BIG[:1000]))


async def test_a_blob_is_mounted_without_moving_bytes(server: Server) -> None:
    await server.add_blob("origin", BIG)
    async with connect(server.host) as source, connect(server.host) as elsewhere:
        target = source.repository("target")
        with metered() as traffic:
            assert await target.mount_blob(blob(BIG), source.repository("origin"))
        assert traffic.sent == 0
        assert await target.has_blob(blob(BIG))
        assert not await target.mount_blob(blob(b"never"), source.repository("origin"))
        assert await target.mount_blob(blob(BIG), elsewhere.repository("origin"))


async def test_a_manifest_is_put_byte_for_byte(server: Server) -> None:
    digest = await server.add_kit("fraud", "v1", layers=[b"weights"])
    async with connect(server.host) as source:
        repository = source.repository("fraud")
        held = await repository.manifest(Tag("v1"))
        with metered() as traffic:
            assert await repository.put_manifest(held.raw, held.media_type, Tag("v2")) == held.descriptor
        assert traffic.requests == 1
        odd = held.raw + b"\n  "
        stored = await repository.put_manifest(odd, held.media_type)
        assert (await repository.manifest(stored.digest)).raw == odd
    assert await server.digest("fraud", "v2") == digest
    assert await server.tags("fraud") == ["v1", "v2"]


async def test_a_manifest_over_four_mebibytes_is_not_sent(server: Server) -> None:
    raw = manifest_of([], annotations={"a": "x" * (4 << 20)})
    async with connect(server.host) as source:
        with metered() as traffic, pytest.raises(TooLarge):
            await source.repository("fraud").put_manifest(raw, MANIFEST, Tag("v1"))
        assert traffic.requests == 0


async def test_untag_never_takes_the_digest_along(server: Server) -> None:
    """Both are like Distribution 2.8, which knows no way to remove a tag alone."""
    digest = await server.add_kit("fraud", "v1", "champion", layers=[])
    async with connect(server.host) as source:
        repository = source.repository("fraud")
        with pytest.raises(Unsupported) as caught:
            await repository.untag(Tag("champion"))
        assert "--placeholder" in (caught.value.hint or "")
        assert source.capabilities.untag.denied
        with pytest.raises(NotFound):
            await repository.untag(Tag("never"))
    assert await server.digest("fraud", "champion") == digest == await server.digest("fraud", "v1")


async def test_whether_a_tag_goes_alone_is_asked_first(server: Server) -> None:
    digest = await server.add_kit("fraud", "v1", "champion", layers=[])
    async with connect(server.host) as source:
        assert (await source.repository("fraud").probe_untag()).denied
        assert source.capabilities.untag.denied
        assert not source.capabilities.delete.denied
    assert await server.digest("fraud", "champion") == digest == await server.digest("fraud", "v1")


async def test_delete_takes_every_tag_of_the_digest(server: Server) -> None:
    digest = Digest(await server.add_kit("fraud", "v1", "champion", layers=[]))
    other = await server.add_kit("fraud", "v2", layers=[b"other"])
    async with connect(server.host) as source:
        repository = source.repository("fraud")
        assert (await repository.probe_deletes()).state == "yes"
        await repository.delete(digest)
        with pytest.raises(NotFound):
            await repository.delete(digest)
    assert await server.digest("fraud", "v1") is None is await server.digest("fraud", "champion")
    assert await server.digest("fraud", "v2") == other


async def test_referrers_by_the_fallback_tag_are_checked(server: Server) -> None:
    """Neither has the API: the tag lists three, of which one refers to this digest, one to another, one is gone."""
    digest = await server.add_kit("fraud", "v1", layers=[])
    subject = {"mediaType": MANIFEST, "digest": digest, "size": len(manifest_of([]))}
    await server.add_blob("fraud", b"{}")
    good = manifest_of([b""], artifactType="application/vnd.cncf.notary.signature", subject=subject)
    await server.add_blob("fraud", b"")
    bad = manifest_of([b""], artifactType="application/x", subject={**subject, "digest": digest_of(b"other")})
    async with connect(server.host) as source:
        repository = source.repository("fraud")
        assert await repository.referrers(Digest(digest)) == []
        for raw in (good, bad):
            await server.add_manifest("fraud", raw)
        entries = [
            {"mediaType": MANIFEST, "digest": digest_of(raw), "size": len(raw), "artifactType": "application/claimed"}
            for raw in (good, bad)
        ]
        index = str({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).replace("'", '"').encode()
        await server.add_manifest("fraud", index, digest.replace(":", "-"), media_type=INDEX)
        found = await repository.referrers(Digest(digest))
        assert [(each.digest, each.artifact_type) for each in found] == [
            (digest_of(good), "application/vnd.cncf.notary.signature")
        ]
        assert source.capabilities.referrers.denied


async def test_a_manifest_with_a_subject_is_announced_under_the_fallback_tag(server: Server) -> None:
    digest = await server.add_kit("fraud", "v1", layers=[])
    subject = {"mediaType": MANIFEST, "digest": digest, "size": len(manifest_of([]))}
    async with connect(server.host) as source:
        repository = source.repository("fraud")
        for kind in ("application/one", "application/two"):
            await repository.put_manifest(manifest_of([], artifactType=kind, subject=subject), MANIFEST)
        found = await repository.referrers(Digest(digest))
    assert [each.artifact_type for each in found] == ["application/one", "application/two"]


@dataclass
class Attached:
    """Two manifests that hang on a third, and what the fallback tag lists."""

    server: Server
    subject: Digest
    raws: list[bytes]

    @property
    def digests(self) -> list[Digest]:
        return [Digest.of(raw) for raw in self.raws]

    def another(self) -> bytes:
        subject = {"mediaType": MANIFEST, "digest": self.subject, "size": len(manifest_of([]))}
        return manifest_of([], artifactType="application/another", subject=subject)

    async def listed(self) -> list[str]:
        _, _, body = await self.server.request(
            "GET", f"/v2/fraud/manifests/{self.subject.referrers_tag}", headers={"Accept": INDEX}
        )
        return [entry["digest"] for entry in json.loads(body)["manifests"]]

    async def write(self, *raws: bytes) -> None:
        entries = [{"mediaType": MANIFEST, "digest": digest_of(raw), "size": len(raw)} for raw in raws]
        index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).encode()
        await self.server.add_manifest("fraud", index, self.subject.referrers_tag, media_type=INDEX)

    async def delete(self, raw: bytes) -> None:
        status, _, _ = await self.server.request("DELETE", f"/v2/fraud/manifests/{digest_of(raw)}")
        assert status == 202


@pytest.fixture
async def attached(server: Server) -> Attached:
    digest = await server.add_kit("fraud", "v1", layers=[])
    subject = {"mediaType": MANIFEST, "digest": digest, "size": len(manifest_of([]))}
    raws = [manifest_of([], artifactType=f"application/{name}", subject=subject) for name in ("one", "two")]
    found = Attached(server, Digest(digest), raws)
    for raw in raws:
        await server.add_manifest("fraud", raw)
    await found.write(*raws)
    return found


@pytest.mark.parametrize("method", ["GET", "PUT"])
async def test_nothing_is_deleted_that_stays_in_its_list(attached: Attached, method: str) -> None:
    async with FaultyProxy(attached.server.host) as proxy, connect(proxy.host) as source:
        repository = source.repository("fraud")
        await repository.referrers(attached.subject)
        proxy.add(Fault(method, f"/manifests/{attached.subject.referrers_tag}", status=500, times=-1))
        with pytest.raises(RegistryError):
            await repository.delete(attached.digests[0])
        assert proxy.count("DELETE", attached.digests[0]) == 0
    assert await attached.listed() == attached.digests


async def test_an_entry_that_others_write_back_during_a_delete_goes_again(
    attached: Attached, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connect(attached.server.host) as source:
        repository = source.repository("fraud")
        await repository.referrers(attached.subject)
        delete = Removal.delete

        async def late(removal: Removal, digest: Digest) -> None:
            assert await attached.listed() == attached.digests[1:]
            await attached.write(*attached.raws, attached.another())
            await delete(removal, digest)

        await attached.server.add_manifest("fraud", attached.another())
        monkeypatch.setattr(Removal, "delete", late)
        await repository.delete(attached.digests[0])
        found = await repository.referrers(attached.subject)
    assert [each.digest for each in found] == [attached.digests[1], Digest.of(attached.another())]


async def test_who_keeps_writing_an_entry_back_is_told_of(attached: Attached, monkeypatch: pytest.MonkeyPatch) -> None:
    async def back(*_: object) -> None:
        await attached.write(*attached.raws)

    monkeypatch.setattr(Referrers, "_pause", back)
    async with connect(attached.server.host) as source:
        repository = source.repository("fraud")
        await repository.referrers(attached.subject)
        with pytest.raises(Conflict, match="is overwritten by others again and again"):
            await repository.delete(attached.digests[0])
        await repository.resolve(attached.digests[0])


async def test_what_is_no_list_keeps_nobody_from_deleting(attached: Attached) -> None:
    await attached.server.add_manifest("fraud", manifest_of([]), attached.subject.referrers_tag)
    async with connect(attached.server.host) as source:
        repository = source.repository("fraud")
        with pytest.raises(Incomplete):
            await repository.referrers(attached.subject)
        await repository.delete(attached.digests[0])
        with pytest.raises(NotFound):
            await repository.resolve(attached.digests[0])


async def test_an_entry_that_was_deleted_is_not_written_back(
    attached: Attached, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody deletes one and writes the list without it and without what was just added."""
    pauses = 0

    async def meanwhile(*_: object) -> None:
        nonlocal pauses
        pauses += 1
        if pauses == 1:
            await attached.delete(attached.raws[0])
            await attached.write(attached.raws[1])

    monkeypatch.setattr(Referrers, "_pause", meanwhile)
    async with connect(attached.server.host) as source:
        repository = source.repository("fraud")
        await repository.put_manifest(attached.another(), MANIFEST)
        found = await repository.referrers(attached.subject)
    assert [each.digest for each in found] == [attached.digests[1], Digest.of(attached.another())]


async def test_a_kit_travels_from_one_repository_to_another_unchanged(server: Server) -> None:
    digest = await server.add_kit("fraud", "v1", layers=[BIG, b"small"], config=b'{"a":1}')
    async with connect(server.host) as source:
        origin, target = source.repository("fraud"), source.repository("copy/of/fraud")
        manifest = await origin.manifest(Tag("v1"))
        for each in (manifest.config, *manifest.layers):
            assert each is not None
            await target.put_blob(each, _From(origin, each))
        await target.put_manifest(manifest.raw, manifest.media_type, Tag("v1"))
        again = await target.manifest(Tag("v1"))
        assert again.digest == digest
        assert await target.read_blob(again.layers[0], 1 << 20) == BIG


class _From:
    def __init__(self, repository: Repository, descriptor: Descriptor) -> None:
        self.repository = repository
        self.descriptor = descriptor

    def open(self, offset: int = 0) -> AbstractAsyncContextManager[BlobReader]:
        return self.repository.open_blob(self.descriptor, offset)
