"""Compares the tensors of a pair of layers by their model files' headers, including moved tensors."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from kittui.compare.changes import TensorChange, TensorSide
from kittui.compare.contents import comparable, judge_values
from kittui.compare.figures import Meter, width
from kittui.compare.metadata import compare_metadata
from kittui.compare.tensors import compare_tensors, find_moved
from kittui.disk.threads import in_thread
from kittui.errors import KittuiError, Malformed
from kittui.formats.gguf import is_summary
from kittui.formats.model_file import is_model_file
from kittui.formats.tar import FileEntry
from kittui.formats.weights import Tensor, Weights
from kittui.tasks import aside, together
from kittui.usecases.diff.access import Access
from kittui.usecases.diff.opened import Moved, Opened

if TYPE_CHECKING:
    from kittui.usecases.inspect.views import View

PIECE = 12 * 1024 * 1024
"""Bytes of a tensor per read and side."""


async def read_headers(opened: Opened, *, everything: bool = False) -> None:
    """Read tensors and metadata from model files' headers; with `everything` also what reading the values needs."""
    a, b = opened.accesses
    if any(not access.listed for access in opened.present):
        return
    # If one side has a Git LFS pointer, its tensors are unknown.
    pointers = {path for access in opened.present for path, entry in access.files.items() if entry.oid}
    models_a, models_b = (
        {
            path: entry
            for path, entry in (access.files if access else {}).items()
            if path not in pointers and _is_model(entry)
        }
        for access in (a, b)
    )
    only_a = [path for path in models_a if path not in models_b]
    only_b = [path for path in models_b if path not in models_a]
    pairs: list[tuple[FileEntry | None, FileEntry | None]] = [
        (models_a[path], entry) for path, entry in models_b.items() if path in models_a
    ]
    if len(only_a) == len(only_b) == 1:
        pairs.append((models_a[only_a[0]], models_b[only_b[0]]))
    else:
        pairs += [(models_a[path], None) for path in only_a]
        pairs += [(None, models_b[path]) for path in only_b]
    for old, new in pairs:
        path = new.path if new else old.path if old else ""
        try:
            await _headers(opened, path, old, new, everything)
        except Malformed as error:
            # Any file may be called .bin: if it is not a model, it is compared as bytes.
            if not path.lower().endswith(".bin"):
                opened.fail(error, path)
        except KittuiError as error:
            opened.fail(error, path)


async def _headers(opened: Opened, path: str, old: FileEntry | None, new: FileEntry | None, everything: bool) -> None:
    a, b = opened.accesses
    weights_a = await a.weights(old, everything=everything) if a is not None and old is not None else None
    weights_b = await b.weights(new, everything=everything) if b is not None and new is not None else None
    opened.metadata[path] = compare_metadata(
        weights_a.metadata if weights_a else {},
        weights_b.metadata if weights_b else {},
        *await _whole_arrays(a, old, weights_a, b, new, weights_b),
    )
    for weights in (weights_a, weights_b):
        if weights is not None and weights.problem:
            opened.fail(KittuiError(weights.problem), path)
    # Headers may list hundreds of thousands: they are matched in a thread.
    inside_a, inside_b = await aside(_Inside, a, old, weights_a), await aside(_Inside, b, new, weights_b)
    opened.tensors[path] = await aside(compare_tensors, path, inside_a.own, inside_b.own)
    if old is not None and new is not None:
        opened.model_pairs.append((old, new))
        if opened.metadata[path] or any(
            change.status != "same" and change.status != "not_compared" for change in opened.tensors[path]
        ):
            opened.settle(path, equal=False)
    for entry_a, entry_b, sides_a, sides_b in inside_a.beside(inside_b):
        # The tensors of an external data file are listed under that file, which is compared like any other.
        place = entry_b or entry_a
        if place is None or place.path in opened.tensors:
            continue
        opened.tensors[place.path] = compare_tensors(place.path, sides_a, sides_b)
        if entry_a is not None and entry_b is not None:
            opened.model_pairs.append((entry_a, entry_b))


async def _whole_arrays(
    a: Access | None, old: FileEntry | None, weights_a: Weights | None,
    b: Access | None, new: FileEntry | None, weights_b: Weights | None,
) -> tuple[dict[str, list[Any]], dict[str, list[Any]]]:  # fmt: skip
    """Read all values of the long arrays of two GGUF files whose digests differ."""
    if a is None or b is None or old is None or new is None or weights_a is None or weights_b is None:
        return {}, {}
    keys = [
        key
        for key, value in weights_a.metadata.items()
        if is_summary(value) and is_summary(other := weights_b.metadata.get(key)) and value != other
    ]
    if not keys:
        return {}, {}
    found = await together(a.arrays(old, keys), b.arrays(new, keys))
    return found[0], found[1]


class _Inside:
    """The tensors of one side's model file; those in external data files separately."""

    def __init__(self, access: Access | None, entry: FileEntry | None, weights: Weights | None) -> None:
        self.own: list[TensorSide] = []
        self._beside: dict[str, tuple[FileEntry, list[TensorSide]]] = {}
        folder = posixpath.dirname(entry.path) if entry is not None else ""
        files = access.files if access is not None else {}
        for tensor in weights.tensors if weights is not None else ():
            found = files.get(posixpath.normpath(posixpath.join(folder, tensor.file))) if tensor.file else None
            if tensor.file and found is not None and _holds(found, tensor):
                self._beside.setdefault(tensor.file, (found, []))[1].append(_side(tensor._replace(file=None)))
            else:
                self.own.append(_side(tensor))

    def beside(
        self, other: _Inside
    ) -> Iterator[tuple[FileEntry | None, FileEntry | None, list[TensorSide], list[TensorSide]]]:
        """Pairs of external data files: by the model's name for them, or the only ones of both sides."""
        a, b = self._beside, other._beside
        if len(a) == len(b) == 1 and a.keys() != b.keys():
            ((entry_a, sides_a),), ((entry_b, sides_b),) = a.values(), b.values()
            yield entry_a, entry_b, sides_a, sides_b
            return
        nothing: tuple[None, list[TensorSide]] = (None, [])
        for name in dict.fromkeys([*a, *b]):
            first, second = a.get(name, nothing), b.get(name, nothing)
            yield first[0], second[0], first[1], second[1]


def match_moved(every: Sequence[Opened]) -> None:
    """Match tensors that moved to another file, such as between a model's shards, across all layers."""
    moved = find_moved(change for opened in every for changes in opened.tensors.values() for change in changes)
    if not moved:
        return
    came = {(change.file, change.name): change for change in moved.values()}
    places: list[dict[str, tuple[Access, FileEntry]]] = [{}, {}]
    for opened in every:
        for side, access in enumerate(opened.accesses):
            if access is None:
                continue
            for path, entry in access.files.items():
                if entry.type == "file":
                    places[side].setdefault(path, (access, entry))
    for opened in every:
        for path, changes in opened.tensors.items():
            kept = [change for change in changes if (path, change.name) not in moved or change.status != "removed"]
            opened.tensors[path] = tuple(
                came.get((path, change.name), change) if change.status == "added" else change for change in kept
            )
            for change in opened.tensors[path]:
                if change.file_a is not None:
                    opened.moved.append(Moved(change.name, places[0][change.file_a], places[1][path]))


async def read_moved(every: Sequence[Opened]) -> None:
    """Compare the values of moved tensors that no pair of layers had on both sides."""
    for opened in every:
        known = {(path, change.name): change for path, changes in opened.tensors.items() for change in changes}
        found: dict[tuple[str, str], TensorChange] = {}
        for moved in opened.moved:
            key = moved.b[1].path, moved.name
            change = known[key]
            if change.figures is not None or not change.a or not change.b or not comparable(change.a, change.b):
                continue
            try:
                view_a, view_b = await moved.a[0].view(moved.a[1]), await moved.b[0].view(moved.b[1])
                found[key] = judge_values(change, await meter_views(change, view_a, view_b))
            except KittuiError as error:
                opened.fail(error, ": ".join(key))
                continue
            for access, view in ((moved.a[0], view_a), (moved.b[0], view_b)):
                access.verified = access.verified and (view.verified or access.whole)
        opened.put(found)


async def meter_views(change: TensorChange, a: View, b: View) -> Meter:
    """Read a tensor in both its files and measure the differences."""
    if change.a is None or change.b is None:
        raise ValueError("the tensor is on one side only")
    meter = Meter(change.a.dtype, change.b.dtype)
    unit_a, unit_b = width(change.a.dtype), width(change.b.dtype)
    step = PIECE // max(unit_a, unit_b)
    for start in range(0, change.a.size // unit_a, step):
        count = min(step, change.a.size // unit_a - start)
        old, new = await together(
            a.read(change.a.offset + start * unit_a, count * unit_a),
            b.read(change.b.offset + start * unit_b, count * unit_b),
        )
        if len(old) != count * unit_a or len(new) != count * unit_b:
            raise Malformed(f"the file ends before {change.name} does")
        if change.a.dtype == change.b.dtype and old == new:
            await in_thread(meter.feed_equal, memoryview(old))
        else:
            await in_thread(meter.feed, memoryview(old), memoryview(new))
    return meter


def _is_model(entry: FileEntry) -> bool:
    """Anything may be called .bin, and finding out costs reads: only files with a model's name are tried."""
    if entry.type != "file" or entry.problem or not is_model_file(entry.path):
        return False
    name = entry.path.rpartition("/")[2].lower()
    return not name.endswith(".bin") or "model" in name or "weight" in name


def _holds(entry: FileEntry, tensor: Tensor) -> bool:
    """Whether a file is long enough for a tensor that should be in it."""
    end = (tensor.offset or 0) + (tensor.nbytes or 0)
    return entry.type == "file" and not entry.problem and tensor.offset is not None and end <= entry.size


def _side(tensor: Tensor) -> TensorSide:
    """A tensor whose position is unknown or wrong in the header has no bytes to compare."""
    readable = tensor.problem is None and tensor.offset is not None and tensor.file is None
    size = (tensor.nbytes or 0) if readable else 0
    return TensorSide(
        tensor.name, tensor.dtype, tensor.shape, tensor.offset or 0, size, elsewhere=tensor.file is not None
    )
