"""Listings of every kind of layer equal kit's own tar listings, from disk and from a registry."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kittui.formats.tar import FileEntry
from kittui.modelkit import ModelKit
from kittui.oci.media_types import CONFIG_LIMIT
from kittui.oci.protocols import Repository
from kittui.oci.reference import parse_reference, store_display
from kittui.store import LocalSource
from kittui.usecases.look import Inspector

FIXTURES = Path(__file__).parent.parent / "fixtures"


async def modelkit_of(repository: Repository, target: str) -> ModelKit:
    manifest = await repository.manifest(target)
    assert manifest.config is not None
    return ModelKit.parse(manifest, await repository.read_blob(manifest.config, CONFIG_LIMIT))


def golden() -> dict[str, list[tuple[str, list[str]]]]:
    listings: dict[str, list[tuple[str, list[str]]]] = {}
    for line in (FIXTURES / "golden/tar-listings.txt").read_text("utf-8").splitlines():
        if line.startswith("=== "):
            layers: list[tuple[str, list[str]]] = []
            listings[line.split()[1]] = layers
        elif line.startswith("--- "):
            layers.append((line.split()[2], []))
        elif line:
            layers[-1][1].append(line)
    return listings


def as_tar_prints(entry: FileEntry) -> tuple[str, int, str]:
    bits = "".join(letter if entry.mode & (256 >> n) else "-" for n, letter in enumerate("rwxrwxrwx"))
    return ("d" if entry.type == "dir" else "-") + bits, entry.size, entry.path


@pytest.mark.parametrize("reference", sorted(golden()))
async def test_listings_of_the_store_equal_the_golden_ones(reference: str) -> None:
    source = LocalSource(FIXTURES / "kithome")
    parsed = parse_reference(reference.removeprefix("localhost/"))
    repository = source.repository(store_display(parsed.store_name))
    modelkit = await modelkit_of(repository, parsed.target or "latest")
    inspector = Inspector()
    for layer, (digest, lines) in zip(modelkit.layers, golden()[reference], strict=True):
        assert layer.digest == digest
        listing = await inspector.listing(repository, layer)
        assert listing.complete
        assert listing.verified
        wanted = []
        for line in lines:
            match = re.match(r"(\S{10}) \S+ +(\d+) \S+ \S+ (.*)$", line)
            assert match
            wanted.append((match[1], int(match[2]), match[3]))
        assert [as_tar_prints(entry) for entry in listing.files] == wanted
