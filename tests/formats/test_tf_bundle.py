"""The variables of a SavedModel: the index that TensorFlow wrote, joined with its data file, and damaged ones."""

from __future__ import annotations

import itertools
import random
import struct
from pathlib import Path

import pytest

from kittui.budget import Budget
from kittui.errors import ContentError, Malformed
from kittui.formats.model_file import header_budget, is_model_file, read_weights
from kittui.formats.need import run_bytes
from kittui.formats.tf_bundle import is_bundle_index, read_bundle
from tests.cli.conftest import home, kittui
from tests.fakes.artifacts import Layout
from tests.fakes.command_line import Run

__all__ = ["home", "kittui"]

RAW = (Path(__file__).parent.parent / "zoo/tensorflow/variables.index").read_bytes()
DATA_SIZE = 219_309
"""Bytes of the data file that the index came with."""


def test_the_variables_lie_one_after_the_other_in_the_data_file() -> None:
    found = run_bytes(read_bundle("variables/variables.index", len(RAW), header_budget()), RAW)
    assert (found.problem, found.metadata, len(found.tensors)) == (None, {"shards": 1}, 74)
    assert {one.file for one in found.tensors} == {"variables.data-00000-of-00001"}
    placed = sorted((one.offset, one.nbytes or 0) for one in found.tensors if one.offset is not None)
    assert all(start + size == after for (start, size), (after, _) in itertools.pairwise(placed))
    texts = sum(one.nbytes or 0 for one in found.tensors if one.offset is None)
    assert placed[-1][0] + placed[-1][1] + texts == DATA_SIZE
    kernel = next(one for one in found.tensors if one.name.startswith("layer_with_weights-1/kernel/"))
    assert (kernel.dtype, len(kernel.shape)) == ("F32", 4)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("saved/variables/variables.index", True),
        ("model.ckpt.index", True),
        ("ckpt-12.index", True),
        ("model.ckpt-1000.index", True),
        ("faiss.index", False),
        ("index", False),
    ],
)
def test_names_of_indexes(path: str, found: bool) -> None:
    assert is_bundle_index(path) is found
    assert is_model_file(path) is found


def test_any_damage_is_an_error_of_ours() -> None:
    source = random.Random(3)
    for _ in range(400):
        damaged = bytearray(RAW)
        for _ in range(source.choice((1, 3, 30))):
            damaged[source.randrange(len(RAW))] = source.choice((0, 255, source.randrange(256)))
        try:
            run_bytes(read_bundle("variables.index", len(damaged), Budget("it", seconds=5)), bytes(damaged))
        except ContentError:
            continue


def test_another_index_is_not_one() -> None:
    with pytest.raises(Malformed):
        run_bytes(read_weights("x/variables.index", 100, header_budget()), bytes(100))


def test_the_data_file_is_found_in_the_modelkit(kittui: Run, tmp_path: Path) -> None:
    found = run_bytes(read_bundle("variables.index", len(RAW), header_budget()), RAW)
    data = bytearray(DATA_SIZE)
    kernel = max((one for one in found.tensors if one.offset is not None), key=lambda one: one.nbytes or 0)
    struct.pack_into("<f", data, kernel.offset or 0, 1.5)
    files = {"model/saved_model.pb": b"\x08\x01", "model/variables/variables.index": RAW}
    layout = Layout(tmp_path / "layout")
    layout.modelkit("without", files)
    layout.modelkit("whole", files | {"model/variables/variables.data-00000-of-00001": bytes(data)})
    here = f"oci:{layout.folder}"
    models = {one["path"]: one for one in kittui("tree", f"{here}:whole", "--tensors", "--json").json["models"]}
    whole = models["model/variables/variables.index"]
    assert (whole["problem"], len(whole["tensors"]), whole["shards"][0]["problem"]) == (None, 74, None)
    (graph,) = models["model/saved_model.pb"]["tensors"]
    assert "not understood" in graph["problem"]
    models = {one["path"]: one for one in kittui("tree", f"{here}:without", "--tensors", "--json").json["models"]}
    assert "are not in the files" in models["model/variables/variables.index"]["problem"]
    assert "tensorflow: not understood" in kittui("cat", f"{here}:whole", "model/saved_model.pb", "--view").out
