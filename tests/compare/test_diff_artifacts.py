"""Model files whose tensors lie in another file, and metadata that is longer than what is kept of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import numpy
import pytest

from kittui.compare.comparison import Comparison
from kittui.compare.metadata import NAMED, compare_arrays
from kittui.oci.tag import Tag
from kittui.usecases.diff.compare import Depth, DiffUseCase, Side
from kittui.usecases.diff.timeline import Subject, TimelineUseCase
from kittui.usecases.inspect.inspector import Inspector
from tests.compare.kits import KITFILE, opened, put, two
from tests.demo.pack import File, pack

ZOO = Path(__file__).parents[1] / "zoo"
HEADER = (ZOO / "onnx/external.onnx").read_bytes()
DATA = (ZOO / "onnx/external.onnx.data").read_bytes()
"""Two tensors of 256 bytes, one after the other."""


async def diff(a: dict[str, bytes], b: dict[str, bytes], **depth: Any) -> Comparison:
    first, second = ({f"model/{name}": File(content) for name, content in side.items()} for side in (a, b))
    repository = two(first, second)
    return await DiffUseCase(opened, Inspector()).compare(
        Side(repository, Tag("a")), Side(repository, Tag("b")), Depth(**depth)
    )


def statuses(comparison: Comparison) -> dict[str, str]:
    return {tensor.name: tensor.status for tensor in comparison.tensors}


def changed(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


@pytest.mark.parametrize("content", [True, False])
async def test_a_tensor_in_another_file_is_compared_there(content: bool) -> None:
    place = 256 + 5
    a = {"external.onnx": HEADER, "external.onnx.data": DATA}
    b = {"external.onnx": HEADER, "external.onnx.data": changed(DATA, place)}
    found = await diff(a, b, content=content)
    assert len(found.tensors) == 2
    if content:
        assert statuses(found) == {"w1": "same", "w2": "changed"}
        figures = next(tensor.figures for tensor in found.tensors if tensor.name == "w2")
        assert figures is not None
        assert (figures.count, figures.changed) == (64, 1)
    else:
        assert statuses(found)["w2"] != "same"


async def test_equal_external_data_is_the_same_and_missing_data_is_not() -> None:
    whole = {"external.onnx": HEADER, "external.onnx.data": DATA}
    more = {"external.onnx.data": DATA, "external.onnx": HEADER, "note.txt": b"x"}
    assert set(statuses(await diff(whole, more, content=True)).values()) == {"same"}
    for lacking in ({"external.onnx": HEADER}, {"external.onnx": HEADER, "external.onnx.data": DATA[:300]}):
        found = await diff(lacking, {**lacking, "note.txt": b"x"}, content=True)
        said = statuses(found)
        assert said["w2"] == "not_compared", lacking.keys()


async def test_a_tensor_in_a_file_beside_is_followed_there() -> None:
    """The header stays the same where only the file beside it changes."""

    def tree(data: bytes) -> dict[str, File]:
        beside = {"model/external.onnx.data": File(data)} if data else {}
        return {"model/external.onnx": File(HEADER), **beside}

    repository = two(tree(DATA), tree(bytes(len(DATA))))
    put(repository, pack(KITFILE, tree(b""), version="1"), "c")
    put(repository, pack(KITFILE, tree(DATA[:300]), version="1"), "d")
    case = TimelineUseCase(opened, Inspector())
    moments = (await case.follow(repository, Subject.parse("tensor:model/external.onnx:w2"))).moments
    assert [(moment.changed, moment.maybe) for moment in moments] == [
        (False, False),
        (True, False),
        (False, True),
        (False, True),
    ]


def tokenizer(path: Path, types: list[int], **how: Any) -> bytes:
    writer = gguf.GGUFWriter(path, "llama", **how)
    writer.add_token_types(types)
    writer.add_token_list([f"t{n}" for n in range(len(types))])
    writer.add_tensor("w", numpy.arange(8, dtype=numpy.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path.read_bytes()


async def test_long_arrays_are_compared_whole_and_the_first_difference_is_named(tmp_path: Path) -> None:
    types = [3] * 5000
    other = [*types[:50], 4, *types[51:]]
    a, b = tokenizer(tmp_path / "a", types), tokenizer(tmp_path / "b", other)
    found = await diff({"m.gguf": a}, {"m.gguf": b})
    changes = [change for _, change in found.metadata]
    assert [(change.path, change.status, change.a, change.b) for change in changes] == [
        ("tokenizer.ggml.token_type[50]", "changed", 3, 4)
    ]


async def test_arrays_of_another_byte_order_have_the_same_values(tmp_path: Path) -> None:
    a = tokenizer(tmp_path / "a", [3] * 500)
    b = tokenizer(tmp_path / "b", [3] * 500, endianess=gguf.GGUFEndian.BIG)
    found = await diff({"m.gguf": a}, {"m.gguf": b}, content=True)
    assert found.metadata == ()
    [tensor] = found.tensors
    assert (tensor.nature, tensor.a and tensor.a.dtype, tensor.b and tensor.b.dtype) == ("recast", "F32", ">F32")
    assert tensor.figures is not None
    assert (tensor.figures.changed, tensor.figures.max_abs) == (0, 0.0)


def test_many_differences_are_counted() -> None:
    found = compare_arrays("k", list(range(100)), [-1, *range(99)])
    assert [change.path for change in found[:2]] == ["k[0]", "k[1]"]
    assert len(found) == NAMED + 1
    assert found[-1].b == "100 values, 100 of them others"
    shorter = compare_arrays("k", [1, 2, 3], [1, 2])
    assert [(change.path, change.a, change.b) for change in shorter] == [("k", "3 values", "2 values")]
