"""The transport of blobs: connections kept and dropped rightly, every kind of frame, a living event loop."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from kittui.errors import ConnectionLost, ContentError
from kittui.oci.content import BytesContent
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.oci.protocols import BlobReader
from kittui.oci.traffic import metered
from kittui.registry import Access, uploads
from kittui.registry.transport.direct import DirectTransport
from kittui.registry.transport.wire import UPLOAD, Pipe
from kittui.store import LocalSource
from kittui.transfer.content import BlobOf, Watched
from tests.fakes.certificates import make_certificates
from tests.fakes.registry_servers import connect
from tests.fakes.scripted_registry import Reply, ScriptedRegistry

CONTENT = os.urandom(2_000_000)
LAYER = Descriptor("a/b", Digest.of(CONTENT), len(CONTENT))


@pytest.fixture(params=[False, True], ids=["plain", "tls"])
async def registry(request: pytest.FixtureRequest, tmp_path: Path):  # type: ignore[no-untyped-def]
    tls = make_certificates(tmp_path).context() if request.param else None
    async with ScriptedRegistry(tls=tls) as registry:
        registry.add_kit("fraud", "v1", layers=[CONTENT])
        yield registry


async def test_a_connection_is_kept_for_the_next_blob(registry: ScriptedRegistry) -> None:
    async with connect(registry.host, access=Access(tls_verify=False)) as source:
        repository = source.repository("fraud")
        assert await repository.read_blob(LAYER, 1 << 22) == CONTENT
        before = registry.connections
        for _ in range(3):
            assert await repository.read_blob(LAYER, 1 << 22) == CONTENT
        assert registry.connections == before


async def test_a_blob_left_early_takes_its_connection_along(registry: ScriptedRegistry) -> None:
    async with connect(registry.host, access=Access(tls_verify=False)) as source:
        repository = source.repository("fraud")
        async with repository.open_blob(LAYER) as reader:
            assert await reader.readinto(memoryview(bytearray(10))) == 10
        before = registry.connections
        assert await repository.read_blob(LAYER, 1 << 22) == CONTENT
        assert registry.connections == before + 1


async def test_a_kept_connection_that_was_closed_is_replaced(registry: ScriptedRegistry) -> None:
    async with connect(registry.host, access=Access(tls_verify=False)) as source:
        repository = source.repository("fraud")
        registry.script("GET", "/blobs/", Reply(200, {}, CONTENT, close=True))
        for _ in range(2):
            assert await repository.read_blob(LAYER, 1 << 22) == CONTENT
        assert registry.count("GET", "/blobs/") == 2


@pytest.mark.parametrize("frame", ["chunked", "until the end"])
async def test_other_frames_than_a_length(registry: ScriptedRegistry, frame: str) -> None:
    if frame == "chunked":
        pieces = [CONTENT[at : at + 7_000] for at in range(0, len(CONTENT), 7_000)]
        body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
        reply = Reply(200, {"Transfer-Encoding": "chunked"}, body)
    else:
        reply = Reply(200, {"Connection": "close"}, CONTENT, close=True, framed=False)
    async with connect(registry.host, access=Access(tls_verify=False)) as source:
        registry.script("GET", "/blobs/", reply)
        assert await source.repository("fraud").read_blob(LAYER, 1 << 22) == CONTENT


async def test_an_end_before_the_stated_length_is_a_lost_connection(registry: ScriptedRegistry) -> None:
    lie = Reply(200, {"Content-Length": str(len(CONTENT))}, CONTENT[:-1], close=True)
    registry.script("GET", "/blobs/", lie, times=-1)
    async with connect(registry.host, access=Access(tls_verify=False)) as source:
        buffer = memoryview(bytearray(1 << 20))
        with pytest.raises(ConnectionLost):
            async with source.repository("fraud").open_blob(LAYER) as reader:
                while await reader.readinto(buffer):
                    pass


async def test_other_tasks_run_while_a_blob_streams(registry: ScriptedRegistry) -> None:
    turns = 0

    async def other() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with connect(registry.host, access=Access(tls_verify=False)) as source:
        task = asyncio.create_task(other())
        async with source.repository("fraud").open_blob(LAYER) as reader:
            buffer, reads, before = memoryview(bytearray(64 * 1024)), 0, turns
            while await reader.readinto(buffer):
                reads += 1
        task.cancel()
        assert turns - before >= reads - 1 > 10


async def test_cancelling_a_read_closes_the_connection(registry: ScriptedRegistry) -> None:
    stalled = Reply(200, {"Content-Length": str(len(CONTENT))}, CONTENT[:1000])
    registry.script("GET", "/blobs/", stalled)
    async with connect(registry.host, access=Access(tls_verify=False)) as source:

        async def read() -> None:
            await source.repository("fraud").read_blob(LAYER, 1 << 22)

        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await read()
        await source.repository("fraud").read_blob(LAYER, 1 << 22)


async def test_a_layer_goes_from_its_file_to_the_registry(registry: ScriptedRegistry, tmp_path: Path) -> None:
    origin = LocalSource(tmp_path, recheck=0).repository("fraud")
    await origin.put_blob(LAYER, BytesContent(CONTENT))
    async with connect(registry.host, access=Access(tls_verify=False)) as source:
        repository = source.repository("copies")
        with metered() as traffic:
            await repository.put_blob(LAYER, BlobOf(origin, LAYER))
        assert traffic.sent == len(CONTENT)
        assert await repository.read_blob(LAYER, 1 << 22) == CONTENT


async def test_a_layer_goes_in_chunks_that_begin_inside_of_its_file(
    registry: ScriptedRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "CHUNK", 600_000)
    monkeypatch.setattr(uploads, "SHORTEST", 100_000)
    registry.most_sent = 600_000
    origin = LocalSource(tmp_path, recheck=0).repository("fraud")
    await origin.put_blob(LAYER, BytesContent(CONTENT))
    reached: list[int] = []
    async with connect(registry.host, access=Access(tls_verify=False)) as source:
        await source.repository("first").put_blob(LAYER, BlobOf(origin, LAYER))  # which shows the limit
        repository = source.repository("copies")
        await repository.put_blob(LAYER, Watched(BlobOf(origin, LAYER), reached.append))
        assert await repository.read_blob(LAYER, 1 << 22) == CONTENT
    assert reached == sorted(reached)
    assert reached[-1] == len(CONTENT)


@pytest.mark.parametrize("closes", [True, False])
async def test_an_answer_before_the_end_of_the_body_is_heard(tmp_path: Path, closes: bool) -> None:
    """A proxy that takes no large bodies answers 413 and reads no more of it."""
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(64 * 1024 * 1024)
    over = asyncio.Event()

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        if not closes:
            await over.wait()
        writer.close()

    class Large:
        async def pour(self, pipe: Pipe) -> None:
            at = 0
            with path.open("rb", buffering=0) as file:
                while at < 64 * 1024 * 1024:
                    at += await pipe.send_file(file, at, 64 * 1024 * 1024 - at) or 0

    server = await asyncio.start_server(refuse, "127.0.0.1", 0, limit=1024)
    transport = DirectTransport(30.0, 30.0)
    try:
        port = server.sockets[0].getsockname()[1]
        request = httpx.Request(
            "PUT",
            f"http://127.0.0.1:{port}/upload",
            headers={"Content-Length": str(64 * 1024 * 1024)},
            extensions={UPLOAD: Large()},
        )
        response = await transport.send(request, None, 30.0)
        assert response.status_code == 413
        await response.aclose()
    finally:
        over.set()
        await transport.aclose()
        server.close()


async def test_a_file_cut_short_while_it_is_sent_is_an_error(registry: ScriptedRegistry, tmp_path: Path) -> None:
    origin = LocalSource(tmp_path, recheck=0).repository("fraud")
    await origin.put_blob(LAYER, BytesContent(CONTENT))
    assert origin.files is not None

    class Shrinking(BlobOf):
        @asynccontextmanager
        async def open(self, offset: int = 0) -> AsyncIterator[BlobReader]:
            async with super().open(offset) as reader:
                os.truncate(origin.files.path(LAYER.digest), 1_000_000)
                yield reader

    async with connect(registry.host, access=Access(tls_verify=False)) as source:
        with pytest.raises((ContentError, ConnectionLost)):
            await source.repository("copies").put_blob(LAYER, Shrinking(origin, LAYER))
