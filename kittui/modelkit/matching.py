"""Matches layers to Kitfile entries: the nth layer of a type belongs to the type's nth entry with a layer."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from typing import Any

from kittui.errors import KittuiError
from kittui.modelkit.kitfile import SECTIONS, entries, is_remote, model_reference
from kittui.modelkit.layers import Layer, annotated_mode, annotated_path, entry_of, text_of
from kittui.modelkit.roles import LayerType, packaging
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.oci.manifest import Manifest


def plain_layers(manifest: Manifest) -> tuple[Layer, ...]:
    """The layers of an artifact without Kitfile: from their descriptors, with default names for nameless ones."""
    return tuple(
        layer_of(number, descriptor, packaging(descriptor).type, {"path": path} if path else {})
        for number, (descriptor, path) in enumerate(zip(manifest.layers, layer_paths(manifest), strict=True))
    )


def layer_paths(manifest: Manifest) -> list[str]:
    """Give each layer its path, or one by its role; generated ones are unique."""
    named = [annotated_path(descriptor) for descriptor in manifest.layers]
    taken = {path for path in named if path}
    counts: dict[str, int] = defaultdict(int)
    paths = []
    for descriptor, path in zip(manifest.layers, named, strict=True):
        usual = packaging(descriptor).name
        while not path and usual:
            stem, dot, suffix = usual.partition(".")
            counts[usual] += 1
            tried = usual if counts[usual] == 1 else f"{stem}-{counts[usual]}{dot}{suffix}"
            path = None if tried in taken else tried
        taken.add(path or "")
        paths.append(path or "")
    return paths


def match_layers(manifest: Manifest, kitfile: Mapping[str, Any]) -> tuple[tuple[Layer, ...], list[str]]:
    """The layers of a ModelKit with their entries, and sentences on entries that have no layer.

    By position per type, as kit does, over the entries that carry a digest; in a legacy ModelKit none does, and then
    every entry has a layer. An entry whose digest is another layer's keeps its place and is marked.
    """
    described = {section: list(_described(kitfile, section)) for section in _TYPES}
    legacy = not any("digest" in entry for found in described.values() for entry in found)
    waiting: dict[LayerType, deque[Mapping[str, Any]]] = defaultdict(deque)
    for section, layer_type in _TYPES.items():
        waiting[layer_type].extend(entry for entry in described[section] if legacy or text_of(entry, "digest"))
    layers = []
    for number, descriptor in enumerate(manifest.layers):
        layer_type = packaging(descriptor).type
        queue = waiting[layer_type]
        if queue:
            entry = queue.popleft()
            layers.append(layer_of(number, descriptor, layer_type, entry, _mismatch(descriptor, entry), legacy=legacy))
        else:
            problem = "the Kitfile has no entry for this layer" if layer_type != "other" else "a layer of unknown type"
            layers.append(layer_of(number, descriptor, layer_type, {}, problem))
    left = [
        f"no layer for the Kitfile's {layer_type} {text_of(entry, 'path') or text_of(entry, 'name') or ''}".rstrip()
        for layer_type, queue in waiting.items()
        for entry in queue
    ]
    return tuple(layers), left


_TYPES: Mapping[str, LayerType] = {
    "model": "model",
    "parts": "modelpart",
    "code": "code",
    "datasets": "datasets",
    "docs": "docs",
    "prompts": "prompts",
    "mcpServers": "mcpServers",
}


def _described(kitfile: Mapping[str, Any], section: str) -> Iterator[Mapping[str, Any]]:
    """The entries for which kit writes layers: no model reference, no model without path, no remote content."""
    if section == "model":
        model = kitfile.get("model")
        if isinstance(model, dict) and text_of(model, "path") and model_reference(kitfile) is None:
            yield model
    elif section == "parts" or section in SECTIONS:
        found = map(entry_of, entries(kitfile, section))
        yield from (entry for entry in found if text_of(entry, "digest") or not is_remote(entry))


def layer_of(
    position: int,
    descriptor: Descriptor,
    layer_type: LayerType,
    entry: Mapping[str, Any],
    problem: str | None = None,
    *,
    legacy: bool = False,
    diff_id: Digest | None = None,
) -> Layer:
    """A layer from its descriptor and its entry; the entry's path beats the annotation."""
    packed = packaging(descriptor)
    known, bad = _diff_id(descriptor, entry, packed.compression)
    return Layer(
        position=position,
        type=layer_type,
        path=text_of(entry, "path") or annotated_path(descriptor),
        name=text_of(entry, "name"),
        media_type=descriptor.media_type,
        digest=descriptor.digest,
        diff_id=diff_id or known,
        size=descriptor.size,
        compression=packed.compression,
        format=packed.format,
        entry=entry,
        annotations=descriptor.annotations,
        problem=problem or bad,
        legacy=legacy,
        role=packed.role,
        mode=annotated_mode(descriptor),
    )


def _diff_id(descriptor: Descriptor, entry: Mapping[str, Any], compression: str) -> tuple[Digest | None, str | None]:
    stated = text_of(entry, "diffId")
    if stated is None:
        return (descriptor.digest if compression == "none" else None), None
    try:
        found = Digest.parse(stated)
    except KittuiError:
        return None, "the Kitfile's diffId for this layer is not a digest"
    if compression == "none" and found != descriptor.digest and found.algorithm == descriptor.digest.algorithm:
        return found, "the Kitfile's diffId is not this uncompressed layer's digest"
    return found, None


def _mismatch(descriptor: Descriptor, entry: Mapping[str, Any]) -> str | None:
    stated = text_of(entry, "digest")
    if stated is None or stated == descriptor.digest:
        return None
    return f"the Kitfile has another digest for this layer: {stated[:100]}"
