"""The content cache gives out only what hashes to its name, stays within its bound and never fails."""

from __future__ import annotations

import os
from pathlib import Path

from kittui.oci.digest import Digest
from kittui.state.cache import DiskCache


def kept(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_keeps_between_runs(tmp_path: Path) -> None:
    digest = Digest.of(b"content")
    assert DiskCache(tmp_path).get(digest) is None
    DiskCache(tmp_path).put(digest, b"content")
    assert DiskCache(tmp_path).get(digest) == b"content"
    assert len(kept(tmp_path)) == 1


def test_what_no_longer_matches_is_dropped(tmp_path: Path) -> None:
    digest = Digest.of(b"content")
    cache = DiskCache(tmp_path)
    cache.put(digest, b"content")
    kept(tmp_path)[0].write_bytes(b"changed")
    assert cache.get(digest) is None
    assert kept(tmp_path) == []


def test_the_least_recently_read_go_first(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path, limit=1000)
    contents = [bytes([number]) * 100 for number in range(15)]
    for number, content in enumerate(contents[:10]):
        cache.put(Digest.of(content), content)
        path = next(path for path in kept(tmp_path) if path.name == Digest.of(content).hex)
        os.utime(path, (number, number))
    cache.get(Digest.of(contents[0]))
    for content in contents[10:]:
        cache.put(Digest.of(content), content)
    assert sum(path.stat().st_size for path in kept(tmp_path)) <= 1000
    assert cache.get(Digest.of(contents[0])) is not None
    assert cache.get(Digest.of(contents[1])) is None


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "content").write_text("a file")
    cache = DiskCache(tmp_path)
    cache.put(Digest.of(b"x"), b"x")
    assert cache.get(Digest.of(b"x")) is None


def test_too_large_is_not_kept(tmp_path: Path) -> None:
    DiskCache(tmp_path, limit=3).put(Digest.of(b"long"), b"long")
    assert kept(tmp_path) == []


def test_where_a_tag_was_is_kept_between_runs(tmp_path: Path) -> None:
    one, two = Digest.of(b"one"), Digest.of(b"two")
    assert DiskCache(tmp_path).tag("remote://h r:v1") is None
    DiskCache(tmp_path).note_tag("remote://h r:v1", one)
    assert DiskCache(tmp_path).tag("remote://h r:v1") == one
    assert DiskCache(tmp_path).tag("remote://h r:v2") is None
    DiskCache(tmp_path).note_tag("remote://h r:v1", two)
    assert DiskCache(tmp_path).tag("remote://h r:v1") == two
    kept(tmp_path)[0].write_bytes(b"\xffdamaged")
    assert DiskCache(tmp_path).tag("remote://h r:v1") is None
