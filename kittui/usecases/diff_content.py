"""Every value of two layers: both are read once, their digests proved, and their tensors and files compared."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from kittui.compare.changes import TensorChange, TextChange
from kittui.compare.contents import comparable, judge_values, may_be_text, table_kind
from kittui.compare.figures import Meter, find_numpy, per_width, width
from kittui.compare.lockstep import Stretch, in_order
from kittui.compare.text import TEXT_LIMIT, decode
from kittui.disk.threads import in_thread
from kittui.formats.tar import FileEntry
from kittui.oci.descriptor import Descriptor
from kittui.oci.protocols import Repository
from kittui.usecases.diff_layers import Access, LayerComparer, Opened
from kittui.usecases.look import descriptor_of
from kittui.usecases.spool import Spool
from kittui.usecases.tandem import Chunk, Step, Watch, read_in_tandem

CAPTURED = 48 * 1024 * 1024
"""Bytes of texts held back at most, to be compared line by line when both sides were read."""
_PIECE = 4 * 1024 * 1024
_MANY = 64 * 1024 * 1024


@dataclass(slots=True)
class _Part:
    """What is compared in one stretch: a tensor, or a whole file or the space between tensors (`tensor` is None)."""

    path: str
    tensor: TensorChange | None = None
    meter: Meter | None = None
    equal: bool = True
    skipped: list[tuple[int, int]] | None = None
    """Stretches of a, equal on both sides, that were not metered: read again only if the tensor turns out changed."""


class _Digest:
    """Works out the digest of a file that has no partner to be compared with on the way."""

    def __init__(self) -> None:
        self._hasher = hashlib.sha256()

    def take(self, piece: memoryview) -> None:
        self._hasher.update(piece)

    def hexdigest(self) -> str:
        return self._hasher.hexdigest()


class _Capture:
    """Keeps a small text."""

    def __init__(self) -> None:
        self.content = bytearray()

    def take(self, piece: memoryview) -> None:
        self.content += piece


class _Lines:
    """Counts the lines of a table that is too large to be compared by row, and keeps its first one."""

    def __init__(self) -> None:
        self.count = 0
        self.first = bytearray()
        self._open = True
        self._ended = True

    def take(self, piece: memoryview) -> None:
        content = bytes(piece)
        self.count += content.count(b"\n")
        self._ended = content.endswith(b"\n")
        if self._open:
            head, newline, _ = content[:65536].partition(b"\n")
            self.first += head[: 65536 - len(self.first)]
            self._open = not newline and len(self.first) < 65536

    @property
    def total(self) -> int:
        return self.count + (not self._ended)


class ContentReader:
    """Reads one pair of layers."""

    def __init__(self, comparer: LayerComparer, opened: Opened, pair: tuple[Access, Access]) -> None:
        self._comparer = comparer
        self._opened = opened
        self._a, self._b = pair
        self._values = ThreadPoolExecutor(1, "kittui-values")
        """Meters add up, so one thread does them in order."""
        self._digests: tuple[dict[str, _Digest], dict[str, _Digest]] = ({}, {})
        self._captures: tuple[dict[str, _Capture], dict[str, _Capture]] = ({}, {})
        self._lines: tuple[dict[str, _Lines], dict[str, _Lines]] = ({}, {})
        self._parts: list[_Part] = []

    async def run(self) -> None:
        """Compare all there is. Raises DigestMismatch, then nothing of what was compared is kept, and source errors."""
        try:
            await self._read()
        finally:
            self._values.shutdown(wait=False)

    async def _read(self) -> None:
        kept, left = in_order(self._stretches())
        if sum(entry.a_size for entry in kept if entry.key.meter and entry.key.meter.numeric) > _MANY:
            # Importing it takes as long as hashing a large file: it goes on beside that.
            self._values.submit(find_numpy)
        watches = self._watches({entry.key.path for entry in left if entry.key.tensor is None})
        await read_in_tandem(_source(self._a), _source(self._b), self._steps(kept), self._compare, *watches)
        self._parts = [entry.key for entry in kept]
        self._a.verified = self._b.verified = self._a.whole = self._b.whole = True
        for part in self._parts:
            await self._complete(part)
        for entry in left:
            if entry.key.tensor is not None:
                await self._again(entry.key)
                self._parts.append(entry.key)
        self._conclude()
        await self._texts()

    def _stretches(self) -> list[Stretch[_Part]]:
        stretches: list[Stretch[_Part]] = []
        models = {new.path for _, new in self._opened.model_pairs}
        for old, new in self._opened.model_pairs:
            tensors: list[Stretch[_Part]] = []
            for change in self._opened.tensors[new.path]:
                a, b = change.a, change.b
                if change.figures is None and a is not None and b is not None and comparable(a, b):
                    meter = Meter(a.dtype, b.dtype, find_numpy)
                    part = _Part(new.path, change, meter)
                    tensors.append(Stretch(old.offset + a.offset, a.size, new.offset + b.offset, b.size, part))
            stretches += tensors
            if old.size == new.size and old.path == new.path:
                stretches += _gaps(old, new, in_order(tensors)[0])
        for old, new in self._opened.common_files():
            if old.size == new.size and new.path not in models and new.path not in self._a.digests:
                stretches.append(Stretch(old.offset, old.size, new.offset, new.size, _Part(new.path)))
        return stretches

    def _watches(self, alone: set[str]) -> tuple[list[Watch], list[Watch]]:
        """Who else wants bytes: texts to be compared, digests of files without partner, lines of large tables."""
        common = {new.path: (old, new) for old, new in self._opened.common_files()}
        watches: tuple[list[Watch], list[Watch]] = ([], [])
        room = CAPTURED
        for path, pair in common.items():
            if path in self._opened.texts or "equal" in self._a.digests.get(path, "") or not may_be_text(path):
                continue
            large = max(pair[0].size, pair[1].size) > TEXT_LIMIT
            if not large and pair[0].size + pair[1].size <= room:
                room -= pair[0].size + pair[1].size
                for side, entry in enumerate(pair):
                    capture = self._captures[side][path] = _Capture()
                    watches[side].append(Watch(entry.offset, entry.size, capture))
            elif table_kind(path):
                for side, entry in enumerate(pair):
                    lines = self._lines[side][path] = _Lines()
                    watches[side].append(Watch(entry.offset, entry.size, lines))
        for side, access in enumerate((self._a, self._b)):
            for path, entry in access.files.items():
                lonely = path not in common or path in alone
                if lonely and entry.type == "file" and entry.size and not entry.problem and path not in access.digests:
                    digest = self._digests[side][path] = _Digest()
                    watches[side].append(Watch(entry.offset, entry.size, digest))
        return watches

    def _steps(self, kept: Sequence[Stretch[_Part]]) -> list[Step[_Part]]:
        steps: list[Step[_Part]] = []
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

    def _compare(self, chunk: Chunk[_Part]) -> None:
        """Called in a thread, in order."""
        part = chunk.key
        part.equal = part.equal and chunk.equal
        meter = part.meter
        if meter is None:
            return
        if not chunk.equal or (part.tensor and part.tensor.nature == "recast"):
            chunk.busy.append(self._values.submit(meter.feed, chunk.a, chunk.b))
        elif self._a.local:
            part.skipped = [*(part.skipped or []), (chunk.offset_a, len(chunk.a))]
        else:
            chunk.busy.append(self._values.submit(meter.feed_equal, chunk.a))

    async def _complete(self, part: _Part) -> None:
        """Meter what was skipped, if it matters; for a tensor without any change only the count does."""
        if part.meter is None or not part.skipped:
            return
        if part.equal:
            await in_thread(_count_only, part.meter, sum(length for _, length in part.skipped))
            return
        for offset, length in part.skipped:
            view = await self._a.view(FileEntry(part.path, "file", length, 0, offset))
            for start in range(0, length, _PIECE * 3):
                piece = await view.read(start, min(_PIECE * 3, length - start))
                await in_thread(part.meter.feed_equal, memoryview(piece))

    async def _again(self, part: _Part) -> None:
        """A tensor that lies in another order on both sides: read by itself."""
        change, meter = part.tensor, part.meter
        if change is None or meter is None or change.a is None or change.b is None:
            return
        old, new = next(pair for pair in self._opened.model_pairs if pair[1].path == part.path)
        view_a, view_b = await self._a.view(old), await self._b.view(new)
        unit_a, unit_b = width(change.a.dtype), width(change.b.dtype)
        units = _PIECE * 3 // max(unit_a, unit_b)
        for start in range(0, change.a.size // unit_a, units):
            count = min(units, change.a.size // unit_a - start)
            a = await view_a.read(change.a.offset + start * unit_a, count * unit_a)
            b = await view_b.read(change.b.offset + start * unit_b, count * unit_b)
            if change.a.dtype == change.b.dtype and a == b:
                await in_thread(meter.feed_equal, memoryview(a))
            else:
                part.equal = False
                await in_thread(meter.feed, memoryview(a), memoryview(b))

    def _conclude(self) -> None:
        """Write what was found into the pair."""
        found: dict[str, dict[str, TensorChange]] = {}
        equal: dict[str, bool] = {}
        for part in self._parts:
            equal[part.path] = equal.get(part.path, True) and part.equal
            if part.tensor is not None and part.meter is not None:
                found.setdefault(part.path, {})[part.tensor.name] = judge_values(part.tensor, part.meter)
        for path, tensors in found.items():
            self._opened.tensors[path] = tuple(
                tensors.get(change.name, change) for change in self._opened.tensors[path]
            )
        for side, access in enumerate((self._a, self._b)):
            for path, digest in self._digests[side].items():
                access.digests[path] = digest.hexdigest()
        for path, same in equal.items():
            old, new = self._a.files.get(path), self._b.files.get(path)
            if old is not None and new is not None and path not in self._a.digests:
                self._a.digests[path] = "equal" if same and old.size == new.size else "one"
                self._b.digests[path] = "equal" if same and old.size == new.size else "other"

    async def _texts(self) -> None:
        for path, capture in self._captures[0].items():
            other = self._captures[1][path]
            await self._comparer.compare_read(self._opened, path, bytes(capture.content), bytes(other.content))
            capture.content.clear()
            other.content.clear()
        for path, lines in self._lines[0].items():
            if self._a.digests.get(path) != "equal":
                self._opened.texts[path] = _counted(path, lines, self._lines[1][path])


def _counted(path: str, a: _Lines, b: _Lines) -> TextChange:
    notes = [f"too large to compare by row: {a.total} → {b.total} lines"]
    old, new = decode(bytes(a.first)).rstrip("\r"), decode(bytes(b.first)).rstrip("\r")
    if table_kind(path) != "jsonl":
        notes.append(f"the first line {'is the same' if old == new else f'changed: {old[:300]} → {new[:300]}'}")
    return TextChange(path, "table", notes=tuple(notes))


def _count_only(meter: Meter, size: int) -> None:
    """Count elements that are equal on both sides, without reading them."""
    meter.count += size // width(meter.dtype_a) * per_width(meter.dtype_a)
    if meter.numeric:
        meter.finite += size // width(meter.dtype_a) * per_width(meter.dtype_a)


def _gaps(old: FileEntry, new: FileEntry, kept: Sequence[Stretch[_Part]]) -> list[Stretch[_Part]]:
    """The header, and the space between tensors, where it is as long on both sides."""
    gaps = []
    at_a, at_b = old.offset, new.offset
    ends = [*((entry.a, entry.b, entry.a_size, entry.b_size) for entry in kept)]
    for a, b, size_a, size_b in [*ends, (old.offset + old.size, new.offset + new.size, 0, 0)]:
        if a > at_a and a - at_a == b - at_b:
            gaps.append(Stretch(at_a, a - at_a, at_b, b - at_b, _Part(new.path)))
        elif a > at_a or b > at_b:
            gaps.append(Stretch(a, 0, b, 0, _Part(new.path, equal=False)))
        at_a, at_b = a + size_a, b + size_b
    return gaps


def _source(access: Access) -> Spool | tuple[Repository, Descriptor]:
    return access.spool if access.spool is not None else (access.repository, descriptor_of(access.layer))


def _size(access: Access) -> int:
    return access.spool.size if access.spool is not None else access.layer.size
