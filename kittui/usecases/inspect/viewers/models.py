"""Model files as their tensors, with what is known of the model."""

from __future__ import annotations

from kittui.errors import Malformed, Unsupported
from kittui.formats.model_file import is_model_file
from kittui.usecases.inspect.facts import model_facts, shard_index
from kittui.usecases.inspect.files import FoundFile
from kittui.usecases.inspect.models import open_model
from kittui.usecases.inspect.viewers.shown import OpenFile, Shown, Tensors, Viewer, Way


async def _open(file: OpenFile) -> Shown:
    if file.inspector is None or file.repository is None or file.layer is None or file.entry is None:
        raise Unsupported("a model is shown where it lies in a ModelKit")
    layers = file.modelkit.layers if file.modelkit is not None else (file.layer,)
    found = FoundFile(file.layer, file.entry)
    index = await shard_index(file.inspector, file.repository, found, file.modelkit)
    model = await open_model(file.inspector, file.repository, layers, index or found, ask=file.ask)
    facts = await model_facts(
        file.inspector, file.repository, found, file.modelkit, model.weights, model.shards
    )  # fmt: skip
    if not model.weights.tensors and model.weights.problem:
        raise Malformed(model.weights.problem)
    return Shown(
        "model", file.size, (Way("Tensors", Tensors(model, facts)),), verified=model.verified, read=file.size
    )  # fmt: skip


VIEWER = Viewer("model", lambda path, size, head: is_model_file(path), _open)
