"""Layouts filled by hand with the artifacts that other tools push, byte by byte as those tools write them."""

from __future__ import annotations

import hashlib
import io
import json
import struct
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

OCI = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
PACK = "application/vnd.cncf.model."
DOCKER = "application/vnd.docker.ai."
OLLAMA = "application/vnd.ollama.image."
METADATA = "org.cncf.model.file.metadata+json"
KIT = "application/vnd.kitops.modelkit."
LayerOf = tuple[str, bytes, dict[str, str]]


def gguf(values: Sequence[float], name: str = "tiny") -> bytes:
    """A GGUF file of one F32 tensor, `blk.0.weight`."""

    def text(word: str) -> bytes:
        return struct.pack("<Q", len(word)) + word.encode()

    head = struct.pack("<4sIQQ", b"GGUF", 3, 1, 2)
    head += text("general.architecture") + struct.pack("<I", 8) + text("llama")
    head += text("general.name") + struct.pack("<I", 8) + text(name)
    head += text("blk.0.weight") + struct.pack("<IQIQ", 1, len(values), 0, 0)
    return head + bytes(-len(head) % 32) + struct.pack(f"<{len(values)}f", *values)


def tarred(files: dict[str, bytes]) -> bytes:
    """An archive as kit writes it, near enough."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path, content in files.items():
            info = tarfile.TarInfo(path)
            info.size, info.mode = len(content), 0o644
            archive.addfile(info, io.BytesIO(content))
    return stream.getvalue()


class Layout:
    """An OCI layout that manifests are put into."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._blobs = folder / "blobs" / "sha256"
        self._blobs.mkdir(parents=True)
        (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
        self._named: list[dict[str, Any]] = []

    def blob(self, content: bytes) -> dict[str, Any]:
        hexa = hashlib.sha256(content).hexdigest()
        (self._blobs / hexa).write_bytes(content)
        return {"digest": f"sha256:{hexa}", "size": len(content)}

    def put(self, tag: str, document: dict[str, Any], media_type: str = OCI, *, name: bool = True) -> dict[str, Any]:
        """A manifest or index under a tag; returns its descriptor."""
        found = {"mediaType": media_type, **self.blob(json.dumps(document, separators=(",", ":")).encode())}
        if name:
            self._named.append({**found, "annotations": {"org.opencontainers.image.ref.name": tag}})
            index = {"schemaVersion": 2, "manifests": self._named}
            (self.folder / "index.json").write_text(json.dumps(index))
        return found

    def artifact(
        self, tag: str, config_type: str, config: Any, layers: Sequence[LayerOf], media_type: str = OCI, **fields: Any
    ) -> dict[str, Any]:
        """A manifest with its config and layers: (media type, content, annotations)."""
        document = {
            "schemaVersion": 2,
            "mediaType": media_type,
            **fields,
            "config": {"mediaType": config_type, **self.blob(json.dumps(config).encode())},
            "layers": [
                {"mediaType": kind, **self.blob(content), **({"annotations": notes} if notes else {})}
                for kind, content, notes in layers
            ],
        }
        return self.put(tag, document, media_type)

    def modelkit(self, tag: str, files: dict[str, bytes], **package: Any) -> dict[str, Any]:
        """A ModelKit whose model is one layer."""
        layer = tarred(files)
        digest = f"sha256:{hashlib.sha256(layer).hexdigest()}"
        path = next(iter(files)) if len(files) == 1 else "model"
        config = {
            "manifestVersion": "1.0.0",
            "package": package,
            "model": {"path": path, "digest": digest, "diffId": digest},
        }
        return self.artifact(tag, KIT + "config.v1+json", config, [(KIT + "model.v1.tar", layer, {})])

    def docker_model(self, tag: str, weights: bytes, **described: Any) -> dict[str, Any]:
        """As `docker model package` writes it."""
        config = {
            "config": {"format": "gguf", "quantization": "F32", "architecture": "llama", **described},
            "descriptor": {"created": "2026-01-02T03:04:05Z"},
            "rootfs": {"type": "rootfs", "diff_ids": []},
        }
        layers: list[LayerOf] = [
            (DOCKER + "gguf.v3", weights, {"org.cncf.model.filepath": "model.gguf"}),
            (DOCKER + "license", b"Apache License\n", {}),
            (DOCKER + "chat.template.jinja", b"{{ messages }}\n", {}),
            (DOCKER + "vllm.config.tar", tarred({"config.json": b'{"a": 1}\n'}), {}),
        ]
        return self.artifact(tag, DOCKER + "model.config.v0.1+json", config, layers)

    def ollama_model(self, tag: str, weights: bytes) -> dict[str, Any]:
        """As `ollama push` writes it."""
        config = {
            "model_format": "gguf",
            "model_family": "llama",
            "model_type": "1B",
            "file_type": "F32",
            "os": "linux",
        }
        layers: list[LayerOf] = [
            (OLLAMA + "model", weights, {}),
            (OLLAMA + "license", b"MIT\n", {}),
            (OLLAMA + "license", b"Apache License\n", {}),
            (OLLAMA + "template", b"{{ .Prompt }}", {}),
            (OLLAMA + "params", b'{"stop":["<end>"],"temperature":0.70}', {}),
        ]
        kind = "application/vnd.docker.distribution.manifest.v2+json"
        return self.artifact(tag, "application/vnd.docker.container.image.v1+json", config, layers, kind)

    def modelpack(self, tag: str, weights: bytes, *, last_word: str = "raw") -> dict[str, Any]:
        """As the CNCF's tools write it; `last_word` is `gguf` in Docker Model Runner's."""
        described = json.dumps({"name": "run.sh", "mode": 0o755, "uid": 0, "gid": 0, "size": 8, "typeflag": 48})
        layers: list[LayerOf] = [
            (PACK + f"weight.v1.{last_word}", weights, {"org.cncf.model.filepath": "model.gguf"}),
            (PACK + "code.v1.raw", b"#!/bin/sh", {"org.cncf.model.filepath": "run.sh", METADATA: described}),
            (PACK + "doc.v1.tar", tarred({"README.md": b"# Tiny\n"}), {"org.cncf.model.filepath": "README.md"}),
        ]
        config = {"descriptor": {"name": "tiny", "version": "1"}, "config": {"format": "gguf"}}
        return self.artifact(tag, PACK + "config.v1+json", config, layers, artifactType=PACK + "manifest.v1+json")

    def index(self, tag: str, entries: Sequence[dict[str, Any]], **fields: Any) -> dict[str, Any]:
        """A ModelKit index as kit 1.17 writes it."""
        document = {
            "schemaVersion": 2,
            "mediaType": INDEX,
            "artifactType": KIT + "index.v1+json",
            "manifests": list(entries),
            **fields,
        }
        return self.put(tag, document, INDEX)
