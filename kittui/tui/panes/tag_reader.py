"""Reads the manifests behind tags, for the rows in view, and for filters. No widgets."""

from __future__ import annotations

from asyncio import Semaphore
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import TYPE_CHECKING

from textual.worker import Worker

from kittui.errors import KittuiError
from kittui.oci.protocols import Repository, TagEntry
from kittui.oci.target import Target
from kittui.tui.frame.ports import Ports
from kittui.tui.panes.queries import Query
from kittui.tui.panes.tag_rows import TagRow
from kittui.tui.panes.variant_rows import variants_below

if TYPE_CHECKING:
    from kittui.modelkit import ModelKit

Start = Callable[[Callable[[], Coroutine[None, None, None]]], Worker[None]]


class TagReader:
    """Fills in rows, a bounded number at once. `start` runs a worker; `report` is given each row that was read."""

    def __init__(self, ports: Ports, start: Start, report: Callable[[TagRow], None]) -> None:
        self._ports = ports
        self._start = start
        self._report = report
        self._reading: dict[int, Worker[None]] = {}
        self._limit = Semaphore(ports.settings.concurrency)

    def row_for(self, repository: Repository, entry: TagEntry, before: dict[Target | None, TagRow]) -> TagRow:
        """The row of a tag that was listed: the one from `before`, to be read again, or a new one."""
        row = before.get(entry.name or (entry.descriptor.digest if entry.descriptor else None))
        if row is None:
            row = TagRow.of(repository, entry)
        else:
            row.entry, row.asked, row.problem = entry, False, entry.problem
            if entry.descriptor is not None and row.digest != entry.descriptor.digest:
                row.modelkit = None
        if entry.descriptor is not None and row.modelkit is None:
            cached = self._ports.cached(entry.descriptor.digest)
            if cached is not None:
                _fill_in(row, cached)
        return row

    def start(self, row: TagRow, *, chosen: bool = False) -> None:
        """Read one row's manifest and config, unless already done; of an unselected variant only the manifest."""
        light = row.variant is not None and not chosen
        done = row.asked and (light or row.modelkit is not None or row.variant is None or row.problem is not None)
        if done or id(row) in self._reading or row.entry.problem:
            return
        self._reading[id(row)] = self._start(partial(self.read, row, light=light))

    def stop_others(self, rows: Sequence[TagRow]) -> None:
        """Stop reading rows that are not among these."""
        wanted = set(map(id, rows))
        for key in [key for key in self._reading if key not in wanted]:
            self._reading.pop(key).cancel()

    def stop(self) -> None:
        """Stop reading all rows."""
        for worker in self._reading.values():
            worker.cancel()
        self._reading.clear()

    async def read(self, row: TagRow, *, light: bool = False) -> None:
        """Read a row now; `light` reads no more of it than its manifest."""
        try:
            async with self._limit:
                digest = row.entry.descriptor.digest if row.entry.descriptor else None
                target = digest or row.entry.name
                if target is None:
                    return
                if light:
                    manifest = await self._ports.manifest(row.repository, target)
                else:
                    modelkit = await self._ports.modelkit(row.repository, target)
                    manifest = modelkit.manifest
                    _fill_in(row, modelkit)
            row.size = None if manifest.is_index else manifest.content_size
            row.problem = None
            row.layers = manifest.layers
            await self.look_up_held([row])
        except KittuiError as error:
            row.problem = error.message
        row.asked = True
        self._reading.pop(id(row), None)
        self._report(row)

    async def learn(self, row: TagRow, query: Query) -> None:
        """Read what a filter needs of a row."""
        if row.modelkit is None:
            await self.read(row)
        if "signed" in query.fields and row.digest is not None and row.signed is None:
            try:
                async with self._limit:
                    attached = await self._ports.signatures(row.repository, row.digest)
            except KittuiError as error:
                row.problem = error.message
            else:
                row.signed = any(one.is_signature for one in attached.found)

    async def look_up_held(self, rows: Sequence[TagRow]) -> None:
        """Find out how much of each read row is in the local store."""
        read = [row for row in rows if row.layers and not row.repository.source.traits.is_store]
        held = await self._ports.held({blob.digest: blob for row in read for blob in row.layers}.values())
        for row in read:
            count = sum(blob.digest in held for blob in row.layers)
            row.held = "all" if count == len(row.layers) else "part" if count else ""


def _fill_in(row: TagRow, modelkit: ModelKit) -> None:
    known = row.digest if row.modelkit is not None else None
    row.modelkit = modelkit
    row.created = modelkit.created
    if row.variants is None or known != modelkit.digest:
        row.variants = variants_below(row)
