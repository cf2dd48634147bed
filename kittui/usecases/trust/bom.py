"""Writes a ModelKit's bill of materials in CycloneDX 1.7: the model with its card, and data as components."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from uuid import NAMESPACE_URL, uuid5

from kittui import __version__
from kittui.modelkit.kitfile import entries
from kittui.modelkit.layers import Layer
from kittui.modelkit.modelkit import ModelKit
from kittui.oci.digest import Digest
from kittui.trust.documents import map_of, parse_time, text_of, write_time
from kittui.trust.statements import OURS

SPDX_IDS: Final = frozenset(
    {
        "0BSD", "AFL-3.0", "AGPL-3.0-only", "AGPL-3.0-or-later", "Apache-2.0", "Artistic-2.0", "BSD-2-Clause",
        "BSD-3-Clause", "BSL-1.0", "CC-BY-4.0", "CC-BY-NC-4.0", "CC-BY-NC-ND-4.0", "CC-BY-NC-SA-4.0", "CC-BY-ND-4.0",
        "CC-BY-SA-3.0", "CC-BY-SA-4.0", "CC0-1.0", "CDLA-Permissive-1.0", "CDLA-Permissive-2.0", "CDLA-Sharing-1.0",
        "ECL-2.0", "EPL-1.0", "EPL-2.0", "EUPL-1.1", "EUPL-1.2", "GPL-2.0-only", "GPL-2.0-or-later", "GPL-3.0-only",
        "GPL-3.0-or-later", "ISC", "LGPL-2.1-only", "LGPL-2.1-or-later", "LGPL-3.0-only", "LGPL-3.0-or-later", "MIT",
        "MPL-2.0", "MS-PL", "NCSA", "ODbL-1.0", "OFL-1.1", "PDDL-1.0", "PostgreSQL", "Unlicense", "WTFPL",
        "Zlib",
    }
)  # fmt: skip
"""SPDX identifiers of common model licenses; other licenses are given by name."""
_HASHES: Final = {"sha256": "SHA-256", "sha512": "SHA-512"}
_TYPES: Final[Mapping[str, str]] = {
    "model": "machine-learning-model",
    "modelpart": "machine-learning-model",
    "datasets": "data",
    "prompts": "data",
}
"""The component type of a layer; every other one is a file."""
_VALUES: Final = 500
"""Maximum parameters and metrics listed."""


def bom_of(kit: ModelKit, name: str, reference: str) -> dict[str, Any]:
    """Create the document; `name` is HOST/REPO, `reference` its download URL or empty.

    The same ModelKit gives the same document.
    """
    components = [_component(kit, layer) for layer in kit.layers]
    refs = [component["bom-ref"] for component in components]
    root = f"{name}@{kit.digest}"
    created = parse_time(kit.created)
    tool = {"type": "application", "name": "kittui", "version": __version__}
    own = [{"url": reference, "type": "distribution"}] if reference else []
    package = map_of(kit.kitfile, "package")
    described = {
        "type": "machine-learning-model" if kit.kitfile.get("model") else "data",
        "bom-ref": root,
        "name": _clean(kit.name or name),
        "version": _clean(kit.version or kit.digest.short),
        "description": _clean(text_of(package, "description")),
        "authors": [{"name": _clean(author)} for author in kit.authors if author],
        "licenses": _licenses(text_of(package, "license")),
        "hashes": _hashes(kit.digest),
        "externalReferences": own,
    }
    metadata: dict[str, Any] = {
        "tools": {"components": [tool]},
        "component": _without_empty(described),
    }
    if created is not None:
        metadata["timestamp"] = write_time(created)
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.7.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.7",
        "serialNumber": f"urn:uuid:{uuid5(NAMESPACE_URL, f'{OURS}/bom/{root}')}",
        "version": 1,
        "metadata": metadata,
        "components": components,
        "dependencies": [{"ref": root, "dependsOn": list(dict.fromkeys(refs))}],
    }


def _component(kit: ModelKit, layer: Layer) -> dict[str, Any]:
    entry = layer.entry
    kind = _TYPES.get(layer.type, "file")
    described: dict[str, Any] = {
        "type": kind,
        "bom-ref": f"layer-{layer.position}-{layer.digest}",
        "name": _clean(layer.name or layer.path or layer.digest.short),
        "version": _clean(text_of(entry, "version")),
        "description": _clean(text_of(entry, "description")),
        "licenses": _licenses(text_of(entry, "license")),
        "hashes": _hashes(layer.digest),
        "properties": [
            {"name": "kitops:layer:digest", "value": str(layer.digest)},
            {"name": "kitops:layer:path", "value": _clean(layer.path or "")},
            {"name": "kitops:layer:size", "value": str(layer.size)},
        ],
    }
    if kind == "data":
        data_type = "dataset" if layer.type == "datasets" else "other"
        described["data"] = [{"type": data_type, "name": described["name"]}]
    if layer.type == "model":
        described["modelCard"] = _card(kit)
    return _without_empty(described)


def _card(kit: ModelKit) -> dict[str, Any]:
    """The model's card: its framework, what it was trained on, its metrics and parameters."""
    model = map_of(kit.kitfile, "model")
    datasets = [{"ref": f"layer-{layer.position}-{layer.digest}"} for layer in kit.layers if layer.type == "datasets"]
    numbers = list(_numbers(model.get("parameters"), ""))[:_VALUES]
    metrics = [{"type": _clean(path), "value": value} for path, value in numbers if _is_metric(path)]
    others = [
        {"name": f"kitops:parameter:{_clean(path)}", "value": value} for path, value in numbers if not _is_metric(path)
    ]
    framework = _clean(text_of(model, "framework"))
    return _without_empty(
        {
            "modelParameters": _without_empty({"architectureFamily": framework, "datasets": datasets}),
            "quantitativeAnalysis": _without_empty({"performanceMetrics": metrics}),
            "properties": others,
        }
    )


def _is_metric(path: str) -> bool:
    return path.partition(".")[0].lower() in ("metrics", "metric", "evaluation", "results", "performance")


def _numbers(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Every value below the parameters with its path, as text."""
    if isinstance(value, dict):
        for key, child in value.items():
            yield from _numbers(child, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for number, child in enumerate(value):
            yield from _numbers(child, f"{path}.{number}")
    elif value is not None:
        yield path, _clean(str(value).lower() if isinstance(value, bool) else str(value))


def _licenses(text: str) -> list[dict[str, Any]]:
    if not text:
        return []
    return [{"license": {"id": text} if text in SPDX_IDS else {"name": _clean(text)}}]


def _hashes(digest: Digest) -> list[dict[str, str]]:
    return [{"alg": _HASHES[digest.algorithm], "content": digest.hex}]


def _without_empty(document: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in document.items() if value not in ("", [], {}, None)}


def _clean(text: str) -> str:
    """Make text valid in others' JSON documents: bytes that are not Unicode become visible."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def datasets_of(kit: ModelKit) -> list[str]:
    """The names of a ModelKit's datasets."""
    found = [entry for entry in entries(kit.kitfile, "datasets") if isinstance(entry, dict)]
    return [text_of(entry, "name") or text_of(entry, "path") for entry in found]


_MEASURED: Final = re.compile(
    r"(.*\.)?(metrics?|scores?|evaluation|performance)\..*"
    r"|(.*[._-])?(accuracy|acc|precision|recall|f1|auc|auroc|auprc|loss|mae|mse|rmse|r2|bleu|rouge|wer|cer|iou|miou"
    r"|perplexity|mrr|ndcg|map)([._@-](at|score|macro|micro|weighted|\d).*)?",
    re.IGNORECASE,
)
"""Paths of metrics, which have no field of their own in Kitfiles: by their group, or by a name."""


def metrics_of(kit: ModelKit) -> dict[str, str]:
    """The parameters that are metrics: numbers whose names say that they were measured."""
    return {path: value for path, value in parameters_of(kit).items() if _MEASURED.fullmatch(path) and _number(value)}


def _number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def parameters_of(kit: ModelKit) -> dict[str, str]:
    """The parameters and metrics of the model, each by its path."""
    return dict(list(_numbers(map_of(kit.kitfile, "model").get("parameters"), ""))[:_VALUES])
