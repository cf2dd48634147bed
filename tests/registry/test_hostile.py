"""Registries that lie, limit, lead astray or break: what the client asks, sends and says then."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import logging
import os
import resource
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from kittui.errors import (
    AuthError,
    ConnectionLost,
    ContentError,
    DigestMismatch,
    Malformed,
    NetworkError,
    NotFound,
    RateLimited,
    RegistryError,
    TagProtected,
    TlsError,
    TooLarge,
    Unauthorized,
    Unreachable,
    Unsupported,
)
from kittui.oci.content import BytesReader
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.oci.protocols import Incomplete
from kittui.oci.tag import Tag
from kittui.oci.target import Target, parse_target
from kittui.oci.traffic import metered
from kittui.registry import Credential, FixedCredentials, Patience, RegistrySource, Wait
from kittui.registry.manifests import Manifests
from tests.fakes.faulty_proxy import Fault, FaultyProxy
from tests.fakes.registry_servers import QUICK, Server, connect
from tests.fakes.scripted_registry import INDEX, MANIFEST, Reply, Request, ScriptedRegistry, digest_of, manifest_of

CONTENT = os.urandom(100_000)
LAYER = Descriptor("a/b", Digest.of(CONTENT), len(CONTENT))


class Content:
    def open(self, offset: int = 0):  # type: ignore[no-untyped-def]
        from contextlib import nullcontext

        return nullcontext(BytesReader(CONTENT[offset:], offset))


async def tags_of(source: RegistrySource, name: str = "fraud") -> list[str | None]:
    return [entry.name async for page in source.repository(name).tags() for entry in page]


async def test_check_02_three_pages_with_unquoted_next() -> None:
    async with ScriptedRegistry(page=3, link="<{target}>; rel=next") as registry, connect(registry.host) as source:
        registry.add_kit("fraud", *"abcdefg", layers=[])
        assert await tags_of(source) == list("abcdefg")
        assert registry.count("GET", "/tags/list") == 3


@pytest.mark.parametrize(
    "link",
    [
        "<http://registry.internal:5000{target}>; rel=next",
        "<https://127.0.0.1{target}>; rel=next",
        "<http://LOCALHOST:1{target}>; rel=next",
        "<//registry.internal{target}>; rel=next",
        "<ftp://user:pw@registry.internal{target}>; rel=next",
        '<http://registry.internal/v2/inner/{target}>; rel="next"',
    ],
)
async def test_check_03_a_link_to_another_origin_is_asked_for_on_the_registrys_own(link: str) -> None:
    async with ScriptedRegistry(page=3, link=link, auth="bearer") as registry, connect(registry.host) as source:
        registry.add_kit("fraud", *"abcdefg", layers=[])
        assert await tags_of(source) == list("abcdefg")


async def test_check_03_no_other_host_is_asked_for_the_rest_of_a_list() -> None:
    async with ScriptedRegistry() as trap:
        written = f"<http://{trap.host}{{target}}>; rel=next"
        async with ScriptedRegistry(page=3, link=written, auth="bearer") as registry, connect(registry.host) as source:
            registry.add_kit("fraud", *"abcdefg", layers=[])
            assert await tags_of(source) == list("abcdefg")
        assert trap.requests == []


async def partly(source: RegistrySource, name: str = "fraud") -> tuple[list[str | None], Incomplete]:
    """The tags that a list gave before it ended early, and what it said then."""
    found: list[str | None] = []
    with pytest.raises(Incomplete) as caught:
        async for page in source.repository(name).tags():
            found += [entry.name for entry in page]
    assert caught.value.exit_status == 4
    assert caught.value.reference == f"remote://{source.place.host}/{name}"
    return found, caught.value


@pytest.mark.parametrize(
    "link", ["</v2/fraud/tags/list?n=1000>; rel=next", "<?n=1000>; rel=next", "<http://[>; rel=next"]
)
async def test_check_03_a_link_to_a_page_seen_before_leaves_the_list_incomplete(link: str) -> None:
    async with ScriptedRegistry(page=3, link=link) as registry, connect(registry.host) as source:
        registry.add_kit("fraud", *"abcdefg", layers=[])
        assert (await partly(source))[0] == list("abc")
        assert registry.count("GET", "/tags/list") == 1


@pytest.mark.parametrize("status", [400, 401, 403, 418, 500])
async def test_a_later_page_that_fails_leaves_the_list_incomplete(status: int) -> None:
    async with ScriptedRegistry(page=3) as registry, connect(registry.host) as source:
        registry.add_kit("fraud", *"abcdefg", layers=[])
        registry.script("GET", "last=f", Reply(status), times=-1)
        assert (await partly(source))[0] == list("abcdef")


async def test_a_later_page_that_is_no_list_leaves_the_list_incomplete() -> None:
    async with ScriptedRegistry(page=3) as registry, connect(registry.host) as source:
        registry.add_kit("fraud", *"abcdefg", layers=[])
        registry.script("GET", "last=c", Reply(200, {}, b"<html>"), times=-1)
        assert (await partly(source))[0] == list("abc")


async def test_a_page_that_stays_gone_leaves_the_list_incomplete() -> None:
    async with ScriptedRegistry(page=3) as registry, connect(registry.host) as source:
        registry.add_kit("fraud", *"abcdefg", layers=[])
        registry.script("GET", "last=c", Reply(404), times=-1)
        assert (await partly(source))[0] == list("abc")
        assert registry.count("GET", "/tags/list") == 8


@pytest.mark.parametrize("names", [["v1"], []])
async def test_pages_without_a_new_name_end_the_list_after_a_few(names: list[str]) -> None:
    async with ScriptedRegistry() as registry, connect(registry.host) as source:

        def again(request: Request) -> Reply:
            number = int(request.query.get("page", ["0"])[0])
            return Reply(200, {"Link": f"<?page={number + 1}>; rel=next"}, json.dumps({"tags": names}).encode())

        registry.script("GET", "/tags/list", again, times=-1)
        assert (await partly(source))[0] == names
        assert registry.count("GET", "/tags/list") <= 4


async def test_a_list_longer_than_is_read_is_incomplete(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kittui.registry.pages._MOST_PAGES", 4)
    async with ScriptedRegistry(page=1) as registry, connect(registry.host) as source:
        registry.add_kit("fraud", *"abcdefg", layers=[])
        found, error = await partly(source)
        assert found == list("abcd")
        assert error.reason == "it is too long for kittui"


async def test_the_catalog_is_incomplete_as_tags_are() -> None:
    async with ScriptedRegistry(page=1) as registry, connect(registry.host) as source:
        for name in "abc":
            registry.add_kit(name, "v1", layers=[])
        registry.script("GET", "last=b", Reply(500), times=-1)
        found: list[str] = []
        with pytest.raises(Incomplete):
            async for page in source.repositories():
                found += [entry.name for entry in page]
        assert found == ["a", "b"]


async def test_short_pages_are_followed_and_a_deleted_last_starts_again() -> None:
    async with ScriptedRegistry(page=2) as registry, connect(registry.host) as source:
        registry.add_kit("fraud", *"abcd", layers=[])
        registry.script("GET", "last=b", Reply(404))
        assert await tags_of(source) == list("abcd")


async def test_a_registry_that_refuses_the_page_size_is_asked_without() -> None:
    async with ScriptedRegistry() as registry, connect(registry.host) as source:
        registry.add_kit("fraud", *"ab", layers=[])
        registry.script("GET", r"/tags/list\?n=", Reply(400), times=-1)
        assert await tags_of(source) == list("ab")


@pytest.mark.parametrize("body", [b'{"tags": null}', b"{}", b'{"tags": []}'])
async def test_no_tags_is_an_empty_list(body: bytes) -> None:
    async with ScriptedRegistry() as registry, connect(registry.host) as source:
        registry.script("GET", "/tags/list", Reply(200, {}, body))
        assert await tags_of(source) == []


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"tags": {}}', b"[" * 100_000])
async def test_a_list_that_is_none_is_malformed(body: bytes) -> None:
    async with ScriptedRegistry() as registry, connect(registry.host) as source:
        registry.script("GET", "/tags/list", Reply(200, {}, body))
        with pytest.raises(Malformed):
            await tags_of(source)


async def test_check_33_names_that_are_no_names_are_left_out_and_counted() -> None:
    body = json.dumps({"tags": ["v1", "[@click=app.quit]", "\x1b]52;c;x\x07", "../x", 7, None, "v1"]}).encode()
    async with ScriptedRegistry() as registry, connect(registry.host) as source:
        registry.script("GET", "/tags/list", Reply(200, {}, body))
        found, error = await partly(source)
        assert found == ["v1"]
        assert "5 of its names are not valid" in error.reason


@pytest.mark.parametrize("status", [404, 400, 405, 501])
async def test_check_04_no_catalog_is_said_with_what_to_do(status: int) -> None:
    async with ScriptedRegistry() as registry, connect(registry.host) as source:
        registry.add_kit("fraud", "v1", layers=[])
        registry.script("GET", "/_catalog", Reply(status), times=-1)
        with pytest.raises(Unsupported) as caught:
            _ = [page async for page in source.repositories()]
        assert "Type a repository" in (caught.value.hint or "")
        assert source.capabilities.catalog.denied
        assert await tags_of(source) == ["v1"]


@pytest.mark.parametrize("status", [401, 403])
async def test_a_catalog_for_those_who_are_logged_in_asks_for_a_login(status: int) -> None:
    users = {"ann": "s3cret"}
    async with ScriptedRegistry(auth="bearer", users=users) as registry:
        registry.add_kit("fraud", "v1", layers=[])
        registry.script("GET", "/_catalog", registry.challenge() if status == 401 else Reply(403), times=-1)
        async with connect(registry.host) as source:
            with pytest.raises(Unauthorized) as caught:
                _ = [page async for page in source.repositories()]
            assert caught.value.exit_status == 3
            assert "logged in" in caught.value.message
            assert f"kittui login {registry.host}" in (caught.value.hint or "")
            assert not source.capabilities.catalog.denied
            assert await tags_of(source) == ["v1"]
        async with connect(registry.host, credentials=FixedCredentials(Credential("ann", "s3cret"))) as source:
            with pytest.raises(Unsupported):
                _ = [page async for page in source.repositories()]


async def test_check_07_a_registry_that_always_says_401_is_asked_at_most_three_times() -> None:
    async with ScriptedRegistry(auth="bearer") as registry, connect(registry.host) as source:
        registry.script("", "/v2/", registry.challenge(), times=-1)
        with metered() as traffic, pytest.raises(AuthError):
            await source.repository("fraud").resolve(Tag("v1"))
        assert traffic.requests == len(registry.requests) == 3


async def test_check_06_a_token_that_dies_midway_is_renewed() -> None:
    async with ScriptedRegistry(auth="bearer") as registry, connect(registry.host) as source:
        registry.add_kit("fraud", "v1", layers=[CONTENT])
        repository = source.repository("fraud")
        content = bytearray()
        for start in range(0, len(CONTENT), 10_000):
            if start == 40_000:
                registry.tokens.clear()
            async with repository.open_blob(LAYER, start, 10_000) as reader:
                content += b"".join([piece async for piece in reader])
        assert content == CONTENT
        assert registry.count("", "^/token") == 2


async def test_check_09_a_redirect_to_another_port_carries_nothing_of_ours() -> None:
    async with ScriptedRegistry() as storage, ScriptedRegistry(auth="basic", users={"ann": "pw"}) as registry:
        registry.add_kit("fraud", "v1", layers=[CONTENT])
        storage.script("GET", "/signed", Reply(200, {"Set-Cookie": "theirs=1"}, CONTENT), times=-1)
        where = f"http://{storage.host}/signed?X-Signature=a%2Fb%3D&n=1"
        registry.script("GET", "/blobs/", lambda request: redirect(registry, request, where), times=-1)
        async with connect(registry.host, credentials=fixed("ann", "pw")) as source:
            for _ in range(2):
                assert await source.repository("fraud").read_blob(LAYER, 1 << 20) == CONTENT
        for request in storage.requests:
            assert request.target == "/signed?X-Signature=a%2Fb%3D&n=1"
            assert not {"authorization", "cookie", "www-authenticate"} & request.headers.keys()
        assert len(storage.requests) == 2


def redirect(registry: ScriptedRegistry, request: Request, where: str) -> Reply:
    if "authorization" not in request.headers:
        return registry.challenge()
    return Reply(307, {"Location": where, "Set-Cookie": "ours=1; Path=/"})


def fixed(username: str, password: str):  # type: ignore[no-untyped-def]
    from kittui.registry import Credential, FixedCredentials

    return FixedCredentials(Credential(username, password))


async def test_check_10_a_401_of_the_storage_gets_no_credentials() -> None:
    async with ScriptedRegistry() as storage, ScriptedRegistry(auth="basic", users={"ann": "pw"}) as registry:
        registry.add_kit("fraud", "v1", layers=[CONTENT])
        trap = Reply(401, {"WWW-Authenticate": f'Bearer realm="http://{storage.host}/token",service="x"'})
        storage.script("GET", "/signed", trap, times=-1)
        where = f"http://{storage.host}/signed"
        registry.script("GET", "/blobs/", lambda request: redirect(registry, request, where), times=-1)
        async with connect(registry.host, credentials=fixed("ann", "pw")) as source:
            with pytest.raises(AuthError):
                await source.repository("fraud").read_blob(LAYER, 1 << 20)
        assert {request.path for request in storage.requests} == {"/signed"}
        assert all("authorization" not in request.headers for request in storage.requests)


async def test_an_expired_storage_address_is_asked_for_again() -> None:
    async with ScriptedRegistry() as storage, ScriptedRegistry() as registry, connect(registry.host) as source:
        registry.add_kit("fraud", "v1", layers=[CONTENT])
        storage.add_kit("fraud", "v1", layers=[CONTENT])
        where = f"http://{storage.host}/v2/fraud/blobs/{LAYER.digest}"
        registry.script("GET", "/blobs/", Reply(302, {"Location": where}), times=-1)
        repository = source.repository("fraud")

        async def read(start: int) -> bytes:
            async with repository.open_blob(LAYER, start, 10) as reader:
                return b"".join([piece async for piece in reader])

        assert await read(0) == CONTENT[:10]
        assert await read(10) == CONTENT[10:20]
        assert registry.count("GET", "/blobs/") == 1
        storage.script("GET", "/blobs/", Reply(403, {}, b"<Error>expired</Error>"))
        assert await read(20) == CONTENT[20:30]
        assert registry.count("GET", "/blobs/") == 2


async def test_redirects_end_after_five() -> None:
    async with ScriptedRegistry() as registry, connect(registry.host) as source:
        registry.script("GET", "/blobs/", Reply(307, {"Location": "?again"}), times=-1)
        with pytest.raises(RegistryError, match="redirects"):
            await source.repository("fraud").read_blob(LAYER, 1 << 20)
        assert registry.count("GET", "/blobs/") == 6


async def test_check_11_an_upload_location_elsewhere_gets_no_credentials() -> None:
    async with ScriptedRegistry() as storage, ScriptedRegistry(auth="basic", users={"ann": "pw"}) as registry:
        storage.script("PUT", "/put", Reply(201))
        where = f"http://{storage.host}/put?sig=a%2Bb"

        def begin(request: Request) -> Reply:
            ours = "authorization" in request.headers
            return Reply(202, {"Location": where}) if ours else registry.challenge()

        registry.script("POST", "/uploads/", begin, times=-1)
        async with connect(registry.host, credentials=fixed("ann", "pw")) as source:
            await source.repository("fraud").put_blob(LAYER, Content())
        (request,) = storage.requests
        assert request.body == CONTENT
        assert request.target == f"/put?sig=a%2Bb&digest=sha256%3A{LAYER.digest.hex}"
        assert not {"authorization", "cookie"} & request.headers.keys()


async def test_check_12_urls_of_a_layer_are_never_contacted() -> None:
    async with ScriptedRegistry() as trap, ScriptedRegistry() as registry, connect(registry.host) as source:
        manifest = json.loads(manifest_of([CONTENT]))
        manifest["layers"][0]["urls"] = [f"http://{trap.host}/layer"]
        registry.add_blob("fraud", b"{}")
        registry.add_manifest("fraud", json.dumps(manifest).encode(), "v1")
        found = await source.repository("fraud").manifest(Tag("v1"))
        with pytest.raises(NotFound):
            await source.repository("fraud").read_blob(found.layers[0], 1 << 20)
        assert trap.requests == []


async def test_check_13_other_bytes_under_a_digest_are_refused() -> None:
    async with ScriptedRegistry() as registry, connect(registry.host) as source:
        digest = registry.add_kit("fraud", "v1", layers=[CONTENT])
        other = manifest_of([b"other"])
        registry.manifests["fraud", digest] = (MANIFEST, other)
        registry.blobs[LAYER.digest] = bytes(len(CONTENT))
        repository = source.repository("fraud")
        for target in (digest, "v1"):
            with pytest.raises(DigestMismatch):
                await repository.manifest(parse_target(target))
        with pytest.raises(DigestMismatch):
            await repository.read_blob(LAYER, 1 << 20)


async def test_a_head_that_names_another_digest_is_refused() -> None:
    async with ScriptedRegistry() as registry, connect(registry.host) as source:
        digest = registry.add_kit("fraud", "v1", layers=[])
        headers = {"Docker-Content-Digest": digest_of(b"x"), "Content-Length": "10", "Content-Type": MANIFEST}
        registry.script("HEAD", "/manifests/", Reply(200, headers))
        with pytest.raises(DigestMismatch):
            await source.repository("fraud").resolve(parse_target(digest))


async def test_a_head_without_digest_is_followed_by_a_get() -> None:
    async with ScriptedRegistry() as registry, connect(registry.host) as source:
        digest = registry.add_kit("fraud", "v1", layers=[])
        registry.script("HEAD", "/manifests/", Reply(200, {"Content-Type": MANIFEST}))
        assert (await source.repository("fraud").resolve(Tag("v1"))).digest == digest


async def test_check_15_a_manifest_that_is_an_index_too_is_ambiguous() -> None:
    async with ScriptedRegistry() as registry, connect(registry.host) as source:
        registry.add_manifest("odd", manifest_of([], manifests=[]), "both")
        with pytest.raises(Malformed, match="ambiguous"):
            await source.repository("odd").manifest(Tag("both"))


@pytest.mark.parametrize("stated", [True, False])
async def test_check_16_a_manifest_of_100_mib_is_left_at_8(stated: bool) -> None:
    size, piece = 100 << 20, 1 << 20
    frame = f"Content-Length: {size}" if stated else "Connection: close"

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            if await reader.read(1) == b"G":
                await reader.readuntil(b"\r\n\r\n")
                writer.write(f"HTTP/1.1 200 OK\r\nContent-Type: {MANIFEST}\r\n{frame}\r\n\r\n".encode())
                for _ in range(size // piece):
                    writer.write(bytes(piece))
                    await writer.drain()
            writer.close()
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server, connect(f"127.0.0.1:{server.sockets[0].getsockname()[1]}") as source:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with metered() as traffic, pytest.raises(TooLarge):
            await source.repository("fraud").manifest(Tag("v1"))
        assert traffic.bytes <= 9 << 20
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50 << 10  # KiB


async def test_check_22_compression_nobody_asked_for_is_bounded_and_never_unpacked() -> None:
    bomb = gzip.compress(bytes(50 << 20))
    async with ScriptedRegistry() as registry, connect(registry.host) as source:
        registry.script("GET", "/manifests/", Reply(200, {"Content-Encoding": "gzip", "Content-Type": MANIFEST}, bomb))
        with metered() as traffic, pytest.raises(ContentError):
            await source.repository("fraud").manifest(Tag("v1"))
        assert traffic.bytes == len(bomb)
        blob = Descriptor("a/b", Digest.of(bomb), len(bomb))
        registry.script("GET", "/blobs/", Reply(200, {"Content-Encoding": "gzip"}, bomb))
        assert await source.repository("fraud").read_blob(blob, 1 << 20) == bomb
        assert all(request.headers["accept-encoding"] == "identity" for request in registry.requests)


async def test_more_bytes_than_the_blob_has_stop_at_once() -> None:
    chunked = b"%x\r\n%b\r\n" % (len(CONTENT), CONTENT) + b"4\r\nmore\r\n" * 10 + b"0\r\n\r\n"
    async with ScriptedRegistry() as registry, connect(registry.host) as source:
        registry.script("GET", "/blobs/", Reply(200, {"Transfer-Encoding": "chunked"}, chunked))
        assert await source.repository("fraud").read_blob(LAYER, 1 << 20) == CONTENT  # what is over is never read
        registry.script("GET", "/blobs/", Reply(200, {}, CONTENT + b"more"))
        with pytest.raises(RegistryError, match="100004 bytes instead of the requested 100000"):
            await source.repository("fraud").read_blob(LAYER, 1 << 20)


@pytest.mark.parametrize("date", [False, True])
async def test_check_24_a_limited_rate_is_waited_for_and_told(date: bool) -> None:
    waits: list[Wait] = []
    async with ScriptedRegistry() as registry, connect(registry.host, on_wait=waits.append) as source:
        registry.add_kit("fraud", "v1", layers=[])
        after = format_datetime(datetime.now(UTC) + timedelta(seconds=1.9), usegmt=True) if date else "1"
        registry.script("GET", "/tags/list", Reply(429, {"Retry-After": after}))
        begun = asyncio.get_running_loop().time()
        assert await tags_of(source) == ["v1"]
        waited = asyncio.get_running_loop().time() - begun
    (wait,) = waits
    assert wait.seconds is not None
    assert 0.5 < wait.seconds < 3
    assert waited >= wait.seconds  # never less than was asked for; a busy machine may take longer
    assert wait.host == registry.host
    assert "rate" in wait.reason


async def test_a_wait_that_outlasts_the_tries_is_not_begun() -> None:
    patience = Patience(tries=3, backoff=0.001, longest_wait=0.05)
    async with ScriptedRegistry() as registry, connect(registry.host, patience=patience) as source:
        registry.script("", "/", Reply(429, {"Retry-After": "86400"}), times=-1)
        with pytest.raises(RateLimited):
            await tags_of(source)
        assert len(registry.requests) == 1


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
async def test_trouble_is_tried_five_times_for_what_does_no_harm(status: int) -> None:
    async with ScriptedRegistry() as registry, connect(registry.host) as source:
        registry.add_kit("fraud", "v1", layers=[])
        registry.script("", "/manifests/", Reply(status, {}, b"<html>trouble</html>"), times=4)
        assert (await source.repository("fraud").manifest(Tag("v1"))).layers == ()
        registry.script("", "/manifests/", Reply(status), times=-1)
        with pytest.raises(RegistryError) as caught:
            await source.repository("fraud").manifest(Tag("v1"))
        assert caught.value.status == status
        assert registry.count("GET", "/manifests/") == 5 + 5


async def test_400_is_not_tried_again() -> None:
    async with ScriptedRegistry() as registry, connect(registry.host) as source:
        registry.script("", "/manifests/", Reply(418), times=-1)
        with pytest.raises(RegistryError, match="418"):
            await source.repository("fraud").manifest(Tag("v1"))
        assert len(registry.requests) == 1


@pytest.mark.parametrize("times", [1, 2])
async def test_a_registry_that_misreads_a_manifest_once_is_given_it_again(times: int) -> None:
    misread = b'{"errors":[{"code":"DIGEST_INVALID","message":"provided digest did not match uploaded content"}]}'
    async with ScriptedRegistry() as registry, connect(registry.host) as source:
        registry.add_kit("fraud", "v1", layers=[])
        held = await source.repository("fraud").manifest(Tag("v1"))
        registry.script("PUT", "/manifests/", Reply(400, {}, misread), times=times)
        put = source.repository("fraud").put_manifest(held.raw, held.media_type, Tag("v2"))
        if times == 1:
            assert (await put).digest == held.digest
        else:
            with pytest.raises(RegistryError, match="DIGEST_INVALID"):
                await put
        assert registry.count("PUT", "/manifests/") == 2


async def test_check_39_a_lost_answer_to_a_put_is_recognised(server: Server) -> None:
    await server.add_kit("fraud", "v1", layers=[])
    async with FaultyProxy(server.host) as proxy, connect(proxy.host) as source:
        repository = source.repository("fraud")
        held = await repository.manifest(Tag("v1"))
        proxy.add(Fault("PUT", "/manifests/v2", drop_answer=True))
        assert await repository.put_manifest(held.raw, held.media_type, Tag("v2")) == held.descriptor
        assert proxy.count("PUT") == 1
        proxy.add(Fault("PUT", "/manifests/v3", status=502))
        assert await repository.put_manifest(held.raw, held.media_type, Tag("v3")) == held.descriptor
        assert proxy.count("PUT", "/v3") == 2


async def test_a_cut_upload_is_stored_in_the_end(server: Server) -> None:
    async with FaultyProxy(server.host) as proxy, connect(proxy.host) as source:
        repository = source.repository("fraud")
        proxy.add(Fault("PUT", "/uploads/", cut_upload_after=30_000, times=2))
        proxy.add(Fault("PUT", "/uploads/", drop_answer=True))
        await repository.put_blob(LAYER, Content())
        assert await repository.read_blob(LAYER, 1 << 20) == CONTENT


async def test_a_cut_chunk_is_resumed_where_the_registry_can(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kittui.registry.uploads.CHUNK", 10_000)
    async with (
        ScriptedRegistry(most_sent=20_000) as registry,
        FaultyProxy(registry.host) as proxy,
        connect(proxy.host) as source,
    ):
        repository = source.repository("fraud")
        proxy.add(Fault("PATCH", skip=4, drop_answer=True))
        await repository.put_blob(LAYER, Content())
        assert await repository.read_blob(LAYER, 1 << 20) == CONTENT
        assert registry.count("POST") == 2  # the first upload was refused as too long
        assert sum(len(request.body) for request in registry.seen("PATCH")) == len(CONTENT)


async def test_an_upload_that_is_given_up_is_taken_back(server: Server) -> None:
    async with FaultyProxy(server.host) as proxy, connect(proxy.host) as source:
        proxy.add(Fault("PUT", "/uploads/", status=403))
        with pytest.raises(AuthError):
            await source.repository("fraud").put_blob(LAYER, Content())
        (request,) = [seen for seen in proxy.requests if seen.method == "DELETE"]
        assert request.status == 204


async def test_cut_blobs_are_read_again_and_given_up_in_the_end(server: Server) -> None:
    await server.add_blob("fraud", CONTENT)
    async with FaultyProxy(server.host) as proxy, connect(proxy.host) as source:
        repository = source.repository("fraud")
        proxy.add(Fault("GET", "/blobs/", cut_after=50_000, times=2))
        assert await repository.read_blob(LAYER, 1 << 20) == CONTENT
        proxy.add(Fault("GET", "/blobs/", cut_after=10, times=-1))
        with pytest.raises(ConnectionLost):
            await repository.read_blob(LAYER, 1 << 20)
        assert proxy.count("GET", "/blobs/") == 3 + QUICK.tries


async def test_ignored_ranges_never_stream_the_whole(server: Server) -> None:
    await server.add_blob("fraud", CONTENT)
    async with FaultyProxy(server.host) as proxy, connect(proxy.host) as source:
        repository = source.repository("fraud")
        proxy.add(Fault("GET", "/blobs/", ignore_range=True, times=-1))
        with metered() as traffic, pytest.raises(Unsupported):
            async with repository.open_blob(LAYER, 10, 10):
                pytest.fail("nothing is to be read")
        assert traffic.bytes == 0
        assert source.capabilities.ranges.denied
        assert await repository.read_blob(LAYER, 1 << 20) == CONTENT


@pytest.mark.parametrize("status", [400, 416])
async def test_refused_ranges_are_unsupported(server: Server, status: int) -> None:
    await server.add_blob("fraud", CONTENT)
    async with FaultyProxy(server.host) as proxy, connect(proxy.host) as source:
        proxy.add(Fault("GET", "/blobs/", status=status))
        with pytest.raises(Unsupported):
            async with source.repository("fraud").open_blob(LAYER, 10, 10):
                pytest.fail("nothing is to be read")


@pytest.mark.parametrize("written", ["bytes 11-20/100000", "bytes 10-18/100000", "bytes 10-19/99999", "nonsense"])
async def test_another_range_than_asked_for_is_refused(server: Server, written: str) -> None:
    await server.add_blob("fraud", CONTENT)
    async with FaultyProxy(server.host) as proxy, connect(proxy.host) as source:
        proxy.add(Fault("GET", "/blobs/", content_range=written))
        with pytest.raises(RegistryError, match="different range"):
            async with source.repository("fraud").open_blob(LAYER, 10, 10):
                pytest.fail("nothing is to be read")


async def test_check_23_a_trickle_is_given_up(server: Server) -> None:
    await server.add_blob("fraud", CONTENT)
    patience = Patience(read=2, stall=0.5, stall_rate=1024, tries=1)
    async with FaultyProxy(server.host) as proxy, connect(proxy.host, patience=patience) as source:
        proxy.add(Fault("GET", "/blobs/", trickle=100))
        with pytest.raises(ConnectionLost, match="almost stopped"):
            await source.repository("fraud").read_blob(LAYER, 1 << 20)


async def test_silence_is_given_up(server: Server) -> None:
    await server.add_blob("fraud", CONTENT)
    patience = Patience(read=0.3, tries=1)
    async with FaultyProxy(server.host) as proxy, connect(proxy.host, patience=patience) as source:
        proxy.add(Fault("GET", "/blobs/", stall_after=100))
        with pytest.raises(ConnectionLost, match="stopped answering"):
            await source.repository("fraud").read_blob(LAYER, 1 << 20)


async def test_check_44_no_plain_http_without_opt_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that is not a loopback leads to a server that speaks HTTP only: refused; with the opt-in it is read."""
    async with ScriptedRegistry() as registry:
        registry.add_kit("fraud", "v1", layers=[])
        host = f"registry.test:{registry.host.rpartition(':')[2]}"
        lead_to_loopback(monkeypatch)
        async with connect(host, credentials=fixed("ann", "hunter2")) as source:
            with pytest.raises(TlsError) as caught:
                await tags_of(source)
        assert "--plain-http" in (caught.value.hint or "")
        assert [(each.method, each.target) for each in registry.requests] == [("GET", "/v2/")]  # which is spoken?
        assert "authorization" not in registry.requests[0].headers
        from kittui.registry import Access

        async with connect(host, access=Access(plain_http=True)) as source:
            assert await tags_of(source) == ["v1"]
            assert source.secure is False


def lead_to_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every name resolve to 127.0.0.1."""
    import socket

    genuine = socket.getaddrinfo

    def resolve(host, *args, **kwargs):  # type: ignore[no-untyped-def]
        return genuine("127.0.0.1", *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)


async def test_nobody_there_is_said_at_once() -> None:
    async with ScriptedRegistry() as registry:
        host = registry.host
    async with connect(host) as source:
        with pytest.raises(Unreachable) as caught:
            await source.ping()
    assert host in caught.value.message


@pytest.mark.parametrize("answer", [b"\0\1\2 nonsense\r\n\r\n", b"HTTP/1.1 20000 x\r\n\r\n", b""])
async def test_no_http_is_no_traceback(answer: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if await reader.read(1) != b"\x16":
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, connect(host) as source:
        with pytest.raises(NetworkError):
            await source.ping()
        with pytest.raises(NetworkError):
            await source.repository("fraud").read_blob(LAYER, 1 << 20)


async def test_warnings_of_the_registry_are_told_once() -> None:
    told: list[str] = []
    async with ScriptedRegistry() as registry, connect(registry.host, on_warning=told.append) as source:
        headers = {"Warning": '299 - "this tag\x1b[2J goes away"'}
        registry.script("GET", "/v2/", Reply(200, headers, b"{}"), times=-1)
        await source.ping()
        await source.ping()
    assert told == ["this tag\x1b[2J goes away"]


async def test_nothing_secret_is_logged(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    caplog.set_level(logging.DEBUG, "kittui")
    monkeypatch.setattr(logging.getLogger("kittui"), "propagate", True)  # the command line turns it off for good
    async with ScriptedRegistry(auth="bearer", users={"ann": "hunter2"}, anonymous=False) as registry:
        registry.add_kit("fraud", "v1", layers=[CONTENT])
        where = f"/v2/fraud/blobs/{LAYER.digest}?X-Signature=presigned"
        registry.script("GET", r"/blobs/[^?]*$", Reply(307, {"Location": where}))
        async with connect(registry.host, credentials=fixed("ann", "hunter2")) as source:
            await source.repository("fraud").read_blob(LAYER, 1 << 20)
    text = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("kittui"))
    assert "/blobs/" in text
    for secret in ("hunter2", "presigned", *registry.tokens, "YW5uOmh1bnRlcjI="):
        assert secret not in text


async def test_deletes_switched_off_are_explained() -> None:
    async with ScriptedRegistry(delete=False) as registry, connect(registry.host) as source:
        digest = Digest(registry.add_kit("fraud", "v1", layers=[]))
        repository = source.repository("fraud")
        for change in (repository.delete(digest), repository.untag(Tag("v1"))):
            with pytest.raises(Unsupported) as caught:
                await change
            assert "REGISTRY_STORAGE_DELETE_ENABLED" in (caught.value.hint or "")
        assert registry.tags["fraud"] == {"v1": digest}


async def test_a_registry_that_can_untag_does() -> None:
    async with ScriptedRegistry() as registry, connect(registry.host) as source:
        digest = registry.add_kit("fraud", "v1", "v2", layers=[])
        await source.repository("fraud").untag(Tag("v1"))
        assert registry.tags["fraud"] == {"v2": digest}
        assert source.capabilities.untag.state == "yes"
        with pytest.raises(NotFound):
            await source.repository("fraud").untag(Tag("v1"))


@pytest.mark.parametrize(("untag", "delete", "state"), [(True, True, "yes"), (False, True, "no"), (True, False, "no")])
async def test_whether_a_tag_goes_alone_is_asked_without_removing_one(untag: bool, delete: bool, state: str) -> None:
    async with ScriptedRegistry(untag=untag, delete=delete) as registry, connect(registry.host) as source:
        registry.add_kit("fraud", "v1", layers=[])
        power = await source.repository("fraud").probe_untag()
        assert (power.state, source.capabilities.untag) == (state, power)
        assert source.capabilities.delete.denied is not delete
        assert list(registry.tags["fraud"]) == ["v1"]


async def test_referrers_of_the_api_are_paged() -> None:
    async with ScriptedRegistry() as registry, connect(registry.host) as source:
        digest = registry.add_kit("fraud", "v1", layers=[])
        entries = [{"mediaType": MANIFEST, "digest": digest_of(bytes([n])), "size": 1} for n in range(3)]

        def page(request: Request) -> Reply:
            last = "page" in request.query
            found = entries[2:] if last else entries[:2]
            body = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": found}).encode()
            return Reply(200, {} if last else {"Link": "<?page=2>; rel=next"}, body)

        registry.script("GET", "/referrers/", page, times=-1)
        found = await source.repository("fraud").referrers(Digest(digest))
        assert [each.digest for each in found] == [each["digest"] for each in entries]
        assert source.capabilities.referrers.state == "yes"


async def test_referrers_on_a_page_that_is_not_had_are_incomplete() -> None:
    async with ScriptedRegistry() as registry, connect(registry.host) as source:
        digest = registry.add_kit("fraud", "v1", layers=[])
        entry = {"mediaType": MANIFEST, "digest": digest_of(b"1"), "size": 1}
        body = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}).encode()
        registry.script("GET", "page=2", Reply(500), times=-1)
        registry.script("GET", "/referrers/", Reply(200, {"Link": "<?page=2>; rel=next"}, body))
        with pytest.raises(Incomplete) as caught:
            await source.repository("fraud").referrers(Digest(digest))
        assert [each.digest for each in caught.value.found] == [entry["digest"]]


async def test_a_referrer_under_the_fallback_tag_that_cannot_be_read_makes_the_list_incomplete() -> None:
    async with ScriptedRegistry(referrers_api=False) as registry, connect(registry.host) as source:
        digest = registry.add_kit("fraud", "v1", layers=[])
        subject = {"mediaType": MANIFEST, "digest": digest, "size": 1}
        raws = [manifest_of([], subject=subject, annotations={"n": str(n)}) for n in range(3)]
        entries = [{"mediaType": MANIFEST, "digest": digest_of(raw), "size": len(raw)} for raw in raws]
        for raw in raws[:2]:
            registry.add_manifest("fraud", raw)
        index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).encode()
        registry.add_manifest("fraud", index, digest.replace(":", "-"), media_type=INDEX)
        repository = source.repository("fraud")
        with pytest.raises(Incomplete) as caught:  # what the third was, nobody knows: it is not nothing
            await repository.referrers(Digest(digest))
        assert {each.digest for each in caught.value.found} == {digest_of(raw) for raw in raws[:2]}
        registry.script("GET", digest_of(raws[1]), Reply(500), times=-1)
        with pytest.raises(Incomplete) as caught:
            await repository.referrers(Digest(digest))
        assert [each.digest for each in caught.value.found] == [digest_of(raws[0])]


@pytest.mark.parametrize("status", [400, 403, 404, 405, 501])
async def test_a_head_that_fails_where_get_works_is_not_asked_again(status: int) -> None:
    async with ScriptedRegistry() as registry, connect(registry.host) as source:
        digest = registry.add_kit("fraud", "v1", layers=[])
        registry.script("HEAD", "/manifests/", Reply(status), times=-1)
        repository = source.repository("fraud")
        for _ in range(3):
            assert (await repository.resolve(Tag("v1"))).digest == digest
        assert (registry.count("HEAD"), registry.count("GET", "/manifests/")) == (1, 3)
        with pytest.raises(NotFound):
            await repository.resolve(Tag("v2"))


async def test_a_head_that_finds_nothing_is_believed_once_another_has_found_something() -> None:
    async with ScriptedRegistry() as registry, connect(registry.host) as source:
        registry.add_kit("fraud", "v1", layers=[])
        repository = source.repository("fraud")
        with pytest.raises(NotFound):
            await repository.resolve(Tag("a"))
        assert (registry.count("HEAD"), registry.count("GET", "/manifests/")) == (1, 1)
        await repository.manifest(Tag("v1"))
        for tag in ("b", "c"):
            with pytest.raises(NotFound):
                await repository.resolve(parse_target(tag))
        assert (registry.count("HEAD"), registry.count("GET", "/manifests/")) == (4, 2)  # one HEAD of v1 among them


async def test_heads_that_find_nothing_at_the_same_time_are_tried_once_on_what_is_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked: list[Target] = []
    async with ScriptedRegistry() as registry, connect(registry.host) as source:
        registry.add_kit("fraud", "v1", layers=[])
        repository = source.repository("fraud")
        there = (await repository.manifest(Tag("v1"))).descriptor

        async def look(_: Manifests, target: Target) -> Descriptor | int:
            looked.append(target)
            await asyncio.sleep(0)
            return there if target == Tag("v1") else 404

        monkeypatch.setattr(Manifests, "_look", look)
        found = await asyncio.gather(*(repository.resolve(Tag(tag)) for tag in "abc"), return_exceptions=True)
        assert [type(each) for each in found] == [NotFound] * 3
        assert looked.count(Tag("v1")) == 1


async def test_a_head_that_never_finds_anything_is_not_believed_after_a_miss() -> None:
    async with ScriptedRegistry(head=404) as registry, connect(registry.host) as source:
        registry.add_kit("fraud", "v1", layers=[])
        repository = source.repository("fraud")
        with pytest.raises(NotFound):
            await repository.manifest(Tag("new"))
        with pytest.raises(NotFound):
            await repository.resolve(Tag("new"))
        await repository.put_manifest(manifest_of([]), MANIFEST, Tag("new"))
        assert (await repository.resolve(Tag("new"))).digest == digest_of(manifest_of([]))


@pytest.mark.parametrize(
    "stated", ["{digest}, {digest}", "md5:00", "sha256:XYZ", "{digest}, sha256:" + "0" * 64, "", "sha256:" + "A" * 64]
)
async def test_a_stated_digest_that_is_of_no_use_is_as_good_as_none(stated: str) -> None:
    async with ScriptedRegistry() as registry, connect(registry.host) as source:
        raw = manifest_of([])
        digest = registry.add_kit("fraud", "v1", layers=[])
        headers = {"Content-Type": MANIFEST, "Docker-Content-Digest": stated.format(digest=digest)}
        headers["Content-Length"] = str(len(raw))
        for method in ("HEAD", "GET"):
            registry.script(method, "/manifests/", Reply(200, headers, raw), times=-1)
        registry.script("PUT", "/manifests/", Reply(201, {"Docker-Content-Digest": headers["Docker-Content-Digest"]}))
        repository = source.repository("fraud")
        assert (await repository.resolve(Tag("v1"))).digest == digest
        assert (await repository.manifest(Tag("v1"))).digest == digest
        assert (await repository.manifest(parse_target(digest))).raw == raw
        assert (await repository.put_manifest(raw, MANIFEST, Tag("v2"))).digest == digest


async def test_a_digest_that_comes_in_two_fields_is_one_value() -> None:
    async with ScriptedRegistry() as registry, connect(registry.host) as source:
        raw, digest = manifest_of([]), registry.add_kit("fraud", "v1", layers=[])
        reply = Reply(200, {"Content-Type": MANIFEST, "Content-Length": str(len(raw))}, raw)
        reply.lists = [("Docker-Content-Digest", digest), ("docker-content-digest", digest)]
        registry.script("HEAD", "/manifests/", reply, times=-1)
        assert (await source.repository("fraud").resolve(Tag("v1"))).digest == digest
        assert registry.count("GET", "/manifests/") == 0


async def test_a_manifest_kept_by_sha512_is_recognised_by_its_bytes() -> None:
    async with ScriptedRegistry() as registry, connect(registry.host) as source:
        raw = manifest_of([])
        registry.add_kit("fraud", "v1", layers=[])
        long = str(Digest.of(raw, "sha512"))
        headers = {"Content-Type": MANIFEST, "Docker-Content-Digest": long, "Content-Length": str(len(raw))}
        registry.script("HEAD", "/manifests/", Reply(200, headers), times=-1)
        registry.script("GET", "/manifests/", Reply(200, headers, raw), times=-1)
        registry.script("PUT", "/manifests/", Reply(201, {"Docker-Content-Digest": long}))
        repository = source.repository("fraud")
        await repository.put_manifest(raw, MANIFEST, Tag("v2"))
        registry.script("PUT", "/manifests/", Reply(500, close=True), times=-1)
        await repository.put_manifest(raw, MANIFEST, Tag("v3"))  # recognised by reading back
        registry.scripts.clear()
        registry.script("PUT", "/manifests/", Reply(201, {"Docker-Content-Digest": str(Digest.of(b"x", "sha512"))}))
        with pytest.raises(DigestMismatch):
            await repository.put_manifest(raw, MANIFEST, Tag("v2"))


ONLY_READS = Reply(405, {"Allow": "GET, HEAD"}, b"Method not allowed")
UNSUPPORTED = Reply(405, {}, b'{"errors":[{"code":"UNSUPPORTED","message":"The operation is unsupported."}]}')


@pytest.mark.parametrize(("reply", "word"), [(ONLY_READS, "storage.maintenance"), (UNSUPPORTED, "proxy.remoteurl")])
async def test_writes_that_nobody_may_make_are_told_apart(reply: Reply, word: str) -> None:
    async with ScriptedRegistry() as registry, connect(registry.host) as source:
        registry.add_kit("fraud", "v1", layers=[])
        for method in ("PUT", "POST", "DELETE"):
            registry.script(method, "/v2/", reply, times=-1)
        repository = source.repository("fraud")
        for write in (
            repository.put_manifest(manifest_of([]), MANIFEST, Tag("v2")),
            repository.put_blob(LAYER, Content()),
        ):
            with pytest.raises(Unsupported) as caught:
                await write
            assert word in (caught.value.hint or "")
        word = word if reply is ONLY_READS else "storage.delete.enabled"
        for removal in (repository.untag(Tag("v1")), repository.delete(Digest(digest_of(manifest_of([]))))):
            with pytest.raises(Unsupported) as caught:
                await removal
            assert word in (caught.value.hint or "")
            assert "kittui-probe" not in str(caught.value)


@pytest.mark.parametrize("status", [401, 403])
async def test_our_own_probes_are_in_no_message(status: int) -> None:
    async with ScriptedRegistry() as registry, connect(registry.host) as source:
        registry.add_kit("fraud", "v1", layers=[])
        registry.script("DELETE", "/v2/", Reply(status), times=-1)
        repository = source.repository("fraud")
        for power in (await repository.probe_untag(), await repository.probe_deletes()):
            assert power.denied
            assert "probe" not in power.reason + power.remedy
            assert "000000" not in power.reason + power.remedy


async def test_a_removal_answered_as_if_nothing_were_there_is_not_supported() -> None:
    async with ScriptedRegistry(untag=False, untag_refused=404, delete=False, delete_refused=404) as registry:
        digest = registry.add_kit("fraud", "v1", layers=[])
        async with connect(registry.host) as source:
            repository = source.repository("fraud")
            for removal in (repository.untag(Tag("v1")), repository.delete(Digest(digest))):
                with pytest.raises(Unsupported, match="not found"):
                    await removal
            with pytest.raises(NotFound):
                await repository.untag(Tag("v2"))


async def test_a_tag_that_may_not_move_is_called_that() -> None:
    async with ScriptedRegistry(immutable="v.*") as registry, connect(registry.host) as source:
        registry.add_kit("fraud", "v1", layers=[])
        raw = manifest_of([], annotations={"a": "b"})
        registry.add_blob("fraud", b"{}")
        with pytest.raises(TagProtected, match="immutable"):
            await source.repository("fraud").put_manifest(raw, MANIFEST, Tag("v1"))
