"""Files that the real libraries wrote (make.py): what is listed of them is what those libraries say."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from kittui.budget import Budget
from kittui.formats.loading import examine
from kittui.formats.model_file import header_budget, is_model_file, read_weights
from kittui.formats.need import run_bytes
from kittui.formats.weights import Weights
from kittui.usecases.inspect.risk import is_allowed

HERE = Path(__file__).parent
CASES: list[dict[str, Any]] = json.loads((HERE / "expected.json").read_text())
LISTED = [case for case in CASES if case["format"]]


def listed(path: str) -> Weights:
    raw = (HERE / path).read_bytes()
    return run_bytes(read_weights(path, len(raw), header_budget()), raw)


@pytest.mark.parametrize("case", LISTED, ids=[case["path"] for case in LISTED])
def test_tensors_are_those_of_the_library(case: dict[str, Any]) -> None:
    weights = listed(case["path"])
    assert is_model_file(case["path"])
    assert (weights.format, weights.problem) == (case["format"], None)
    marked = [tensor for tensor in weights.tensors if tensor.problem]
    assert len(marked) == case.get("marked", 0), marked
    if "arrays" in case:
        assert len(weights.tensors) == case["arrays"]
        return
    found = [[tensor.name, tensor.dtype, list(tensor.shape)] for tensor in weights.tensors]
    expected = [row[:3] for row in case["tensors"]]
    assert sorted(found) == sorted(expected)
    if "note" in case:
        assert any(case["note"] in note for note in weights.notes)


@pytest.mark.parametrize("case", LISTED, ids=[case["path"] for case in LISTED])
def test_numbers_lie_where_they_are_said_to(case: dict[str, Any]) -> None:
    weights = listed(case["path"])
    digests = {row[0]: row[3] for row in case["tensors"]}
    for tensor in weights.tensors:
        if digests.get(tensor.name) is None:
            # Not laid out one after the other, or not in the file at all: no bytes may be shown for them.
            assert tensor.offset is None or tensor.nbytes == 0 or "tensors" not in case or "arrays" in case, tensor
            continue
        assert tensor.offset is not None, tensor
        assert tensor.nbytes is not None, tensor
        holder = HERE / case["path"] if tensor.file is None else (HERE / case["path"]).with_name(tensor.file)
        raw = holder.read_bytes()[tensor.offset : tensor.offset + tensor.nbytes]
        assert hashlib.sha256(raw).hexdigest() == digests[tensor.name], tensor


RISKY = [case for case in CASES if "imports" in case or case.get("code")]


@pytest.mark.parametrize("case", RISKY, ids=[case["path"] for case in RISKY])
def test_what_loading_would_import_is_known_to_its_end(case: dict[str, Any]) -> None:
    raw = (HERE / case["path"]).read_bytes()
    found = run_bytes(examine(case["path"], len(raw), Budget("it")), raw)
    assert found.unread == []
    assert {str(one) for one in found.imports if not is_allowed(one)} == set(case.get("imports", ()))
    assert found.faults == []
    assert bool(found.code) == bool(case.get("code"))


def test_every_file_of_the_zoo_is_told_of() -> None:
    tables = json.loads((HERE / "tables.json").read_text())
    known = (
        {case["path"] for case in CASES}
        | {path for part in tables.values() for path in part}
        | {"onnx/external.onnx.data", "torch/sharded/pytorch_model.bin.index.json"}
    )
    beside = {".py", ".json"}
    files = {str(path.relative_to(HERE)) for path in HERE.rglob("*") if path.is_file() and path.suffix not in beside}
    files -= {str(path.relative_to(HERE)) for path in HERE.rglob("__pycache__/*")}
    assert files <= known
    assert sum(path.stat().st_size for path in HERE.rglob("*") if path.is_file()) < 3_000_000
