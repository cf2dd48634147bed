"""Model files whose inside is not read: each is one marked row, so that "not understood" never looks like "empty"."""

from __future__ import annotations

import json
from typing import Any

from kittui.budget import Budget
from kittui.errors import ContentError
from kittui.formats.need import Steps, fetch
from kittui.formats.weights import Tensor, Weights
from kittui.formats.zip import read_member, read_zip

ENDINGS = {
    ".keras": ("keras", "its weights are in HDF5, which is not read"),
    ".h5": ("hdf5", "HDF5 is not read"),
    ".hdf5": ("hdf5", "HDF5 is not read"),
    ".tflite": ("tflite", "TensorFlow Lite's format is not read"),
    ".pb": ("tensorflow", "TensorFlow's graphs are not read"),
    ".cbm": ("catboost", "CatBoost's own format is not read"),
    ".ubj": ("xgboost", "XGBoost's UBJSON is not read"),
    ".pt2": ("torch.export", "torch.export's archives are not read"),
    ".pte": ("executorch", "ExecuTorch's format is not read"),
    ".mlmodel": ("coreml", "Core ML's format is not read"),
    ".nemo": ("nemo", "NeMo's archives are not read"),
    ".msgpack": ("flax", "Flax's msgpack is not read"),
    ".ot": ("rust-bert", "tch's archives are not read"),
}
"""By the end of a name: what the format is called, and what is not read."""
NAME = "(all of it)"
"""What the row is called that stands for all tensors."""
_CONFIG = 4 * 1024 * 1024


def foreign_ending(path: str) -> str | None:
    """Which of the endings a file's name has."""
    name = path.lower()
    return next((ending for ending in ENDINGS if name.endswith(ending)), None)


def read_foreign(path: str, size: int, budget: Budget) -> Steps[Weights]:
    """One row for a file of a format that is known and not read, with what its archive says of itself."""
    ending = foreign_ending(path) or ""
    form, reason = ENDINGS[ending]
    metadata: dict[str, Any] = {}
    if ending == ".keras" and (yield from fetch(0, 4)) == b"PK\3\4":
        try:
            metadata = yield from _keras(size, budget)
        except ContentError as error:
            reason = error.message
    row = Tensor(NAME, "?", (), None, size, f"not understood: {reason}")
    return Weights(form, (row,), metadata)


def _keras(size: int, budget: Budget) -> Steps[dict[str, Any]]:
    """A Keras archive's own metadata, and the classes of its layers."""
    found: dict[str, Any] = {}
    for member in (yield from read_zip(size, budget)):
        if member.path in ("metadata.json", "config.json") and member.size <= _CONFIG:
            raw = yield from read_member(member, budget)
            try:
                document = json.loads(raw)
            except (ValueError, RecursionError):
                continue
            if member.path == "metadata.json" and isinstance(document, dict):
                found |= {str(key): value for key, value in document.items() if isinstance(value, str)}
            elif member.path == "config.json":
                found["layers"] = sorted(set(class_names(document)))[:200]
    return found


def class_names(document: Any) -> list[str]:
    """The classes that a Keras configuration names."""
    found: list[str] = []
    waiting = [document]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            name = value.get("class_name")
            if isinstance(name, str):
                found.append(name[:200])
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
    return found
