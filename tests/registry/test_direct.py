"""The transport of blobs: connections kept and dropped rightly, every kind of frame, a living event loop."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest
from fakes.certificates import make_certificates
from fakes.registry_servers import connect
from fakes.scripted_registry import Reply, ScriptedRegistry

from kittui.errors import ConnectionLost
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.registry import Access

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
