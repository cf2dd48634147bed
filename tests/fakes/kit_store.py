"""ModelKits put into a folder as kit keeps them, without any of kittui: what kit itself is asked about in tests."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path

from kittui.oci.media_types import KIT_CONFIG, OCI_MANIFEST


def put_config(home: Path, repository: str, tag: str, config: bytes) -> str:
    """Make `repository:tag` the only ModelKit of its repository: this config and no layers. Returns the digest."""
    storage = home / "storage"
    blobs = storage / "blobs" / "sha256"
    blobs.mkdir(parents=True, exist_ok=True)
    (home / "disable-update-notifications").touch()
    (storage / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')

    def blob(raw: bytes) -> str:
        digest = hashlib.sha256(raw).hexdigest()
        (blobs / digest).write_bytes(raw)
        return f"sha256:{digest}"

    described = {"mediaType": KIT_CONFIG, "digest": blob(config), "size": len(config)}
    raw = json.dumps({"schemaVersion": 2, "config": described, "layers": None}).encode()
    descriptor = {"mediaType": OCI_MANIFEST, "digest": blob(raw), "size": len(raw)}
    name = base64.urlsafe_b64encode(f"localhost/{repository}".encode()).decode()
    listed = json.dumps({"schemaVersion": 2, "manifests": [descriptor]})
    (storage / "index.json").write_text(listed)
    (storage / f"{name}-index.json").write_text(listed)
    (storage / f"{name}-tags.json").write_text(json.dumps({tag: descriptor}))
    return str(descriptor["digest"])
