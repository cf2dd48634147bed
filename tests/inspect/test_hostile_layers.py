"""ModelKits full of files made to break a parser: the commands say what is wrong with each, and continue."""

from __future__ import annotations

import gzip
import json
import pickle
import zlib
from pathlib import Path
from typing import Any

import pytest
import zstandard

from kittui import budget
from kittui.cli.app import main
from kittui.errors import KittuiError, TooLarge
from kittui.formats.tar import FileEntry
from kittui.usecases.inspect.files import list_layers
from kittui.usecases.inspect.inspector import Inspector
from kittui.usecases.inspect.models import list_models
from tests.demo.pack import File, pack
from tests.fakes.hostile_files import FILES, TARS
from tests.fakes.layers import archive, layer_of, repository_of
from tests.fakes.layouts import packed_layout
from tests.fakes.zstd_frames import seekable

CORPUS = {f"m/{name}{ending}": content for ending, corpus in FILES.items() for name, (content, _) in corpus.items()}


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "HOME", "KITOPS_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    kitfile: dict[str, Any] = {"manifestVersion": "1.0.0", "package": {"name": "x"}, "model": {"path": "m"}}
    packed = pack(kitfile, {name: File(content) for name, content in CORPUS.items()}, version="1.0")
    return f"oci:{packed_layout(tmp_path / 'layout', packed)}:v1"


def test_every_file_of_the_corpus_is_listed_with_its_reason(layout: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tree", layout, "--tensors", "--risk", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert {file["path"] for file in document["layers"][0]["files"] if file["type"] == "file"} == set(CORPUS)
    models = {model["path"]: model for model in document["models"]}
    for ending, corpus in FILES.items():
        for name, (_, words) in corpus.items():
            model = models.get(f"m/{name}{ending}")
            # What is called like a pickle and is none is not listed as a model.
            if model is not None and words:
                said = [model["problem"], *(tensor["problem"] for tensor in model["tensors"])]
                assert any(words in (text or "") for text in said), name
    assert document["risk"]["findings"]
    assert main(["tree", layout, "--tensors", "--risk"]) == 0
    out = capsys.readouterr().out
    assert "\x1b[2J" not in out
    assert "\x1b]0" not in out


@pytest.mark.parametrize("name", TARS)
@pytest.mark.parametrize("compression", ["none", "gzip", "zstd", "seekable"])
async def test_an_archive_of_the_corpus_is_a_listing_with_a_reason(name: str, compression: str) -> None:
    content, words = TARS[name]
    # So large that it is read by ranges where that can be.
    content += b"\1" * 80_000 if words == "wrong checksum" else b""
    packed = {
        "none": lambda: content,
        "gzip": lambda: gzip.compress(content),
        "zstd": lambda: zstandard.compress(content),
        "seekable": lambda: seekable([content[start : start + 30_000] for start in range(0, len(content), 30_000)]),
    }[compression]()
    repository: Any = repository_of(packed)
    layer = layer_of(packed, "zstd" if compression == "seekable" else compression)
    listing = await Inspector(free_bytes=1 << 30).listing(repository, layer)
    assert words in (listing.problem or "") if words else listing.problem is None
    assert listing.complete == (not words)


async def test_streams_that_are_cut_or_no_streams_are_marked() -> None:
    good = archive({"m/a": b"a" * 3000, "m/b": bytes(90_000)})
    for compression, packed in (("gzip", gzip.compress(good)), ("zstd", zstandard.compress(good))):
        for content in (packed[: len(packed) // 2], b"no stream at all" * 10, packed[:20] + b"\xff" * 300):
            repository: Any = repository_of(content)
            listing = await Inspector(free_bytes=1 << 30).listing(repository, layer_of(content, compression))
            assert listing.problem
            assert not listing.complete


async def test_bombs_stop_in_every_compression(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "EXPAND_FREELY", 1_000_000)
    plain = archive({"m/a": b"x", "m/zeros": bytes(8_000_000)})
    packer = zlib.compressobj(9, wbits=31)
    for compression, content in (
        ("gzip", packer.compress(plain) + packer.flush()),
        ("zstd", zstandard.ZstdCompressor(19).compress(plain)),
    ):
        repository: Any = repository_of(content)
        layer = layer_of(content, compression)
        listing = await Inspector(free_bytes=1 << 30).listing(repository, layer)
        assert "expands more than" in (listing.problem or "")
        assert [entry.path for entry in listing.files][:1] == ["m/a"]
    # And where a table promises that it can be entered.
    content = seekable([plain])
    repository = repository_of(content)
    entry = FileEntry("m/zeros", "file", 1000, 0o644, 7_000_000)
    with pytest.raises(TooLarge, match="expands more than"):
        await Inspector(free_bytes=1 << 30).read_file(repository, layer_of(content, "zstd"), entry, 1 << 20)


async def test_a_file_that_lies_about_its_place_is_an_error_with_words() -> None:
    content = archive({"m/a": b"abc"})
    for compression, packed in (("none", content), ("gzip", gzip.compress(content))):
        repository: Any = repository_of(packed)
        layer = layer_of(packed, compression)
        inspector = Inspector(free_bytes=1 << 30)
        for offset, size in ((1 << 40, 10), (512, 1 << 50)):
            entry = FileEntry("m/a", "file", size, 0o644, offset)
            view = None
            try:
                view = await inspector.open(repository, layer, entry)
                found = await view.read(0, 100)
            except KittuiError:
                continue
            assert len(found) <= len(content)


async def test_a_pickle_of_many_instructions_beside_good_files_hides_none_of_them() -> None:
    files = {"m/many.pkl": b"\x80\x02" + b"N0" * 60_000 + b"N.", "m/good.pkl": pickle.dumps({"a": 1})}
    content = archive(files)
    repository: Any = repository_of(content)
    layer = layer_of(content)
    inspector = Inspector()
    models = await list_models(inspector, repository, await list_layers(inspector, repository, [layer]))
    assert [one.found.entry.path for one in models] == list(files)
    assert all(one.error is None for one in models)
