"""Compares every value of two layers: reads both once, verifies their digests, and compares tensors and files."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from kittui.compare.changes import TensorChange, TextChange
from kittui.compare.contents import judge_values, may_be_text
from kittui.compare.figures import find_numpy, width
from kittui.compare.lockstep import Stretch, in_order
from kittui.compare.text import TEXT_LIMIT
from kittui.disk.threads import in_thread
from kittui.formats.tar import FileEntry
from kittui.oci.descriptor import Descriptor
from kittui.oci.protocols import Repository
from kittui.usecases.diff.access import Access
from kittui.usecases.diff.opened import Opened, Tell
from kittui.usecases.diff.parts import Part, count_only, gaps_of, measurable, stretch_of
from kittui.usecases.diff.sinks import Attic, Capture, FileDigest, Kept, LineCount
from kittui.usecases.diff.tandem import Chunk, Step, Watch, read_in_tandem
from kittui.usecases.diff.tensors import PIECE, meter_views
from kittui.usecases.diff.texts import compare_large, compare_read
from kittui.usecases.inspect.spool import Spool

if TYPE_CHECKING:
    from kittui.usecases.inspect.views import View

CAPTURED = 48 * 1024 * 1024
"""The most bytes of text kept for a line-by-line comparison once both sides were read."""
HELD = 32 * 1024 * 1024
"""Bytes of a remote tensor kept while it is equal so far; they are measured only if it turns out to differ."""
_MANY = 64 * 1024 * 1024


class ContentReader:
    """Reads one pair of layers."""

    def __init__(self, opened: Opened, pair: tuple[Access, Access], tell: Tell) -> None:
        self._opened = opened
        self._pair = pair
        self._a, self._b = pair
        self._tell = tell
        self._values = ThreadPoolExecutor(1, "kittui-values")
        """Meters add up, so one thread does them in order."""
        self._attics: tuple[Attic, Attic] = (Attic(), Attic())
        self._digests: tuple[dict[str, FileDigest], dict[str, FileDigest]] = ({}, {})
        self._captures: tuple[dict[str, Capture], dict[str, Capture]] = ({}, {})
        self._lines: tuple[dict[str, LineCount], dict[str, LineCount]] = ({}, {})
        self._kept: tuple[dict[int, Kept], dict[int, Kept]] = ({}, {})
        """By where they start in the layer."""
        self._parts: list[Part] = []
        self._held: Part | None = None

    async def run(self) -> None:
        """Compare everything. Raises the source's errors, and DigestMismatch, which discards all results."""
        with ExitStack() as stack:
            stack.callback(self._values.shutdown, wait=False)
            for attic in self._attics:
                stack.callback(attic.close)
            await self._read()

    async def _read(self) -> None:
        kept, left = in_order(self._stretches())
        if sum(entry.a_size for entry in kept if entry.key.meter and entry.key.meter.numeric) > _MANY:
            # Importing it takes as long as hashing a large file, so both run in parallel.
            self._values.submit(find_numpy)
        watches = self._watches(left)
        total = _size(self._a) + _size(self._b)

        def passed(size: int) -> None:
            self._tell("comparing values of", self._opened.change, size, total)

        await read_in_tandem(_source(self._a), _source(self._b), self._steps(kept), self._compare, *watches, passed)
        if self._held is not None:
            self._held.release_kept()
        self._parts = [entry.key for entry in kept]
        self._a.verified = self._b.verified = self._a.whole = self._b.whole = True
        for part in self._parts:
            await self._complete(part)
        for entry in left:
            if entry.key.tensor is not None:
                await self._again(entry)
                self._parts.append(entry.key)
        self._conclude()
        await self._texts()

    def _stretches(self) -> list[Stretch[Part]]:
        stretches: list[Stretch[Part]] = []
        models = {new.path for _, new in self._opened.model_pairs}
        for old, new in self._opened.model_pairs:
            tensors = [
                stretch_of(change, old, new)
                for change in self._opened.tensors[new.path]
                if change.file_a is None and measurable(change)
            ]
            stretches += tensors
            if old.size == new.size and old.path == new.path:
                stretches += gaps_of(old, new, in_order(tensors)[0])
        known = {
            (path, change.name): change
            for path, changes in (self._opened.tensors.items() if self._opened.moved else ())
            for change in changes
        }
        for moved in self._opened.moved:
            change = known[moved.b[1].path, moved.name]
            if (moved.a[0], moved.b[0]) == self._pair and measurable(change):
                stretches.append(stretch_of(change, moved.a[1], moved.b[1]))
        for old, new in self._opened.common_files():
            if old.size == new.size and new.path not in models and not self._opened.is_compared(new.path):
                stretches.append(Stretch(old.offset, old.size, new.offset, new.size, Part(new.path)))
        return stretches

    def _watches(self, left: Sequence[Stretch[Part]]) -> tuple[list[Watch], list[Watch]]:
        """The other consumers of bytes: texts to compare, digests of files on one side, what is compared later."""
        alone = {entry.key.path for entry in left if entry.key.tensor is None}
        common = {new.path: (old, new) for old, new in self._opened.common_files()}
        watches: tuple[list[Watch], list[Watch]] = ([], [])
        room = CAPTURED
        for path, pair in common.items():
            if path in self._opened.texts or self._opened.is_equal(path) or not may_be_text(path):
                continue
            large = max(pair[0].size, pair[1].size) > TEXT_LIMIT
            small = not large and pair[0].size + pair[1].size <= room
            room -= pair[0].size + pair[1].size if small else 0
            for side, entry in enumerate(pair):
                if small:
                    capture = self._captures[side][path] = Capture()
                    watches[side].append(Watch(entry.offset, entry.size, capture))
                else:
                    kept = None if self._pair[side].local else Kept(self._attics[side])
                    if kept is not None:
                        self._kept[side][entry.offset] = kept
                    lines = self._lines[side][path] = LineCount(path, kept)
                    watches[side].append(Watch(entry.offset, entry.size, lines))
        for stretch in left:
            if stretch.key.tensor is not None:
                self._keep(watches, 0, stretch.a, stretch.a_size)
                self._keep(watches, 1, stretch.b, stretch.b_size)
        for side, access in enumerate(self._pair):
            for path, file in access.files.items():
                lonely = path not in common or path in alone
                if lonely and file.type == "file" and file.size and not file.problem and path not in access.digests:
                    digest = self._digests[side][path] = FileDigest()
                    watches[side].append(Watch(file.offset, file.size, digest))
        return watches

    def _keep(self, watches: tuple[list[Watch], list[Watch]], side: int, offset: int, size: int) -> None:
        """Keep a range so that it need not be read again; not needed for local layers."""
        if not self._pair[side].local and offset not in self._kept[side]:
            kept = self._kept[side][offset] = Kept(self._attics[side])
            watches[side].append(Watch(offset, size, kept))

    async def _view(self, side: int, path: str, offset: int, size: int) -> View:
        """A range of a layer that was already read."""
        if (kept := self._kept[side].get(offset)) is not None and kept.size >= size:
            return kept
        return await self._pair[side].view(FileEntry(path, "file", size, 0, offset))

    def _steps(self, kept: Sequence[Stretch[Part]]) -> list[Step[Part]]:
        steps: list[Step[Part]] = []
        at_a = at_b = 0
        for entry in kept:
            if entry.a > at_a or entry.b > at_b:
                steps.append(Step(entry.a - at_a, entry.b - at_b))
            tensor = entry.key.tensor
            unit_a = width(tensor.a.dtype) if tensor and tensor.a else 1
            unit_b = width(tensor.b.dtype) if tensor and tensor.b else 1
            steps.append(Step(entry.a_size, entry.b_size, entry.key, unit_a, unit_b))
            at_a, at_b = entry.a + entry.a_size, entry.b + entry.b_size
        size_a, size_b = _size(self._a), _size(self._b)
        if size_a > at_a or size_b > at_b:
            steps.append(Step(size_a - at_a, size_b - at_b))
        return steps

    def _compare(self, chunk: Chunk[Part]) -> None:
        """Called in a thread, in order."""
        part = chunk.key
        if part is not self._held and self._held is not None:
            self._held.release_kept()
        self._held = part
        part.equal = part.equal and chunk.equal
        meter = part.meter
        if meter is None:
            return
        recast = part.tensor is not None and part.tensor.nature == "recast"
        if chunk.equal and not recast:
            if self._a.local:
                part.skipped.append((chunk.offset_a, len(chunk.a)))
                return
            if part.equal and sum(map(len, part.held)) + len(chunk.a) <= HELD:
                part.held.append(bytes(chunk.a))
                return
        while part.held:
            self._values.submit(meter.feed_equal, memoryview(part.held.pop(0)))
        feed = (meter.feed_equal, chunk.a) if chunk.equal and not recast else (meter.feed, chunk.a, chunk.b)
        chunk.busy.append(self._values.submit(*feed))

    async def _complete(self, part: Part) -> None:
        """Measure what was skipped, if it matters; for an unchanged tensor only the count does."""
        if part.meter is None:
            return
        if part.equal:
            count_only(part.meter, part.unmetered + sum(length for _, length in part.skipped))
            return
        for offset, length in part.skipped:
            view = await self._a.view(FileEntry(part.path, "file", length, 0, offset))
            for start in range(0, length, PIECE):
                piece = await view.read(start, min(PIECE, length - start))
                await in_thread(part.meter.feed_equal, memoryview(piece))

    async def _again(self, entry: Stretch[Part]) -> None:
        """Compare a tensor whose position differs between the sides, from its kept bytes."""
        part = entry.key
        if part.tensor is None or part.tensor.a is None or part.tensor.b is None:
            return
        a = await self._view(0, part.path, entry.a, entry.a_size)
        b = await self._view(1, part.path, entry.b, entry.b_size)
        alone = replace(part.tensor, a=replace(part.tensor.a, offset=0), b=replace(part.tensor.b, offset=0))
        part.meter = await meter_views(alone, a, b)
        part.equal = part.tensor.a.dtype == part.tensor.b.dtype and not part.meter.changed

    def _conclude(self) -> None:
        """Store the results in the pair."""
        found: dict[tuple[str, str], TensorChange] = {}
        equal: dict[str, bool] = {}
        for part in self._parts:
            equal[part.path] = equal.get(part.path, True) and part.equal
            if part.tensor is not None and part.meter is not None:
                found[part.path, part.tensor.name] = judge_values(part.tensor, part.meter)
        self._opened.put(found)
        for side, access in enumerate((self._a, self._b)):
            for path, digest in self._digests[side].items():
                access.digests[path] = digest.hexdigest()
        for path, same in equal.items():
            old, new = self._a.files.get(path), self._b.files.get(path)
            if old is not None and new is not None:
                self._opened.settle(path, same and old.size == new.size)

    async def _texts(self) -> None:
        for path, capture in self._captures[0].items():
            partner = self._captures[1][path]
            await compare_read(self._opened, path, bytes(capture.content), bytes(partner.content))
            capture.content.clear()
            partner.content.clear()
        common = {new.path: (old, new) for old, new in self._opened.common_files()}
        for path, lines in self._lines[0].items():
            if self._opened.is_equal(path):
                continue
            other = self._lines[1][path]
            old, new = common[path]
            if lines.binary or other.binary:
                note = "binary" if old.size == new.size else f"binary, {old.size} → {new.size} bytes"
                self._opened.texts[path] = TextChange(path, "binary", notes=(note,))
                continue
            views = (
                await self._view(0, path, old.offset, old.size),
                await self._view(1, path, new.offset, new.size),
            )
            await compare_large(self._opened, path, views, (lines.total, other.total), self._tell)


def _source(access: Access) -> Spool | tuple[Repository, Descriptor]:
    return access.spool if access.spool is not None else (access.repository, access.layer.descriptor)


def _size(access: Access) -> int:
    return access.spool.size if access.spool is not None else access.layer.size
