"""The folder that a demo plays in."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from kittui.demo.stage import LAYOUT, PULLED, Stage, set_up
from kittui.layout import LayoutSource
from kittui.oci.protocols import Source
from kittui.oci.tag import Tag
from kittui.oci.target import parse_target
from kittui.state.history import History
from kittui.store import LocalSource


async def tags(source: Source, name: str) -> dict[str | None, str]:
    found: dict[str | None, str] = {}
    async for page in source.repository(name).tags():
        found.update({entry.name: str(entry.descriptor and entry.descriptor.digest) for entry in page})
    return found


async def test_the_copy_holds_what_is_shipped_and_the_store_some_of_it(tmp_path: Path) -> None:
    stage = await set_up(tmp_path)

    copy, store = LayoutSource(stage.models), LocalSource(stage.store, recheck=0)
    for name, pulled in PULLED.items():
        everything = await tags(LayoutSource(LAYOUT), name)
        assert await tags(copy, name) == everything
        assert await tags(store, name) == {tag: everything[tag] for tag in pulled}
        for tag in pulled:
            manifest = await store.repository(name).manifest(parse_target(tag))
            for layer in manifest.layers:
                assert await store.repository(name).read_blob(layer, 1_000_000)


async def test_changing_the_copy_changes_nothing_that_is_shipped(tmp_path: Path) -> None:
    stage = await set_up(tmp_path)
    before = (LAYOUT / "index.json").read_bytes()

    repository = LayoutSource(stage.models).repository("acme/fraud-detector")
    await repository.delete((await repository.resolve(Tag("champion"))).digest)

    assert "champion" not in await tags(LayoutSource(stage.models), "acme/fraud-detector")
    assert (LAYOUT / "index.json").read_bytes() == before
    for path in LAYOUT.rglob("blobs/sha256/*"):
        assert path.stat().st_nlink == 1


async def test_the_past_leads_to_where_the_tags_are(tmp_path: Path) -> None:
    stage = await set_up(tmp_path)
    repository = LayoutSource(stage.models).repository("acme/fraud-detector")
    history = History(Path(stage.environment({})["XDG_STATE_HOME"]) / "kittui")

    for tag in ("champion", "challenger", "rollback", "retired"):
        events = history.events(repository.reference(), tag)
        assert events[0].after == (await repository.resolve(parse_target(tag))).digest
        for newer, older in pairwise(events):
            assert newer.before == older.after
            assert newer.time > older.time


def test_the_environment_leads_into_the_folder_and_hides_credentials(tmp_path: Path) -> None:
    outer = {"HOME": "/home/ada", "DOCKER_CONFIG": "/home/ada/.docker", "KITOPS_HOME": "/home/ada/kitops"}
    inner = Stage(tmp_path).environment(outer)

    assert inner["HOME"] == "/home/ada"
    assert "DOCKER_CONFIG" not in inner
    for name in ("KITOPS_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        assert Path(inner[name]).is_relative_to(tmp_path)
