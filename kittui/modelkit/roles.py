"""Reads layers' media types: role, place in a Kitfile, and packing. One table with a line per type."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from kittui.oci.descriptor import Descriptor
from kittui.oci.media_types import KIT_LAYER_SUBTYPE

LayerType = Literal["model", "modelpart", "code", "datasets", "docs", "prompts", "mcpServers", "other"]
Compression = Literal["none", "gzip", "zstd", "other"]
Format = Literal["tar", "raw", "other"]

_KIT = "application/vnd.kitops.modelkit."
_PACK = "application/vnd.cncf.model."
_CNAI = "application/vnd.cnai.model."
_DOCKER = "application/vnd.docker.ai."
_OLLAMA = "application/vnd.ollama.image."


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    A type that ends in `.*` is followed by its packing (`tar+gzip`, `raw`) or, for a raw file, its format (`gguf`).
    `name` is the file's default name; `*` in it is the format.
    """

    media_type: str
    type: LayerType
    role: str
    format: Format = "raw"
    name: str = ""


TABLE: Final = (
    Row(_KIT + "model.v1.*", "model", "weights"),
    Row(_KIT + "modelpart.v1.*", "modelpart", "model part"),
    Row(_KIT + "code.v1.*", "code", "code"),
    Row(_KIT + "dataset.v1.*", "datasets", "dataset"),
    Row(_KIT + "docs.v1.*", "docs", "docs"),
    Row(_KIT + "mcpb.v1.*", "mcpServers", "MCP server"),
    Row(_KIT + "prompt.v1.*", "prompts", "prompt"),
    *(
        row
        for prefix in (_PACK, _CNAI)
        for row in (
            Row(prefix + "weight.v1.*", "model", "weights", name="model.*"),
            Row(prefix + "weight.config.v1.*", "modelpart", "parameters"),
            Row(prefix + "code.v1.*", "code", "code"),
            Row(prefix + "dataset.v1.*", "datasets", "dataset"),
            Row(prefix + "doc.v1.*", "docs", "docs"),
            Row(prefix + "layer.v1.*", "model", "weights"),
        )
    ),
    Row(_DOCKER + "gguf.v3", "model", "weights", name="model.gguf"),
    Row(_DOCKER + "safetensors", "model", "weights", name="model.safetensors"),
    Row(_DOCKER + "mmproj", "modelpart", "projector", name="mmproj.gguf"),
    Row(_DOCKER + "dduf", "model", "weights", name="model.dduf"),
    Row(_DOCKER + "license", "docs", "license", name="LICENSE"),
    Row(_DOCKER + "chat.template.jinja", "modelpart", "template", name="chat_template.jinja"),
    Row(_DOCKER + "vllm.config.tar", "modelpart", "parameters", format="tar"),
    Row(_DOCKER + "dir.tar", "modelpart", "parameters", format="tar"),
    Row(_OLLAMA + "model", "model", "weights", name="model.gguf"),
    Row(_OLLAMA + "projector", "modelpart", "projector", name="projector.gguf"),
    Row(_OLLAMA + "adapter", "modelpart", "adapter", name="adapter.gguf"),
    Row(_OLLAMA + "template", "modelpart", "template", name="template.txt"),
    Row(_OLLAMA + "system", "prompts", "system prompt", name="system.txt"),
    Row(_OLLAMA + "license", "docs", "license", name="LICENSE"),
    Row(_OLLAMA + "params", "modelpart", "parameters", name="params.json"),
    Row(_OLLAMA + "messages", "prompts", "messages", name="messages.json"),
)
SPECIAL: Final = frozenset({"projector", "adapter", "template", "parameters", "license", "system prompt", "messages"})
"""Roles for which a Kitfile has no part of its own."""
_ROWS: Final = {row.media_type: row for row in TABLE}
_COMPRESSIONS: Final[dict[str, Compression]] = {"": "none", "gzip": "gzip", "zstd": "zstd"}
_PACKED = re.compile(r"([^;+]*?)[.+](tar|raw)(?:[.+]([a-z0-9]+))?\Z")
"""A type that ends in its packing and compression: `...v1.tar+gzip`, `...rootfs.diff.tar.gzip`."""
_PROMPT = "prompt"


@dataclass(frozen=True, slots=True)
class Packaging:
    """What a layer's descriptor says: type, role (empty if unknown), tar or bare file, compression, usual name."""

    type: LayerType
    format: Format
    compression: Compression
    role: str = ""
    name: str = ""


def packaging(descriptor: Descriptor) -> Packaging:
    """Read a layer's media type from the table, or by its form if it is unknown."""
    media_type = descriptor.media_type.partition(";")[0].strip()
    row = _ROWS.get(media_type)
    if row is not None:
        return Packaging(row.type, row.format, "none", row.role, row.name)
    match = _PACKED.match(media_type)
    stem, word, suffix = match.groups("") if match else (*media_type.rpartition(".")[::2], "")
    row = _ROWS.get(f"{stem}.*")
    compression = _COMPRESSIONS.get(suffix, "other")
    form: Format = "tar" if word == "tar" else "raw" if word == "raw" else "other"
    if row is None:
        return Packaging("other", form, compression)
    if row.type == "code" and descriptor.annotations.get(KIT_LAYER_SUBTYPE) == _PROMPT:
        row = _ROWS[_KIT + "prompt.v1.*"]
    name = row.name.removesuffix(".*")
    if form == "other" and row.name != name and word.isalnum():
        return Packaging(row.type, "raw", "none", row.role, f"{name}.{word}")
    return Packaging(row.type, form, compression, row.role, name)
