"""The parts of two layers that are compared: tensors, whole files, and the space between tensors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from kittui.compare.changes import TensorChange
from kittui.compare.contents import comparable
from kittui.compare.figures import Meter, per_width, width
from kittui.compare.lockstep import Stretch
from kittui.formats.tar import FileEntry


@dataclass(slots=True)
class Part:
    """One compared part: a tensor, or a whole file or the space between tensors (`tensor` is None)."""

    path: str
    tensor: TensorChange | None = None
    meter: Meter | None = None
    equal: bool = True
    skipped: list[tuple[int, int]] = field(default_factory=list)
    """Equal ranges of side a that were not measured: read again only if the tensor turns out to differ."""
    held: list[bytes] = field(default_factory=list)
    """Bytes of a remote side that are equal so far and not measured yet."""
    unmetered: int = 0
    """Bytes that will not be measured: the tensor did not change."""

    def release_kept(self) -> None:
        """The part was read completely and is equal: release what was kept."""
        self.unmetered += sum(map(len, self.held))
        self.held.clear()


def measurable(change: TensorChange) -> bool:
    """Whether a tensor's values could be compared but were not."""
    return change.figures is None and change.a is not None and change.b is not None and comparable(change.a, change.b)


def stretch_of(change: TensorChange, old: FileEntry, new: FileEntry) -> Stretch[Part]:
    """The tensor's range in both layers."""
    if change.a is None or change.b is None:
        raise ValueError("the tensor is on one side only")
    part = Part(change.file, change, Meter(change.a.dtype, change.b.dtype))
    return Stretch(old.offset + change.a.offset, change.a.size, new.offset + change.b.offset, change.b.size, part)


def count_only(meter: Meter, size: int) -> None:
    """Count elements that are equal on both sides, without reading them."""
    meter.count += size // width(meter.dtype_a) * per_width(meter.dtype_a)
    if meter.numeric:
        meter.finite += size // width(meter.dtype_a) * per_width(meter.dtype_a)


def gaps_of(old: FileEntry, new: FileEntry, kept: Sequence[Stretch[Part]]) -> list[Stretch[Part]]:
    """The header, and the space between tensors if its size is equal on both sides."""
    gaps = []
    at_a, at_b = old.offset, new.offset
    ends = [*((entry.a, entry.b, entry.a_size, entry.b_size) for entry in kept)]
    for a, b, size_a, size_b in [*ends, (old.offset + old.size, new.offset + new.size, 0, 0)]:
        if a > at_a and a - at_a == b - at_b:
            gaps.append(Stretch(at_a, a - at_a, at_b, b - at_b, Part(new.path)))
        elif a > at_a or b > at_b:
            gaps.append(Stretch(a, 0, b, 0, Part(new.path, equal=False)))
        at_a, at_b = a + size_a, b + size_b
    return gaps
