"""Two blobs in tandem: every byte once, whatever they come from; what fails or is stopped ends all of it."""

from __future__ import annotations

import asyncio
import random
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kittui.errors import ConnectionLost, DigestMismatch
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.store import LocalSource
from kittui.usecases.diff import windows
from kittui.usecases.diff.tandem import Chunk, Step, Watch, read_in_tandem
from tests.fakes.memory import MemoryRepository, MemorySource


def blob(repository: MemoryRepository, content: bytes) -> tuple[MemoryRepository, Descriptor]:
    digest = Digest.of(content)
    repository.blobs[digest] = content
    return repository, Descriptor("application/octet-stream", digest, len(content))


def on_disk(folder: Path, content: bytes) -> tuple[Any, Descriptor]:
    repository = LocalSource(folder, recheck=0).repository("localhost/kits")
    descriptor = Descriptor("application/octet-stream", Digest.of(content), len(content))
    repository.files.write(descriptor, content)
    return repository, descriptor


class Collected:
    """A sink."""

    def __init__(self) -> None:
        self.content = bytearray()

    def take(self, piece: memoryview) -> None:
        self.content += piece


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "WINDOW", 64)


def plan(chance: random.Random) -> tuple[bytes, bytes, list[Step[int]], list[tuple[int, bytes, bytes]]]:
    """Two random blobs that share much, steps over both, and what the keyed ones must give."""
    a, b = bytearray(), bytearray()
    steps: list[Step[int]] = []
    wanted: list[tuple[int, bytes, bytes]] = []
    shifted = chance.random() < 0.5
    for number in range(chance.randint(1, 8)):
        if shifted and chance.random() < 0.5:
            gap_a, gap_b = chance.randbytes(chance.randrange(90)), chance.randbytes(chance.randrange(90))
            steps.append(Step(len(gap_a), len(gap_b)))
            a += gap_a
            b += gap_b
        unit_a, unit_b = chance.choice([(1, 1), (4, 4), (4, 2), (18, 18), (8, 4)])
        units = chance.choice([0, 1, 5, 100])
        old = chance.randbytes(units * unit_a)
        new = bytearray(old if unit_a == unit_b else chance.randbytes(units * unit_b))
        if new and chance.random() < 0.3:
            new[chance.randrange(len(new))] ^= 1
        steps.append(Step(len(old), len(new), number, unit_a, unit_b))
        wanted.append((number, old, bytes(new)))
        a += old
        b += new
    return bytes(a), bytes(b), steps, wanted


@settings(max_examples=120)
@given(st.randoms(use_true_random=False), st.sampled_from(["memory", "no ranges"]))
async def test_every_byte_is_compared_once_and_handed_on(chance: random.Random, how: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(windows, "WINDOW", 64)
        await check(chance, *(MemorySource().repository("kits") for _ in range(2)), refuse=how == "no ranges")


async def check(chance: random.Random, one: MemoryRepository, other: MemoryRepository, *, refuse: bool = False) -> None:
    a, b, steps, wanted = plan(chance)
    one.source.serves_ranges = other.source.serves_ranges = not refuse
    seen: dict[int, list[tuple[bytes, bytes, bool]]] = {}

    def on_chunk(chunk: Chunk[int]) -> None:
        assert a[chunk.offset_a : chunk.offset_a + len(chunk.a)] == chunk.a
        assert b[chunk.offset_b : chunk.offset_b + len(chunk.b)] == chunk.b
        seen.setdefault(chunk.key, []).append((bytes(chunk.a), bytes(chunk.b), chunk.equal))

    sinks: list[tuple[bytes, Collected]] = []
    watches: list[list[Watch]] = [[], []]
    for side, content in enumerate((a, b)):
        for _ in range(3):
            low = chance.randint(0, len(content))
            size = chance.randint(0, len(content) - low)
            sink = Collected()
            sinks.append((content[low : low + size], sink))
            watches[side].append(Watch(low, size, sink))
    passed: list[int] = []
    await read_in_tandem(blob(one, a), blob(other, b), steps, on_chunk, watches[0], watches[1], passed.append)
    for number, old, new in wanted:
        chunks = seen.get(number, [])
        assert b"".join(chunk[0] for chunk in chunks) == old
        assert b"".join(chunk[1] for chunk in chunks) == new
        assert all(chunk[2] == (chunk[0] == chunk[1]) for chunk in chunks)
    for expected, sink in sinks:
        assert sink.content == expected
    assert passed[-1] == len(a) + len(b)


async def test_files_on_this_machine_are_read_as_files(narrow: None, tmp_path: Path) -> None:
    chance = random.Random(3)
    for number in range(30):
        a, b, steps, wanted = plan(chance)
        seen: dict[int, bytes] = {}

        def on_chunk(chunk: Chunk[int], seen: dict[int, bytes] = seen) -> None:
            seen[chunk.key] = seen.get(chunk.key, b"") + bytes(chunk.b)

        await read_in_tandem(on_disk(tmp_path / f"{number}a", a), on_disk(tmp_path / f"{number}b", b), steps, on_chunk)
        assert all(seen.get(key, b"") == new for key, _, new in wanted)


@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize("early", [True, False])
async def test_bytes_that_belie_their_digest_are_found(narrow: None, tmp_path: Path, side: int, early: bool) -> None:
    contents = [b"same" * 200, b"same" * 200 + b"tail"]
    sides = [on_disk(tmp_path / str(number), content) for number, content in enumerate(contents)]
    path = sides[side][0].files.path(sides[side][1].digest)
    lie = bytearray(contents[side])
    lie[3 if early else -1] ^= 1
    path.chmod(0o600)
    path.write_bytes(lie)
    with pytest.raises(DigestMismatch):
        await read_in_tandem(sides[0], sides[1], [Step(800, 804)], lambda chunk: None)
    path.write_bytes(lie[:-1])
    with pytest.raises(DigestMismatch):
        await read_in_tandem(sides[0], sides[1], [Step(800, 804)], lambda chunk: None)


class Breaks:
    """Ranges from an offset on fail."""

    def __init__(self, times: int) -> None:
        self.times = times

    def __call__(self, repository: MemoryRepository, verb: str, what: str) -> None:
        self.times -= 1
        if self.times < 0:
            raise ConnectionLost("the cable was pulled")


@pytest.mark.parametrize("times", [0, 1, 2, 5])
async def test_a_range_that_fails_fails_all_of_it(narrow: None, times: int) -> None:
    good, bad = MemorySource().repository("a"), MemorySource().repository("b")
    bad.source.hooks.append(Breaks(times))
    content = bytes(64 * 100)
    with pytest.raises(ConnectionLost):
        async with asyncio.timeout(60):
            await read_in_tandem(
                blob(good, content + b"1"), blob(bad, content + b"2"), [Step(6401, 6401, 1)], lambda chunk: None
            )


@pytest.mark.parametrize("remote", [True, False])
async def test_a_comparison_that_is_stopped_leaves_no_thread(
    narrow: None, remote: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached, go_on = threading.Event(), threading.Event()

    def on_chunk(chunk: Chunk[int]) -> None:
        reached.set()
        go_on.wait(60)

    content = bytes(64 * 200)
    if remote:
        repository = MemorySource().repository("a")
        a, b = blob(repository, content + b"1"), blob(repository, content + b"2")
    else:
        a, b = on_disk(tmp_path / "a", content + b"1"), on_disk(tmp_path / "b", content + b"2")
    task = asyncio.ensure_future(read_in_tandem(a, b, [Step(12801, 12801, 1)], on_chunk))
    await asyncio.to_thread(reached.wait, 60)
    task.cancel()
    await asyncio.sleep(0)
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(60):
            await task
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("kittui-hash")]


async def test_what_fails_in_a_sink_fails_the_pass(narrow: None) -> None:
    class Full:
        def take(self, piece: memoryview) -> None:
            raise OSError("no space left")

    repository = MemorySource().repository("a")
    content = bytes(64 * 40)
    with pytest.raises(OSError, match="no space"):
        await read_in_tandem(
            blob(repository, content),
            blob(repository, content + b"x"),
            [Step(2560, 2561)],
            lambda chunk: None,
            [Watch(0, 2560, Full())],
        )
    assert windows.SLOTS > 1
