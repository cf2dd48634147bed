"""Shard indexes: the tensors of all shards in one list, and whatever does not fit together is said."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kittui.budget import Budget
from kittui.errors import Malformed
from kittui.formats.model_file import is_model_file, read_weights
from kittui.formats.need import run_bytes
from kittui.formats.shards import (
    FORMAT,
    ShardHeader,
    is_shard_index,
    is_sibling,
    join_shards,
    parse_shard_index,
    shard_names,
)
from kittui.formats.weights import Tensor, Weights

ONE, TWO = "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"


def index_of(where: dict[str, str], **metadata: object) -> Weights:
    return parse_shard_index(json.dumps({"metadata": metadata, "weight_map": where}).encode(), Budget("it"))


def shard(*names: str, problem: str | None = None, **metadata: str) -> ShardHeader:
    tensors = tuple(Tensor(name, "F32", (2,), 100 + 8 * n, 8) for n, name in enumerate(names))
    return ShardHeader(Weights("safetensors", tensors, metadata), problem)


def test_an_index_names_tensors_and_their_shards() -> None:
    raw = b'{"metadata":{"total_size":1},"weight_map":{"a":"x.safetensors","b":"w.safetensors","c":"x.safetensors"}}'
    index = run_bytes(read_weights("m/model.safetensors.index.json", len(raw), Budget("it")), raw)
    assert (index.format, index.metadata) == (FORMAT, {"total_size": 1})
    assert {tensor.name: tensor.file for tensor in index.tensors}["a"] == "x.safetensors"
    assert shard_names(index) == ["w.safetensors", "x.safetensors"]
    assert Weights.load(index.dump()) == index


@pytest.mark.parametrize("path", ["model.safetensors.index.json", "a/Model.SafeTensors.index.json", "p.bin.index.json"])
def test_an_index_is_known_by_its_name(path: str) -> None:
    assert is_shard_index(path)
    assert not is_model_file(path)
    assert not is_shard_index(path.replace(".index", ""))


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"weight_map":7}',
        b'{"weight_map":{"a":1}}',
        b'{"weight_map":{"a":""}}',
        b'{"weight_map":{"a":".."}}',
        b'{"weight_map":{"a":"../x"}}',
        b'{"weight_map":{"a":"/x"}}',
        b'{"weight_map":{"a":"x\\\\y"}}',
        b'{"weight_map":{"a":"x\\u0000"}}',
        b'{"weight_map":{"a":"x","a":"y"}}',
        b'{"weight_map":' + b"[" * 50_000,
        json.dumps({"weight_map": {str(n): str(n) for n in range(10_001)}}).encode(),
    ],
)
def test_indexes_that_are_refused(bad: bytes) -> None:
    with pytest.raises(Malformed):
        parse_shard_index(bad, Budget("it"))


@given(st.binary(max_size=300))
@settings(max_examples=100)
def test_any_bytes_are_an_index_or_refused(noise: bytes) -> None:
    for content in (noise, b'{"weight_map":{' + noise, b'{"weight_map":{"a":"x"},"metadata":' + noise + b"}"):
        try:
            parse_shard_index(content, Budget("it"))
        except Malformed:
            continue


def test_shards_that_fit_are_joined_without_a_word() -> None:
    index = index_of({"b": TWO, "a": ONE, "c": TWO}, total_size=24)
    joined = join_shards(index, {ONE: shard("a", format="pt", n="1"), TWO: shard("b", "c", format="pt", n="2")})
    assert [(tensor.name, tensor.file, tensor.offset, tensor.problem) for tensor in joined.tensors] == [
        ("a", ONE, 100, None),
        ("b", TWO, 100, None),
        ("c", TWO, 108, None),
    ]
    assert (joined.format, joined.parameters, joined.nbytes, joined.problem) == ("safetensors", 6, 24, None)
    assert joined.notes == ("2 shards",)
    assert joined.metadata == {"format": "pt", "total_size": 24}


def problems(weights: Weights) -> dict[str, str | None]:
    return {tensor.name: tensor.problem for tensor in weights.tensors}


def test_what_a_missing_shard_held_is_still_listed() -> None:
    joined = join_shards(index_of({"a": ONE, "b": TWO}, total_size=16), {ONE: shard("a"), TWO: ShardHeader(None)})
    assert problems(joined) == {"a": None, "b": f"its shard {TWO} is missing"}
    assert joined.tensors[1].file == TWO
    assert joined.problem == f"1 of 2 shards can be read, not {TWO}"
    assert joined.notes == ("2 shards",)
    unread = join_shards(index_of({"b": TWO}), {TWO: ShardHeader(None, "can't be read: it is damaged")})
    assert "damaged" in (problems(unread)["b"] or "")
    assert unread.format == FORMAT


def test_contradictions_are_marked_and_summed_up() -> None:
    index = index_of({"a": ONE, "b": TWO, "lost": TWO, "moved": ONE}, total_size=1)
    joined = join_shards(index, {ONE: shard("a", "unnamed"), TWO: shard("b", "moved", "a")})
    assert [(tensor.name, tensor.problem) for tensor in joined.tensors] == [
        ("a", None),
        ("unnamed", "the index does not name it"),
        ("b", None),
        ("moved", f"the index says that it is in {ONE}"),
        ("a", f"the index says that it is in {ONE}"),
        ("lost", f"its shard {TWO} does not hold it"),
    ]
    assert joined.problem is not None
    assert "3 tensors are not as the index or their header says" in joined.problem
    assert "1 tensors are not in the shard that the index names" in joined.problem
    assert "the index says 1 bytes in all, the shards hold 40" in joined.notes


def test_shards_too_many_or_too_few_are_said() -> None:
    spare = join_shards(index_of({"a": ONE}), {ONE: shard("a")}, [TWO])
    assert f"{TWO} beside them is in no line of the index" in (spare.problem or "")
    assert "say that there are 2, the index names 1" in (spare.problem or "")
    odd = join_shards(index_of({"a": "x.safetensors"}), {"x.safetensors": shard("a", problem="lies in far")})
    assert odd.problem == "x.safetensors lies in far"
    assert is_sibling(TWO, [ONE])
    assert not is_sibling("other-00002-of-00002.safetensors", [ONE])
    assert not is_sibling("model.safetensors", [ONE])
    assert not is_sibling("model-00002-of-00002.bin", [ONE])
