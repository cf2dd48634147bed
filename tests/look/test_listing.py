"""Listings of every kind of layer equal kit's own tar listings, from disk and from a registry."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from kittui.formats.tar import FileEntry
from kittui.oci.descriptor import Descriptor
from kittui.oci.digest import Digest
from kittui.oci.reference import parse_reference, store_display
from kittui.store import LocalSource
from kittui.usecases.look import Inspector

FIXTURES = Path(__file__).parent.parent / "fixtures"


@dataclass(frozen=True)
class Layer:
    media_type: str
    digest: Digest
    size: int
    path: str = ""
    name: str = ""
    type: str = "model"

    @property
    def compression(self) -> str:
        return "gzip" if self.media_type.endswith("+gzip") else "zstd" if self.media_type.endswith("+zstd") else "none"

    @property
    def format(self) -> str:
        return "raw" if ".raw" in self.media_type else "tar"

    @classmethod
    def of(cls, descriptor: Descriptor) -> Layer:
        return cls(descriptor.media_type, descriptor.digest, descriptor.size)


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
    manifest = await repository.manifest(parsed.target or "latest")
    inspector = Inspector()
    for descriptor, (digest, lines) in zip(manifest.layers, golden()[reference], strict=True):
        assert descriptor.digest == digest
        listing = await inspector.listing(repository, Layer.of(descriptor))
        assert listing.complete
        assert listing.verified
        wanted = []
        for line in lines:
            match = re.match(r"(\S{10}) \S+ +(\d+) \S+ \S+ (.*)$", line)
            assert match
            wanted.append((match[1], int(match[2]), match[3]))
        assert [as_tar_prints(entry) for entry in listing.files] == wanted
