"""Which parser reads a model file, by its name and its first bytes."""

from __future__ import annotations

from kittui.errors import Malformed
from kittui.formats.need import Steps, fetch
from kittui.formats.safetensors import read_safetensors
from kittui.formats.weights import Weights

SUFFIXES = (".safetensors",)
"""Files that are taken for models by their names."""


def is_model_file(path: str) -> bool:
    """Whether a file's name says that its tensors can be listed."""
    return path.lower().endswith(SUFFIXES)


def read_weights(path: str, size: int) -> Steps[Weights]:
    """The tensors of a model file of `size` bytes; raises Malformed where it is none of the known formats."""
    name = path.lower()
    if name.endswith(".safetensors"):
        return (yield from read_safetensors(size))
    yield from fetch(0, 16)
    raise Malformed(f"{path} is no model file of a known format")
