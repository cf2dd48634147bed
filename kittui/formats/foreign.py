"""Lists model files that can't be parsed as one marked row each, so that "not understood" never looks like "empty"."""

from __future__ import annotations

from kittui.formats.keras import NAME
from kittui.formats.weights import Tensor, Weights

ENDINGS = {
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
"""By file name ending: the format's name, and what is not read."""


def foreign_ending(path: str) -> str | None:
    """Return the ending that a file's name has."""
    name = path.lower()
    return next((ending for ending in ENDINGS if name.endswith(ending)), None)


def read_foreign(path: str, size: int) -> Weights:
    """Return one row for a file whose format is known but not parsed."""
    form, reason = ENDINGS[foreign_ending(path) or ""]
    return Weights(form, (Tensor(NAME, "?", (), None, size, f"not understood: {reason}"),), {})
