"""What the packer writes is, byte for byte, what kit wrote of the same content."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from kittui.oci.digest import Digest
from tests.demo.pack import Compression, File, go_json, pack, tar

STORAGE = Path(__file__).parents[1] / "fixtures" / "kithome" / "storage"


def blob(digest: str) -> bytes:
    return (STORAGE / "blobs" / "sha256" / digest.removeprefix("sha256:")).read_bytes()


def manifests() -> list[str]:
    return sorted(entry["digest"] for entry in json.loads((STORAGE / "index.json").read_bytes())["manifests"])


def layer_files(layers: list[dict[str, Any]]) -> dict[str, File]:
    files = {}
    for layer in layers:
        with tarfile.open(fileobj=io.BytesIO(blob(layer["digest"]))) as archive:
            for member in archive.getmembers():
                if member.isreg():
                    content = archive.extractfile(member)
                    assert content is not None
                    files[member.name] = File(content.read(), member.mode)
    return files


def kitfile_of(config: Any) -> Any:
    """The Kitfile that kit was given: no digests, and parameters in another order than kit sorts them to."""
    if isinstance(config, dict):
        return {
            key: dict(reversed(value.items())) if key == "parameters" else kitfile_of(value)
            for key, value in config.items()
            if key not in ("digest", "diffId")
        }
    return [kitfile_of(item) for item in config] if isinstance(config, list) else config


def test_every_uncompressed_layer_that_kit_wrote_is_rebuilt() -> None:
    rebuilt = 0
    for digest in manifests():
        for layer in json.loads(blob(digest))["layers"] or ():
            if layer["mediaType"].endswith(".tar"):
                assert tar(layer_files([layer])) == blob(layer["digest"])
                rebuilt += 1
    assert rebuilt > 20


@pytest.mark.parametrize("digest", manifests())
def test_every_modelkit_that_kit_wrote_is_rebuilt(digest: str) -> None:
    manifest = json.loads(blob(digest))
    layers = manifest["layers"] or []
    config = json.loads(blob(manifest["config"]["digest"]))
    compression: Compression = "gzip" if any(layer["mediaType"].endswith("+gzip") for layer in layers) else "none"
    version = manifest["annotations"]["ml.kitops.modelkit.cli-version"]

    packed = pack(kitfile_of(config), layer_files(layers), version=version, compression=compression)

    if compression == "none":
        assert packed.manifest == blob(digest)
        assert packed.descriptor.digest == digest
        for name, content in packed.blobs.items():
            assert content == blob(name)
    else:  # no Python deflates as Go does: what is inside has to be the same
        mine = json.loads(next(iter(packed.blobs.values())))
        assert diff_ids(mine) == diff_ids(config)
        assert [layer["mediaType"] for layer in json.loads(packed.manifest)["layers"]] == [
            layer["mediaType"] for layer in layers
        ]


def diff_ids(value: Any) -> list[str]:
    if isinstance(value, list):
        return [found for item in value for found in diff_ids(item)]
    if not isinstance(value, dict):
        return []
    own = [value["diffId"]] if "diffId" in value else []
    return own + [found for item in value.values() for found in diff_ids(item)]


def test_names_beyond_ustar_are_read_back_as_they_were() -> None:
    names = ["a/" * 60 + "b" * 90, "x" * 130, "größe/naïve – файл.txt", "n" * 99 + "é", "plain.txt"]
    archive = tar({name: File(name.encode()) for name in names})

    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        found = [member.name for member in opened.getmembers() if member.isreg()]
    assert sorted(found) == sorted(names)


def test_a_layer_loses_what_another_layers_path_is_a_prefix_of() -> None:
    kitfile = {"package": {}, "code": [{"path": "."}], "datasets": [{"path": "data"}]}
    tree = {"data/rows.csv": File(b"1"), "database.py": File(b"2"), "main.py": File(b"3"), "Kitfile": File(b"4")}

    code, datasets = json.loads(pack(kitfile, tree, version="x").manifest)["layers"]

    assert code["digest"] == Digest.of(tar({"main.py": File(b"3")}))
    assert datasets["digest"] == Digest.of(tar({"data/rows.csv": File(b"1")}))


def test_json_is_escaped_as_go_escapes_it() -> None:
    assert go_json({"a": "<b> & é\u2028"}) == '{"a":"\\u003cb\\u003e \\u0026 é\\u2028"}'.encode()
