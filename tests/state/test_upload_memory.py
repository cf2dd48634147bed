"""Limits of uploads are remembered from one run to the next."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import pytest

from kittui.oci.content import BytesContent
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.registry import RegistrySource, UploadLimits, uploads
from kittui.state.uploads import DAYS, UploadMemory
from tests.fakes.scripted_registry import ScriptedRegistry

MIB = 1024 * 1024
HOST = "registry.acme.dev"


async def test_the_next_run_does_not_try_what_was_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "CHUNK", MIB)
    content = bytes(2 * MIB)
    layer = Descriptor("a/b", Digest.of(content), len(content))
    async with ScriptedRegistry(most_sent=MIB) as registry:
        puts = []
        for _ in range(2):
            memory = UploadMemory(tmp_path)
            limits = UploadLimits(
                earlier=partial(memory.read, registry.host), keep=partial(memory.write, registry.host)
            )
            registry.requests.clear()
            async with RegistrySource(registry.host, limits=limits) as source:
                await source.repository("fraud").put_blob(layer, BytesContent(content))
            puts.append([len(one.body) for one in registry.seen("PUT")])
        assert [max(sizes) for sizes in puts] == [2 * MIB, 0]


def test_what_is_remembered_is_bounded_in_time_and_in_sense(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = UploadMemory(tmp_path)
    assert memory.read(HOST) == (None, None)
    memory.write(HOST, 100 * MIB, 25 * MIB)
    assert memory.read(HOST) == (100 * MIB, 25 * MIB)
    assert memory.read("other") == (None, None)
    (file,) = [each for each in (tmp_path / "uploads").rglob("*") if each.is_file()]
    for damaged in (b"", b"[]", b"null", b"{", b"\xff", b'{"at": 1e400}', b'{"at": "x"}', b"[" * 200):
        file.write_bytes(damaged)
        assert memory.read(HOST) == (None, None)
    memory.write(HOST, 0, -5)
    assert memory.read(HOST) == (None, None)
    memory.write(HOST, 100 * MIB, 25 * MIB)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + DAYS * 86_400 + 5)
    assert memory.read(HOST) == (None, None)
