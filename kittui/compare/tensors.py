"""Compares the tensors of two model files by their headers, and sums up figures by module."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from kittui.compare.changes import Figures, TensorChange, TensorSide
from kittui.oci.order import natural_key

CONFIDENCE = 0.95
WINDOW = 4096
"""Bytes of one random window."""


def compare_tensors(file: str, a: Sequence[TensorSide], b: Sequence[TensorSide]) -> tuple[TensorChange, ...]:
    """Compare headers only: added, removed, reshaped, recast; all else is `not_compared`. In b's order."""
    first = {tensor.name: tensor for tensor in a}
    second = {tensor.name: tensor for tensor in b}
    changes = [
        TensorChange(file, tensor.name, "removed", tensor) for tensor in first.values() if tensor.name not in second
    ]
    for tensor in second.values():
        old = first.get(tensor.name)
        changes.append(
            judge_headers(file, old, tensor) if old else TensorChange(file, tensor.name, "added", None, tensor)
        )
    return tuple(changes)


def judge_headers(file: str, a: TensorSide, b: TensorSide) -> TensorChange:
    """Assess a tensor that both sides have, by its headers."""
    if a.shape != b.shape:
        return TensorChange(file, b.name, "changed", a, b, "reshaped")
    if a.dtype != b.dtype:
        return TensorChange(file, b.name, "changed", a, b, "recast")
    if 0 in b.shape:
        return TensorChange(file, b.name, "same", a, b, note="empty")
    return TensorChange(file, b.name, "not_compared", a, b)


def find_moved(changes: Iterable[TensorChange]) -> dict[tuple[str, str], TensorChange]:
    """Find tensors that moved from one file to another, by (a's file, name).

    A name that is gone from several files, or new in several, is ambiguous and left out.
    """
    gone: dict[str, list[TensorChange]] = {}
    new: dict[str, list[TensorChange]] = {}
    for change in changes:
        if change.status in ("removed", "added"):
            (gone if change.status == "removed" else new).setdefault(change.name, []).append(change)
    found = {}
    for name, added in new.items():
        removed = gone.get(name, ())
        if len(added) == len(removed) == 1 and (a := removed[0].a) and (b := added[0].b):
            change = replace(judge_headers(added[0].file, a, b), file_a=removed[0].file)
            if change.status in ("same", "not_compared"):
                change = replace(change, status="moved")
            found[removed[0].file, name] = change
    return found


@dataclass(frozen=True, slots=True)
class Module:
    """Figures of all tensors below one prefix (`encoder.layers.3`); empty is the whole file."""

    name: str
    tensors: int
    changed: int
    figures: Figures


def sum_modules(changes: Iterable[TensorChange], depth: int | None = None) -> tuple[Module, ...]:
    """Figures added up per module, most changed first (by relative norm, then by fraction).

    A tensor belongs to every prefix of its name, cut at dots; `depth` keeps prefixes of at most so many parts.
    """
    sums: dict[str, tuple[int, int, Figures]] = {}
    for change in changes:
        figures = change.figures
        if figures is None:
            continue
        parts = change.name.split(".")[:-1]
        for size in range(min(len(parts), depth if depth is not None else 16) + 1):
            name = ".".join(parts[:size])
            if name in sums:
                tensors, changed, total = sums[name]
                sums[name] = (tensors + 1, changed + (figures.changed > 0), total + figures)
            else:
                sums[name] = (1, int(figures.changed > 0), figures)
    modules = [Module(name, *entry) for name, entry in sums.items()]
    return tuple(sorted(modules, key=lambda module: (*heat(module.figures), natural_key(module.name))))


def heat(figures: Figures) -> tuple[float, float]:
    """A sort key: the most changed come first."""
    norm = figures.relative_norm
    return (-(norm if norm is not None and math.isfinite(norm) else figures.fraction), -figures.fraction)


def random_windows(size: int, count: int, chance: random.Random, width: int = WINDOW) -> list[tuple[int, int]]:
    """Different blocks of a grid over `size` bytes, chosen at random: (offset, length) in rising order."""
    blocks = -(-size // width)
    chosen = sorted(chance.sample(range(blocks), min(count, blocks)))
    return [(block * width, min(width, size - block * width)) for block in chosen]


def undetected_share(windows: int, size: int, width: int = WINDOW, confidence: float = CONFIDENCE) -> float:
    """The largest share of blocks that may have changed if so many random ones had not, at a confidence.

    From (1 - share) ** windows = 1 - confidence; drawing without replacement only makes it smaller; 0 when all were
    read.
    """
    if windows >= -(-size // width):
        return 0.0
    return 1 - (1 - confidence) ** (1 / windows) if windows else 1.0


def sampled_words(windows: int, size: int, width: int = WINDOW) -> str:
    """The wording for random windows without a difference: never that the tensors are the same."""
    share = undetected_share(windows, size, width)
    read = min(100.0, windows * width / size * 100) if size else 100.0
    return (
        f"no difference in {windows} random windows of {width // 1024} KiB ({read:.2g} % read): with "
        f"{CONFIDENCE * 100:.0f} % confidence less than {share * 100:.2g} % of its blocks changed; not proven the same"
    )
