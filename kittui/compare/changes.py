"""The results of comparisons: the same values for the interface, JSON, Markdown and HTML.

All texts are raw (bytes that are not UTF-8 as surrogates); they are cleaned before they reach a terminal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from operator import add
from typing import Any, Literal

Status = Literal["same", "added", "removed", "changed", "moved", "repacked", "not_compared"]
"""`repacked` is the same content in different packaging; `not_compared` was not read, and is never called same."""

MARKS: dict[Status, str] = {
    "same": " ",
    "added": "+",
    "removed": "-",
    "changed": "~",
    "moved": ">",
    "repacked": "=",
    "not_compared": "?",
}
"""One character per status, so that nothing depends on colour."""


@dataclass(frozen=True, slots=True)
class ValueChange:
    """A value of a Kitfile, an annotation or a model file's metadata; a side without it holds None."""

    path: str
    status: Status
    a: Any = None
    b: Any = None


@dataclass(frozen=True, slots=True)
class LayerSide:
    """A layer as one side has it; `size` in bytes of the blob."""

    digest: str
    size: int
    path: str = ""
    diff_id: str | None = None
    media_type: str = ""
    index: int = 0
    """Its place in the manifest, from 0."""
    role: str = ""
    """Its role for a model, if artifacts of two kinds are compared; then it counts instead of the type."""


@dataclass(frozen=True, slots=True)
class LayerChange:
    """A layer of either side, or a pair of layers that belong to one Kitfile entry."""

    type: str
    path: str
    status: Status
    a: LayerSide | None
    b: LayerSide | None


@dataclass(frozen=True, slots=True)
class FileSide:
    """A file in a layer: `kind` is file, dir, symlink or other, `size` bytes, `digest` sha256 where it was read."""

    path: str
    kind: str = "file"
    size: int | None = None
    mode: int | None = None
    digest: str | None = None
    link: str = ""
    oid: str = ""
    """The sha256 of the content that a Git LFS pointer stands for."""
    note: str = ""
    """A remark."""


@dataclass(frozen=True, slots=True)
class FileChange:
    """A file of either side; `path_a` is a moved file's old path, `note` is a remark."""

    layer_type: str
    path: str
    status: Status
    size_a: int | None = None
    size_b: int | None = None
    mode_a: int | None = None
    mode_b: int | None = None
    path_a: str | None = None
    note: str = ""
    layer: int = 0
    """The index of its layer in `Comparison.layers`."""


Op = Literal[" ", "-", "+"]


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a hunk without its end; `words` are stretches (start, end in characters) unlike its partner's."""

    op: Op
    text: str
    words: tuple[tuple[int, int], ...] = ()
    note: str = ""
    """What can't be seen: a different line end, no newline at the end of the file, the line's full length."""
    cut: bool = False
    """Whether it is only an excerpt around what differs."""


@dataclass(frozen=True, slots=True)
class Hunk:
    """Changed lines with their context; starts are line numbers from 1 (0 if a side has no line there)."""

    a_start: int
    a_count: int
    b_start: int
    b_count: int
    lines: tuple[Line, ...]
    section: str = ""
    """The notebook cell that it is in."""
    output: bool = False
    """Whether it is in a cell's output."""


@dataclass(frozen=True, slots=True)
class Column:
    """A table column that is only on one side, or whose kind of values changed."""

    name: str
    status: Status
    kind_a: str = ""
    kind_b: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A changed row: its cells in the order of `Table.names`; `changed` are positions of cells that differ.

    Long cells are cut to what differs.
    """

    status: Status
    key: str
    number_a: int | None
    number_b: int | None
    a: tuple[str | None, ...] | None
    b: tuple[str | None, ...] | None
    changed: tuple[int, ...] = ()
    values: tuple[ValueChange, ...] = ()
    """What differs inside changed cells that hold JSON, by path from the column's name."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows compared by key, or by their order if no key is evident. `rows` may be fewer than the counts say."""

    names: tuple[str, ...]
    key: str | None
    count_a: int
    count_b: int
    columns: tuple[Column, ...]
    added: int
    removed: int
    changed: int
    reordered: int
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class TextChange:
    """What differs in one file that can be read as text. `kind`: text, table, notebook or binary."""

    path: str
    kind: str
    hunks: tuple[Hunk, ...] = ()
    table: Table | None = None
    notes: tuple[str, ...] = ()
    values: tuple[ValueChange, ...] = ()
    """A notebook's metadata."""
    cut: int = 0
    """Hunks left out because there were too many."""
    added: int | None = None
    removed: int | None = None
    """Changed lines in a file too large to keep all hunks; None: count those of the hunks."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Statistics on two tensors of equal shape, as sums, so that several tensors can be added up.

    Differences are b - a in double precision, over the pairs where both are finite. `changed` counts elements whose
    bits differ (for tensors of two types: whose values do). The sums are None for types that are not decoded.
    """

    count: int
    changed: int
    finite: int = 0
    """Pairs where both are finite."""
    max_abs: float | None = None
    sum_abs: float | None = None
    squares_diff: float | None = None
    squares_a: float | None = None
    nonfinite_a: int = 0
    nonfinite_b: int = 0
    unit: str = "values"
    """What is counted: values, or bytes or blocks for packed types."""

    @property
    def fraction(self) -> float:
        """The changed part, 0 to 1."""
        return self.changed / self.count if self.count else 0.0

    @property
    def mean_abs(self) -> float | None:
        """The mean absolute difference over finite pairs."""
        return None if self.sum_abs is None else self.sum_abs / self.finite if self.finite else 0.0

    @property
    def relative_norm(self) -> float | None:
        """‖b-a‖ / ‖a‖; None if nothing was decoded, or if a is all zeros and b is not."""
        if self.squares_diff is None or self.squares_a is None:
            return None
        if self.squares_a == 0:
            return 0.0 if self.squares_diff == 0 else None
        return float((self.squares_diff / self.squares_a) ** 0.5)

    def __add__(self, other: Figures) -> Figures:
        """Add up the figures of two tensors."""
        return Figures(
            self.count + other.count,
            self.changed + other.changed,
            self.finite + other.finite,
            _join(max, self.max_abs, other.max_abs),
            _join(add, self.sum_abs, other.sum_abs),
            _join(add, self.squares_diff, other.squares_diff),
            _join(add, self.squares_a, other.squares_a),
            self.nonfinite_a + other.nonfinite_a,
            self.nonfinite_b + other.nonfinite_b,
            self.unit if self.unit == other.unit else "values",
        )


def _join(combine: Callable[[float, float], float], a: float | None, b: float | None) -> float | None:
    return b if a is None else a if b is None else combine(a, b)


@dataclass(frozen=True, slots=True)
class TensorSide:
    """A tensor as described in a header; `offset` and `size` are bytes in its file.

    `elsewhere`: its bytes are in another file that could not be found, so equal files say nothing about them.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    offset: int = 0
    size: int = 0
    elsewhere: bool = False


TensorNature = Literal["", "reshaped", "recast", "values"]


@dataclass(frozen=True, slots=True)
class TensorChange:
    """A tensor of either side, by b's file if b has it; `file_a` is a moved tensor's old file.

    `nature` is the kind of change; `note` states a sampled result in words.
    """

    file: str
    name: str
    status: Status
    a: TensorSide | None = None
    b: TensorSide | None = None
    nature: TensorNature = ""
    figures: Figures | None = None
    note: str = ""
    file_a: str | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """A part that could not be compared: `where` names it, `message` and `hint` are the error's."""

    where: str
    message: str
    hint: str | None = None
    code: str = "error"


@dataclass(frozen=True, slots=True)
class LayerDetail:
    """The differences inside one pair of layers."""

    files: tuple[FileChange, ...] = ()
    texts: tuple[TextChange, ...] = ()
    metadata: tuple[tuple[str, ValueChange], ...] = ()
    tensors: tuple[TensorChange, ...] = ()
    problems: tuple[Problem, ...] = field(default=())
    verified: bool = False
