"""Write the ModelKits that kittui ships as an OCI image layout: `python -m tests.demo.build [FOLDER]`.

The same bytes come out each time, on every machine; the tests compare them with what is shipped.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from kittui.demo.stage import LAYOUT
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.oci.media_types import OCI_INDEX, REF_NAME
from tests.demo.kits import Index, Kit
from tests.demo.pack import go_json

PROJECTS = ("fraud", "sentiment", "support_bot", "transactions", "vision")


def kits() -> list[Kit]:
    """All ModelKits of the demo, in the order the layout lists them."""
    return [kit for project in PROJECTS for kit in import_module(f"tests.demo.kits.{project}").kits()]


def indexes(made: Sequence[Kit]) -> list[Index]:
    """The indexes of the demo."""
    return [
        index
        for project in PROJECTS
        if (own := getattr(import_module(f"tests.demo.kits.{project}"), "indexes", None))
        for index in own(made)
    ]


def layout_files(made: Sequence[Kit]) -> dict[str, bytes]:
    """The files of the layout by their paths in it."""
    files = {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}'}
    entries = []
    for kit in made:
        manifest = kit.packed.descriptor
        for digest, content in {**kit.packed.blobs, manifest.digest: kit.packed.manifest}.items():
            files[f"blobs/{digest.algorithm}/{digest.hex}"] = content
        names = [{REF_NAME: f"{kit.repository}:{tag}"} for tag in kit.tags]
        entries += [{**manifest.to_json(), "annotations": name} for name in names]
    for index in indexes(made):
        for one, _ in index.entries:
            for digest, content in {**one.packed.blobs, one.packed.descriptor.digest: one.packed.manifest}.items():
                files[f"blobs/{digest.algorithm}/{digest.hex}"] = content
        listed = Descriptor(OCI_INDEX, Digest.of(index.raw), len(index.raw))
        files[f"blobs/{listed.digest.algorithm}/{listed.digest.hex}"] = index.raw
        entries.append({**listed.to_json(), "annotations": {REF_NAME: f"{index.repository}:{index.tag}"}})
    files["index.json"] = go_json({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries})
    return files


def write(folder: Path) -> int:
    """Write the layout to a new folder and return how many bytes it holds; raises FileExistsError."""
    files = layout_files(kits())
    folder.mkdir(parents=True)
    for path, content in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return sum(map(len, files.values()))


def main(arguments: Sequence[str]) -> int:
    """Write the layout to the folder named, or replace the shipped one."""
    target = Path(arguments[0]) if arguments else LAYOUT
    if not arguments:
        shutil.rmtree(LAYOUT)
    try:
        size = write(target)
    except FileExistsError:
        sys.stderr.write(f"{target} exists. Choose a new folder.\n")
        return 1
    sys.stderr.write(f"{target}: {size:,} bytes\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
