"""No operation asks a source for more at once than is configured."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from kittui.cli.compose import Composition
from kittui.config import Flags
from kittui.oci.reference import Place
from kittui.oci.tag import Tag
from kittui.transfer.plan import plan_transfer
from kittui.trust.keyring import Keyring
from kittui.usecases.browse.modelkits import ModelKits, list_tags
from kittui.usecases.change.ledger import Ledger
from kittui.usecases.change.removals import plan_removals
from kittui.usecases.change.retag import plan_retag
from kittui.usecases.change.siblings import tags_by_digest
from kittui.usecases.trust.history import merged_history
from tests.fakes.memory import MemoryRepository, MemorySource

CONFIGURED = 3
TAGS = [Tag(f"v{number:02}") for number in range(12)]


async def rows(repository: MemoryRepository, _: Path) -> None:
    await ModelKits().rows(repository, await list_tags(repository))


async def siblings(repository: MemoryRepository, _: Path) -> None:
    await tags_by_digest(repository)


async def retag(repository: MemoryRepository, _: Path) -> None:
    await plan_retag(repository, TAGS[0], [(repository, tag) for tag in TAGS[1:]], shown=False)


async def removals(repository: MemoryRepository, _: Path) -> None:
    await plan_removals([(repository, tag) for tag in TAGS], "delete")


async def transfer(repository: MemoryRepository, _: Path) -> None:
    await plan_transfer(repository, TAGS[0], repository)


async def history(repository: MemoryRepository, folder: Path) -> None:
    await merged_history(repository, Ledger.open(folder), Keyring(()), TAGS)


@pytest.mark.parametrize("operation", [rows, siblings, retag, removals, transfer, history])
async def test_as_many_requests_are_sent_at_once_as_are_configured(
    operation: Callable[[MemoryRepository, Path], Awaitable[None]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = MemorySource()
    source.at_once = CONFIGURED
    repository = source.repository("fraud")
    for tag in TAGS:
        repository.add_kit(tag, tag, layers=[(f"{tag} {number}", tag.encode() * number) for number in range(1, 12)])
    now = most = 0

    def counted(name: str) -> None:
        real = getattr(MemoryRepository, name)

        async def call(self: MemoryRepository, *words: Any) -> Any:
            nonlocal now, most
            now += 1
            most = max(most, now)
            for _ in range(5):
                await asyncio.sleep(0)
            now -= 1
            return await real(self, *words)

        monkeypatch.setattr(MemoryRepository, name, call)

    for name in ("resolve", "manifest", "has_blob", "read_blob"):
        counted(name)
    await operation(repository, tmp_path)
    assert most == CONFIGURED


async def test_a_registry_is_asked_as_configured(tmp_path: Path) -> None:
    environ = {"KITTUI_CONCURRENCY": "2", "HOME": str(tmp_path)}
    async with Composition(Flags(store=str(tmp_path / "store")), environ=environ) as composition:
        assert composition.places.source(Place("remote", host="registry.test")).traits.at_once == 2
