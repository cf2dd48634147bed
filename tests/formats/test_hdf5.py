"""HDF5 files that are damaged or made to harm: an error of ours or marked rows, in bounded time."""

from __future__ import annotations

import random
import zipfile
from io import BytesIO
from pathlib import Path

import pytest

from kittui.budget import Budget
from kittui.errors import ContentError, Malformed
from kittui.formats.hdf5 import read_hdf5
from kittui.formats.keras import read_keras
from kittui.formats.loading import examine
from kittui.formats.model_file import header_budget
from kittui.formats.need import run_bytes

ZOO = Path(__file__).parent.parent / "zoo"
FILES = ["hdf5/groups.h5", "hdf5/latest.h5", "keras/legacy.h5", "keras/model.weights.h5"]


@pytest.mark.parametrize("path", FILES)
def test_any_damage_is_an_error_of_ours(path: str) -> None:
    raw = (ZOO / path).read_bytes()
    source = random.Random(path)
    for _ in range(150):
        damaged = bytearray(raw)
        for _ in range(source.choice((1, 3, 40))):
            at = source.choice((source.randrange(len(raw)), source.randrange(2048)))
            damaged[at] = source.choice((0, 255, 1, source.randrange(256)))
        try:
            run_bytes(read_hdf5(len(damaged), Budget("it", seconds=5)), bytes(damaged))
        except ContentError:
            continue


@pytest.mark.parametrize("path", FILES)
def test_a_file_that_ends_early_is_not_shown_as_whole(path: str) -> None:
    raw = (ZOO / path).read_bytes()
    whole = run_bytes(read_hdf5(len(raw), header_budget()), raw)
    for size in range(0, len(raw), len(raw) // 40):
        try:
            found = run_bytes(read_hdf5(size, header_budget()), raw[:size])
        except ContentError:
            continue
        marked = any(one.problem for one in found.tensors)
        fewer = sum(one.offset is not None for one in found.tensors) < sum(
            one.offset is not None for one in whole.tensors
        )
        assert marked or fewer or found.problem or found.tensors == whole.tensors
        assert all(one.offset is None or one.offset + (one.nbytes or 0) <= size for one in found.tensors)


def test_attributes_are_those_that_were_written() -> None:
    for name in ("groups", "latest"):
        raw = (ZOO / f"hdf5/{name}.h5").read_bytes()
        found = run_bytes(read_hdf5(len(raw), header_budget()), raw)
        assert found.metadata == {"epochs": 5, "rate": 0.5, "words": ["one", "two"]}


def test_what_is_not_hdf5_is_malformed() -> None:
    with pytest.raises(Malformed):
        run_bytes(read_hdf5(5000, header_budget()), bytes(5000))


def test_a_deflated_keras_archive_has_its_tensors_without_a_place() -> None:
    with zipfile.ZipFile(ZOO / "keras/model.keras") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    raw = stream.getvalue()
    found = run_bytes(read_keras(len(raw), header_budget()), raw)
    names = ["layers/dense/vars/0", "layers/dense/vars/1"]
    assert [(one.name, one.offset) for one in found.tensors] == [(name, None) for name in names]
    assert found.metadata["keras_version"]
    del members["model.weights.h5"]
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    (row,) = run_bytes(read_keras(len(stream.getvalue()), header_budget()), stream.getvalue()).tensors
    assert "not understood" in (row.problem or "")


def test_a_configuration_that_can_not_be_read_is_not_looked_at() -> None:
    raw = (ZOO / "keras/lambda.h5").read_bytes()
    found = run_bytes(examine("m.h5", len(raw), Budget("it")), raw)
    assert found.unread == []
    assert len(found.code) == 1
    found = run_bytes(examine("m.h5", len(raw), Budget("it")), raw.replace(b"GCOL", b"LOCG"))
    assert found.code == []
    assert found.unread
