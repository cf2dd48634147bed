"""A pair of layers in a comparison, and everything found out about it so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from kittui.compare.changes import LayerChange, LayerDetail, Problem, TensorChange, TextChange, ValueChange
from kittui.compare.files import compare_files
from kittui.compare.text import AS_EVER, LineRules
from kittui.errors import KittuiError
from kittui.formats.tar import FileEntry
from kittui.usecases.diff.access import Access


@dataclass(frozen=True, slots=True)
class Moved:
    """A tensor that moved to another file: its name, and its layer and file on each side."""

    name: str
    a: tuple[Access, FileEntry]
    b: tuple[Access, FileEntry]


@dataclass(slots=True)
class Opened:
    """A pair of layers in a comparison."""

    change: LayerChange
    accesses: tuple[Access | None, Access | None]
    number: int = 0
    """The index of the pair among the comparison's layers."""
    texts: dict[str, TextChange] = field(default_factory=dict)
    metadata: dict[str, tuple[ValueChange, ...]] = field(default_factory=dict)
    tensors: dict[str, tuple[TensorChange, ...]] = field(default_factory=dict)
    model_pairs: list[tuple[FileEntry, FileEntry]] = field(default_factory=list)
    moved: list[Moved] = field(default_factory=list)
    """Tensors that moved here from another file, of this or another layer; their changes are among `tensors`."""
    proved: dict[str, bool] = field(default_factory=dict)
    """Whether both sides are equal, for files compared without computing digests."""
    notes: dict[str, str] = field(default_factory=dict)
    """Remarks about files, by path."""
    problems: list[Problem] = field(default_factory=list)
    failed: bool = False
    rules: LineRules = AS_EVER

    @property
    def present(self) -> list[Access]:
        """The existing sides."""
        return [access for access in self.accesses if access is not None]

    @property
    def pair(self) -> tuple[Access, Access] | None:
        """Both sides, if both exist and could be listed."""
        a, b = self.accesses
        return (a, b) if a is not None and b is not None and a.listed and b.listed else None

    def fail(self, error: KittuiError, what: str = "") -> None:
        """Note that a part can't be compared."""
        where = f"{self.change.type} {self.change.path}".strip() + (f": {what}" if what else "")
        problem = Problem(where, error.message, error.hint, error.code)
        if problem not in self.problems:
            self.problems.append(problem)

    def settle(self, path: str, equal: bool) -> None:
        """Record that a common file is proven the same or changed, without its digest being known."""
        pair = self.pair
        if pair is not None and path in pair[0].files and path in pair[1].files and not self.is_compared(path):
            self.proved[path] = equal

    def is_compared(self, path: str) -> bool:
        """Whether it is known if a file that both sides have is the same."""
        pair = self.pair
        return path in self.proved or (pair is not None and all(path in access.digests for access in pair))

    def is_equal(self, path: str) -> bool:
        """Whether a common file is proven the same."""
        a, b = self.accesses
        if a is None or b is None:
            return False
        return self.proved.get(path, False) or (path in a.digests and a.digests[path] == b.digests.get(path))

    def put(self, found: Mapping[tuple[str, str], TensorChange]) -> None:
        """Set changes of tensors by (b's file, name), replacing those already known."""
        for path in {path for path, _ in found}:
            self.tensors[path] = tuple(
                found.get((path, change.name), change) if change.b else change for change in self.tensors[path]
            )

    @property
    def unread(self) -> int:
        """Bytes of both layers, if something in them was not compared because it was not read."""
        pair = self.pair
        if pair is None or all(access.whole and access.spool is None for access in pair):
            return 0
        values = any(
            change.status == "not_compared" or (change.file_a and change.figures is None)
            for changes in self.tensors.values()
            for change in changes
        )
        if values or any(old.size == new.size and not self.is_compared(new.path) for old, new in self.common_files()):
            return sum(access.layer.size for access in pair)
        return 0

    def common_files(self) -> list[tuple[FileEntry, FileEntry]]:
        """Common files with content, by path, in b's order."""
        pair = self.pair
        if pair is None:
            return []
        found = []
        for path, new in pair[1].files.items():
            old = pair[0].files.get(path)
            if (
                old
                and old.type == new.type == "file"
                and not old.problem
                and not new.problem
                and (old.size or new.size)
            ):
                found.append((old, new))
        return found

    def digests(self, side: int) -> dict[tuple[str, str], str]:
        """Digests of files that only this side has, by layer type and path."""
        access, other = self.accesses[side], self.accesses[1 - side]
        if access is None:
            return {}
        return {
            (self.change.type, path): digest
            for path, digest in access.digests.items()
            if other is None or path not in other.files
        }

    def detail(self) -> LayerDetail:
        """The details known so far."""
        a, b = self.accesses
        if any(not access.listed for access in self.present):
            return LayerDetail(problems=tuple(self.problems), verified=False)
        files = compare_files(
            self.change.type, a.sides() if a else (), b.sides() if b else (), self.number, self.proved
        )
        noted = tuple(
            replace(change, note="; ".join(filter(None, (change.note, note))))
            if (note := self.notes.get(change.path))
            else change
            for change in files
        )
        return LayerDetail(
            noted,
            tuple(self.texts[path] for path in sorted(self.texts)),
            tuple((path, change) for path, changes in self.metadata.items() for change in changes),
            tuple(
                replace(tensor, status="same", note="") if self.is_equal(path) and _proved(tensor) else tensor
                for path, changes in self.tensors.items()
                for tensor in changes
            ),
            tuple(self.problems),
            all(access.verified for access in self.present) and not self.failed,
        )

    def close(self) -> None:
        """Remove temporary files."""
        for access in self.present:
            if access.spool is not None:
                access.spool.close()


def _proved(tensor: TensorChange) -> bool:
    """Whether a tensor that was not compared is proven the same by its file."""
    sides = [side for side in (tensor.a, tensor.b) if side is not None]
    return tensor.status == "not_compared" and not any(side.elsewhere for side in sides)


class Tell(Protocol):
    """Receives the progress."""

    def __call__(self, doing: str, layer: LayerChange, done: int = 0, total: int = 0) -> None:
        """Report the current step, its pair of layers, and its bytes."""
        ...

    def publish(self, *, now: bool = False) -> object:
        """Report everything found so far, unless that was done a moment ago; `now` forces it."""
        ...
