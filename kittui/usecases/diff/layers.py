"""Compares the insides of layer pairs, level by level: files, headers, texts, and all bytes on request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kittui.compare.changes import LayerChange
from kittui.compare.text import TEXT_LIMIT
from kittui.errors import KittuiError
from kittui.formats.tar import FileEntry
from kittui.tasks import together
from kittui.usecases.diff.access import Access, Allowance
from kittui.usecases.diff.opened import Opened, Tell
from kittui.usecases.inspect.blobs import SMALL
from kittui.usecases.inspect.spool import IN_MEMORY, Spool

if TYPE_CHECKING:
    from kittui.modelkit import Layer
    from kittui.oci.protocols import Repository
    from kittui.usecases.inspect.inspector import Inspector

SPOOLED = 1_000_000
"""The largest compressed layer in bytes that is read whole without a question."""


class LayerComparer:
    """Compares pairs of layers one level at a time. A layer's errors become its problem."""

    def __init__(self, inspector: Inspector, holders: Sequence[Repository], budget: Allowance) -> None:
        self._inspector = inspector
        self._holders = holders
        self._budget = budget

    def opened(
        self, change: LayerChange, number: int, a: tuple[Repository, Layer] | None, b: tuple[Repository, Layer] | None
    ) -> Opened:
        """Open a pair."""
        return Opened(
            change,
            (Access(self._inspector, *a) if a else None, Access(self._inspector, *b) if b else None),
            number,
        )

    async def list_files(self, opened: Opened, spool: bool = False) -> None:
        """List the files of each side. Compressed layers are read whole if small, or with `spool`."""

        async def one(access: Access) -> None:
            try:
                await self._choose_holder(access)
                if self._spools(access, spool):
                    unpacked = Spool()
                    try:
                        await unpacked.fill(access.repository, access.layer)
                    except BaseException:
                        unpacked.close()
                        raise
                    access.spool = unpacked
                await access.list_files()
            except KittuiError as error:
                opened.fail(error)
                opened.failed = True

        await together(*(one(access) for access in opened.present))

    def _spools(self, access: Access, everything: bool) -> bool:
        """Whether to read a layer whole: small ones, and with `everything` those that can't be read in parts."""
        size, compressed = access.layer.size, access.layer.compression != "none"
        if compressed and everything:
            return True
        limit = SPOOLED if compressed else IN_MEMORY if access.local else SMALL
        return size <= limit and self._budget.take(size, access.local)

    async def _choose_holder(self, access: Access) -> None:
        if access.local:
            return
        descriptor = access.layer.descriptor
        for holder in self._holders:
            if await holder.has_blob(descriptor):
                access.repository = holder
                return

    async def read_candidates_for_moves(self, all_opened: Sequence[Opened]) -> None:
        """Read small files of one side that have the size of one on the other: they may be the same file, moved."""
        only: tuple[dict[int, list[tuple[Access, FileEntry, Opened]]], ...] = ({}, {})
        for opened in all_opened:
            if any(not access.listed for access in opened.present):
                continue
            for side, access in enumerate(opened.accesses):
                other = opened.accesses[1 - side]
                for entry in access.files.values() if access else ():
                    lonely = other is None or entry.path not in other.files
                    if access and lonely and entry.type == "file" and entry.size and not entry.problem:
                        only[side].setdefault(entry.size, []).append((access, entry, opened))
        for size in sorted(set(only[0]) & set(only[1])):
            candidates = [entry for entry in (*only[0][size], *only[1][size]) if entry[1].path not in entry[0].digests]
            if size > TEXT_LIMIT or not all(self._budget.take(size, access.local) for access, _, _ in candidates):
                break
            for access, entry, opened in candidates:
                try:
                    await access.read([entry])
                except KittuiError as error:
                    opened.fail(error, entry.path)

    async def read_content(self, opened: Opened, tell: Tell) -> None:
        """Read both layers once, whole and verified, and compare every value."""
        from kittui.usecases.diff.content import ContentReader

        pair = opened.pair
        if pair is None:
            return
        try:
            await ContentReader(opened, pair, tell).run()
        except KittuiError as error:
            opened.fail(error)
            opened.failed = True
