"""Compares layers as a multiset, matched by their Kitfile entries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence

from kittui.compare.changes import LayerChange, LayerSide, Status

TypedLayer = tuple[str, LayerSide]
"""A layer's type and what is known of it."""


def compare_layers(a: Sequence[TypedLayer], b: Sequence[TypedLayer]) -> tuple[LayerChange, ...]:
    """Pair the layers of both sides, each used once, and assess each pair; in b's order.

    Pairs have the same type. They are matched by path (equal ones first), then by digest, by content (diffId), by file
    name, and finally if only one of the type is left on each side. Layers with a path are matched by it even if another
    path holds the same bytes; without paths (images), the content decides. If layers have a role, for artifacts of two
    kinds, that counts instead of the type, and content counts before names, which may be generated; the rest is paired
    by content and file name whatever its role.
    """
    left_a, left_b = list(range(len(a))), list(range(len(b)))
    pairs: list[tuple[int, int]] = []

    def pair(key: Callable[[TypedLayer], Hashable]) -> None:
        waiting: dict[Hashable, list[int]] = defaultdict(list)
        for number in left_b:
            if (value := key(b[number])) is not None:
                waiting[value].append(number)
        for number in tuple(left_a):
            value = key(a[number])
            if value is not None and waiting.get(value):
                other = waiting[value].pop(0)
                pairs.append((number, other))
                left_a.remove(number)
                left_b.remove(other)

    pair(lambda layer: (_sort(layer), _tidy(layer[1].path), layer[1].digest))
    pair(lambda layer: (layer[1].role, layer[1].digest) if layer[1].role else None)
    pair(lambda layer: (_sort(layer), _tidy(layer[1].path), layer[1].diff_id) if layer[1].diff_id else None)
    pair(lambda layer: (_sort(layer), _tidy(layer[1].path)) if layer[1].path else None)
    pair(lambda layer: (_sort(layer), layer[1].digest))
    pair(lambda layer: (_sort(layer), layer[1].diff_id) if layer[1].diff_id else None)
    pair(lambda layer: (_sort(layer), _file_name(layer)) if layer[1].path else None)
    pair(lambda layer: layer[1].digest if layer[1].role else None)
    pair(lambda layer: _file_name(layer) if layer[1].role and layer[1].path else None)
    only_a, only_b = _alone(a, left_a), _alone(b, left_b)
    pair(lambda layer: _sort(layer) if _sort(layer) in only_a and _sort(layer) in only_b else None)
    changes = [(b[y][1].index, 1, _pair(a[x], b[y])) for x, y in pairs]
    changes += [(a[x][1].index, 0, LayerChange(a[x][0], a[x][1].path, "removed", a[x][1], None)) for x in left_a]
    changes += [(b[y][1].index, 1, LayerChange(b[y][0], b[y][1].path, "added", None, b[y][1])) for y in left_b]
    return tuple(change for _, _, change in sorted(changes, key=lambda entry: entry[:2]))


def _pair(a: TypedLayer, b: TypedLayer) -> LayerChange:
    old = a[1]
    kind, new = b
    status: Status
    if old.digest == new.digest:
        status = "same" if _tidy(old.path) == _tidy(new.path) else "moved"
    elif old.diff_id and old.diff_id == new.diff_id:
        status = "repacked"
    else:
        status = "changed"
    return LayerChange(kind, new.path or old.path, status, old, new)


def _alone(layers: Sequence[TypedLayer], left: Sequence[int]) -> set[str]:
    kinds = [_sort(layers[number]) for number in left]
    return {kind for kind in kinds if kinds.count(kind) == 1}


def _sort(layer: TypedLayer) -> str:
    """What both layers of a pair must have in common."""
    return layer[1].role or layer[0]


def _file_name(layer: TypedLayer) -> str:
    return _tidy(layer[1].path).rpartition("/")[2]


def _tidy(path: str) -> str:
    """Normalize a Kitfile path: `./data/` becomes `data`."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    return "/".join(parts) or (path and ".")
