"""A ModelKit's layers, by their media types and Kitfile entries."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from kittui.modelkit.roles import SPECIAL, Compression, Format, LayerType
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.oci.media_types import CNAI_FILEPATH, MODEL_FILE_METADATA, MODEL_FILEPATH

PARTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "model": "model",
        "modelpart": "model parts",
        "code": "code",
        "datasets": "datasets",
        "docs": "docs",
        "prompts": "prompts",
        "mcpServers": "mcpServers",
        "other": "other",
    }
)
"""Layer types with the part of the Kitfile that shows each, in kit's order."""

FILE_MODE: Final = 0o644
"""Permissions of a bare file without recorded ones."""
_METADATA_LIMIT: Final = 64 * 1024
_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer with its place in the Kitfile.

    `type` is the Kitfile's own word; `part` how the tree groups it. `entry` is the Kitfile entry as parsed (empty where
    there is none), `diff_id` the digest of the uncompressed content where it is known, `size` bytes as stored.
    `problem` says what is inconsistent; a legacy layer (`legacy`) has no digest in its entry: its files belong
    under the folder of `path`. `role` is what it is for a model (weights, projector, license; empty if that isn't
    known), `mode` a bare file's recorded permissions.
    """

    position: int
    type: LayerType
    path: str | None
    name: str | None
    media_type: str
    digest: Digest
    diff_id: Digest | None
    size: int
    compression: Compression
    format: Format
    entry: Mapping[str, Any] = field(default_factory=lambda: _NOTHING, hash=False)
    annotations: Mapping[str, str] = field(default_factory=lambda: _NOTHING, hash=False)
    problem: str | None = None
    legacy: bool = False
    role: str = ""
    mode: int = FILE_MODE

    @property
    def part(self) -> str:
        """The part under which it is shown: of the Kitfile, or its role if that says more."""
        return self.role if self.role in SPECIAL else PARTS[self.type]

    @property
    def descriptor(self) -> Descriptor:
        """The layer's descriptor from the manifest."""
        return Descriptor(self.media_type, self.digest, self.size, self.annotations)


def entry_of(entry: Any) -> Mapping[str, Any]:
    """The Kitfile entry as a mapping; empty if it is not one."""
    return entry if isinstance(entry, dict) else _NOTHING


def text_of(entry: Mapping[str, Any], key: str) -> str | None:
    """A text field of an entry; None if it is empty or of another type."""
    value = entry.get(key)
    return value if isinstance(value, str) and value else None


def annotated_path(descriptor: Descriptor) -> str | None:
    """The path that newer kits and ModelPack tools write on the layer."""
    annotations = descriptor.annotations
    return annotations.get(MODEL_FILEPATH) or annotations.get(CNAI_FILEPATH) or text_of(_recorded(descriptor), "name")


def annotated_mode(descriptor: Descriptor) -> int:
    """The recorded permissions of a bare file."""
    mode = _recorded(descriptor).get("mode")
    return mode & 0o777 if isinstance(mode, int) and not isinstance(mode, bool) and mode > 0 else FILE_MODE


def _recorded(descriptor: Descriptor) -> Mapping[str, Any]:
    text = descriptor.annotations.get(MODEL_FILE_METADATA, "")
    try:
        return entry_of(json.loads(text)) if text and len(text) <= _METADATA_LIMIT else _NOTHING
    except (ValueError, RecursionError):
        return _NOTHING
