"""What `du` says that a removal frees is what it frees, to the byte, in a store and in a layout."""

from __future__ import annotations

import itertools
import json
import os
from pathlib import Path

import pytest

from kittui.errors import Unsupported
from kittui.layout import LayoutSource
from kittui.oci.digest import Digest
from kittui.oci.holdings import Holding, Holdings
from kittui.oci.media_types import KIT_INDEX, OCI_INDEX
from kittui.oci.protocols import Source
from kittui.oci.tag import Tag
from kittui.store import LocalSource
from kittui.usecases.change.usage import usage_of
from tests.fakes.command_line import Run
from tests.fakes.memory import MemorySource

FRAUD = "local://127.0.0.1:5055/fraud"


def on_disk(folder: Path) -> int:
    """Bytes of all blobs."""
    return sum(path.stat().st_size for path in folder.glob("blobs/sha256/*") if path.is_file())


async def test_each_modelkit_of_the_store_frees_what_it_said(kithome: Path) -> None:
    source = LocalSource(kithome, recheck=0)
    left = 0
    while (usage := await usage_of(source)).used:
        assert usage.holdings.total == on_disk(kithome / "storage")
        # The one that frees least first: more and more of what it shared is its own.
        one = usage.used[-1]
        shared = sum(size for size, _ in usage.shared(one))
        assert one.size == one.freed + shared
        before = on_disk(kithome / "storage")
        await one.repository.delete(one.digest)
        assert before - on_disk(kithome / "storage") == one.freed, one.reference
        left += 1
    assert left == 14
    assert on_disk(kithome / "storage") == 0


async def test_several_that_go_together_free_what_they_share_once(kithome: Path) -> None:
    source = LocalSource(kithome, recheck=0)
    usage = await usage_of(source)
    names = {one.reference: one for one in usage.used}
    pair = [names[f"{FRAUD}:challenger"], names["local://fraud-local:dev"]]
    assert [one.freed for one in pair] == [0, 0]
    size, others = usage.shared(pair[0])[0]
    assert others == ["local://fraud-local:dev"]
    assert usage.freed(pair) == size > 20_000
    before = on_disk(kithome / "storage")
    for one in pair:
        await one.repository.delete(one.digest)
    assert before - on_disk(kithome / "storage") == size
    assert usage.repositories["127.0.0.1:5055/fraud"] == 26_769


async def layout_with_indexes(kithome: Path, folder: Path) -> LayoutSource:
    """Three versions; an index of ModelKits over one that has no tag and one that has; an OCI index over a third."""
    store = LocalSource(kithome, recheck=0).repository("127.0.0.1:5055/fraud")
    layout = LayoutSource(folder)
    repository = layout.repository("acme/fraud")
    found = []
    for tag, named in (("rollback", "v1"), ("champion", None), ("challenger", None)):
        manifest = await store.manifest(Tag(tag))
        for blob in (manifest.config, *manifest.layers):
            if blob is not None:
                assert await repository.mount_blob(blob, store)
        found.append(await repository.put_manifest(manifest.raw, manifest.media_type, Tag(named) if named else None))
    for kind, tag, children in ((KIT_INDEX, "variants", found[:2]), (None, "docker", found[2:])):
        raw = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [one.to_json() for one in children]}
        raw |= {"artifactType": kind} if kind else {}
        await repository.put_manifest(json.dumps(raw).encode(), OCI_INDEX, Tag(tag))
    return layout


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
async def test_a_layout_with_indexes_frees_what_it_said_in_every_order(
    kithome: Path, tmp_path: Path, order: tuple[int, ...]
) -> None:
    layout = await layout_with_indexes(kithome, tmp_path / "layout")
    for number in order:
        usage = await usage_of(layout)
        rows = sorted(usage.used, key=lambda one: one.held.tags)
        one = rows[min(number, len(rows) - 1)]
        before = on_disk(tmp_path / "layout")
        await one.repository.delete(one.digest)
        assert before - on_disk(tmp_path / "layout") == one.freed, one.reference


async def test_the_variants_of_an_index_stay_when_it_goes_and_their_bytes_with_them(
    kithome: Path, tmp_path: Path
) -> None:
    layout = await layout_with_indexes(kithome, tmp_path / "layout")
    usage = await usage_of(layout)
    named = {str(tag): one for one in usage.used for tag in one.held.tags}
    index = named["variants"]
    raw = len((await index.repository.manifest(index.digest)).raw)
    assert index.freed == raw
    assert named["docker"].freed > 20_000
    # In this order the variant is its own once the index is gone; the other way around the index brings it back.
    assert usage.freed([named["v1"], index]) == raw
    together = usage.freed([index, named["v1"]])
    before = on_disk(tmp_path / "layout")
    for one in (index, named["v1"]):
        await one.repository.delete(one.digest)
    assert before - on_disk(tmp_path / "layout") == together > raw


def test_a_variant_stays_where_it_goes_from_another_repository_alone() -> None:
    index, variant = Digest.of(b"index"), Digest.of(b"variant")
    brings = Holding("a", index, (), frozenset({index, variant}), ((variant, frozenset({variant})),))
    other, own = (Holding(name, variant, (), frozenset({variant})) for name in ("b", "a"))
    sizes = {index: 1, variant: 10}
    assert Holdings(sizes, (brings, other)).freed([brings, other]) == 1
    assert Holdings(sizes, (brings, own)).freed([brings, own]) == 11


async def test_what_nothing_needs_is_unused_and_unfinished_downloads_are_counted(kithome: Path) -> None:
    source = LocalSource(kithome, recheck=0)
    assert (await usage_of(source)).holdings.unused == 0
    (source.blobs.folder / "sha256" / ("0" * 64)).write_bytes(b"x" * 1234)
    partial = kithome / "kittui" / "partial"
    partial.mkdir(parents=True)
    (partial / "sha256-new").write_bytes(b"y" * 99)
    holdings = (await usage_of(source)).holdings
    assert (holdings.unused, holdings.leftovers) == (1234, 99)


async def test_where_what_is_in_use_is_not_known_nothing_is_said_to_be_freed(kithome: Path) -> None:
    source = LocalSource(kithome, recheck=0)
    usage = await usage_of(source)
    one = usage.used[0]
    (source.paths.storage / "strange.json").write_text("{")
    doubtful = await usage_of(source)
    assert doubtful.holdings.doubt == "strange.json in the store is not understood, and may list blobs"
    assert (doubtful.freed(doubtful.used), doubtful.holdings.unused) == (0, 0)
    before = on_disk(source.paths.storage)
    await one.repository.delete(one.digest)
    assert on_disk(source.paths.storage) == before


async def test_a_registry_does_not_say_what_is_on_its_disk() -> None:
    source: Source = MemorySource()
    with pytest.raises(Unsupported, match="does not report its disk usage"):
        await usage_of(source)


def test_du_prints_and_its_json_adds_up(kittui: Run, kithome: Path) -> None:
    found = kittui("du", "--json").json
    assert found["source"] == "local://"
    assert found["size"] == on_disk(kithome / "storage")
    assert found["doubt"] is None
    for one in found["modelkits"]:
        assert one["size"] == one["frees"] + sum(each["size"] for each in one["shared"])
    ran = kittui("du")
    assert ran.status == 0
    assert "local://  273 kB in 14 ModelKits" in ran.out
    assert "all of 127.0.0.1:5055/sentiment frees" in ran.out
    assert f"{FRAUD}:challenger" in ran.out
    only = kittui("du", FRAUD, "--json").json
    assert {one["repository"] for one in only["modelkits"]} == {FRAUD}
    assert [one["name"] for one in only["repositories"]] == ["127.0.0.1:5055/fraud"]


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("du", "registry.test"), 1, "does not report its disk usage"),
        (("du", "oci:NOWHERE"), 1, "is not an OCI image layout"),
        (("du", "local://no/such"), 1, "holds nothing"),
    ],
)
def test_du_says_what_it_cannot_do(kittui: Run, words: tuple[str, ...], status: int, said: str) -> None:
    ran = kittui(*words)
    assert (ran.status, said in ran.err) == (status, True), ran


def test_du_of_an_empty_store(kittui: Run, tmp_path: Path) -> None:
    ran = kittui("du", "--store", os.fspath(tmp_path / "none"))
    assert (ran.status, ran.out) == (0, "local://  0 B in 0 ModelKits\n")
