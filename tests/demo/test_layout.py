"""The shipped layout is what its program writes, whole, and readable by the formats' own libraries."""

from __future__ import annotations

import io
import json
import tarfile
import zlib
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
from gguf import GGUFReader
from safetensors.numpy import load

from kittui.demo.stage import LAYOUT
from kittui.oci.digest import Digest
from tests.demo import build
from tests.demo.kits import Kit


@cache
def made() -> list[Kit]:
    return build.kits()


def find(tag: str, repository: str = "acme/fraud-detector") -> Kit:
    [found] = [kit for kit in made() if kit.repository == repository and tag in kit.tags]
    return found


def files(kit: Kit) -> dict[str, bytes]:
    found = {}
    for layer in json.loads(kit.packed.manifest)["layers"]:
        with tarfile.open(fileobj=io.BytesIO(kit.packed.blobs[layer["digest"]])) as archive:
            found.update({m.name: archive.extractfile(m).read() for m in archive if m.isreg()})  # type: ignore[union-attr]
    return found


def config(kit: Kit) -> dict[str, object]:
    return dict(json.loads(kit.packed.blobs[json.loads(kit.packed.manifest)["config"]["digest"]]))


@pytest.mark.skipif("zlib_ng" in zlib.ZLIB_RUNTIME_VERSION, reason="another deflate: the gzip layers differ")
def test_the_shipped_layout_is_what_the_generator_writes() -> None:
    written = build.layout_files(made())
    shipped = {str(p.relative_to(LAYOUT)): p.read_bytes() for p in LAYOUT.rglob("*") if p.is_file()}

    assert sorted(shipped) == sorted(written)
    assert [path for path in written if shipped[path] != written[path]] == []


def test_the_generator_writes_a_new_folder_and_leaves_an_existing_one_alone(tmp_path: Path) -> None:
    assert build.main([str(tmp_path / "made")]) == 0
    assert (tmp_path / "made" / "index.json").read_bytes() == (LAYOUT / "index.json").read_bytes()

    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "index.json").write_text("mine")
    assert build.main([str(mine)]) == 1
    assert [(path.name, path.read_text()) for path in mine.iterdir()] == [("index.json", "mine")]


def test_the_shipped_layout_is_whole_and_small() -> None:
    blobs = [path for path in LAYOUT.rglob("blobs/sha256/*") if path.is_file()]
    for path in blobs:
        assert Digest.of(path.read_bytes()).hex == path.name
    assert sum(path.stat().st_size for path in blobs) < 900_000
    for kit in made():
        for digest in (*kit.packed.blobs, kit.packed.descriptor.digest):
            assert (LAYOUT / "blobs" / "sha256" / digest.hex).is_file()


def test_every_stage_of_the_lifecycle_is_there_and_no_two_hold_the_same() -> None:
    stages = ["retired", "rollback", "champion", "challenger", "tuning", "validating", "trained"]
    digests = Counter(find(stage).packed.descriptor.digest for stage in stages)
    assert max(digests.values()) == 1
    assert find("v1.0.0") is find("champion")
    assert find("v1.1.0") is find("challenger") is find("tuned")


def test_the_challenger_differs_from_the_champion_as_its_story_says() -> None:
    champion, challenger = files(find("champion")), files(find("challenger"))

    assert set(challenger) - set(champion) == {"src/features.py"}
    assert set(champion) - set(challenger) == {"docs/MODEL_CARD.md"}
    before, after = load(champion["model/fraud.safetensors"]), load(challenger["model/fraud.safetensors"])
    assert [name for name in before if (before[name] != after[name]).any()] == ["dense2.weight"]
    rows = zip(champion["data/train.csv"].splitlines(), challenger["data/train.csv"].splitlines(), strict=True)
    [(wrong, right)] = [pair for pair in rows if pair[0] != pair[1]]
    assert wrong.startswith(b"T000041,")
    assert wrong[:-1] == right[:-1]
    assert champion["data/validation.csv"] == challenger["data/validation.csv"]
    rates = [config(find(tag))["model"]["parameters"]["learning_rate"] for tag in ("champion", "challenger")]  # type: ignore[index]
    assert rates == [0.001, 0.0005]


def test_the_gzip_kit_holds_what_the_uncompressed_one_holds() -> None:
    plain, gzipped = find("v2.0.0", "acme/sentiment"), find("v2.0.0-gzip", "acme/sentiment")
    assert plain.packed.descriptor.digest != gzipped.packed.descriptor.digest
    assert files(plain) == files(gzipped)


def test_every_model_file_is_read_by_its_formats_own_library(tmp_path: Path) -> None:
    read = Counter[str]()
    for kit in made():
        for path, content in files(kit).items():
            suffix = Path(path).suffix
            if suffix == ".safetensors":
                assert load(content)
            elif suffix == ".gguf":
                (tmp_path / "model.gguf").write_bytes(content)
                reader = GGUFReader(tmp_path / "model.gguf")
                assert {tensor.name for tensor in reader.tensors} >= {"token_embd.weight", "blk.0.attn_q.weight"}
                assert reader.fields["general.architecture"].contents() == "llama"
            elif suffix in (".json", ".ipynb"):
                json.loads(content)
            else:
                continue
            read[suffix] += 1
    assert min(read[suffix] for suffix in (".safetensors", ".gguf", ".json", ".ipynb")) >= 2
