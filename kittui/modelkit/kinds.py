"""Classifies artifacts: ModelKits, and the other things that share repositories with them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final, Literal

from kittui.oci.manifest import Manifest
from kittui.oci.media_types import (
    CNAI_CONFIG,
    CNAI_MANIFEST,
    COSIGN_ARTIFACT,
    COSIGN_SIMPLE_SIGNING,
    DOCKER_CONFIG,
    DOCKER_MODEL_PREFIX,
    KIT_CONFIG,
    KIT_INDEX,
    KIT_MANIFEST,
    MODELPACK_CONFIG,
    MODELPACK_MANIFEST,
    NOTATION_SIGNATURE,
    OCI_CONFIG,
    OCI_EMPTY,
    OLLAMA_LAYER,
)

Kind = Literal[
    "modelkit",
    "modelpack",
    "docker-model",
    "ollama-model",
    "modelkit-index",
    "index",
    "image",
    "signature",
    "attestation",
    "sbom",
    "chart",
    "artifact",
]

LABELS: Final[dict[Kind, str]] = {
    "modelkit": "ModelKit",
    "modelpack": "ModelPack",
    "docker-model": "Docker model",
    "ollama-model": "Ollama model",
    "modelkit-index": "ModelKit index",
    "index": "index",
    "image": "container image",
    "signature": "signature",
    "attestation": "attestation",
    "sbom": "SBOM",
    "chart": "Helm chart",
    "artifact": "artifact",
}

MODELS: Final = frozenset[Kind]({"modelkit", "modelpack", "docker-model", "ollama-model"})
"""The kinds that hold a model project, with a config, roles, and a Kitfile (their own or a derived one)."""

_HELM_CONFIG = "application/vnd.cncf.helm.config.v1+json"
_BUNDLE_PREFIX = "application/vnd.dev.sigstore.bundle"
_BUNDLE_PREDICATE = "dev.sigstore.bundle.predicateType"
_COSIGN_PREDICATE = "https://sigstore.dev/cosign/sign/v1"
_ATTESTATIONS = ("application/vnd.dsse.envelope.v1+json", "application/vnd.in-toto+json")
_SBOMS = ("application/vnd.cyclonedx", "application/spdx", "text/spdx", "application/vnd.syft")


def kind_of(manifest: Manifest) -> Kind:
    """Classify by media and artifact types; anything unknown is an `artifact`."""
    if manifest.is_index:
        return "modelkit-index" if manifest.artifact_type == KIT_INDEX else "index"
    config = manifest.config.media_type if manifest.config else ""
    declared = manifest.artifact_type or ""
    if config == KIT_CONFIG or declared == KIT_MANIFEST:
        return "modelkit"
    if config in (MODELPACK_CONFIG, CNAI_CONFIG) or declared in (MODELPACK_MANIFEST, CNAI_MANIFEST):
        return "modelpack"
    if config.startswith(DOCKER_MODEL_PREFIX):
        return "docker-model"
    layers = {layer.media_type for layer in manifest.layers}
    if any(layer.startswith(OLLAMA_LAYER) for layer in layers):
        return "ollama-model"
    signed = kind_of_type(declared or config, manifest.annotations, layers)
    if signed is not None:
        return signed
    if config == _HELM_CONFIG:
        return "chart"
    if config in (OCI_CONFIG, DOCKER_CONFIG) and not declared:
        return "image"
    return "artifact"


def kind_of_type(declared: str, annotations: Mapping[str, str], layers: Collection[str] = ()) -> Kind | None:
    """The kind of a signature or the like by its artifact type and the media types of its layers; None for others."""
    if declared in (COSIGN_ARTIFACT, NOTATION_SIGNATURE) or COSIGN_SIMPLE_SIGNING in layers:
        return "signature"
    types = (declared, *layers)
    if any(found.startswith(_BUNDLE_PREFIX) for found in types):
        predicate = annotations.get(_BUNDLE_PREDICATE, _COSIGN_PREDICATE)
        return "signature" if predicate == _COSIGN_PREDICATE else "attestation"
    if any(found in _ATTESTATIONS for found in types):
        return "attestation"
    return "sbom" if any(found.startswith(_SBOMS) for found in types) else None


def label_of(kind: Kind, manifest: Manifest) -> str:
    """The kind in words; an unknown artifact's label is its own type."""
    if kind != "artifact":
        return LABELS[kind]
    declared = manifest.artifact_type
    config = manifest.config.media_type if manifest.config and manifest.config.media_type != OCI_EMPTY else None
    named = declared or config
    return f"artifact ({named})" if named else LABELS[kind]
