"""Where a reference is looked for: a host means its registry, a name without one the local store."""

from __future__ import annotations

import pytest

from kittui.errors import BadReference, NetworkError, NotFound, StorageError
from kittui.oci.protocols import Source
from kittui.oci.reference import LOCAL, Place
from kittui.usecases.browse.places import Places
from tests.fakes.memory import MemoryRepository, MemorySource


class World:
    """A store and registries in memory; `opened` are the places that were asked for."""

    def __init__(self) -> None:
        self.store = MemorySource()
        self.store.place = LOCAL
        self.registry = MemorySource("r.test")
        self.opened: list[Place] = []
        self.places = Places(self._open, lambda _: False)

    def _open(self, place: Place) -> Source:
        self.opened.append(place)
        return self.store if place == LOCAL else self.registry


@pytest.fixture
def world() -> World:
    found = World()
    found.store.repository("r.test/fraud").add_kit("fraud", "both", "held")
    found.store.repository("own").add_kit("own", "latest")
    found.registry.repository("fraud").add_kit("fraud", "both", "away")
    return found


@pytest.mark.parametrize(
    ("text", "place", "name", "target"),
    [
        ("r.test/fraud:both", "remote", "fraud", "both"),
        ("r.test/fraud:held", "remote", "fraud", "held"),
        ("r.test/fraud:away", "remote", "fraud", "away"),
        ("remote://r.test/fraud:both", "remote", "fraud", "both"),
        ("local://r.test/fraud:nope", "local", "r.test/fraud", "nope"),
        ("r.test/other:x", "remote", "other", "x"),
        ("own", "local", "own", "latest"),
        ("oci:some/dir:t", "oci", ".", "t"),
    ],
)
async def test_reading(world: World, text: str, place: str, name: str, target: str) -> None:
    located = await world.places.locate(text)
    assert (located.reference.kind, located.repository.name, located.target) == (place, name, target)


async def test_a_whole_repository_is_where_its_name_says(world: World) -> None:
    assert (await world.places.locate("r.test/fraud", default=None)).reference.kind == "remote"
    assert (await world.places.locate("r.test/other", default=None)).reference.kind == "remote"
    assert (await world.places.locate("own", default=None)).target is None


@pytest.mark.parametrize("text", ["nowhere:v1", "own:v2", "nowhere"])
async def test_what_could_only_be_in_the_store_and_is_not(world: World, text: str) -> None:
    with pytest.raises(NotFound) as raised:
        await world.places.locate(text)
    assert raised.value.hint
    assert world.opened == [LOCAL]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("r.test/fraud:both", "remote"),
        ("local://r.test/fraud:both", "local"),
        ("remote://r.test/fraud:both", "remote"),
        ("own:latest", "local"),
        ("own:new", "local"),
    ],
)
async def test_changing_what_is_named_clearly(world: World, text: str, place: str) -> None:
    assert (await world.places.locate(text, changing=True)).reference.kind == place


async def test_a_store_that_cannot_be_read_keeps_nobody_from_a_registry(world: World) -> None:
    def broken(_: MemoryRepository, __: str, ___: str) -> None:
        raise StorageError("the store can't be read")

    world.store.hooks.append(broken)
    assert (await world.places.locate("r.test/fraud:both")).reference.kind == "remote"
    with pytest.raises(StorageError):
        await world.places.locate("own")


async def test_offline_a_registrys_name_means_its_copy_in_the_store(world: World) -> None:
    world.places = Places(world._open, lambda _: False, offline=True)
    located = await world.places.locate("r.test/fraud:both")
    assert (located.reference.kind, located.repository.name) == ("local", "r.test/fraud")
    assert (await world.places.locate("remote://r.test/fraud:held")).reference.kind == "local"
    with pytest.raises(NotFound):
        await world.places.locate("r.test/fraud:away")
    with pytest.raises(NetworkError, match="offline"):
        world.places.source(Place("remote", host="r.test"))


async def test_sources_are_opened_once_and_closed(world: World) -> None:
    await world.places.locate("r.test/fraud:away")
    await world.places.locate("own")
    await world.places.locate("r.test/fraud:both")
    assert sorted(place.kind for place in world.opened) == ["local", "remote"]
    await world.places.aclose()
    assert world.store.closed
    assert world.registry.closed


async def test_bad_references(world: World) -> None:
    with pytest.raises(BadReference):
        await world.places.locate("r.test/UPPER:x")
