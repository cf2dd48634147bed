"""Every wait has an end, and silence is reported: heads, informational answers, bodies, redirects to silent hosts."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from kittui.errors import ConnectionLost, NetworkError, NotFound, RegistryError, Unreachable
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.oci.tag import Tag
from kittui.registry import Access, Patience, RegistrySource, Wait
from kittui.registry.session import REFUSED
from tests.fakes.certificates import make_certificates
from tests.fakes.raw_server import request, serve
from tests.fakes.registry_servers import connect
from tests.fakes.scripted_registry import Reply, ScriptedRegistry

SHORT = Patience(connect=5, read=0.3, stall=0.3, stall_rate=1e6, tries=2, backoff=0.001)
CONTENT = os.urandom(50_000)
LAYER = Descriptor("a/b", Digest.of(CONTENT), len(CONTENT))
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


def answering(answer: Answer):  # type: ignore[no-untyped-def]
    """A registry that answers its ping, and everything else so."""

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            line = await request(reader)
            if line.startswith("GET /v2/ "):
                writer.write(OK)
            else:
                await answer(writer)

    return one


async def drip(writer: asyncio.StreamWriter, piece: bytes) -> None:
    """Send the piece again and again, a little at a time, without end."""
    while True:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(0.01)


async def silent(writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def slow_head(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nX-Long: ")
    await drip(writer, b"x")


async def continues(writer: asyncio.StreamWriter) -> None:
    await drip(writer, b"HTTP/1.1 100 Continue\r\n\r\n" * 4)


async def slow_body(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\n")
    await drip(writer, b"x")


async def slow_error(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 400 Bad\r\nContent-Length: 50000\r\n\r\n")
    await drip(writer, b"x")


async def empty_chunks(writer: asyncio.StreamWriter) -> None:
    """A byte of body for each 60 KiB of what is not."""
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    await drip(writer, b"1;" + b"x" * 60_000 + b"\r\ny\r\n")


async def slow_trailers(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n")
    await drip(writer, b"X: y\r\n")


async def slow_chunk(writer: asyncio.StreamWriter) -> None:
    """A chunk whose length never ends."""
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n1;")
    await drip(writer, b"x")


async def ask_manifest(source: RegistrySource) -> None:
    await source.repository("fraud").manifest(Tag("v1"))


async def ask_tags(source: RegistrySource) -> None:
    _ = [page async for page in source.repository("fraud").tags()]


async def ask_blob(source: RegistrySource) -> None:
    await source.repository("fraud").read_blob(LAYER, 1 << 20)


@pytest.mark.parametrize("ask", [ask_manifest, ask_tags, ask_blob])
@pytest.mark.parametrize("answer", [silent, slow_head, continues, slow_body, slow_error, slow_trailers, slow_chunk])
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
async def test_nothing_is_waited_for_without_end(
    answer: Answer, ask: Callable[[RegistrySource], Awaitable[None]], tls: bool, tmp_path: Path
) -> None:
    context = make_certificates(tmp_path).context() if tls else None
    async with (
        serve(answering(answer), tls=context) as host,
        connect(host, patience=SHORT, access=Access(tls_verify=False)) as source,
    ):
        await source.ping()
        with pytest.raises(NetworkError):
            await ask(source)


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
async def test_ten_informational_answers_are_taken_and_no_more(tls: bool, tmp_path: Path) -> None:
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"

    async def ten(writer: asyncio.StreamWriter) -> None:
        writer.write(hints * 10 + b"HTTP/1.1 404 Gone\r\nContent-Length: 0\r\n\r\n")

    async def eleven(writer: asyncio.StreamWriter) -> None:
        writer.write(hints * 11 + b"HTTP/1.1 404 Gone\r\nContent-Length: 0\r\n\r\n")

    context = make_certificates(tmp_path).context() if tls else None
    for answer, found in ((ten, "not found"), (eleven, "informational")):
        async with (
            serve(answering(answer), tls=context) as host,
            connect(host, access=Access(tls_verify=False)) as source,
        ):
            await source.ping()
            with pytest.raises(Exception, match=found):
                await ask_manifest(source)


async def test_what_is_not_part_of_the_answer_is_bounded() -> None:
    async with serve(answering(empty_chunks)) as host, connect(host) as source:
        await source.ping()
        with pytest.raises(RegistryError, match="far more arrives"):
            await ask_manifest(source)


async def test_a_silent_registry_that_never_answered_is_asked_once() -> None:
    seen: list[str] = []

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await request(reader))
        await asyncio.Event().wait()

    async with serve(one) as host, connect(host, patience=SHORT) as source:
        with pytest.raises(ConnectionLost):
            await source.ping()
    assert seen == ["GET /v2/ HTTP/1.1"]


@pytest.mark.parametrize("ask", [ask_manifest, ask_blob])
async def test_silence_is_reported_while_it_lasts(
    ask: Callable[[RegistrySource], Awaitable[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The registry answers once its silence was heard of: otherwise this would not end."""
    # Where the machine is busy the ping is silent too, and a second report would wait for its turn.
    monkeypatch.setattr("kittui.registry.courier._QUIET_SECONDS", 0.0)
    heard = asyncio.Event()
    waits: list[Wait] = []

    def hear(wait: Wait) -> None:
        waits.append(wait)
        if str(wait).startswith(f"{wait.host}: no answer yet (to read the "):
            heard.set()

    async def once_heard(writer: asyncio.StreamWriter) -> None:
        await heard.wait()
        writer.write(b"HTTP/1.1 404 Gone\r\nContent-Length: 0\r\n\r\n")

    patience = Patience(read=60, silence=0.01, tries=1)
    async with serve(answering(once_heard)) as host, connect(host, patience=patience, on_wait=hear) as source:
        await source.ping()
        heard.clear()
        waits.clear()
        with pytest.raises(Exception, match="not found"):
            await ask(source)
    assert {wait.host for wait in waits} == {host}


async def test_a_storage_host_that_is_not_there_is_named_with_the_registry_and_not_asked_again() -> None:
    async with ScriptedRegistry() as gone:
        storage = gone.host
    async with ScriptedRegistry() as registry, connect(registry.host) as source:
        registry.add_kit("fraud", "v1", layers=[CONTENT])
        registry.script("GET", "/blobs/", Reply(307, {"Location": f"http://{storage}/signed?secret=1"}), times=-1)
        await source.ping()
        with pytest.raises(Unreachable) as caught:
            await ask_blob(source)
        assert registry.count("GET", "/blobs/") == 1
    assert storage in caught.value.message
    assert registry.host in caught.value.message
    assert "redirect" in (caught.value.hint or "")
    assert "secret" not in f"{caught.value.message} {caught.value.hint}"


async def test_a_redirect_to_a_silent_host_ends() -> None:
    async with serve(answering(silent)) as storage, ScriptedRegistry() as registry:
        registry.add_kit("fraud", "v1", layers=[CONTENT])
        registry.script("GET", "/blobs/", Reply(307, {"Location": f"http://{storage}/signed"}), times=-1)
        async with connect(registry.host, patience=SHORT) as source:
            await source.ping()
            with pytest.raises(ConnectionLost, match=storage):
                await ask_blob(source)


async def test_a_token_service_that_trickles_ends() -> None:
    async with (
        serve(answering(slow_body)) as realm,
        ScriptedRegistry(auth="bearer", realm=f"http://{realm}/token") as registry,
        connect(registry.host, patience=SHORT) as source,
    ):
        registry.add_kit("fraud", "v1", layers=[CONTENT])
        with pytest.raises(NetworkError):
            await ask_manifest(source)


async def test_an_upload_may_take_longer_to_store_than_a_request_to_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    from kittui.oci.content import BytesContent
    from kittui.registry import uploads

    monkeypatch.setattr(uploads, "_STORED_A_SECOND", 1)  # 50,000 bytes: a registry may take 50,000 seconds
    waits: list[Wait] = []
    stored = asyncio.Event()

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            line = await request(reader)
            if line.startswith("POST"):
                writer.write(b"HTTP/1.1 202 On\r\nLocation: /v2/fraud/blobs/uploads/1\r\nContent-Length: 0\r\n\r\n")
            elif line.startswith("PUT"):
                await reader.readexactly(len(CONTENT))
                await stored.wait()
                writer.write(b"HTTP/1.1 201 Stored\r\nContent-Length: 0\r\n\r\n")
            else:
                writer.write(OK)

    def hear(wait: Wait) -> None:
        waits.append(wait)
        stored.set()

    patience = Patience(read=0.2, silence=0.4, tries=1)
    async with serve(one) as host, connect(host, patience=patience, on_wait=hear) as source:
        await source.repository("fraud").put_blob(LAYER, BytesContent(CONTENT))
    assert "store the blob" in str(waits[0])


@pytest.mark.parametrize(("ask", "waits"), [(ask_manifest, REFUSED - 1), (ask_blob, 6)])
async def test_a_refused_connection_is_said_soon_but_for_what_is_transferred(
    ask: Callable[[RegistrySource], Awaitable[None]], waits: int
) -> None:
    heard: list[Wait] = []
    patience = Patience(tries=7, backoff=0.001)
    async with ScriptedRegistry() as registry:
        source = RegistrySource(registry.host, patience=patience, on_wait=heard.append)
        await source.ping()
        host = registry.host
    async with source:
        with pytest.raises(Unreachable, match=f"{host} refused the connection"):
            await ask(source)
    assert [wait.reason for wait in heard] == [f"{host} refused the connection"] * waits


async def test_one_that_was_waited_for_is_heard_of_when_it_answers_and_when_it_is_given_up() -> None:
    said: list[str] = []
    silent_once = asyncio.Event()

    async def late(writer: asyncio.StreamWriter) -> None:
        await silent_once.wait()
        writer.write(b"HTTP/1.1 404 Gone\r\nContent-Length: 0\r\n\r\n")

    def hear(wait: Wait) -> None:
        said.append("waits")
        silent_once.set()

    patience = Patience(read=60, silence=0.01, tries=2, backoff=0.001)
    async with serve(answering(late)) as host:
        source = connect(host, patience=patience, on_wait=hear, on_waited=lambda host: said.append(f"had {host}"))
        async with source:
            await source.ping()
            said.clear()
            silent_once.clear()
            with pytest.raises(NotFound):
                await ask_manifest(source)
            assert said[-1] == f"had {host}"
    async with ScriptedRegistry() as registry:
        gone = registry.host
        source = RegistrySource(
            gone, patience=patience, on_wait=hear, on_waited=lambda host: said.append(f"had {host}")
        )
        await source.ping()
    said.clear()
    async with source:
        with pytest.raises(Unreachable):
            await ask_manifest(source)
    assert "waits" in said
    assert said[-1] == f"had {gone}"
