"""Descriptors: media type, digest, size (OCI image-spec, descriptor.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from kittui.errors import KittuiError, Malformed
from kittui.oci.digest import Digest

_NONE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A pointer to content. A descriptor's `urls` are dropped: foreign hosts are never contacted."""

    media_type: str
    digest: Digest
    size: int
    annotations: Mapping[str, str] = field(default_factory=lambda: _NONE, hash=False)
    artifact_type: str | None = None

    @classmethod
    def parse(cls, value: Any, what: str = "descriptor") -> Descriptor:
        """Read a descriptor from parsed JSON.

        Raises Malformed naming `what` when a field is missing or of another type.
        """
        if not isinstance(value, dict):
            raise Malformed(f"{what} is not an object")
        media_type = value.get("mediaType", "")
        size = value.get("size")
        if not isinstance(media_type, str):
            raise Malformed(f"{what} has a media type that is not a string")
        if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size < 1 << 63:
            raise Malformed(f"{what} has no usable size")
        try:
            digest = Digest.parse(value.get("digest", ""))
        except KittuiError as error:
            raise Malformed(f"{what}: {error.message}", hint=error.hint) from None
        artifact_type = value.get("artifactType")
        return cls(
            media_type,
            digest,
            size,
            parse_annotations(value.get("annotations"), what),
            artifact_type if isinstance(artifact_type, str) else None,
        )

    def to_json(self) -> dict[str, Any]:
        """The JSON object, mediaType, digest, size first, optional fields only if set."""
        result: dict[str, Any] = {"mediaType": self.media_type, "digest": str(self.digest), "size": self.size}
        if self.annotations:
            result["annotations"] = dict(self.annotations)
        if self.artifact_type:
            result["artifactType"] = self.artifact_type
        return result


def parse_annotations(value: Any, what: str) -> Mapping[str, str]:
    """Read an annotation map; null is empty, values that are not strings raise Malformed."""
    if value is None:
        return _NONE
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise Malformed(f"{what} has annotations that are not a map of strings")
    return MappingProxyType(value) if value else _NONE
