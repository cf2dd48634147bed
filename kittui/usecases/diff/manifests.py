"""Compares two versions by manifests and configs alone: identity, Kitfile, annotations, layers. Pure."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kittui.compare.changes import LayerSide, Problem, ValueChange
from kittui.compare.comparison import Comparison, Identity, Version
from kittui.compare.documents import compare_documents
from kittui.compare.layers import TypedLayer, compare_layers
from kittui.errors import ContentError
from kittui.modelkit.roles import SPECIAL
from kittui.modelkit.variants import variants_of
from kittui.oci.manifest import Manifest, load_object
from kittui.usecases.browse.exact import exact_kitfile

if TYPE_CHECKING:
    from kittui.modelkit import Layer, ModelKit


def compare_modelkits(version_a: Version, version_b: Version, a: ModelKit, b: ModelKit) -> Comparison:
    """Compare identity, Kitfile, annotations and layers, from manifests and configs alone."""
    by_role = a.kind != b.kind
    layers = compare_layers(_typed_layers(a, by_role), _typed_layers(b, by_role))
    notes = []
    if a.kind != b.kind:
        notes.append(f"different kinds: {a.label} and {b.label}")
    kitfile = compare_documents(without_digests(exact_kitfile(a)), without_digests(exact_kitfile(b)))
    annotations = _annotations(a.annotations, b.annotations)
    identity: Identity = "different"
    if a.digest == b.digest or a.manifest.raw == b.manifest.raw:
        identity = "identical"
    elif (
        not kitfile
        and a.kind == b.kind
        and layers
        and all(change.status in ("same", "repacked") for change in layers)
        and any(change.status == "repacked" for change in layers)
    ):
        identity = "repacked"
    if identity == "different" and not kitfile and all(change.status == "same" for change in layers):
        notes.append("Kitfile and layers are the same; only the manifest differs")
    shared = sum(1 for change in layers if change.status in ("same", "moved", "repacked"))
    if identity == "different" and layers and not shared:
        notes.append("no common layers")
    problems = [
        Problem(where, text) for where, kit in (("a", a), ("b", b)) for text in kit.problems
    ]  # fmt: skip
    metadata: tuple[tuple[str, ValueChange], ...] = ()
    if not (a.is_modelkit and b.is_modelkit):
        metadata = tuple(("config", change) for change in compare_documents(_config(a), _config(b)))
    if a.manifest.is_index and b.manifest.is_index:
        metadata += tuple(("labels", change) for change in compare_documents(_labels(a), _labels(b)))
    return Comparison(
        version_a,
        version_b,
        identity,
        kitfile,
        annotations,
        layers,
        metadata=metadata,
        notes=tuple(notes),
        problems=tuple(problems),
    )


def _config(kit: ModelKit) -> Any:
    """The config as a document, if it is one."""
    try:
        return load_object(kit.config_raw, "the config")
    except ContentError:
        return {}


def _labels(kit: ModelKit) -> dict[str, dict[str, str]]:
    """The labels of each variant."""
    return {one.descriptor.digest.short: dict(one.labels) for one in variants_of(kit.manifest)}


def _annotations(a: Mapping[str, str], b: Mapping[str, str]) -> tuple[ValueChange, ...]:
    """Keys are literal: a dot in one does not separate path parts."""
    found = []
    for key in [*a, *(key for key in b if key not in a)]:
        if key not in b:
            found.append(ValueChange(key, "removed", a[key], None))
        elif key not in a:
            found.append(ValueChange(key, "added", None, b[key]))
        elif a[key] != b[key]:
            found.append(ValueChange(key, "changed", a[key], b[key]))
    return tuple(found)


def without_digests(kitfile: Mapping[str, Any]) -> dict[str, Any]:
    """A Kitfile without what packing adds to its entries: layer digests are compared with the layers."""
    result = copy.deepcopy(dict(kitfile))
    entries: list[Any] = [result.get("model")]
    if isinstance(result.get("model"), dict) and isinstance(result["model"].get("parts"), list):
        entries += result["model"]["parts"]
    for value in result.values():
        if isinstance(value, list):
            entries += value
    for entry in entries:
        if isinstance(entry, dict):
            entry.pop("digest", None)
            entry.pop("diffId", None)
    return result


def _role(layer: Layer) -> str:
    """A layer's role, in words that fit every kind of artifact; a Kitfile's part may state its own."""
    if layer.type != "modelpart":
        return layer.type
    said = {"lora": "adapter"}.get(kind := str(layer.entry.get("type", "")), kind)
    return next((role for role in (said, layer.role) if role in SPECIAL), "model")


def _typed_layers(kit: ModelKit, by_role: bool) -> list[TypedLayer]:
    layers: list[TypedLayer] = [
        (
            layer.type,
            LayerSide(
                str(layer.digest),
                layer.size,
                layer.path or "",
                str(layer.diff_id) if layer.diff_id else None,
                layer.media_type,
                number,
                _role(layer) if by_role else "",
            ),
        )
        for number, layer in enumerate(kit.layers)
    ]
    manifest: Manifest = kit.manifest
    if manifest.is_index:
        layers += [
            ("manifest", LayerSide(str(entry.digest), entry.size, "", None, entry.media_type, number))
            for number, entry in enumerate(manifest.manifests)
        ]
    return layers
