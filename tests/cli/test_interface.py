"""What the composition hands to the interface."""

from __future__ import annotations

import io
import shutil
import sys
from base64 import b64encode
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from textual.app import _PrintCapture

from kittui.cli.compose import Composition
from kittui.cli.interface import read_ahead
from kittui.cli.ports import build_ports
from kittui.errors import NotFound, StorageError, Unauthorized
from kittui.oci.protocols import RepositoryEntry
from kittui.oci.reference import LOCAL, Place
from kittui.oci.tag import Tag
from tests.fakes.scripted_registry import ScriptedRegistry
from tests.tui.waiting import listed
from tests.tui.world import acme

REGISTRY = Place("remote", "127.0.0.1:5055")


async def test_a_reference_with_a_host_opens_its_registry(home: Path) -> None:
    """As the commands do it; nothing is asked of a registry."""
    async with Composition() as composition:
        ports = await build_ports(composition)
        assert await ports.find("127.0.0.1:5055/fraud:champion") == (REGISTRY, "fraud", "champion")
        assert await ports.find("127.0.0.1:5055/other") == (REGISTRY, "other", None)
        assert await ports.find("local://127.0.0.1:5055/fraud") == (LOCAL, "127.0.0.1:5055/fraud", None)
        assert (await ports.find("remote://127.0.0.1:5055/fraud:champion"))[0] == REGISTRY
        assert await ports.find("127.0.0.1:5055") == (REGISTRY, "", None)
        assert await ports.find("local://") == (LOCAL, "", None)
        with pytest.raises(NotFound):
            await ports.find("nobody:v1")


async def test_the_listing_read_ahead_is_for_the_first_who_asks(home: Path, kithome: Path) -> None:
    """The store is read while the interface is imported, once; asked again, it is read again."""
    async with Composition() as composition:
        listed = read_ahead(composition)
        source = composition.places.source(LOCAL)

        async def names() -> list[str]:
            return [entry.name async for page in listed(source) for entry in page]

        first = await names()
        assert first == [entry.name async for page in source.repositories() for entry in page]
        assert first
        shutil.rmtree(kithome)
        assert await names() == []


async def test_what_fails_ahead_is_told_to_who_asks(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And is silent where nobody does; other sources are asked as ever."""

    async def failing(_: object) -> AsyncIterator[Sequence[RepositoryEntry]]:
        raise StorageError("the disk is gone", hint="Plug it in.")
        yield ()

    async with Composition() as composition:
        source = composition.places.source(LOCAL)
        monkeypatch.setattr(type(source), "repositories", failing)
        read_ahead(composition)
        listed = read_ahead(composition)
        with pytest.raises(StorageError, match="the disk is gone"):
            async for _ in listed(source):
                pass


@pytest.mark.parametrize("auth", ["basic", "bearer"])
async def test_who_logs_in_or_out_is_somebody_else_at_once(home: Path, auth: str) -> None:
    async with (
        ScriptedRegistry(auth=auth, users={"ann": "one", "bob": "two"}, anonymous=False) as registry,
        Composition() as composition,
    ):
        registry.add_kit("fraud", "v1", layers=[])
        ports = await build_ports(composition)
        repository = (await ports.source(Place("remote", registry.host))).repository("fraud")
        with pytest.raises(Unauthorized):
            await repository.resolve(Tag("v1"))
        await ports.login(registry.host, "ann", "one")
        await repository.resolve(Tag("v1"))
        asked = len(registry.requests)
        await ports.logout(registry.host)
        with pytest.raises(Unauthorized):
            await repository.resolve(Tag("v1"))
        assert not any(request.headers.get("authorization") for request in registry.requests[asked:])
        await ports.login(registry.host, "bob", "two")
        asked = len(registry.requests)
        await repository.resolve(Tag("v1"))
        sent = " ".join(request.headers.get("authorization", "") for request in registry.requests[asked:])
        assert b64encode(b"bob:two").decode() in sent
        assert b64encode(b"ann:one").decode() not in sent


async def test_the_screen_of_doctor_knows_the_encoding_of_the_terminal(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the interface runs, sys.stdout has none: it catches what is printed."""
    async with Composition() as composition, acme().app().run_test() as pilot:
        await listed(pilot)
        # What the interface does for its own time.
        monkeypatch.setattr(sys, "stdout", _PrintCapture(pilot.app))
        monkeypatch.setattr(sys, "__stdout__", io.TextIOWrapper(io.BytesIO(), encoding="utf-8"))
        checks = [check async for _, check in (await build_ports(composition)).upkeep.examine([], False)]
    (characters,) = [check for check in checks if check.name == "characters"]
    assert (characters.state, characters.seen) == ("good", "Unicode (utf-8)")
