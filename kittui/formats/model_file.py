"""Which parser reads a model file, by its name and its first bytes."""

from __future__ import annotations

from kittui.errors import Malformed
from kittui.formats.gguf import read_gguf
from kittui.formats.need import Steps, fetch
from kittui.formats.npy import read_npy, read_npz
from kittui.formats.onnx import read_onnx
from kittui.formats.pytorch import LOOKUPS, read_pytorch
from kittui.formats.safetensors import read_safetensors
from kittui.formats.shards import is_shard_index, read_shard_index
from kittui.formats.weights import Weights

PICKLES = (".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pickle", ".joblib")
"""Files that are perhaps pickles, by their names."""
SUFFIXES = (".safetensors", ".gguf", ".onnx", ".npy", ".npz", *PICKLES)
"""Files whose names say that they hold tensors."""


def is_model_file(path: str) -> bool:
    """Whether a file's name says that its tensors can be listed."""
    return path.lower().endswith(SUFFIXES)


def read_weights(path: str, size: int, *, lookups: int = LOOKUPS) -> Steps[Weights]:
    """The tensors of a model file or shard index of `size` bytes; raises Malformed where it is of no known format.

    `lookups`: storages of a PyTorch checkpoint whose places are looked up at most, a read for each.
    """
    name = path.lower()
    if is_shard_index(path):
        return (yield from read_shard_index(size))
    if name.endswith(".safetensors"):
        return (yield from read_safetensors(size))
    if name.endswith(".onnx"):
        return (yield from read_onnx(size))
    first = yield from fetch(0, 16)
    if first[:4] == b"GGUF":
        return (yield from read_gguf(size))
    if first[:6] == b"\x93NUMPY":
        return (yield from read_npy(size))
    if name.endswith(".npz"):
        return (yield from read_npz(size))
    if first[:4] == b"PK\3\4" or name.endswith(PICKLES):
        weights, _ = yield from read_pytorch(size, lookups=lookups)
        return weights
    if first[8:9] == b"{" and int.from_bytes(first[:8], "little") < size:
        return (yield from read_safetensors(size))
    raise Malformed(f"{path} is no model file of a known format")
