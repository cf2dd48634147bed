"""Seeing a kit at work, from what the system reports processes and from what kit leaves while it receives."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
import time
from pathlib import Path

import pytest

from kittui.oci.tag import Tag
from kittui.store import LocalSource
from kittui.store.neighbours import INGEST_AGE, kit_at_work

FRAUD = "127.0.0.1:5055/fraud"


@pytest.fixture
def processes(tmp_path: Path) -> Path:
    """A /proc with a first process and a terminal."""
    for number, name in ((1, "init"), (20, "kitty"), (21, "kittui"), (22, "kitten")):
        (tmp_path / "proc" / str(number)).mkdir(parents=True)
        (tmp_path / "proc" / str(number) / "comm").write_text(name + "\n")
    (tmp_path / "proc" / "meminfo").write_text("")
    (tmp_path / "proc" / "30").mkdir()  # ended while it was looked at
    return tmp_path / "proc"


def test_names_that_only_begin_alike_are_no_kit(tmp_path: Path, processes: Path) -> None:
    assert not kit_at_work(tmp_path / "storage", processes)


@pytest.mark.parametrize("name", ["kit", "kitops", "kit-linux-amd64", "Kit.exe"])
def test_a_kit_is_seen(tmp_path: Path, processes: Path, name: str) -> None:
    (processes / "20" / "comm").write_text(name + "\n")
    assert kit_at_work(tmp_path / "storage", processes)


def test_hidden_processes_may_be_a_kit(tmp_path: Path, processes: Path) -> None:
    shutil.rmtree(processes / "1")
    assert kit_at_work(tmp_path / "storage", processes)


def test_a_blob_that_is_being_received_is_a_kit_elsewhere(tmp_path: Path, processes: Path) -> None:
    blob = tmp_path / "storage" / "ingest" / "sha256_0_1"
    blob.parent.mkdir(parents=True)
    assert not kit_at_work(tmp_path / "storage", processes)
    blob.write_bytes(b"half")
    assert kit_at_work(tmp_path / "storage", processes)
    os.utime(blob, (time.time() - 2 * INGEST_AGE,) * 2)
    assert not kit_at_work(tmp_path / "storage", processes)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are seen in /proc")
async def test_a_running_kit_is_seen_in_the_real_list(tmp_path: Path) -> None:
    program = tmp_path / "kit-of-a-test"
    shutil.copy("/bin/sleep", program)
    process = await asyncio.create_subprocess_exec(program, "600")
    try:
        assert kit_at_work(tmp_path / "storage")
    finally:
        process.kill()
        await process.wait()


async def test_a_change_that_was_undone_before_the_look_is_made_again(root: Path) -> None:
    """Nobody at work any more, but it wrote in between: the look itself is never left out."""
    index = root / "storage" / "index.json"
    stale = index.read_bytes()
    wrote: list[bytes] = []

    def kit_has_ended(storage: Path) -> bool:
        if not wrote:
            wrote.append((storage / "index.json").read_bytes())
            (storage / "index.json").write_bytes(stale)
            return False
        return False

    source = LocalSource(root, recheck=600, at_work=kit_has_ended)
    repository = source.repository(FRAUD)
    digest = (await repository.resolve(Tag("tuning"))).digest
    await repository.delete(digest)
    assert digest not in str(json.loads(index.read_bytes()))
    assert wrote
    assert wrote[0] != stale
