"""Chooses the parser for a model file, by its name and first bytes."""

from __future__ import annotations

from kittui.budget import Budget
from kittui.errors import Malformed
from kittui.formats.foreign import ENDINGS, foreign_ending, read_foreign
from kittui.formats.inflate import compression_of, read_through
from kittui.formats.lfs import POINTER_LIMIT, PointerInstead, read_pointer
from kittui.formats.need import Steps, fetch
from kittui.formats.shards import is_shard_index, read_shard_index
from kittui.formats.tf_bundle import is_bundle_index
from kittui.formats.weights import LOOKUPS, Weights

PICKLES = (
    ".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pickle", ".pk", ".joblib", ".dill", ".sav", ".cloudpickle", ".jit",
    ".ptl", ".torchscript",
)  # fmt: skip
"""Endings of files that may be pickles."""
HDF5 = (".h5", ".hdf5", ".h5ad")
"""Endings of HDF5 files."""
SUFFIXES = (".safetensors", ".gguf", ".onnx", ".npy", ".npz", ".skops", ".keras", *HDF5, *PICKLES, *ENDINGS)
"""Endings of files that hold tensors, including formats that are not parsed."""


def header_budget() -> Budget:
    """The budget for reading one model file's header."""
    return Budget("the header", items=8_000_000, input=128 * 1024 * 1024, seconds=10)


def is_model_file(path: str) -> bool:
    """Whether a file's name says that its tensors can be listed."""
    return path.lower().endswith(SUFFIXES) or is_bundle_index(path)


def read_weights(path: str, size: int, budget: Budget, *, lookups: int = LOOKUPS) -> Steps[Weights]:
    """The tensors of a model file or shard index of `size` bytes; raises Malformed for unknown formats.

    `lookups`: the maximum number of a PyTorch checkpoint's storages to locate, at one read each. Raises TooLarge if the
    budget runs out before anything is found.
    """
    if size < POINTER_LIMIT and (pointer := read_pointer((yield from fetch(0, size)))) is not None:
        raise PointerInstead(path, pointer)
    # Import each parser on first use: most runs need one or none.
    name = path.lower()
    if is_shard_index(path):
        return (yield from read_shard_index(size, budget))
    if name.endswith(".safetensors"):
        return (yield from _safetensors(size, budget))
    if name.endswith(".onnx"):
        from kittui.formats.onnx import read_onnx

        return (yield from read_onnx(size, budget))
    if foreign_ending(path) is not None:
        return read_foreign(path, size)
    if name.endswith(HDF5):
        from kittui.formats.hdf5 import read_hdf5

        return (yield from read_hdf5(size, budget))
    if is_bundle_index(path):
        from kittui.formats.tf_bundle import read_bundle

        return (yield from read_bundle(path, size, budget))
    if name.endswith(".keras"):
        from kittui.formats.keras import read_keras

        return (yield from read_keras(size, budget))
    first = yield from fetch(0, 16)
    if first[:4] == b"GGUF":
        from kittui.formats.gguf import read_gguf

        return (yield from read_gguf(size, budget))
    if first[:6] == b"\x93NUMPY" or name.endswith((".npz", ".skops")):
        from kittui.formats import npy

        return (yield from npy.read_npy(size) if first[:6] == b"\x93NUMPY" else npy.read_npz(size, budget))
    if first[:4] == b"PK\3\4" or name.endswith(PICKLES):
        from kittui.formats.pytorch import read_pickles, read_pytorch

        if (how := compression_of(first)) is not None:
            return (yield from read_through(read_pickles(None, budget), how, size, budget))
        return (yield from read_pytorch(size, budget, lookups=lookups))
    if first[8:9] == b"{" and int.from_bytes(first[:8], "little") < size:
        return (yield from _safetensors(size, budget))
    raise Malformed(f"{path} is not a model file of a known format")


def _safetensors(size: int, budget: Budget) -> Steps[Weights]:
    from kittui.formats.safetensors import read_safetensors

    return (yield from read_safetensors(size, budget))
