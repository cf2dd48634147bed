"""Manifests and indexes, with their original bytes (OCI image-spec, manifest.md and image-index.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kittui.budget import Budget
from kittui.errors import Malformed, TooLarge
from kittui.oci.descriptor import Descriptor, parse_annotations
from kittui.oci.digest import Digest
from kittui.oci.documents import load_json
from kittui.oci.media_types import INDEXES, LAYERS_LIMIT, MANIFEST_LIMIT, OCI_INDEX, OCI_MANIFEST


@dataclass(frozen=True, slots=True)
class Manifest:
    """An image manifest or an index. `raw` holds the original bytes, which are shown, hashed and PUT again.

    An index has `manifests` and no config or layers; a manifest has `config` and `layers`.
    """

    raw: bytes = field(repr=False)
    media_type: str
    digest: Digest
    config: Descriptor | None
    layers: tuple[Descriptor, ...]
    manifests: tuple[Descriptor, ...]
    annotations: Mapping[str, str] = field(hash=False)
    artifact_type: str | None
    subject: Descriptor | None

    @property
    def is_index(self) -> bool:
        """Whether this is an index (or Docker's manifest list)."""
        return self.media_type in INDEXES or (self.config is None and bool(self.manifests))

    @property
    def descriptor(self) -> Descriptor:
        """The descriptor of the manifest itself: as registries and kit's store write it, without annotations."""
        return Descriptor(self.media_type, self.digest, len(self.raw))

    @property
    def content_size(self) -> int:
        """Bytes of config and layers; a layer listed twice counts twice, as in kit."""
        return (self.config.size if self.config else 0) + sum(layer.size for layer in self.layers)

    @classmethod
    def parse(cls, raw: bytes, media_type: str | None = None, digest: Digest | None = None) -> Manifest:
        """Parse raw bytes; `media_type` is the Content-Type or descriptor's, `digest` what they must hash to.

        Raises DigestMismatch, TooLarge over 8 MiB, and Malformed for anything that is not a manifest, for a body media
        type that contradicts the given one, and for one that is both an index and a manifest (GHSA-mc8v-mgrf-8f4m).
        """
        if len(raw) > MANIFEST_LIMIT:
            raise TooLarge(f"the manifest is over {MANIFEST_LIMIT // 1024 // 1024} MiB")
        if digest is None:
            digest = Digest.of(raw)
        else:
            digest.verify(raw, "the manifest")
        document = load_object(raw, "the manifest")
        body_type = document.get("mediaType")
        if body_type is not None and not isinstance(body_type, str):
            raise Malformed("the manifest has a media type that is not a string")
        given = (media_type or "").partition(";")[0].strip() or None
        if body_type and given and body_type != given and given.startswith("application/vnd."):
            raise Malformed(f"the manifest calls itself {body_type} but was served as {given}: ambiguous")
        has_image = "layers" in document or "config" in document
        if has_image and "manifests" in document:
            raise Malformed("the manifest is ambiguous: it has both layers and manifests")
        if "manifests" in document:
            kind = OCI_INDEX
        elif has_image:
            kind = OCI_MANIFEST
        else:
            raise Malformed("neither a manifest nor an index: it has no config, layers or manifests")
        stated = body_type or (given if given and given.startswith("application/vnd.") else None)
        effective = stated or kind
        if (effective in INDEXES) != (kind == OCI_INDEX) and stated is not None:
            raise Malformed(f"the manifest is ambiguous: its media type {stated} does not fit its fields")
        artifact_type = document.get("artifactType")
        config, subject = document.get("config"), document.get("subject")
        return cls(
            raw=raw,
            media_type=effective,
            digest=digest,
            config=Descriptor.parse(config, "the config descriptor") if config is not None else None,
            layers=_descriptors(document.get("layers"), "layer"),
            manifests=_descriptors(document.get("manifests"), "manifest"),
            annotations=parse_annotations(document.get("annotations"), "the manifest"),
            artifact_type=artifact_type if isinstance(artifact_type, str) and artifact_type else None,
            subject=Descriptor.parse(subject, "the subject") if subject is not None else None,
        )


def load_object(raw: bytes, what: str) -> dict[str, Any]:
    """Parse a JSON object from hostile bytes; raises Malformed for anything else, TooLarge above the limit."""
    document = load_json(raw, Budget(what, items=1_000_000))
    if not isinstance(document, dict):
        raise Malformed(f"{what} is not a JSON object")
    return document


def _descriptors(value: Any, what: str) -> tuple[Descriptor, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise Malformed(f"the manifest's {what}s are not a list")
    if len(value) > LAYERS_LIMIT:
        raise TooLarge(f"the manifest lists more than {LAYERS_LIMIT} {what}s")
    return tuple(Descriptor.parse(entry, f"{what} {number}") for number, entry in enumerate(value, 1))
