"""zstd layers from a registry: what a file in them costs, before and after they were read once."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
import safetensors.numpy
import zstandard

from kittui.cli.app import main
from kittui.errors import Malformed, Refused
from kittui.formats.tar import FileEntry
from kittui.modelkit import Layer
from kittui.state.indexes import IndexCache
from kittui.usecases.inspect.inspector import Inspector
from kittui.usecases.inspect.prices import Price
from tests.fakes.layers import LayersRepository, archive, layer_of, repository_of
from tests.fakes.layouts import one_layer_layout
from tests.fakes.sparse_kits import CODE
from tests.fakes.zstd_frames import framed, seekable

CHANCE = random.Random(5)
FILES = {f"m/{n:02}.bin": CHANCE.randbytes(400_000) for n in range(20)}
PLAIN = archive(FILES)
PARTS = [PLAIN[start : start + 500_000] for start in range(0, len(PLAIN), 500_000)]
ONE, MANY, TABLE = zstandard.compress(PLAIN, 1), framed(PARTS), seekable(PARTS)


async def content_of(inspector: Inspector, repository: Any, layer: Layer, entry: FileEntry) -> bytes:
    pieces: list[bytes] = []

    async def emit(piece: bytes) -> None:
        pieces.append(piece)

    await inspector.stream_file(repository, layer, entry, emit)
    return b"".join(pieces)


async def read_once(content: bytes, cache: Path) -> tuple[LayersRepository, Layer, tuple[FileEntry, ...]]:
    """A layer whose index was created by one pass."""
    repository, layer = repository_of(content), layer_of(content, "zstd")
    listing = await Inspector(IndexCache(cache), free_bytes=1 << 40).listing(repository, layer)  # type: ignore[arg-type]
    assert listing.verified
    assert listing.frames == (1 if content is ONE else len(PARTS))
    repository.read.clear()
    return repository, layer, listing.files


async def test_frames_make_a_file_a_ranged_read(tmp_path: Path) -> None:
    repository, layer, files = await read_once(MANY, tmp_path)
    for entry in (files[0], files[9], files[-1]):
        repository.read.clear()
        inspector = Inspector(IndexCache(tmp_path))
        view = await inspector.open(repository, layer, entry)  # type: ignore[arg-type]
        assert await view.read(1000, 50) == FILES[entry.path][1000:1050]
        assert sum(repository.read) <= 2 * 512 * 1024
        assert await content_of(inspector, repository, layer, entry) == FILES[entry.path]
        assert not view.verified
    # The index came from the disk: listing again reads nothing.
    repository.read.clear()
    await Inspector(IndexCache(tmp_path)).listing(repository, layer)  # type: ignore[arg-type]
    assert repository.read == []


async def test_a_single_frame_is_read_up_to_the_file_and_says_so(tmp_path: Path) -> None:
    repository, layer, files = await read_once(ONE, tmp_path)
    prices: list[Price] = []

    async def ask(price: Price) -> bool:
        prices.append(price)
        return len(prices) > 1

    inspector = Inspector(IndexCache(tmp_path), free_bytes=1_200_000, ask=ask)
    assert await content_of(inspector, repository, layer, files[0]) == FILES[files[0].path]
    assert prices == []
    assert sum(repository.read) < 1_300_000
    with pytest.raises(Refused, match="is one frame"):
        await content_of(inspector, repository, layer, files[12])
    assert prices[0].bytes < len(ONE) * 0.75
    repository.read.clear()
    view = await inspector.open(repository, layer, files[12])  # type: ignore[arg-type]
    assert await view.read(0, 10) == FILES[files[12].path][:10]
    # It is in memory now: reading on costs nothing.
    before = sum(repository.read)
    assert before <= prices[1].bytes
    assert await view.read(390_000, 50_000) == FILES[files[12].path][390_000:]
    assert sum(repository.read) == before


async def test_a_seek_table_is_enough_without_any_pass(tmp_path: Path) -> None:
    plain = archive({"m/big.bin": CHANCE.randbytes(6_000_000), "m/a.txt": b"words", "m/b.txt": b"more"})
    parts = [plain[start : start + 400_000] for start in range(0, len(plain), 400_000)]
    content = seekable(parts)
    repository: Any = repository_of(content)
    layer = layer_of(content, "zstd")
    inspector = Inspector(IndexCache(tmp_path))
    listing = await inspector.listing(repository, layer)
    assert [entry.path for entry in listing.files] == ["m/big.bin", "m/a.txt", "m/b.txt"]
    assert (listing.complete, listing.verified, listing.frames) == (True, False, len(parts))
    assert await inspector.read_file(repository, layer, listing.files[1], 100) == b"words"
    assert sum(repository.read) < 1_000_000
    repository.read.clear()
    assert (await Inspector(IndexCache(tmp_path)).listing(repository, layer)) == listing
    assert repository.read == []


async def test_hopping_that_reads_too_much_is_a_pass_that_is_asked_for() -> None:
    repository: Any = repository_of(TABLE)
    layer = layer_of(TABLE, "zstd")
    with pytest.raises(Refused, match="read from their start once"):
        await Inspector(free_bytes=1_500_000).listing(repository, layer)
    assert sum(repository.read) < 1_600_000
    listing = await Inspector(free_bytes=1 << 40).listing(repository, layer)
    assert len(listing.files) == len(FILES)


async def test_a_table_that_lies_is_noticed() -> None:
    content = bytearray(seekable(PARTS))
    # The second frame's length in the output: 100,000 more than it has.
    row = len(content) - 9 - 8 * len(PARTS) + 8
    content[row + 4 : row + 8] = (600_000).to_bytes(4, "little")
    repository: Any = repository_of(bytes(content))
    layer = layer_of(bytes(content), "zstd")
    listing = await Inspector(free_bytes=1 << 39).listing(repository, layer)
    assert listing.verified
    assert len(listing.files) == len(FILES)
    entry = FileEntry("m/x", "file", 300_000, 0o644, 790_000)
    with pytest.raises(Malformed, match="not as its index says"):
        await Inspector(free_bytes=1 << 39).read_file(repository, layer, entry, 1 << 20)


async def test_tensors_of_a_large_file_early_in_a_frame_are_cheap(tmp_path: Path) -> None:
    import numpy as np

    model = safetensors.numpy.save({"a": np.zeros(18_000_000, "f4")})
    plain = archive({"m/model.safetensors": model})
    content = zstandard.compress(plain, 1)
    content += zstandard.compress(CHANCE.randbytes(2_000_000))
    repository: Any = repository_of(content)
    layer = layer_of(content, "zstd")
    cache = IndexCache(tmp_path)
    listing = await Inspector(cache, free_bytes=1 << 40).listing(repository, layer)
    repository.read.clear()
    weights = await Inspector(cache).weights(repository, layer, listing.files[0])
    assert weights.tensors[0].shape == (18_000_000,)
    assert sum(repository.read) < 600_000


async def test_a_small_layer_is_read_whole() -> None:
    content = zstandard.compress(archive({"m/a": b"abc"}))
    repository: Any = repository_of(content)
    layer = layer_of(content, "zstd")
    inspector = Inspector(free_bytes=0x10000)
    listing = await inspector.listing(repository, layer)
    assert await inspector.read_file(repository, layer, listing.files[0], 10) == b"abc"
    assert sum(repository.read) == len(content)


@pytest.mark.parametrize(("packed", "frames"), [(ONE, 1), (MANY, len(PARTS))], ids=["one", "many"])
def test_the_tree_tells_how_a_layer_can_be_entered(
    packed: bytes,
    frames: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "HOME", "KITOPS_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    layer = tmp_path / "layer"
    layer.write_bytes(packed)
    layout = one_layer_layout(tmp_path / "layout", f"{CODE}+zstd", layer)
    assert main(["tree", f"oci:{layout}:v1"]) == 0
    assert f"zstd, {frames} frame{'s' if frames > 1 else ''}\n" in capsys.readouterr().out
    assert main(["tree", f"oci:{layout}:v1", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["layers"]
    assert (found["frames"], found["compression"], len(found["files"])) == (frames, "zstd", len(FILES))
