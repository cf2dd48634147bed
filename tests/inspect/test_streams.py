"""Compressed layers: one verified pass, checkpoints from then on, and a reason for whatever is damaged."""

from __future__ import annotations

import gzip
import os
import random
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from kittui.errors import DigestMismatch, Malformed
from kittui.formats.gzip import Inflate
from kittui.formats.zstd import Unzstd
from kittui.state.indexes import IndexCache
from kittui.usecases.inspect.inspector import Inspector
from tests.fakes.layers import LayersRepository, archive, layer_of, repository_of

RANDOM = random.Random(1)
FILES = {f"m/{n}.bin": RANDOM.randbytes(1_500_000) if n % 2 else b"text %d\n" % n * 150_000 for n in range(12)}
PACKED = {
    "none": archive(FILES),
    "gzip": gzip.compress(archive(FILES), 1, mtime=0),
    "zstd": zstandard.ZstdCompressor(1).compress(archive(FILES)),
}


@pytest.mark.parametrize("compression", ["none", "gzip", "zstd"])
async def test_every_file_of_every_compression_is_what_was_packed(compression: str, tmp_path: Path) -> None:
    repository: Any = repository_of(PACKED[compression])
    layer = layer_of(PACKED[compression], compression)
    inspector = Inspector(IndexCache(tmp_path), free_bytes=1 << 40)
    listing = await inspector.listing(repository, layer)
    assert listing.complete
    assert listing.verified == (compression != "none")
    for entry in listing.files:
        assert await inspector.read_file(repository, layer, entry, 1 << 24) == FILES[entry.path]
        pieces: list[bytes] = []

        async def emit(piece: bytes, into: list[bytes] = pieces) -> None:
            into.append(piece)

        await inspector.stream_file(repository, layer, entry, emit)
        assert b"".join(pieces) == FILES[entry.path]
    # From now on a file of a gzip layer is a ranged read, with the checkpoints from disk.
    repository.asked.clear()
    again = Inspector(IndexCache(tmp_path), free_bytes=0)
    if compression == "gzip":
        view = await again.open(repository, layer, listing.files[-1])
        assert await view.read(100, 50) == FILES[listing.files[-1].path][100:150]
        assert sum(repository.asked) < len(PACKED["gzip"]) / 2
        assert not view.verified
    assert (await again.listing(repository, layer)).files == listing.files
    verified, content = await again.verified_file(repository, layer, listing.files[3], 1 << 24)
    assert verified.verified
    assert content == FILES[listing.files[3].path]


async def test_a_lying_source_fills_no_other_ones_view(tmp_path: Path) -> None:
    honest, lying = PACKED["none"], archive({"m/lie": bytes(200_000)}).ljust(len(PACKED["none"]), b"\0")
    layer = layer_of(honest, "none")
    cache = IndexCache(tmp_path)
    liar: Any = LayersRepository({str(layer.digest): lying}, "liar")
    assert [entry.path for entry in (await Inspector(cache).listing(liar, layer)).files] == ["m/lie"]
    true: Any = LayersRepository({str(layer.digest): honest}, "honest")
    listing = await Inspector(cache).listing(true, layer)
    assert len(listing.files) == len(FILES)
    with pytest.raises(DigestMismatch):
        await Inspector(cache).verify(liar, layer)
    await Inspector(cache).verify(true, layer)
    # What was proven serves every source, also the one that lied.
    assert (await Inspector(cache).listing(liar, layer)).verified


async def test_wrong_bytes_of_a_compressed_layer_are_refused(tmp_path: Path) -> None:
    layer = layer_of(PACKED["gzip"], "gzip")
    repository: Any = LayersRepository({str(layer.digest): PACKED["gzip"][:-5] + b"12345"})
    with pytest.raises(DigestMismatch):
        await Inspector(IndexCache(tmp_path), free_bytes=1 << 40).listing(repository, layer)


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
async def test_raw_layers_are_one_file(compression: str) -> None:
    body = b"hello " * 50_000
    packed = gzip.compress(body) if compression == "gzip" else zstandard.compress(body)
    repository: Any = repository_of(packed)
    layer = layer_of(packed, compression, "raw")
    inspector = Inspector(free_bytes=1 << 40)
    (entry,) = (await inspector.listing(repository, layer)).files
    assert (entry.path, entry.size) == ("m", len(body))
    assert await inspector.read_file(repository, layer, entry, 1 << 24) == body


@given(st.binary(max_size=2000), st.integers(1, 300), st.booleans())
@settings(max_examples=80)
def test_any_bytes_end_a_decoder(noise: bytes, piece: int, prefixed: bool) -> None:
    for decoder, good in ((Inflate, gzip.compress(b"abc" * 100)), (Unzstd, zstandard.compress(b"abc" * 100))):
        content = good[: len(noise)] + noise if prefixed else noise
        got: list[bytes] = []
        try:
            work = decoder(got.append)
            for start in range(0, len(content), piece):
                work.push(content[start : start + piece])
            work.close()
        except Malformed:
            continue


def test_the_cache_stays_within_its_bound_and_survives_damage(tmp_path: Path) -> None:
    cache = IndexCache(tmp_path, limit=50_000)
    for number in range(20):
        cache.put(f"k{number}", os.urandom(10_000))
        newest = max(tmp_path.iterdir(), key=lambda path: path.stat().st_ctime_ns)
        os.utime(newest, ns=(number, number))
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 50_000
    assert cache.get("k19") is not None
    assert cache.get("k0") is None
    for path in tmp_path.iterdir():
        path.write_bytes(b"damaged")
    assert cache.get("k19") is None
