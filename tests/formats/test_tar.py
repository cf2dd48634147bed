"""Tar archives: the same rows as tarfile reads, and a reason for whatever is malformed."""

from __future__ import annotations

import io
import tarfile
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kittui.formats.need import Feed, run_bytes
from kittui.formats.tar import DISK, FileEntry, Pace, TarWalk


def walk(content: bytes, pace: Pace | None = None) -> TarWalk:
    found = TarWalk(len(content), pace)
    run_bytes(found.steps(), content)
    return found


def archive(form: int, members: list[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as tar:
        for info, content in members:
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def expected(content: bytes) -> list[tuple[str, str, int, int, int]]:
    rows = []
    with tarfile.open(fileobj=io.BytesIO(content)) as tar:
        for member in tar:
            kind = "file" if member.isreg() else "dir" if member.isdir() else "symlink" if member.issym() else "other"
            size = member.size if member.isreg() else 0
            rows.append((member.name, kind, size, member.mode & 0o7777, member.offset_data))
    return rows


def rows(entries: list[FileEntry]) -> list[tuple[str, str, int, int, int]]:
    return [(entry.path, entry.type, entry.size, entry.mode, entry.offset) for entry in entries]


NAMES = st.text(
    st.characters(codec="utf-8", exclude_characters="\0/", exclude_categories=["Cs"]), min_size=1, max_size=60
)
PATHS = st.lists(NAMES.filter(lambda name: name not in (".", "..")), min_size=1, max_size=5).map("/".join)
KINDS = st.sampled_from([tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE])


@given(
    st.sampled_from([tarfile.USTAR_FORMAT, tarfile.PAX_FORMAT, tarfile.GNU_FORMAT]),
    st.lists(st.tuples(PATHS, KINDS, st.binary(max_size=1500), st.integers(0, 0o7777)), max_size=8),
    st.sampled_from([Pace(512, 512, 0), Pace(), DISK, Pace(700, 900, 100)]),
)
@settings(max_examples=150)
def test_parity_with_tarfile(form: int, members: list[tuple[str, bytes, bytes, int]], pace: Pace) -> None:
    infos = []
    for path, kind, content, mode in members:
        if form == tarfile.USTAR_FORMAT and len(path.encode()) > 100:
            continue
        info = tarfile.TarInfo(path)
        info.type, info.mode = kind, mode
        if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
            info.linkname = "there"
        infos.append((info, content if kind == tarfile.REGTYPE else b""))
    content = archive(form, infos)
    found = walk(content, pace)
    assert found.problem is None
    assert found.complete
    assert rows(found.entries) == expected(content)


@given(st.binary(max_size=3000), st.integers(1, 700))
@settings(max_examples=100)
def test_any_bytes_end_with_a_listing(noise: bytes, piece: int) -> None:
    base = archive(tarfile.GNU_FORMAT, [(tarfile.TarInfo("a" * 150), b"abc"), (tarfile.TarInfo("b"), b"x" * 600)])
    for content in (noise, base[:1024] + noise, base[: len(noise)], noise + base):
        found = walk(content)
        assert found.complete or found.problem
        streamed = TarWalk(None, Pace(512, 512, 0))
        feed = Feed(streamed.steps())
        for start in range(0, len(content), piece):
            feed.push(content[start : start + piece])
        feed.close()
        assert rows(streamed.entries)[: len(found.entries) - 1] == rows(found.entries)[: len(found.entries) - 1]


def header(name: bytes = b"f", size: bytes = b"00000000005\0", kind: bytes = b"0", mode: bytes = b"0000644\0") -> bytes:
    head = bytearray(512)
    head[: len(name)] = name
    head[100:108], head[124:136], head[156:157], head[257:265] = mode, size, kind, b"ustar\x0000"
    head[148:156] = b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    return bytes(head)


def padded(content: bytes) -> bytes:
    return content + bytes(-len(content) % 512)


END = bytes(1024)


@pytest.mark.parametrize(
    ("content", "reason", "files"),
    [
        (header() + padded(b"12345"), None, 1),
        (header() + padded(b"12345") + header()[:300], "inside a header", 1),
        (header(size=b"00000002000\0") + padded(b"12345"), "cut short", 1),
        (header()[:148] + b"0000000\0" + header()[156:], "wrong checksum", 0),
        (header() + padded(b"12345") + b"x" * 512, "wrong checksum", 1),
        (header(size=b"\xff" * 12), "negative", 0),
        (header(size=b"\x80" + b"\x7f" * 11), "impossible size", 0),
        (header(size=b"-0000000005\0"), "not octal", 0),
        (header(size=b"0_000000005\0"), "not octal", 0),
        (header(size=b"99999999999\0"), "not octal", 0),
        (header(kind=b"x", size=b"%011o\0" % (50 << 20)) + END, "extension header of", 0),
        (header(kind=b"L", size=b"77777777777\0"), "extension header of", 0),
        ((header(kind=b"x", size=b"00000000000\0") * 20) + END, "more than 16 extension headers", 0),
        (header(kind=b"x", size=b"00000000005\0") + padded(b"12345") + END, "not of its form", 0),
        (header(kind=b"x", size=b"00000000011\0") + padded(b"9 path=a\n") + END, "belongs to no entry", 0),
        (
            header(kind=b"x", size=b"%011o\0" % 31) + padded(b"31 size=9999999999999999999999\n") + header() + END,
            "impossible size",
            0,
        ),
    ],
)
def test_malformed_archives_keep_what_came_before(content: bytes, reason: str | None, files: int) -> None:
    found = walk(content)
    assert len(found.entries) == files
    assert found.problem is None if reason is None else reason in (found.problem or "")
    assert found.complete == (reason is None)


def test_base_256_sizes_are_read() -> None:
    found = walk(header(size=b"\x80" + (5).to_bytes(11, "big")) + padded(b"12345") + END)
    assert [entry.size for entry in found.entries] == [5]
    assert found.complete


def test_sparse_files_are_marked_and_what_follows_is_listed() -> None:
    head = bytearray(header(kind=b"S", size=b"00000001000\0"))
    head[482] = 1
    head[148:156] = b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    found = walk(bytes(head) + bytes(512) + b"d" * 512 + header(name=b"next") + padded(b"12345") + END)
    assert [entry.path for entry in found.entries] == ["f", "next"]
    assert "sparse" in (found.entries[0].problem or "")
    looping = bytes(head) + (bytes(504) + b"\1" + bytes(7)) * 1200
    assert "without end" in (walk(looping).problem or "")


def test_names_are_exact() -> None:
    latin = b"caf\xe9\x1b]52;c;x\x07"
    twins = archive(tarfile.PAX_FORMAT, [(tarfile.TarInfo("é"), b""), (tarfile.TarInfo("e\u0301"), b"")])
    assert walk(header(name=latin) + padded(b"12345") + END).entries[0].path.encode(errors="surrogateescape") == latin
    assert [entry.path for entry in walk(twins).entries] == ["é", "e\u0301"]


def test_big_files_are_jumped_over_and_small_ones_read_through() -> None:
    small = [(tarfile.TarInfo(f"src/{number:03}.py"), b"x" * 300) for number in range(200)]
    content = archive(tarfile.USTAR_FORMAT, small)[: 200 * 1024]
    big = 1 << 30
    size = len(content) + 512 + big + 1024
    asked: list[tuple[int, int]] = []

    def read(offset: int, length: int) -> bytes:
        asked.append((offset, length))
        out = bytearray(length)
        for start, piece in ((0, header(name=b"m", size=b"%011o\0" % big)), (512 + big, content)):
            first, last = max(offset, start), min(offset + length, start + len(piece))
            if first < last:
                out[first - offset : last - offset] = piece[first - start : last - start]
        return bytes(out)

    from kittui.formats.need import run_on

    found = TarWalk(size)
    run_on(found.steps(), read)
    assert len(found.entries) == 201
    assert found.complete
    assert len(asked) < 15
    assert sum(length for _, length in asked) <= len(content) + 100_000


def test_many_small_files_are_the_rows_that_tarfile_reads() -> None:
    head = [header(name=b"data/%06d.txt" % number) + padded(b"12345") for number in range(5000)]
    content = b"".join(head) + END
    tracemalloc.start()
    found = walk(content, DISK)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert rows(found.entries) == expected(content)
    # Memory is a few hundred bytes a file and one window, whatever lies in the files.
    assert peak < 5000 * 500 + 3 * DISK.most
