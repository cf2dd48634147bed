"""What kittui 0.1 wrote is still read: its history, its journal with what was cut short, its caches."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from kittui.modelkit import ModelKit
from kittui.oci.digest import Digest
from kittui.oci.tag import Tag
from kittui.oci.target import parse_target
from kittui.state.cache import DiskCache
from kittui.state.indexes import IndexCache
from kittui.store import LocalSource
from kittui.store.repository import LocalRepository
from kittui.usecases.change.ledger import Ledger
from kittui.usecases.change.policy import Policy
from kittui.usecases.change.promote import plan_promote
from kittui.usecases.change.tags import apply_changes
from kittui.usecases.change.undo import apply_undo, plan_undo
from kittui.usecases.inspect.indexes import LayerIndexes
from kittui.usecases.inspect.inspector import Inspector
from tests.change.lifecycle import last_change

OLD = Path(__file__).parent.parent / "fixtures" / "state-0.1"
FRAUD = "127.0.0.1:5055/fraud"
TAGS = "MTI3LjAuMC4xOjUwNTUvZnJhdWQ=-tags.json"


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    shutil.copytree(OLD / "state", tmp_path / "state")
    return Ledger.open(tmp_path / "state", "tester@here")


@pytest.fixture
def fraud(kithome: Path) -> LocalRepository:
    shutil.copy(OLD / "fraud-tags.json", kithome / "storage" / TAGS)
    return LocalSource(kithome, recheck=0).repository(FRAUD)


async def at(repository: LocalRepository, *tags: str) -> list[str]:
    return [(await repository.resolve(parse_target(tag))).digest.short for tag in tags]


def test_its_history_is_read_whole(ledger: Ledger) -> None:
    events = ledger.history.events(f"local://{FRAUD}")
    assert [(event.action, event.tag) for event in reversed(events)] == [
        ("tag", "fallback"),
        *(("promote", tag) for tag in ("rollback", "champion")),
        *(("undo", tag) for tag in ("champion", "rollback")),
        *(("rollback", "champion") for _ in range(1)),
        ("tag", "champion"),
    ]
    assert events[-1].reason == "kept by 0.1"


async def test_its_promotion_that_was_killed_is_finished(ledger: Ledger, fraud: LocalRepository) -> None:
    before = len(ledger.history.events())
    done = await apply_changes(await plan_promote(fraud, Tag("v0.9.0")), ledger, Policy())
    assert [change.tag for change in done.changes] == ["champion"]
    assert await at(fraud, "champion", "rollback") == await at(fraud, "v0.9.0", "v1.1.0")
    assert [event.tag for event in ledger.history.events()[: -before or None]] == ["champion", "rollback"]
    assert [entry.state for entry in ledger.journal.entries() if entry.state == "open"] == []
    assert list(ledger.journal.directory.glob(".write-*")) == []


async def test_its_changes_are_taken_back(ledger: Ledger, fraud: LocalRepository) -> None:
    entry = last_change(ledger)
    assert entry is not None
    assert (entry.action, entry.state) == ("promote", "open")
    await apply_undo(await plan_undo(fraud, ledger), ledger, Policy())
    assert await at(fraud, "champion", "rollback") == await at(fraud, "v1.1.0", "v0.9.0")
    await apply_undo(await plan_undo(fraud, ledger), ledger, Policy())
    assert await at(fraud, "champion") == await at(fraud, "v0.9.0")


def test_its_cached_manifests_are_read(tmp_path: Path) -> None:
    shutil.copytree(OLD / "cache", tmp_path / "cache")
    cache = DiskCache(tmp_path / "cache")
    kept = [path for path in (tmp_path / "cache/content/sha256").rglob("*") if path.is_file()]
    assert len(kept) == 5
    for path in kept:
        assert cache.get(Digest.parse(f"sha256:{path.name}")) == path.read_bytes()


async def test_its_listings_of_layers_are_read(tmp_path: Path, kithome: Path) -> None:
    shutil.copytree(OLD / "cache", tmp_path / "cache")
    indexes = LayerIndexes(IndexCache(tmp_path / "cache/indexes"))
    repository = LocalSource(kithome, recheck=0).repository("127.0.0.1:5055/sentiment")
    manifest = await repository.manifest(Tag("v2.0.0"))
    assert manifest.config is not None
    kit = ModelKit.parse(manifest, await repository.read_blob(manifest.config, 1 << 20))
    gzipped = [layer for layer in kit.layers if layer.compression == "gzip"]
    assert len(gzipped) > 3
    for layer in gzipped:
        assert await indexes.listing(repository, layer) == await Inspector().listing(repository, layer)
        assert await indexes.index(layer) is not None
