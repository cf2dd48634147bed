"""zstd streams: frames are found without decompressing, and entered; lies about them are noticed."""

from __future__ import annotations

import random
import struct

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from kittui.errors import Malformed
from kittui.formats.need import Feed, Need, run_bytes
from kittui.formats.zstd import NEAR, POINTS, FrameWalk, Unzstd, ZstdIndex, read_seek_table
from tests.fakes.zstd_frames import framed, seekable

CHANCE = random.Random(3)


def indexed(content: bytes, piece: int = 65_536) -> tuple[bytes, ZstdIndex]:
    out: list[bytes] = []
    decoder = Unzstd(out.append)
    for start in range(0, len(content), piece):
        decoder.push(content[start : start + piece])
    decoder.close()
    return b"".join(out), decoder.index()


def enter(content: bytes, index: ZstdIndex, offset: int, length: int) -> bytes:
    """A stretch of the output, from the input that the index says alone."""
    need, start = index.stretch(offset, length)
    out: list[bytes] = []
    Unzstd(out.append).push(content[need.offset : need.offset + need.length])
    return b"".join(out)[offset - start :][:length]


PARTS = [CHANCE.randbytes(NEAR + 40_000 * n) + b"text " * 30_000 for n in range(6)]
PLAIN = b"".join(PARTS)


@pytest.mark.parametrize("piece", [1_000_000, 70_001, 4_099])
@pytest.mark.parametrize("options", [{}, {"write_checksum": True}, {"write_content_size": False}])
def test_frames_are_found_on_the_way(piece: int, options: dict[str, bool]) -> None:
    content = framed(PARTS, **options)
    plain, index = indexed(content, piece)
    assert plain == PLAIN
    assert index.frames == len(PARTS)
    for offset in (0, 1, len(PARTS[0]) - 1, len(PARTS[0]), len(PLAIN) // 2, len(PLAIN) - 5):
        assert enter(content, index, offset, 300_000) == PLAIN[offset : offset + 300_000]
    need, start = index.stretch(len(PLAIN) - 5, 5)
    assert start == len(PLAIN) - len(PARTS[-1])
    assert need.offset + need.length == len(content)
    assert need.length < len(content) / 4


def test_one_frame_needs_what_is_before_and_no_more() -> None:
    content = zstandard.ZstdCompressor(1).compress(PLAIN)
    _, index = indexed(content)
    assert index.frames == 1
    need, start = index.stretch(100, 1000)
    assert (need.offset, start) == (0, 0)
    assert need.length < len(content) / 3
    assert index.stretch(len(PLAIN) - 1, 1)[0] == Need(0, len(content))
    assert index.lead(len(PLAIN) // 2, 100) == len(PLAIN) // 2 + 100
    assert enter(content, index, 1_000_000, 100) == PLAIN[1_000_000:1_000_100]


def test_skippable_frames_are_passed_over() -> None:
    skip = struct.pack("<II", 0x184D2A53, 5000) + bytes(5000)
    content = skip + framed(PARTS[:2]) + skip + framed(PARTS[2:]) + skip
    plain, index = indexed(content)
    assert plain == PLAIN
    assert index.frames >= len(PARTS)
    assert enter(content, index, len(PARTS[0]) + 7, 9) == PARTS[1][7:16]


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=12), st.integers(1, 200), st.data())
@settings(max_examples=60)
def test_any_stretch_is_what_the_stream_holds(parts: list[bytes], piece: int, chosen: st.DataObject) -> None:
    content, plain = framed(parts), b"".join(parts)
    out, index = indexed(content, piece)
    assert out == plain
    offset = chosen.draw(st.integers(0, len(plain)))
    length = chosen.draw(st.integers(0, len(plain) - offset))
    for one in (index, ZstdIndex.load(index.dump())):
        assert enter(content, one, offset, length) == plain[offset : offset + length]


def test_an_index_stays_small() -> None:
    frame = zstandard.compress(b"")
    _, index = indexed(frame * 200_000)
    assert index.frames == 1
    assert len(index.dump()) < 1000
    long = ZstdIndex(10, 10, [(0, 0)], [(n, n) for n in range(9)])
    assert long.stretch(4, 2)[0] == Need(0, 6)
    assert POINTS * 4 * 8 < 1_000_000


@pytest.mark.parametrize("checksums", [False, True])
def test_seek_tables_are_read_from_the_end(checksums: bool) -> None:
    content = seekable(PARTS, checksums)
    index = run_bytes(read_seek_table(len(content)), content)
    assert index is not None
    assert (index.frames, index.output) == (len(PARTS), len(PLAIN))
    for offset in (0, len(PARTS[0]), len(PLAIN) - 9):
        assert enter(content, index, offset, 9) == PLAIN[offset : offset + 9]
    # The library reads the same bytes as a plain stream.
    assert indexed(content)[0] == PLAIN


@pytest.mark.parametrize(
    ("cut", "change"),
    [
        (0, b""),
        (9, struct.pack("<IBI", 0, 0, 0x8F92EAB1)),
        (9, struct.pack("<IBI", 1 << 31, 0, 0x8F92EAB1)),
        (9, struct.pack("<IBI", 6, 4, 0x8F92EAB1)),
        (9, struct.pack("<IBI", 5, 0, 0x8F92EAB1)),
        (9, struct.pack("<IBI", 6, 0, 1)),
        (17, struct.pack("<II", 1 << 31, 1 << 31) + struct.pack("<IBI", 6, 0, 0x8F92EAB1)),
    ],
)
def test_seek_tables_that_do_not_fit_are_none(cut: int, change: bytes) -> None:
    content = seekable(PARTS)
    content = content[:-cut] + change if cut else content[:-1]
    assert run_bytes(read_seek_table(len(content)), content) is None


@given(st.binary(max_size=200), st.booleans())
@settings(max_examples=150)
def test_any_bytes_end_a_walk_and_a_table(noise: bytes, framed_before: bool) -> None:
    content = (zstandard.compress(b"abc" * 50) if framed_before else b"") + noise
    walk = FrameWalk()
    feed = Feed(walk.steps())
    feed.push(content)
    feed.close()
    run_bytes(read_seek_table(len(content)), content)
    tail = noise + struct.pack("<IBI", 2, 0, 0x8F92EAB1)
    run_bytes(read_seek_table(len(tail)), tail)
    try:
        indexed(content)
    except Malformed:
        return


def test_blocks_without_content_are_not_followed_for_ever() -> None:
    # A frame of empty raw blocks: three bytes each, and nothing in them.
    content = struct.pack("<IB", 0xFD2FB528, 0x20) + b"\0" + bytes(3) * 1_000_000
    walk = FrameWalk()
    feed = Feed(walk.steps())
    for start in range(0, len(content), 65_536):
        feed.push(content[start : start + 65_536])
    assert feed.done
    assert walk.ends == []


@given(st.binary(max_size=100))
@settings(max_examples=50)
def test_an_index_that_is_damaged_is_refused(noise: bytes) -> None:
    good = ZstdIndex(10, 20, [(0, 0)], [(5, 9)]).dump()
    assert ZstdIndex.load(good).stretch(8, 1)[0] == Need(0, 5)
    for content in (noise, good + noise + b"x", good[: len(noise) % len(good)]):
        with pytest.raises(Malformed):
            ZstdIndex.load(content)
