"""ModelKits made for comparing: packed as kit packs, in a source of dicts."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any

from kittui.modelkit import ModelKit
from kittui.oci.media_types import OCI_MANIFEST
from kittui.oci.protocols import Repository
from kittui.oci.target import parse_target
from tests.demo.pack import File, Packed, pack
from tests.fakes.memory import MemoryRepository, MemorySource

KITFILE: dict[str, Any] = {
    "manifestVersion": "1.0.0",
    "package": {"name": "kit"},
    "model": {"name": "m", "path": "model", "parameters": {"lr": 0.01}},
    "code": [{"path": "src"}],
    "datasets": [{"name": "train", "path": "data"}],
}


def safetensors(
    tensors: Mapping[str, tuple[str, list[int], bytes]], metadata: Mapping[str, str] | None = None
) -> bytes:
    """A model file of (dtype, shape, bytes) by name."""
    header: dict[str, Any] = {"__metadata__": dict(metadata)} if metadata else {}
    at = 0
    for name, (dtype, shape, content) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + len(content)]}
        at += len(content)
    raw = json.dumps(header).encode()
    return struct.pack("<Q", len(raw)) + raw + b"".join(content for _, _, content in tensors.values())


def put(repository: MemoryRepository, packed: Packed, tag: str) -> None:
    """Store a packed kit under a tag."""
    repository.blobs.update(packed.blobs)
    digest = packed.descriptor.digest
    repository.manifests[digest] = (OCI_MANIFEST, packed.manifest)
    repository.tagged[tag] = digest


def two(a: Mapping[str, File], b: Mapping[str, File], packing: tuple[str, str] = ("none", "none")) -> MemoryRepository:
    """A repository with the tags `a` and `b`."""
    repository = MemorySource().repository("kits")
    for tag, tree, how in (("a", a, packing[0]), ("b", b, packing[1])):
        put(repository, pack(KITFILE, tree, version="1", compression=how), tag)  # type: ignore[arg-type]
    return repository


async def opened(repository: Repository, target: str) -> ModelKit:
    """A ModelKit without any cache."""
    manifest = await repository.manifest(parse_target(target))
    config = await repository.read_blob(manifest.config, 1 << 22) if manifest.config else b""
    return ModelKit.parse(manifest, config)
