"""What a model file holds, whatever its format: tensors with type, shape and place, and metadata."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any, NamedTuple

from kittui.formats.long_json import decode_json, encode_json
from kittui.terminal import size_text

_MOST = 1 << 63
"""More bytes than any file has."""
LOOKUPS = 64
"""Default maximum of tensors whose places are looked up one by one."""
ALL_LOOKUPS = 1 << 30
"""All places: as many as a budget allows tensors."""


class Tensor(NamedTuple):
    """One tensor.

    `dtype` is the format's own word in upper case (F32, BF16, Q4_K). `offset` (in the file) and `nbytes` are None if
    the header does not say, `offset` also if its numbers are not contiguous. `file` names another file that holds the
    tensor (then `offset` is in that file), `member` a zip archive's member.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    offset: int | None = None
    nbytes: int | None = None
    problem: str | None = None
    file: str | None = None
    member: str | None = None

    @property
    def parameters(self) -> int:
        """Numbers in the tensor; 0 if unknown, or if no file could hold its shape."""
        count = prod(self.shape) if self.dtype != "?" else 0
        return count if count < _MOST else 0


def distinct(tensors: Iterable[Tensor]) -> list[Tensor]:
    """Make tensors' names unique: the second one of a name gets a number after it."""
    seen: dict[str, int] = {}
    found: list[Tensor] = []
    for tensor in tensors:
        seen[tensor.name] = count = seen.get(tensor.name, 0) + 1
        found.append(tensor if count == 1 else tensor._replace(name=f"{tensor.name}#{count}"))
    return found


def bytes_of(shape: Sequence[int], bits: int) -> int | None:
    """Bytes of a tensor whose numbers have so many bits; None if no file could hold them."""
    size = -(-prod(shape) * bits // 8)
    return size if size < _MOST else None


@dataclass(frozen=True, slots=True)
class Weights:
    """The header of a model file. `notes`: sentences on what was left out or summarised; `problem`: what is wrong."""

    format: str
    tensors: tuple[Tensor, ...]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    problem: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def parameters(self) -> int:
        """Numbers in all tensors."""
        return sum(tensor.parameters for tensor in self.tensors)

    @property
    def nbytes(self) -> int:
        """Bytes of all tensors whose size is known."""
        return sum(tensor.nbytes or 0 for tensor in self.tensors)

    @property
    def dtypes(self) -> dict[str, int]:
        """Parameters by dtype, most first."""
        counts: dict[str, int] = {}
        for tensor in self.tensors:
            counts[tensor.dtype] = counts.get(tensor.dtype, 0) + tensor.parameters
        return dict(sorted(counts.items(), key=lambda pair: -pair[1]))

    @property
    def counts(self) -> str:
        """The number of tensors, parameters and bytes, in words; what isn't understood is not counted as zero."""
        if self.tensors and all(tensor.dtype == "?" for tensor in self.tensors):
            return f"not understood, {size_text(self.nbytes)}"
        count = len(self.tensors)
        words = f"{count:,} tensor{'' if count == 1 else 's'}, {self.parameters:,} parameters"
        return f"{words}, {size_text(self.nbytes)}"

    def dump(self) -> bytes:
        """Serialize to bytes, for a cache."""
        return encode_json([self.format, self.tensors, self.metadata, self.problem, self.notes])

    @classmethod
    def load(cls, content: bytes) -> Weights:
        """Read what `dump` wrote; raises ValueError for anything else."""
        try:
            form, tensors, metadata, problem, notes = decode_json(content.decode())
            listed = tuple(Tensor(row[0], row[1], tuple(row[2]), *row[3:]) for row in tensors)
        except (TypeError, IndexError, RecursionError) as error:
            raise ValueError("not a cached header") from error
        return cls(form, listed, metadata, problem, tuple(notes))
