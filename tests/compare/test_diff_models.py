"""Models that were resharded, reordered, or saved by PyTorch; large texts; sampled answers."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy
import pytest

from kittui.compare.comparison import Comparison
from kittui.oci.tag import Tag
from kittui.oci.target import parse_target
from kittui.store import LocalSource
from kittui.usecases.diff import content as diff_content
from kittui.usecases.diff import layers as diff_layers
from kittui.usecases.diff import texts as diff_texts
from kittui.usecases.diff.compare import Depth, DiffUseCase, Side
from kittui.usecases.inspect.inspector import Inspector
from tests.compare.kits import opened, safetensors, two
from tests.demo.pack import File
from tests.fakes.memory import MemoryRepository
from tests.formats.test_checkpoints import Saved, saved, strides_of

Parts = dict[str, tuple[str, list[int], bytes]]


async def diff(repository: Any, **depth: Any) -> Comparison:
    case = DiffUseCase(opened, Inspector())
    return await case.compare(Side(repository, Tag("a")), Side(repository, Tag("b")), Depth(**depth))


def weights(chance: numpy.random.Generator, count: int, size: int = 50_000) -> Parts:
    return {
        f"layer.{number}.weight": ("F32", [size], chance.normal(size=size).astype("<f4").tobytes())
        for number in range(count)
    }


def sharded(parts: Parts, sizes: list[int]) -> dict[str, File]:
    """A model in so many shards of so many tensors each."""
    names, files = list(parts), {}
    for number, size in enumerate(sizes):
        taken, names = names[:size], names[size:]
        path = f"model/model-{number + 1:05}-of-{len(sizes):05}.safetensors"
        files[path] = File(safetensors({name: parts[name] for name in taken}))
    return files


def blob_bytes(repository: MemoryRepository) -> int:
    return sum(map(len, repository.blobs.values()))


@pytest.mark.parametrize("packing", ["none", "gzip"])
async def test_tensors_that_went_to_another_shard_are_moved(packing: str) -> None:
    parts = weights(numpy.random.default_rng(1), 6)
    edited = dict(parts)
    changed = numpy.frombuffer(parts["layer.4.weight"][2], "<f4").copy()
    changed[7] += 1
    edited["layer.4.weight"] = ("F32", [50_000], changed.tobytes())
    edited["layer.5.weight"] = ("F16", [50_000], changed.astype("<f2").tobytes())
    edited["new"] = ("U8", [3], b"abc")
    repository = two(sharded(parts, [3, 3]), sharded(edited, [2, 2, 3]), (packing, packing))
    expected = {f"layer.{number}.weight": "moved" for number in range(5)} | {
        "layer.5.weight": "changed",
        "new": "added",
    }
    if packing == "none":
        quick = await diff(repository)
        assert {tensor.name: tensor.status for tensor in quick.tensors} == expected
        assert quick.unread > 0
    whole = await diff(repository, content=True)
    tensors = {tensor.name: tensor for tensor in whole.tensors}
    assert {name: tensor.status for name, tensor in tensors.items()} == expected | {"layer.4.weight": "changed"}
    moved = tensors["layer.2.weight"]
    assert (moved.file_a, moved.file) == (
        "model/model-00001-of-00002.safetensors",
        "model/model-00002-of-00003.safetensors",
    )
    assert moved.figures is not None
    assert (moved.figures.count, moved.figures.changed) == (50_000, 0)
    assert tensors["layer.4.weight"].figures is not None
    assert tensors["layer.4.weight"].figures.changed == 1
    assert tensors["layer.5.weight"].nature == "recast"
    assert whole.unread == 0
    assert whole.verified


async def test_a_name_that_several_files_lost_says_nothing_of_where_it_went() -> None:
    one = weights(numpy.random.default_rng(2), 1, 10)
    a = {"model/x.safetensors": File(safetensors(one)), "model/y.safetensors": File(safetensors(one))}
    b = {
        "model/z.safetensors": File(safetensors(one)),
        "model/x.safetensors": File(safetensors({})),
        "model/y.safetensors": File(safetensors({})),
    }
    statuses = sorted(tensor.status for tensor in (await diff(two(a, b))).tensors)
    assert statuses == ["added", "removed", "removed"]


async def test_tensors_in_another_order_are_read_once() -> None:
    chance = numpy.random.default_rng(3)
    parts = weights(chance, 12, 100_000)
    names = list(parts)
    random.Random(4).shuffle(names)
    other = {name: parts[name] for name in names}
    last = numpy.frombuffer(parts["layer.3.weight"][2], "<f4").copy()
    last[-1] = 9
    other["layer.3.weight"] = ("F32", [100_000], last.tobytes())
    repository = two(
        {"model/m.safetensors": File(safetensors(parts))}, {"model/m.safetensors": File(safetensors(other))}
    )
    comparison = await diff(repository, content=True)
    assert {tensor.name for tensor in comparison.tensors if tensor.status != "same"} == {"layer.3.weight"}
    assert all(tensor.figures is not None for tensor in comparison.tensors)
    assert comparison.verified
    assert comparison.bytes < blob_bytes(repository) + 300_000


def checkpoint(tensors: dict[str, numpy.ndarray[Any, Any]]) -> bytes:
    described = [
        Saved(name, "Float", str(number), values.size, values.shape, strides_of(values.shape))
        for number, (name, values) in enumerate(tensors.items())
    ]
    return saved(described, {str(number): values.tobytes() for number, values in enumerate(tensors.values())})


@pytest.mark.parametrize("count", [3, 80])
async def test_checkpoints_are_compared_by_value_without_unpickling(count: int) -> None:
    chance = numpy.random.default_rng(5)
    old = {f"l{number}.weight": chance.normal(size=(30, 40)).astype("<f4") for number in range(count)}
    new = {name: values.copy() for name, values in old.items()}
    new["l1.weight"][3, 4] = numpy.nan
    new["l2.weight"] = new["l2.weight"][:20].copy()
    new["extra"] = chance.normal(size=(2,)).astype("<f4")
    repository = two(
        {"model/pytorch_model.bin": File(checkpoint(old))}, {"model/pytorch_model.bin": File(checkpoint(new))}
    )
    comparison = await diff(repository, content=True)
    assert comparison.problems == ()
    tensors = {tensor.name: tensor for tensor in comparison.tensors}
    assert {name: tensor.status for name, tensor in tensors.items() if tensor.status != "same"} == {
        "l1.weight": "changed",
        "l2.weight": "changed",
        "extra": "added",
    }
    assert tensors["l2.weight"].nature == "reshaped"
    figures = tensors["l1.weight"].figures
    assert figures is not None
    assert (figures.count, figures.changed, figures.nonfinite_b) == (1200, 1, 1)
    assert all(tensor.figures for name, tensor in tensors.items() if tensor.status == "same")


async def test_tensors_that_share_a_storage_are_each_compared() -> None:
    values = numpy.arange(100, dtype="<f4")
    tied = [
        Saved("head.weight", "Float", "0", 100, (100,), (1,)),
        Saved("embedding.weight", "Float", "0", 100, (100,), (1,)),
        Saved("embedding.half", "Float", "0", 100, (50,), (1,), 25),
    ]
    other = values.copy()
    other[60] = 0
    repository = two(
        {"model/pytorch_model.bin": File(saved(tied, {"0": values.tobytes()}))},
        {"model/pytorch_model.bin": File(saved(tied, {"0": other.tobytes()}))},
    )
    comparison = await diff(repository, content=True, remote_budget=0)
    assert {tensor.name: tensor.figures.changed for tensor in comparison.tensors if tensor.figures} == {
        "head.weight": 1,
        "embedding.weight": 1,
        "embedding.half": 1,
    }


@pytest.fixture
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts over 20 kB are large."""
    monkeypatch.setattr(diff_content, "TEXT_LIMIT", 20_000)
    monkeypatch.setattr(diff_texts, "TEXT_LIMIT", 20_000)


def rows(edit: int | None = None) -> bytes:
    lines = [f"r{number:05},{number * 7 % 101},{'x' if number == edit else 'o'}\n" for number in range(30_000)]
    return ("id,n,label\n" + "".join(lines)).encode()


@pytest.mark.parametrize("packing", ["none", "gzip"])
@pytest.mark.parametrize("longer", [b"", b"s,1,o\n"])
async def test_rows_of_a_large_table_are_compared(little: None, packing: str, longer: bytes) -> None:
    log = b"".join(b"line %d\n" % number for number in range(40_000))
    repository = two(
        {"data/train.csv": File(rows()), "data/log.txt": File(log), "data/same.csv": File(rows())},
        {
            "data/train.csv": File(rows(4321) + longer),
            "data/log.txt": File(log.replace(b"line 77\n", b"LINE 77\nmore\n")),
            "data/same.csv": File(rows()),
        },
        (packing, packing),
    )
    states: list[Comparison] = []
    case = DiffUseCase(opened, Inspector())
    depth = Depth(content=True, remote_budget=1000)
    comparison = await case.compare(Side(repository, Tag("a")), Side(repository, Tag("b")), depth, states.append)
    assert comparison.problems == ()
    texts = {text.path: text for text in comparison.texts}
    assert set(texts) == {"data/train.csv", "data/log.txt"}
    table = texts["data/train.csv"].table
    assert table is not None
    assert (table.key, table.count_a, table.count_b, table.changed) == ("id", 30_000, 30_000 + bool(longer), 1)
    assert (table.added, table.removed) == (int(bool(longer)), 0)
    assert (table.rows[0].key, table.rows[0].number_a) == ("r04321", 4322)
    (hunk,) = texts["data/log.txt"].hunks
    assert [line.text for line in hunk.lines if line.op != " "] == ["line 77", "LINE 77", "more"]
    assert {file.path: file.status for file in comparison.files}["data/same.csv"] == "same"
    first = next(text for state in states for text in state.texts if text.path == "data/train.csv")
    assert first.table is not None
    assert (first.table.count_a, first.table.rows) == (30_000, ())
    if packing == "none":
        assert comparison.bytes < blob_bytes(repository) * 1.3


async def test_a_large_file_that_is_no_text_is_not_taken_for_one(little: None) -> None:
    content = random.Random(1).randbytes(90_000)
    repository = two({"data/x.dat": File(content)}, {"data/x.dat": File(content + b"1")})
    comparison = await diff(repository, content=True, remote_budget=1000)
    assert [(text.kind, text.notes) for text in comparison.texts] == [("binary", ("binary, 90000 → 90001 bytes",))]
    assert [file.status for file in comparison.files] == ["changed"]


async def test_large_texts_on_this_machine_are_compared_unasked(
    little: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = two(
        {"data/train.csv": File(rows()), "data/log.txt": File(b"x\n" * 90_000), "data/w.dat": File(bytes(90_000))},
        {
            "data/train.csv": File(rows(7)),
            "data/log.txt": File(b"x\n" * 90_000, 0o600),
            "data/w.dat": File(bytes(89_999) + b"1"),
        },
    )
    local = LocalSource(tmp_path, recheck=0).repository("localhost/kits")
    for tag in ("a", "b"):
        manifest = await memory.manifest(parse_target(tag))
        for descriptor in [*manifest.layers, *([manifest.config] if manifest.config else [])]:
            local.files.write(descriptor, memory.blobs[descriptor.digest])
        await local.put_manifest(manifest.raw, manifest.media_type, Tag(tag))
    monkeypatch.setattr(diff_layers, "IN_MEMORY", 0)
    comparison = await diff(local)
    (text,) = comparison.texts
    assert text.table is not None
    assert (text.table.changed, text.table.rows[0].key) == (1, "r00007")
    statuses = {file.path: (file.status, file.note) for file in comparison.files}
    assert statuses == {
        "data/train.csv": ("changed", ""),
        "data/log.txt": ("changed", "mode 644 → 600"),
        "data/w.dat": ("not_compared", "same size, content not read"),
    }
    starved = await diff(local, local_budget=100_000)
    assert starved.texts == ()
    longer = two({"data/l.txt": File(b"x\n" * 90_000)}, {"data/l.txt": File(b"x\n" * 90_001)})
    (file,) = (await diff(longer)).files
    assert (file.status, file.note) == ("changed", "too large to compare its lines automatically")
    (file,) = (await diff(longer, content=True)).files
    assert (file.status, file.note) == ("changed", "")


async def test_many_changes_take_few_requests_and_few_states() -> None:
    a = {f"data/{number % 30}/{number:04}.txt": File(b"a line\nbefore %d\n" % number) for number in range(3000)}
    b = {path: File(file.content.replace(b"before", b"after")) for path, file in a.items()}
    repository = two(a, b)
    states: list[Comparison] = []
    case = DiffUseCase(opened, Inspector())
    depth = Depth(remote_budget=100_000_000)
    comparison = await case.compare(Side(repository, Tag("a")), Side(repository, Tag("b")), depth, states.append)
    assert comparison.counts()["files"] == {"changed": 3000}
    assert len(comparison.texts) == 3000
    # Four for both versions; the headers of 3 MB a side in stretches of 64 KiB, the files in stretches of 256.
    assert comparison.requests < 4 + 2 * (3_100_000 // 65_536 + 3000 // 256 + 10)
    assert comparison.bytes < 2.5 * blob_bytes(repository)
    assert len([state for state in states if not state.doing]) <= 8
    assert len(states) <= 16
