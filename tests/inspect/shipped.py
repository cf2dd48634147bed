"""The shipped ModelKits as the fake world shows them: in a registry, what is read of it counted."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from kittui.demo.stage import LAYOUT
from kittui.layout import LayoutSource
from kittui.oci.descriptor import Descriptor
from kittui.oci.protocols import YES, BlobReader, Capabilities, RepositoryEntry
from kittui.oci.reference import LOCAL, Place
from kittui.oci.traffic import count
from kittui.tui.panes.layer_rows import NodeRow, TreeRow
from kittui.tui.panes.tree import RepositoryRow
from tests.tui.waiting import browse, quiet, until
from tests.tui.world import World, WorldSource, kitfile

HOST = "registry.acme.dev"


class Counted:
    """A repository of the layout, under a registry's name; every blob that is opened counts as a request."""

    def __init__(self, source: Shipped, inside: Any) -> None:
        self.source, self.inside, self.name = source, inside, inside.name

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inside, name)

    def reference(self, target: str | None = None) -> str:
        tail = f"@{target}" if target and ":" in target else f":{target}" if target else ""
        return f"remote://{HOST}/{self.name}{tail}"

    @asynccontextmanager
    async def open_blob(
        self, descriptor: Descriptor, offset: int = 0, length: int | None = None
    ) -> AsyncIterator[BlobReader]:
        await self.source.pass_gate()
        async with self.inside.open_blob(descriptor, offset, length) as reader:
            count(requests=1, received=reader.length)
            yield reader

    async def read_blob(self, descriptor: Descriptor, limit: int) -> bytes:
        await self.source.pass_gate()
        content: bytes = await self.inside.read_blob(descriptor, limit)
        count(requests=1, received=len(content))
        return content

    async def referrers(self, digest: Any) -> Sequence[Descriptor]:
        return []


class Shipped(WorldSource):
    """The demo's layout as a registry."""

    def __init__(self) -> None:
        super().__init__(Place("remote", HOST))
        self.layout = LayoutSource(LAYOUT)
        self.capabilities = Capabilities(catalog=YES, write=YES, ranges=YES)
        self.kept: dict[str, Counted] = {}

    async def pass_gate(self) -> None:
        """Wait, where a test holds everything up."""
        if self.slow is not None:
            await self.slow.wait()

    def repository(self, name: str) -> Any:
        return self.kept.setdefault(name, Counted(self, self.layout.repository(name)))

    async def repositories(self) -> AsyncIterator[Sequence[RepositoryEntry]]:
        async for page in self.layout.repositories():
            yield page


def shipped(**settings: Any) -> World:
    """A store with one ModelKit, and the registry."""
    local = WorldSource(LOCAL)
    local.repository("sandbox").add(kitfile("0.1.0"), (("model", 40_000, "none"),), "latest")
    return World(local, Shipped(), **settings)


async def to_kit(pilot: Any, repository: str, tag: str) -> None:
    """Registry, repository, tag, as a user walks."""
    await until(pilot, lambda: len(browse(pilot).repositories_pane.body.rows) > 2)
    repositories = browse(pilot).repositories_pane
    await move(pilot, repositories.body, lambda row: getattr(row, "label", "") == HOST)
    await pilot.press("enter")
    await until(pilot, lambda: any(_is(row, repository) for row in repositories.body.rows))
    await move(pilot, repositories.body, lambda row: _is(row, repository))
    await pilot.press("enter")
    tags = browse(pilot).tags_pane
    await until(pilot, lambda: browse(pilot).at == "tags" and tags.current is not None)
    await until(pilot, lambda: any(row.entry.name == tag for row in tags.body.rows))
    await quiet(pilot)
    await move(pilot, tags.body, lambda row: row.entry.name == tag)
    await pilot.press("enter")
    await until(pilot, lambda: browse(pilot).at == "layers" and len(browse(pilot).layers_pane.body.rows) > 1)
    await quiet(pilot)


def _is(row: object, repository: str) -> bool:
    return isinstance(row, RepositoryRow) and row.entry.name == repository


async def move(pilot: Any, rows: Any, wanted: Any) -> None:
    """Put the cursor on the first row that is wanted, by keys."""
    number = next(number for number, row in enumerate(rows.rows) if wanted(row))
    for _ in range(abs(number - rows.cursor)):
        await pilot.press("j" if number > rows.cursor else "k")
    await pilot.pause()


def named(row: TreeRow) -> str:
    """The path of a layer, or the name of a file or folder."""
    return row.node.name if isinstance(row, NodeRow) else getattr(getattr(row, "layer", None), "path", None) or ""


async def to_file(pilot: Any, layer: str, file: str) -> None:
    """Unfold a layer and go to a file in it."""
    rows = browse(pilot).layers_pane.body
    await move(pilot, rows, lambda row: not isinstance(row, NodeRow) and named(row) == layer)
    await pilot.press("right")
    await until(pilot, lambda: any(isinstance(row, NodeRow) and row.node.name == file for row in rows.rows))
    await quiet(pilot)
    await move(pilot, rows, lambda row: isinstance(row, NodeRow) and row.node.name == file)
    await quiet(pilot)
