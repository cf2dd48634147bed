"""Reads Docker Model Runner's and Ollama's models as ModelKits, with a Kitfile derived from their metadata."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from kittui.modelkit.matching import layer_paths
from kittui.modelkit.roles import LayerType, packaging
from kittui.oci.manifest import Manifest

_FORMATS: Final = ("format", "model_format")
_LISTS: Final[Mapping[LayerType, str]] = {"docs": "docs", "prompts": "prompts"}
_RUNTIME: Final = frozenset({"os", "rootfs", "created", "descriptor", "config", *_FORMATS})


def foreign_kitfile(manifest: Manifest, config: Mapping[str, Any]) -> dict[str, Any]:
    """Build a Kitfile for such an artifact: its files by role, its config as parameters."""
    inner = config.get("config")
    stated = {**config, **inner} if isinstance(inner, dict) else dict(config)
    parameters = {key: value for key, value in stated.items() if key not in _RUNTIME and value not in ("", None)}
    form = next((stated[key] for key in _FORMATS if isinstance(stated.get(key), str)), "")
    weights: list[dict[str, Any]] = []
    parts: list[dict[str, Any]] = []
    lists: dict[str, list[dict[str, Any]]] = {}
    for descriptor, path in zip(manifest.layers, layer_paths(manifest), strict=True):
        packed = packaging(descriptor)
        if packed.type == "model":
            weights.append({"path": path})
        elif packed.type == "modelpart":
            parts.append({**({"path": path} if path else {}), "type": packed.role})
        elif packed.type in _LISTS:
            lists.setdefault(_LISTS[packed.type], []).append({"path": path})
    model: dict[str, Any] = {"path": weights[0]["path"]} if weights else {}
    if form:
        model["format"] = form
    if weights[1:] or parts:
        model["parts"] = [*weights[1:], *parts]
    if parameters:
        model["parameters"] = parameters
    return {"manifestVersion": "1.0.0", "package": {}, **({"model": model} if model else {}), **lists}
