"""What the tests of moving share."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from kittui.store import LocalSource
from kittui.store.repository import LocalRepository
from kittui.usecases.change.ledger import Ledger
from tests.change.big import SIZE, fill
from tests.fakes.docker_registry import DockerRegistry, start_registry
from tests.fakes.faulty_proxy import FaultyProxy


@pytest.fixture(scope="session")
def content() -> bytes:
    return random.Random(7).randbytes(SIZE)


@pytest.fixture(scope="session")
def big_registry(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    folder = tmp_path_factory.mktemp("big")
    registry = start_registry(folder, folder / "storage")
    fill(registry, content)
    yield registry
    registry.stop()


@pytest.fixture
async def proxy(big_registry: DockerRegistry) -> AsyncIterator[FaultyProxy]:
    async with FaultyProxy(big_registry.host) as found:
        yield found


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger.open(tmp_path / "state", "tester@here")


@pytest.fixture
def store(tmp_path: Path) -> LocalRepository:
    return LocalSource(tmp_path / "home", recheck=0).repository("registry.test/big")
