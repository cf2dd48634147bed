"""Reads ModelPack artifacts (CNCF model-spec) as ModelKits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from kittui.errors import KittuiError
from kittui.modelkit.kitfile import load_config
from kittui.modelkit.layers import Layer, annotated_path
from kittui.modelkit.matching import layer_of, layer_paths, match_layers
from kittui.modelkit.roles import packaging
from kittui.oci.digest import Digest
from kittui.oci.manifest import Manifest
from kittui.oci.media_types import KIT_KITFILE

_ENTRY_KEYS = {"code": "code", "datasets": "datasets", "docs": "docs"}


def modelpack_kitfile(manifest: Manifest, config: Mapping[str, Any]) -> tuple[Mapping[str, Any], list[str]]:
    """Read the Kitfile from kit's annotation, else derive one from the config and the layers' paths.

    Also returns the annotation's problem, if any.
    """
    problems = []
    stored = manifest.annotations.get(KIT_KITFILE)
    if stored is not None:
        try:
            return load_config(stored.encode(errors="surrogatepass")), []
        except KittuiError as error:
            problems.append(f"the Kitfile in the annotation can't be used: {error.message}")
    return _made(manifest, config), problems


def _made(manifest: Manifest, config: Mapping[str, Any]) -> dict[str, Any]:
    described = _map(config, "descriptor")
    details = _map(config, "config")
    licenses = [text for text in _list(described, "licenses") if isinstance(text, str)]
    package = {
        "name": _text(described, "name") or _text(described, "title"),
        "version": _text(described, "version"),
        "description": _text(described, "description"),
        "license": ", ".join(licenses),
        "authors": [text for text in _list(described, "authors") if isinstance(text, str)],
    }
    model = {
        "name": _text(described, "family") or _text(described, "name"),
        "format": _text(details, "format"),
        "version": _text(described, "version"),
        "parameters": {
            key: details[key] for key in ("architecture", "paramSize", "precision", "quantization") if key in details
        },
    }
    kitfile: dict[str, Any] = {"manifestVersion": "1.0.0", "package": _filled(package)}
    parts: list[dict[str, Any]] = []
    path = None
    lists: dict[str, list[dict[str, Any]]] = {}
    for descriptor, own in zip(manifest.layers, layer_paths(manifest), strict=True):
        found = {"path": own}
        layer_type = packaging(descriptor).type
        if layer_type == "model" and path is None:
            path = found["path"]
        elif layer_type in ("model", "modelpart"):
            parts.append(found)
        elif layer_type in _ENTRY_KEYS:
            lists.setdefault(layer_type, []).append(found)
    if path is not None or parts:
        kitfile["model"] = _filled({"name": model["name"], "path": path or "", **model, "parts": parts})
    kitfile.update({key: lists[key] for key in _ENTRY_KEYS if key in lists})
    return kitfile


def modelpack_layers(
    manifest: Manifest, config: Mapping[str, Any], kitfile: Mapping[str, Any]
) -> tuple[tuple[Layer, ...], list[str]]:
    """Read the layers: matched to kit's own Kitfile if its entries have digests, else by their annotated paths.

    Weights after the first are model parts. diffIds come from the config's list.
    """
    files = _map(config, "modelfs")
    diff_ids = _list(files, "diffIds") or _list(files, "diffids")
    layers: list[Layer] = []
    weights = 0
    by_path = _by_path(kitfile)
    for number, (descriptor, path) in enumerate(zip(manifest.layers, layer_paths(manifest), strict=True)):
        layer_type = packaging(descriptor).type
        if layer_type == "model":
            weights += 1
            if weights > 1:
                layer_type = "modelpart"
        entry = by_path.get(path, {})
        if not entry and path and not annotated_path(descriptor):
            entry = {"path": path}
        layer = layer_of(number, descriptor, layer_type, entry, diff_id=_digest(diff_ids, number))
        if layer_type == "other":
            layer = replace(layer, problem="a layer of unknown type")
        layers.append(layer)
    if any("digest" in entry for entry in by_path.values()):
        matched, _ = match_layers(manifest, kitfile)
        layers = [
            layer if layer.entry or not other.entry else replace(other, type=layer.type, diff_id=layer.diff_id)
            for layer, other in zip(layers, matched, strict=True)
        ]
    return tuple(layers), []


def _by_path(kitfile: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    model = _map(kitfile, "model")
    found: dict[str, Mapping[str, Any]] = {}
    for entry in (model, *_list(model, "parts"), *(e for key in _ENTRY_KEYS for e in _list(kitfile, key))):
        if isinstance(entry, dict) and isinstance(entry.get("path"), str):
            found.setdefault(_clean_path(entry["path"]), entry)
            found.setdefault(entry["path"], entry)
    return found


def _clean_path(path: str) -> str:
    return path.removeprefix("./").rstrip("/")


def _digest(found: list[Any], number: int) -> Digest | None:
    try:
        return Digest.parse(found[number])
    except (KittuiError, IndexError):
        return None


def _filled(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if value}


def _map(config: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = config.get(key)
    return value if isinstance(value, dict) else {}


def _list(config: Mapping[str, Any], key: str) -> list[Any]:
    value = config.get(key)
    return value if isinstance(value, list) else []


def _text(config: Mapping[str, Any], key: str) -> str:
    value = config.get(key)
    return value if isinstance(value, str) else ""
