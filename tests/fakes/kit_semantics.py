"""What kit would make of a store, computed from its files alone."""

from __future__ import annotations

import base64
import json
from pathlib import Path


def kit_list(root: Path) -> list[dict[str, object]]:
    """What `kit list --format json` would print of a store, computed from its files alone as kit computes it.

    Raises where kit would fail: a listed manifest or config that is missing or can't be read.
    """
    storage = root / "storage"
    rows: list[dict[str, object]] = []
    for path in storage.glob("*-index.json"):
        encoded = path.name.removesuffix("-index.json")
        name = base64.urlsafe_b64decode(encoded).decode()
        tags_path = storage / f"{encoded}-tags.json"
        tags = json.loads(tags_path.read_bytes()) if tags_path.exists() else {}
        for entry in json.loads(path.read_bytes())["manifests"] or []:
            manifest = json.loads((storage / "blobs/sha256" / entry["digest"][7:]).read_bytes())
            config = json.loads((storage / "blobs/sha256" / manifest["config"]["digest"][7:]).read_bytes())
            repository = name.removeprefix("localhost/").removeprefix("_") or "<none>"
            rows.append(
                {
                    "repo": repository,
                    "full": name,
                    "digest": entry["digest"],
                    "tags": sorted(tag for tag, to in tags.items() if to["digest"] == entry["digest"]) or None,
                    "modelName": config["package"].get("name", "<none>"),
                }
            )
    return sorted(rows, key=lambda row: (str(row["full"]), str(row["digest"])))


def complete(root: Path) -> None:
    """Fail unless every listed ModelKit is whole on disk and listed in index.json."""
    storage = root / "storage"
    shared = {entry["digest"] for entry in json.loads((storage / "index.json").read_bytes())["manifests"] or []}
    for row in kit_list(root):
        assert row["digest"] in shared
        manifest = json.loads((storage / "blobs/sha256" / str(row["digest"])[7:]).read_bytes())
        for layer in [manifest["config"], *(manifest["layers"] or [])]:
            assert (storage / "blobs/sha256" / layer["digest"][7:]).stat().st_size == layer["size"]
