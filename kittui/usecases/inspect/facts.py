"""Gathers facts on a model besides its tensors: architecture and hyperparameters, with their sources."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from kittui.errors import KittuiError, Malformed
from kittui.formats.exact_json import Number, json_text, parse_json
from kittui.formats.tar import FileEntry
from kittui.formats.text import decode, sniff
from kittui.formats.weights import Weights
from kittui.terminal import clean, counted, size_text
from kittui.usecases.inspect.files import FoundFile, covers

if TYPE_CHECKING:
    from kittui.modelkit import Layer, ModelKit
    from kittui.oci.protocols import Repository
    from kittui.usecases.inspect.inspector import Inspector
    from kittui.usecases.inspect.models import Shard

CONFIG_LIMIT = 256 * 1024
"""Maximum bytes of a config.json."""
LAYER_LIMIT = 1024 * 1024
"""Maximum bytes of another layer that is listed to find a config.json."""
_SHARD = re.compile(r"(.+)-\d{1,9}-of-\d{1,9}(\.safetensors|\.bin)\Z")
VALUE = 400
"""Maximum characters kept of a value."""

Pairs = tuple[tuple[str, str], ...]

_SIZES: Mapping[str, tuple[str, ...]] = {
    "layers": ("num_hidden_layers", "n_layer", "num_layers", "n_layers", "block_count"),
    "hidden": ("hidden_size", "n_embd", "d_model", "dim", "embedding_length"),
    "heads": ("num_attention_heads", "n_head", "num_heads", "attention.head_count"),
    "context": ("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "context_length"),
    "vocabulary": ("vocab_size", "n_vocab"),
}
"""Names of an architecture's sizes in config.json and in GGUF."""


@dataclass(frozen=True, slots=True)
class Section:
    """Names and values under a title that says what they are and their source."""

    title: str
    pairs: Pairs


@dataclass(frozen=True, slots=True)
class ModelFacts:
    """`summary`: a few words for one line; `sections`: everything; `problems`: what could not be read."""

    summary: Pairs
    sections: tuple[Section, ...]
    problems: tuple[str, ...] = ()


async def model_facts(
    inspector: Inspector,
    repository: Repository,
    found: FoundFile,
    modelkit: ModelKit | None,
    weights: Weights,
    shards: Sequence[Shard] = (),
) -> ModelFacts:
    """Gather facts from the config.json beside the file, its metadata and the Kitfile.

    Reads kilobytes, without asking.
    """
    problems = [f"{shard.file} {shard.problem}" for shard in shards if shard.problem]
    config: dict[str, Any] = {}
    try:
        config = await _config(inspector, repository, found, modelkit)
    except KittuiError as error:
        problems.append(f"config.json: {error.message}")
    facts = gathered(config, weights, modelkit, found.layer, problems)
    if not shards:
        return facts
    files = Section("Files", tuple((clean(shard.file), _shard(shard)) for shard in shards))
    return replace(facts, sections=(*facts.sections, files))


def _shard(shard: Shard) -> str:
    if shard.found is None:
        return "missing"
    return f"{counted(shard.tensors, 'tensor')}, {size_text(shard.nbytes)}"


def gathered(
    config: Mapping[str, Any],
    weights: Weights,
    modelkit: ModelKit | None,
    layer: Layer,
    problems: Sequence[str] = (),
) -> ModelFacts:
    """Combine a config.json, a file's metadata and the Kitfile's model."""
    sections: list[Section] = []
    own = {str(key): value for key, value in weights.metadata.items()}
    prefix = str(own.get("general.architecture", "")) + "."
    sizes = {name[len(prefix) :]: value for name, value in own.items() if len(prefix) > 1 and name.startswith(prefix)}
    rest = {name: value for name, value in own.items() if name[len(prefix) :] not in sizes or not sizes}
    architecture = _architecture(config, own)
    if config:
        sections.append(Section("Architecture · config.json", _pairs(config)))
    elif sizes:
        named = {"architecture": own["general.architecture"], **sizes}
        sections.append(Section(f"Architecture · {weights.format}", _pairs(named)))
    sections += _kitfile(modelkit, layer)
    if rest:
        sections.append(Section(f"Metadata · {weights.format}", _pairs(rest)))
    summary = [("", architecture)] if architecture else []
    for word, names in _SIZES.items():
        found = next((value for name in names for value in (config.get(name, sizes.get(name)),) if _plain(value)), None)
        if found is not None:
            summary.append((word, _value(found)))
    return ModelFacts(tuple(summary), tuple(sections), tuple(problems))


def _architecture(config: Mapping[str, Any], own: Mapping[str, Any]) -> str:
    names = config.get("architectures")
    if isinstance(names, list) and names and isinstance(names[0], str):
        return _value(names[0])
    for found in (config.get("model_type"), own.get("general.architecture"), own.get("producer_name")):
        if isinstance(found, str) and found:
            return _value(found)
    return ""


def _kitfile(modelkit: ModelKit | None, layer: Layer) -> list[Section]:
    """The Kitfile's model, for files of a model's layer."""
    model = modelkit.kitfile.get("model") if modelkit is not None else None
    if not isinstance(model, dict) or layer.type not in ("model", "modelpart"):
        return []
    facts = {name: model[name] for name in ("name", "version", "framework", "format", "license") if model.get(name)}
    sections = [Section("Model · Kitfile", _pairs(facts))] if facts else []
    parameters = model.get("parameters")
    if isinstance(parameters, dict) and parameters:
        sections.append(Section("Hyperparameters · Kitfile", _pairs(_flat(parameters))))
    return sections


def _flat(values: Mapping[str, Any], prefix: str = "", depth: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in list(values.items())[:500]:
        if isinstance(value, dict) and value and depth < 6:
            found.update(_flat(value, f"{prefix}{name}.", depth + 1))
        else:
            found[f"{prefix}{name}"] = value
    return found


async def _config(
    inspector: Inspector, repository: Repository, beside: FoundFile, modelkit: ModelKit | None
) -> dict[str, Any]:
    """The config.json in the file's folder."""
    found = await _beside(inspector, repository, beside, modelkit, "config.json")
    if found is None:
        return {}
    return _loaded(await inspector.read_file(repository, found.layer, found.entry, CONFIG_LIMIT))


async def shard_index(
    inspector: Inspector, repository: Repository, found: FoundFile, modelkit: ModelKit | None
) -> FoundFile | None:
    """Find the index that joins a shard with its siblings, if the file is one and its index lies beside it."""
    match = _SHARD.match(posixpath.basename(found.entry.path))
    if match is None:
        return None
    try:
        return await _beside(inspector, repository, found, modelkit, f"{match[1]}{match[2]}.index.json")
    except KittuiError:
        # The shard can be shown alone; the other layer's problem is shown when that is opened.
        return None


async def _beside(
    inspector: Inspector, repository: Repository, found: FoundFile, modelkit: ModelKit | None, name: str
) -> FoundFile | None:
    """Find a file in the same folder, in the same layer or in a small one that the Kitfile puts there."""
    wanted = posixpath.join(posixpath.dirname(found.entry.path), name)
    layers = [found.layer]
    if modelkit is not None:
        layers += [
            layer
            for layer in modelkit.layers
            if layer.digest != found.layer.digest and layer.size <= LAYER_LIMIT and layer.path and covers(layer, wanted)
        ]
    for layer in layers:
        listing = await inspector.listing(repository, layer)
        entry: FileEntry | None = next((one for one in listing.files if one.path == wanted), None)
        if entry is not None and entry.type == "file" and not entry.problem:
            return FoundFile(layer, entry)
    return None


def _loaded(raw: bytes) -> dict[str, Any]:
    encoding = sniff(raw)
    if encoding is None:
        raise Malformed("it is not a text")
    document = parse_json(decode(raw, encoding))
    if not isinstance(document, dict):
        raise Malformed("it is not a JSON object")
    return document


def _pairs(values: Mapping[str, Any]) -> Pairs:
    return tuple((clean(str(name)), _value(value)) for name, value in list(values.items())[:2000])


def _plain(value: object) -> bool:
    return isinstance(value, int | float | str | Number) and not isinstance(value, bool)


def _value(value: Any) -> str:
    if isinstance(value, Mapping) and isinstance(value.get("count"), int) and isinstance(value.get("first"), list):
        # An array in GGUF.
        first = ", ".join(str(one)[:40] for one in value["first"][:6])
        return clean(f"{value['count']:,} × {str(value.get('type'))[:20]}: {first} …", limit=VALUE)
    if isinstance(value, str):
        return clean(value[: VALUE * 2], limit=VALUE)
    if isinstance(value, list) and all(isinstance(one, str | int | float | Number) for one in value[:50]):
        more = " …" if len(value) > 12 else ""
        return clean(", ".join(str(one)[:80] for one in value[:12]) + more, limit=VALUE)
    try:
        return clean(json_text(value)[: VALUE * 2], limit=VALUE)
    except (RecursionError, ValueError):
        return "nested too deeply to be shown"
