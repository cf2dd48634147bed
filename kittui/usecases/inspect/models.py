"""Opens models: the tensors of a file, or of a sharded model joined over its files, from headers alone."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from kittui.errors import KittuiError, Malformed, Refused, TooLarge, Unsupported
from kittui.formats.model_file import PICKLES, is_model_file
from kittui.formats.shards import (
    SHARDS_LIMIT,
    ShardHeader,
    is_shard_index,
    is_sibling,
    join_shards,
    join_split,
    shard_names,
    split_kin,
    split_names,
)
from kittui.formats.weights import Tensor, Weights
from kittui.tasks import spread
from kittui.usecases.inspect.files import FoundFile, ListedLayer, covers, list_layers

if TYPE_CHECKING:
    from kittui.modelkit import Layer
    from kittui.oci.protocols import Repository
    from kittui.usecases.inspect.inspector import Inspector
    from kittui.usecases.inspect.prices import Ask

HEADERS = 4
"""Maximum shard headers read concurrently: each takes memory."""


@dataclass(frozen=True, slots=True)
class Shard:
    """One file of a sharded model; `found` is its place, `nbytes` the bytes of its tensors."""

    file: str
    found: FoundFile | None
    tensors: int
    nbytes: int
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Model:
    """The tensors of a model; `shards` is empty if it is one file. `verified`: all of its layers were verified."""

    weights: Weights
    shards: tuple[Shard, ...]
    verified: bool


async def open_model(
    inspector: Inspector,
    repository: Repository,
    layers: Sequence[Layer],
    found: FoundFile,
    *,
    ask: Ask | None = None,
) -> Model:
    """Read the tensors of a model file, or of all shards in any of `layers` if it is a shard index.

    Missing or unreadable shards are marked. Raises Malformed if the file is not a model file or index, Refused if the
    price of its layer is not agreed to, and the source's errors.
    """
    weights = await inspector.weights(repository, found.layer, found.entry, ask=ask)
    indexed = is_shard_index(found.entry.path)
    names = shard_names(weights) if indexed else split_names(found.entry.path, weights)
    if not names:
        return await _beside(inspector, repository, layers, found, weights, ask)
    folder = posixpath.dirname(posixpath.normpath(found.entry.path))
    search = _Search(inspector, repository, folder, names, ask)
    await search.run(_groups(layers, found, names))

    async def header(name: str) -> ShardHeader:
        place = search.best(name)
        if place is None:
            return ShardHeader(None, search.absence)
        try:
            read = await inspector.weights(repository, place.layer, place.entry, ask=ask)
        except (Malformed, Refused, TooLarge, Unsupported) as error:
            return ShardHeader(None, f"can't be read: {error.message}")
        return ShardHeader(read, search.oddity(name))

    read = await spread(names, header, at_once=min(HEADERS, repository.source.traits.at_once))
    headers = dict(zip(names, read, strict=True))
    shards = tuple(_shard(name, search.best(name), header) for name, header in headers.items())
    used = [found.layer, *(shard.found.layer for shard in shards if shard.found is not None)]
    verified = all(inspector.is_verified(repository, layer) for layer in used)
    joined = join_shards(weights, headers, search.spare()) if indexed else join_split(headers)
    return Model(joined, shards, verified)


async def _beside(
    inspector: Inspector,
    repository: Repository,
    layers: Sequence[Layer],
    found: FoundFile,
    weights: Weights,
    ask: Ask | None,
) -> Model:
    """Check a model whose tensors may be in files beside it (ONNX); those that are missing there are marked."""
    names = sorted({tensor.file for tensor in weights.tensors if tensor.file is not None})
    if not names or len(names) > SHARDS_LIMIT:
        return Model(weights, (), inspector.is_verified(repository, found.layer))
    folder = posixpath.dirname(posixpath.normpath(found.entry.path))
    places = {name: posixpath.normpath(posixpath.join(folder, name)) for name in names}
    held: dict[str, FoundFile] = {}
    wanted = set(places.values())
    for group in _groups(layers, found, [posixpath.relpath(place, folder or ".") for place in wanted]):
        if wanted <= held.keys():
            break
        for one in await list_layers(inspector, repository, group, ask=ask):
            for entry in one.listing.files if one.listing is not None else ():
                if (path := posixpath.normpath(entry.path)) in wanted and entry.type == "file":
                    held[path] = FoundFile(one.layer, entry)

    def placed(tensor: Tensor) -> Tensor:
        if tensor.file is None or tensor.problem is not None:
            return tensor
        there = held.get(places[tensor.file])
        if there is None:
            return tensor._replace(problem=f"its file {tensor.file} is missing")
        if (tensor.offset or 0) + (tensor.nbytes or 0) > there.entry.size:
            return tensor._replace(problem=f"its file {tensor.file} ends before it")
        return tensor

    tensors = tuple(placed(tensor) for tensor in weights.tensors)
    lacking = sum(tensor.problem is not None for tensor in tensors) - sum(
        one.problem is not None for one in weights.tensors
    )
    if lacking:
        said = f"{lacking} tensors are not in the files that it names"
        weights = replace(weights, tensors=tensors, problem="; ".join(filter(None, (weights.problem, said))))
    shards = tuple(
        Shard(
            name,
            held.get(places[name]),
            sum(tensor.file == name for tensor in tensors),
            sum(tensor.nbytes or 0 for tensor in tensors if tensor.file == name),
            None if places[name] in held else "is missing",
        )
        for name in names
    )
    used = [found.layer, *(one.layer for one in held.values())]
    return Model(weights, shards, all(inspector.is_verified(repository, layer) for layer in used))


@dataclass(frozen=True, slots=True)
class ListedModel:
    """A model file or shard index with its tensors, or with the error that prevented reading them."""

    found: FoundFile
    model: Model | None
    error: KittuiError | None = None


async def list_models(
    inspector: Inspector, repository: Repository, listed: Sequence[ListedLayer], *, ask: Ask | None = None
) -> list[ListedModel]:
    """List the models in listed layers; shards that an index joins are not listed separately.

    Files that are named like a model but hold something else, such as many .bin files, are left out.
    """
    layers = [one.layer for one in listed]
    files = [
        FoundFile(one.layer, entry)
        for one in listed
        for entry in (one.listing.files if one.listing is not None else ())
        if entry.type == "file" and not entry.problem
    ]
    at_once = min(HEADERS, repository.source.traits.at_once)

    async def one(found: FoundFile) -> ListedModel:
        try:
            return ListedModel(found, await open_model(inspector, repository, layers, found, ask=ask))
        except KittuiError as error:
            return ListedModel(found, None, error)

    # The first existing part of a split model stands for all.
    parts: dict[tuple[str, str, str], FoundFile] = {}
    for found in files:
        if (kin := split_kin(found.entry.path)) is not None:
            parts.setdefault(kin, found)
            parts[kin] = min(parts[kin], found, key=lambda one: one.entry.path)
    indexes = [found for found in files if is_shard_index(found.entry.path)] + list(parts.values())
    models = await spread(indexes, one, at_once=at_once)
    joined = {
        (shard.found.layer.digest, shard.found.entry.path)
        for listed_model in models
        if listed_model.model is not None
        for shard in listed_model.model.shards
        if shard.found is not None
    }
    single = [
        found
        for found in files
        if is_model_file(found.entry.path)
        and (found.layer.digest, found.entry.path) not in joined
        and not any(found is opener for opener in parts.values())
    ]
    for alone in await spread(single, one, at_once=at_once):
        vague = alone.found.entry.path.lower().endswith(PICKLES)
        if not (vague and isinstance(alone.error, Malformed)):
            models.append(alone)
    order = {(found.layer.digest, found.entry.path): number for number, found in enumerate(files)}
    return sorted(models, key=lambda one: order[one.found.layer.digest, one.found.entry.path])


def _shard(name: str, found: FoundFile | None, header: ShardHeader) -> Shard:
    weights = header.weights
    if weights is None:
        return Shard(name, found, 0, 0, header.problem)
    return Shard(name, found, len(weights.tensors), weights.nbytes, header.problem or weights.problem)


def _groups(layers: Sequence[Layer], index: FoundFile, names: Sequence[str]) -> list[list[Layer]]:
    """The layers to search, the likeliest first: those in the Kitfile, then the model's, then the others."""
    folder = posixpath.dirname(posixpath.normpath(index.entry.path))
    near: list[Layer] = [index.layer]
    model: list[Layer] = []
    others: list[Layer] = []
    for layer in {layer.digest: layer for layer in layers if layer.digest != index.layer.digest}.values():
        if layer.type in ("model", "modelpart") and any(covers(layer, posixpath.join(folder, name)) for name in names):
            near.append(layer)
        elif layer.type in ("model", "modelpart"):
            model.append(layer)
        else:
            others.append(layer)
    return [near, model, others]


class _Search:
    """Searches layers for the shards of one model until all are found."""

    def __init__(
        self, inspector: Inspector, repository: Repository, folder: str, names: Sequence[str], ask: Ask | None
    ) -> None:
        self._inspector = inspector
        self._repository = repository
        self._folder = folder
        self._names = frozenset(names)
        self._ask = ask
        self._beside: dict[str, list[FoundFile]] = {}
        self._elsewhere: dict[str, list[FoundFile]] = {}
        self._unlisted: list[str] = []

    async def run(self, groups: Sequence[Sequence[Layer]]) -> None:
        for group in groups:
            if self._names <= self._beside.keys():
                return
            for one in await list_layers(self._inspector, self._repository, group, ask=self._ask):
                if one.problem is not None:
                    self._unlisted.append(f"layer {one.layer.path or one.layer.digest.short}: {one.problem}")
                for entry in one.listing.files if one.listing is not None else ():
                    folder, name = posixpath.split(posixpath.normpath(entry.path))
                    if entry.type != "file" or not (name in self._names or is_sibling(name, self._names)):
                        continue
                    places = self._beside if folder == self._folder else self._elsewhere
                    places.setdefault(name, []).append(FoundFile(one.layer, entry))

    def best(self, name: str) -> FoundFile | None:
        """The file for a shard's name: beside the index, else one in another folder."""
        found = self._beside.get(name) or self._elsewhere.get(name)
        return found[-1] if found else None

    def oddity(self, name: str) -> str | None:
        """A remark on a shard found in an unusual place."""
        if name not in self._beside:
            return f"lies in {posixpath.dirname(self._elsewhere[name][-1].entry.path) or '.'}, not beside the index"
        count = len({found.layer.digest for found in self._beside[name]})
        return f"is in {count} layers; the last one is shown" if count > 1 else None

    @property
    def absence(self) -> str:
        """A remark on a shard that was not found."""
        if self._unlisted:
            return f"was not found, and not everything was listed ({'; '.join(self._unlisted[:3])})"
        return "is missing"

    def spare(self) -> list[str]:
        """Shards beside the index that it does not name."""
        return sorted(self._beside.keys() - self._names)
