"""Groups the tensors of a model in a tree of modules, by the dots (or slashes) in their names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from kittui.formats.weights import Tensor

DEPTH = 16
"""Modules within modules at most; what is deeper stays in the name."""
OPEN = 60
"""Rows up to which a tree is unfolded at first, level by level."""


@dataclass(slots=True, eq=False)
class TensorRow:
    """A tensor; `name` is the rest of its name after its modules."""

    tensor: Tensor
    name: str
    depth: int

    @property
    def nbytes(self) -> int:
        """Bytes, 0 if the header does not tell."""
        return self.tensor.nbytes or 0


@dataclass(slots=True, eq=False)
class ModuleRow:
    """A module with all that is below it summed up."""

    name: str
    depth: int
    children: list[ModuleRow | TensorRow]
    count: int
    parameters: int
    nbytes: int
    dtypes: tuple[str, ...]
    problem: bool = False
    unfolded: bool = field(default=False)


Row = ModuleRow | TensorRow
_Named = tuple[Sequence[str], Tensor]


def module_tree(tensors: Sequence[Tensor]) -> list[Row]:
    """Group tensors by module. A module that holds nothing but another is drawn as one; numbered ones are in order."""
    dotted = sum("." in tensor.name for tensor in tensors[:1000])
    separator = "/" if sum("/" in tensor.name for tensor in tensors[:1000]) > dotted else "."
    return _level([(tensor.name.split(separator, DEPTH), tensor) for tensor in tensors], 0, 0, separator)


def _level(named: Sequence[_Named], at: int, depth: int, separator: str) -> list[Row]:
    groups: dict[tuple[str, bool], list[_Named]] = {}
    for each in named:
        groups.setdefault((each[0][at], len(each[0]) == at + 1), []).append(each)
    order = list(groups)
    if all(name.isdecimal() and not leaf for name, leaf in order):
        order.sort(key=lambda key: (len(key[0]), key[0]))
    rows: list[Row] = []
    for key in order:
        inside = groups[key]
        if len(inside) == 1:
            parts, tensor = inside[0]
            rows.append(TensorRow(tensor, separator.join(parts[at:]) or tensor.name or "(no name)", depth))
        elif key[1]:
            rows += [TensorRow(tensor, key[0] or "(no name)", depth) for _, tensor in inside]
        else:
            rows.append(_module(inside, at, depth, separator))
    return rows


def _module(inside: list[_Named], at: int, depth: int, separator: str) -> ModuleRow:
    first, end = inside[0][0], at + 1
    while all(len(parts) > end + 1 and parts[end] == first[end] for parts, _ in inside):
        end += 1
    name = separator.join(first[at:end]) or "(no name)"
    tensors = [tensor for _, tensor in inside]
    return ModuleRow(
        name,
        depth,
        _level(inside, end, depth + 1, separator),
        len(tensors),
        sum(tensor.parameters for tensor in tensors),
        sum(tensor.nbytes or 0 for tensor in tensors),
        tuple(dict.fromkeys(tensor.dtype for tensor in tensors)),
        any(tensor.problem for tensor in tensors),
    )


def unfold_some(rows: Sequence[Row], limit: int = OPEN) -> None:
    """Unfold whole levels as long as no more than `limit` rows show."""
    shown, level = len(rows), [row for row in rows if isinstance(row, ModuleRow)]
    while level:
        shown += sum(len(row.children) for row in level)
        if shown > limit:
            return
        for row in level:
            row.unfolded = True
        level = [child for row in level for child in row.children if isinstance(child, ModuleRow)]


def visible(rows: Sequence[Row], needle: str = "") -> Iterator[Row]:
    """The rows to show: what is unfolded or, with a filter, tensors whose whole name holds it and all above them."""
    folded = needle.casefold()
    for row in rows:
        if isinstance(row, TensorRow):
            if not folded or folded in row.tensor.name.casefold():
                yield row
        elif not folded:
            yield row
            if row.unfolded:
                yield from visible(row.children)
        else:
            below = list(visible(row.children, needle))
            if below:
                yield row
                yield from below


def shape_text(shape: Sequence[int]) -> str:
    """A shape as it is written: `[128, 48]`; a lone number is a scalar, written `[]`."""
    return "[" + ", ".join(str(size) for size in shape) + "]"
