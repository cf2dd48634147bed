"""Tensors of models over several files and layers, read from headers alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from kittui.cli.app import main
from kittui.errors import Malformed, Unsupported
from kittui.modelkit import Layer
from kittui.state.indexes import IndexCache
from kittui.usecases.inspect.files import find_in_layers, list_layers
from kittui.usecases.inspect.inspector import Inspector
from kittui.usecases.inspect.models import Model, list_models, open_model
from kittui.usecases.inspect.prices import Price
from tests.fakes.layers import LayersRepository, archive, layer_of, repository_of

FIXTURES = Path(__file__).parent.parent / "fixtures"
ONE, TWO, THREE = (f"model-0000{n}-of-00003.safetensors" for n in (1, 2, 3))
INDEX = "model/model.safetensors.index.json"


def shard(*names: str, size: int = 3) -> bytes:
    return safetensors.numpy.save({name: np.arange(size, dtype="f4") for name in names}, {"format": "np"})


def index(**where: str) -> bytes:
    return json.dumps({"metadata": {"total_size": 36}, "weight_map": where}).encode()


async def opened(layers: list[tuple[Layer, bytes]], inspector: Inspector | None = None) -> tuple[Model, Any]:
    repository: Any = repository_of(*(content for _, content in layers))
    inspector = inspector or Inspector(free_bytes=1 << 40)
    found = await find_in_layers(inspector, repository, [layer for layer, _ in layers], INDEX)
    return await open_model(inspector, repository, [layer for layer, _ in layers], found), repository


def packed(files: dict[str, bytes], **how: Any) -> tuple[Layer, bytes]:
    content = archive(files)
    return layer_of(content, **how), content


async def test_shards_in_several_layers_are_one_model() -> None:
    layers = [
        packed({INDEX: index(a=ONE, b=TWO, c=THREE), f"model/{ONE}": shard("a")}, path="model"),
        packed({f"model/{TWO}": shard("b")}, kind="modelpart", path=f"model/{TWO}"),
        packed({f"model/{THREE}": shard("c")}, kind="modelpart", path="somewhere/else"),
        packed({"data/x.csv": b"1"}, kind="datasets", path="data"),
    ]
    model, repository = await opened(layers)
    assert model.weights.problem is None
    assert [(tensor.name, tensor.file, tensor.nbytes) for tensor in model.weights.tensors] == [
        ("a", ONE, 12),
        ("b", TWO, 12),
        ("c", THREE, 12),
    ]
    assert (model.weights.parameters, model.weights.nbytes) == (9, 36)
    assert [one.found and one.found.layer.path for one in model.shards] == ["model", f"model/{TWO}", "somewhere/else"]
    # Each tensor's bytes are where its shard's header says.
    for tensor, one in zip(model.weights.tensors, model.shards, strict=True):
        assert one.found is not None
        assert tensor.offset is not None
        content = repository.blobs[str(one.found.layer.digest)]
        start = one.found.entry.offset + tensor.offset
        assert content[start : start + 12] == np.arange(3, dtype="f4").tobytes()
    # The dataset was not needed to find them.
    assert len(repository.asked) == 3


async def test_what_is_missing_or_elsewhere_is_said() -> None:
    layers = [
        packed({INDEX: index(a=ONE, b=TWO, c=THREE), f"model/{ONE}": b"damaged", "other/" + TWO: shard("b")}),
        packed({"model/model-00004-of-00003.safetensors": shard("d")}, kind="modelpart"),
    ]
    model, _ = await opened(layers)
    problems = {one.file: one.problem for one in model.shards}
    assert (problems[ONE] or "").startswith("can't be read: the safetensors file is too short")
    assert problems[TWO] == "lies in other, not beside the index"
    assert problems[THREE] == "is missing"
    said = model.weights.problem or ""
    assert f"1 of 3 shards can be read, not {ONE}, {THREE}" in said
    assert "model-00004-of-00003.safetensors beside them is in no line of the index" in said
    assert {tensor.name: tensor.problem is None for tensor in model.weights.tensors} == {
        "a": False,
        "b": True,
        "c": False,
    }


async def test_a_shard_in_two_layers_is_said() -> None:
    layers = [
        packed({INDEX: index(a=ONE), f"model/{ONE}": shard("a")}, path="model"),
        packed({f"model/{ONE}": shard("a", size=5)}, path="model", kind="modelpart"),
    ]
    model, _ = await opened(layers)
    assert model.shards[0].problem == "is in 2 layers; the last one is shown"
    assert model.weights.tensors[0].shape == (5,)


async def test_a_layer_that_was_not_read_is_named_with_the_missing_shard() -> None:
    import zlib

    big = zlib.compress(bytes(2_000_000) + shard("b"), 0, 31)
    far = layer_of(big, "gzip", kind="modelpart", path="far")
    near = packed({INDEX: index(a=ONE, b=TWO), f"model/{ONE}": shard("a")}, path="model")
    prices: list[Price] = []

    async def ask(price: Price) -> bool:
        prices.append(price)
        return False

    model, repository = await opened([near, (far, big)], Inspector(ask=ask))
    assert [price.bytes for price in prices] == [len(big)]
    problem = model.shards[1].problem or ""
    assert problem.startswith("was not found, and not everything was listed (layer far: ")
    assert sum(repository.read) < 200_000


async def test_a_second_opening_reads_nothing(tmp_path: Path) -> None:
    layers = [
        packed({INDEX: index(a=ONE, b=TWO), f"model/{ONE}": shard("a", size=50_000)}),
        packed({f"model/{TWO}": shard("b", size=50_000)}, kind="modelpart"),
    ]
    first, repository = await opened(layers, Inspector(IndexCache(tmp_path)))
    assert sum(repository.read) < 200_000
    again, repository = await opened(layers, Inspector(IndexCache(tmp_path)))
    assert again.weights == first.weights
    assert repository.read == []


async def test_models_are_listed_once_each() -> None:
    layers = [
        packed(
            {
                "model/single.safetensors": shard("x"),
                INDEX: index(a=ONE, b=TWO),
                f"model/{ONE}": shard("a"),
                "model/words.bin": b"no pickle at all",
                "model/broken.gguf": b"GGUF",
            }
        ),
        packed({f"model/{TWO}": shard("b")}, kind="modelpart"),
    ]
    repository: Any = repository_of(*(content for _, content in layers))
    inspector = Inspector()
    listed = await list_layers(inspector, repository, [layer for layer, _ in layers])
    models = await list_models(inspector, repository, listed)
    assert [one.found.entry.path for one in models] == ["model/single.safetensors", INDEX, "model/broken.gguf"]
    assert isinstance(models[2].error, Malformed)


async def test_a_source_that_fails_fails_the_opening() -> None:
    class Broken(LayersRepository):
        def open_blob(self, *_: Any) -> Any:
            raise Unsupported("no ranges")

    layers = [packed({INDEX: index(a=ONE)})]
    repository: Any = Broken({str(layers[0][0].digest): layers[0][1]})
    # A layer that is small is read whole, so the index is there; nothing else is.
    found = await find_in_layers(Inspector(), repository, [layers[0][0]], INDEX)
    model = await open_model(Inspector(), repository, [layers[0][0]], found)
    assert model.shards[0].problem == "is missing"


SENTIMENT = "local://127.0.0.1:5055/sentiment:v2.0.0"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KITOPS_HOME", str(FIXTURES / "kithome"))
    for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "HOME"):
        monkeypatch.setenv(name, str(tmp_path))


@pytest.mark.usefixtures("store")
def test_tree_lists_the_tensors_of_a_sharded_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tree", SENTIMENT, "--tensors", "--json"]) == 0
    (model,) = json.loads(capsys.readouterr().out)["models"]
    assert (model["path"], model["format"], model["parameters"], model["bytes"]) == (INDEX, "safetensors", 18531, 41356)
    assert [one["tensors"] for one in model["shards"]] == [2, 3]
    assert model["problem"] is None
    tensor = next(one for one in model["tensors"] if one["name"] == "classifier.weight")
    assert (tensor["dtype"], tensor["shape"], tensor["bytes"]) == ("F32", [3, 32], 384)
    assert tensor["file"] == "model-00002-of-00002.safetensors"
    assert main(["tree", SENTIMENT, "--tensors"]) == 0
    out = capsys.readouterr().out
    assert "safetensors: 5 tensors, 18,531 parameters" in out
    assert "classifier.bias" in out


@pytest.mark.usefixtures("store")
def test_cat_lists_tensors_instead_of_bytes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cat", SENTIMENT, INDEX, "--tensors", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["path"] == INDEX
    assert len(document["model"]["tensors"]) == 5
    assert main(["cat", SENTIMENT, "model/model-00001-of-00002.safetensors", "--tensors"]) == 0
    assert "bert.layer.0.attention.q" in capsys.readouterr().out
    assert main(["cat", SENTIMENT, "README.md", "--tensors", "--json"]) == 1
    assert json.loads(capsys.readouterr().err)["error"]["code"] == "malformed"


ZOO = Path(__file__).parents[1] / "zoo"
SPLIT = [f"tiny-0000{n}-of-00003.gguf" for n in (1, 2, 3)]


def zoo(folder: str, *names: str) -> dict[str, bytes]:
    return {f"model/{name}": (ZOO / folder / name).read_bytes() for name in names}


async def model_of(layers: list[tuple[Layer, bytes]], path: str) -> Model:
    repository: Any = repository_of(*(content for _, content in layers))
    inspector = Inspector()
    found = await find_in_layers(inspector, repository, [layer for layer, _ in layers], path)
    return await open_model(inspector, repository, [layer for layer, _ in layers], found)


@pytest.mark.parametrize("part", SPLIT)
async def test_the_parts_of_a_split_gguf_are_one_model(part: str) -> None:
    layers = [
        packed(zoo("gguf/split", *SPLIT[:2]), path="model"),
        packed(zoo("gguf/split", SPLIT[2]), kind="modelpart"),
    ]
    model = await model_of(layers, f"model/{part}")
    assert model.weights.problem is None
    assert [(tensor.name, tensor.file) for tensor in model.weights.tensors] == [
        (f"blk.{n}.weight", file) for n, file in enumerate(SPLIT)
    ]
    assert model.weights.metadata["general.architecture"] == "llama"
    assert [one.file for one in model.shards] == SPLIT


async def test_a_missing_part_of_a_split_gguf_is_named() -> None:
    layers = [packed(zoo("gguf/split", *SPLIT[1:]), path="model")]
    model = await model_of(layers, f"model/{SPLIT[2]}")
    assert "2 of 3 parts can be read: tiny-00001-of-00003.gguf is missing" in (model.weights.problem or "")
    assert [tensor.name for tensor in model.weights.tensors] == ["blk.1.weight", "blk.2.weight"]


async def test_split_and_whole_files_are_listed_once_each() -> None:
    files = zoo("gguf/split", *SPLIT[1:]) | zoo("gguf", "tiny.gguf") | {"model/x-00001-of-00002.gguf": b"GGUF"}
    layer, content = packed(files, path="model")
    repository: Any = repository_of(content)
    inspector = Inspector()
    models = await list_models(inspector, repository, await list_layers(inspector, repository, [layer]))
    assert sorted(one.found.entry.path for one in models) == [
        "model/tiny-00002-of-00003.gguf", "model/tiny.gguf", "model/x-00001-of-00002.gguf"
    ]  # fmt: skip


async def test_the_files_that_an_onnx_model_names_are_looked_for() -> None:
    both = zoo("onnx", "external.onnx", "external.onnx.data")
    model = await model_of([packed(both, path="model")], "model/external.onnx")
    assert model.weights.problem is None
    assert [(one.file, one.tensors, one.problem) for one in model.shards] == [("external.onnx.data", 2, None)]
    lacking = await model_of([packed(zoo("onnx", "external.onnx"), path="model")], "model/external.onnx")
    assert lacking.weights.problem == "2 tensors are not in the files that it names"
    assert {tensor.problem for tensor in lacking.weights.tensors} == {"its file external.onnx.data is missing"}
    short = both | {"model/external.onnx.data": both["model/external.onnx.data"][:300]}
    cut = await model_of([packed(short, path="model")], "model/external.onnx")
    assert [tensor.problem for tensor in cut.weights.tensors] == [None, "its file external.onnx.data ends before it"]


async def test_what_is_no_model_is_found_out_from_its_first_bytes() -> None:
    content = archive({"model/numbers.bin": bytes(range(1, 200)) * 60_000})
    layer = layer_of(content, path="model")
    repository: Any = repository_of(content)
    inspector = Inspector()
    listed = await list_layers(inspector, repository, [layer])
    before = sum(repository.read)
    assert await list_models(inspector, repository, listed) == []
    assert sum(repository.read) - before < 10_000
