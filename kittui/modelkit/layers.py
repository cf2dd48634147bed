"""A ModelKit's layers: what their media types say, and which Kitfile entry each belongs to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Literal

from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.oci.media_types import KIT_LAYER_SUBTYPE, MODEL_FILEPATH

LayerType = Literal["model", "modelpart", "code", "datasets", "docs", "prompts", "mcpServers", "other"]
Compression = Literal["none", "gzip", "zstd", "other"]
Format = Literal["tar", "raw", "other"]

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
"""Layer types and the part of the Kitfile that each is shown under, in kit's order."""

_KIT_LAYER = re.compile(r"application/vnd\.kitops\.modelkit\.([a-z]+)\.v1\.(tar|raw)(?:\+([a-z0-9]+))?\Z")
_MODELPACK_LAYER = re.compile(r"application/vnd\.cncf\.model\.([a-z]+(?:\.config)?)\.v1\.(tar|raw)(?:\+([a-z0-9]+))?\Z")
_OTHER_LAYER = re.compile(r"[^;]*?(?:\.|\+)(tar|raw)(?:[.+](gzip|zstd))?\Z")
_KIT_BASES: Final[Mapping[str, LayerType]] = {
    "model": "model",
    "modelpart": "modelpart",
    "code": "code",
    "dataset": "datasets",
    "docs": "docs",
    "mcpb": "mcpServers",
    "prompt": "prompts",
}
_MODELPACK_BASES: Final[Mapping[str, LayerType]] = {
    "weight": "model",
    "weight.config": "modelpart",
    "code": "code",
    "dataset": "datasets",
    "doc": "docs",
}
_COMPRESSIONS: Final[Mapping[str, Compression]] = {"": "none", "gzip": "gzip", "zstd": "zstd"}
_PROMPT = "prompt"
_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer with its place in the Kitfile.

    `type` is the Kitfile's own word; `part` how the tree groups it. `entry` is the Kitfile entry as parsed (empty where
    there is none), `diff_id` the digest of the uncompressed content where it is known, `size` bytes as stored.
    `problem` says what does not fit together; a legacy layer (`legacy`) has no digest in its entry: its files belong
    under the folder of `path`.
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

    @property
    def part(self) -> str:
        """The part of the Kitfile it is shown under."""
        return PARTS[self.type]

    @property
    def descriptor(self) -> Descriptor:
        """The layer's descriptor, as the manifest has it."""
        return Descriptor(self.media_type, self.digest, self.size, self.annotations)


@dataclass(frozen=True, slots=True)
class Packaging:
    """What a layer's descriptor says: the type, tar or bare file, and the compression."""

    type: LayerType
    format: Format
    compression: Compression


def packaging(descriptor: Descriptor) -> Packaging:
    """Read a layer's media type: kit's, the CNCF model-spec's, or what can be told of another."""
    for pattern, bases in ((_KIT_LAYER, _KIT_BASES), (_MODELPACK_LAYER, _MODELPACK_BASES)):
        match = pattern.match(descriptor.media_type)
        if match is not None:
            base = bases.get(match[1], "other")
            if base == "code" and descriptor.annotations.get(KIT_LAYER_SUBTYPE) == _PROMPT:
                base = "prompts"
            return Packaging(base, _format(match[2]), _COMPRESSIONS.get(match[3] or "", "other"))
    match = _OTHER_LAYER.match(descriptor.media_type)
    if match is not None:
        return Packaging("other", _format(match[1]), _COMPRESSIONS.get(match[2] or "", "other"))
    return Packaging("other", "other", "none")


def _format(word: str) -> Format:
    return "tar" if word == "tar" else "raw"


def entry_of(entry: Any) -> Mapping[str, Any]:
    """The Kitfile entry as a mapping: empty for anything that is not one."""
    return entry if isinstance(entry, dict) else _NOTHING


def text_of(entry: Mapping[str, Any], key: str) -> str | None:
    """A text field of an entry; None where it is empty or of another type."""
    value = entry.get(key)
    return value if isinstance(value, str) and value else None


def annotated_path(descriptor: Descriptor) -> str | None:
    """The path that newer kits and ModelPack tools write on the layer."""
    return descriptor.annotations.get(MODEL_FILEPATH) or None
