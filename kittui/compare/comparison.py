"""A whole comparison of two versions, possibly still incomplete."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from kittui.compare.changes import (
    FileChange,
    LayerChange,
    Problem,
    Status,
    TensorChange,
    TextChange,
    ValueChange,
)

Identity = Literal["identical", "repacked", "different"]


@dataclass(frozen=True, slots=True)
class Version:
    """One side. `tags` are those known to point to the digest, `size` bytes of config and layers."""

    reference: str
    digest: str
    kind: str = "modelkit"
    label: str = "ModelKit"
    size: int = 0
    created: str | None = None
    tags: tuple[str, ...] = ()
    repository: str = ""
    """The repository's reference without a tag."""

    @property
    def pinned(self) -> str:
        """The reference by digest."""
        return f"{self.repository}@{self.digest}" if self.repository else self.reference

    @property
    def short(self) -> str:
        """The digest's first 12 hexadecimal digits."""
        return self.digest.partition(":")[2][:12]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is known so far. `complete` once nothing is being read.

    `unread` is bytes of both sides' differing layers that reading all values would take; `notes` are sentences on the
    pair as a whole; `metadata` comes with the file it is of. `verified` is false while anything comes from ranged
    reads. `doing` names the current step, `done` of `total` bytes its progress (total 0: unknown).
    """

    a: Version
    b: Version
    identity: Identity
    kitfile: tuple[ValueChange, ...] = ()
    annotations: tuple[ValueChange, ...] = ()
    layers: tuple[LayerChange, ...] = ()
    files: tuple[FileChange, ...] = ()
    texts: tuple[TextChange, ...] = ()
    metadata: tuple[tuple[str, ValueChange], ...] = ()
    tensors: tuple[TensorChange, ...] = ()
    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()
    verified: bool = True
    complete: bool = False
    requests: int = 0
    bytes: int = 0
    unread: int = 0
    doing: str = ""
    done: int = 0
    total: int = 0

    @property
    def identical(self) -> bool:
        """Whether both are the same manifest."""
        return self.identity == "identical"

    @property
    def shared_layers(self) -> int:
        """Layers whose content both sides have."""
        return sum(1 for layer in self.layers if layer.status in ("same", "moved", "repacked"))

    def counts(self) -> Mapping[str, Mapping[Status, int]]:
        """The number of entries of each part with each status."""
        return {
            "Kitfile": Counter(change.status for change in self.kitfile),
            "annotations": Counter(change.status for change in self.annotations),
            "layers": Counter(change.status for change in self.layers),
            "files": Counter(change.status for change in self.files),
            "metadata": Counter(change.status for _, change in self.metadata),
            "tensors": Counter(change.status for change in self.tensors),
        }
