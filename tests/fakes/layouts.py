"""OCI layouts made by hand."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from kittui.oci.digest import Digest
from tests.demo.pack import Packed

CONFIG = b'{"manifestVersion":"1.0.0","package":{},"code":[{"path":"."}]}'


def packed_layout(folder: Path, packed: Packed) -> Path:
    """An OCI layout with one ModelKit, tagged `v1`."""
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    manifest = packed.descriptor
    for digest, content in {**packed.blobs, manifest.digest: packed.manifest}.items():
        (blobs / Digest.parse(str(digest)).hex).write_bytes(content)
    named = manifest.to_json() | {"annotations": {"org.opencontainers.image.ref.name": "v1"}}
    (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [named]}))
    return folder


def one_layer_layout(folder: Path, media_type: str, layer: Path) -> Path:
    """An OCI layout with one ModelKit of one layer, tagged `v1`."""
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def put(content: bytes) -> dict[str, object]:
        hexa = hashlib.sha256(content).hexdigest()
        (blobs / hexa).write_bytes(content)
        return {"digest": f"sha256:{hexa}", "size": len(content)}

    with layer.open("rb") as file:
        hexa = hashlib.file_digest(file, "sha256").hexdigest()
    size = layer.stat().st_size
    (blobs / hexa).hardlink_to(layer)
    manifest = {
        "schemaVersion": 2,
        "config": {"mediaType": "application/vnd.kitops.modelkit.config.v1+json", **put(CONFIG)},
        "layers": [{"mediaType": media_type, "digest": f"sha256:{hexa}", "size": size}],
    }
    named = {"org.opencontainers.image.ref.name": "v1"}
    kind = "application/vnd.oci.image.manifest.v1+json"
    described = {"mediaType": kind, **put(json.dumps(manifest).encode()), "annotations": named}
    (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [described]}))
    return folder
