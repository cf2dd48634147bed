"""Write the ModelKits that kittui ships as an OCI image layout: `python -m kittui.demo.build [FOLDER]`.

The same bytes come out each time, on every machine; the tests compare them with what is shipped.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path

from kittui.demo.kits import Kit
from kittui.demo.pack import go_json
from kittui.oci.media_types import OCI_INDEX, REF_NAME

LAYOUT = Path(__file__).parent / "layout"
PROJECTS = ("fraud", "sentiment", "support_bot", "transactions", "vision")


def kits() -> list[Kit]:
    """All ModelKits of the demo, in the order the layout lists them."""
    return [kit for project in PROJECTS for kit in import_module(f"kittui.demo.kits.{project}").kits()]


def layout_files(made: Iterable[Kit]) -> dict[str, bytes]:
    """The files of the layout by their paths in it."""
    files = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}'}
    entries = []
    for kit in made:
        manifest = kit.packed.descriptor
        for digest, content in {**kit.packed.blobs, manifest.digest: kit.packed.manifest}.items():
            files[f"blobs/{digest.algorithm}/{digest.hex}"] = content
        names = [{REF_NAME: f"{kit.repository}:{tag}"} for tag in kit.tags]
        entries += [{**manifest.to_json(), "annotations": name} for name in names]
    files["index.json"] = go_json({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries})
    return files


def write(folder: Path) -> int:
    """Replace the folder by the layout and return how many bytes it holds."""
    files = layout_files(kits())
    shutil.rmtree(folder, ignore_errors=True)
    for path, content in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return sum(map(len, files.values()))


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else LAYOUT
    sys.stderr.write(f"{target}: {write(target):,} bytes\n")
