"""Arranges a comparison as a tree of rows: each change below what it belongs to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from kittui.compare.changes import FileChange, Problem, Status, TensorChange, TextChange
from kittui.compare.comparison import Comparison
from kittui.compare.tensors import heat, sum_modules
from kittui.compare.words import change_words, figures_words, file_words, size_words, tensor_words
from kittui.oci.order import natural_key

SHOWN = 10_000
"""Maximum files of one layer, and tensors of one file, that get rows."""

Part = Literal["heading", "value", "annotation", "layer", "file", "tensor", "module", "metadata", "problem", "note"]


@dataclass(frozen=True, slots=True)
class Entry:
    """A row: `status` gives its mark (None for headings), `subject` what it stands for, `bar` a share from 0 to 1."""

    part: Part
    title: str
    detail: str = ""
    status: Status | None = None
    children: tuple[Entry, ...] = ()
    subject: Any = None
    bar: float | None = None
    text: TextChange | None = None
    key: str = field(default="", compare=False)
    """Unique in the tree, and the same from one state of a comparison to the next."""


def outline(comparison: Comparison, only: frozenset[Status] | None = None) -> tuple[Entry, ...]:
    """Build the tree. `only` keeps rows of these statuses, with their parents; empty headings are left out."""
    entries = [
        _values("Kitfile", "value", [(change.path, change) for change in comparison.kitfile]),
        _values("annotations", "annotation", [(change.path, change) for change in comparison.annotations]),
        _values("config", "metadata", [(c.path, c) for file, c in comparison.metadata if file == "config"]),
    ]
    files: dict[int, list[FileChange]] = defaultdict(list)
    for file in comparison.files:
        files[file.layer].append(file)
    texts = {text.path: text for text in comparison.texts}
    tensors: dict[str, list[TensorChange]] = defaultdict(list)
    for tensor in comparison.tensors:
        tensors[tensor.file].append(tensor)
    metadata: dict[str, list[Any]] = defaultdict(list)
    for name, value in comparison.metadata:
        metadata[name].append(value)
    for number, layer in enumerate(comparison.layers):
        children = []
        listed, beyond = _chosen(files.get(number, ()), "files", f"layer/{number}")
        for file in sorted(listed, key=lambda each: natural_key(each.path)):
            path = f"layer/{number}/{file.path}"
            inside = [
                Entry("metadata", f"metadata {v.path}", change_words(v), v.status, (), v, key=f"{path}//{v.path}")
                for v in metadata.get(file.path, ())
            ]
            inside += tensor_entries(tensors.get(file.path, ()), path)
            text = texts.get(file.path)
            children.append(
                Entry("file", file.path, file_words(file, text), file.status, tuple(inside), file, text=text, key=path)
            )
        children += beyond
        side = layer.b or layer.a
        detail = layer.status.replace("_", " ")
        if layer.status == "moved" and layer.a:
            detail += f" from {layer.a.path or 'elsewhere'}"
        detail += f"  {size_words(side.size)}" if side else ""
        title = f"{layer.type} {layer.path}".strip()
        entries.append(Entry("layer", title, detail, layer.status, tuple(children), layer, key=f"layer/{number}"))
    if comparison.problems:
        rows = tuple(
            Entry("problem", problem.where, problem.message, None, (), problem, key=f"problem/{at}")
            for at, problem in enumerate(comparison.problems)
        )
        entries.append(Entry("heading", "could not be compared", f"{len(rows)}", None, rows, key="problems"))
    shown = (_filtered(entry, only) for entry in entries if entry.children or entry.part != "heading")
    return tuple(entry for entry in shown if entry is not None)


def tensor_entries(tensors: Any, path: str) -> list[Entry]:
    """Rows for one file's tensors: modules first if values were compared, then each tensor, most changed first."""
    tensors, beyond = _chosen(tensors, "tensors", path)
    rows = sorted(tensors, key=_order)
    entries = []
    measured = [tensor for tensor in tensors if tensor.figures is not None]
    if len(measured) > 8:
        modules = [module for module in sum_modules(measured, depth=3) if module.name and module.changed]
        top = max((-heat(module.figures)[0] for module in modules), default=0.0) or 1.0
        children = tuple(
            Entry(
                "module",
                module.name,
                f"{module.changed} of {module.tensors} tensors  {figures_words(module.figures)}",
                "changed",
                subject=module,
                bar=min(1.0, -heat(module.figures)[0] / top),
                key=f"{path}//module/{module.name}",
            )
            for module in modules[:200]
        )
        if children:
            entries.append(Entry("heading", "by module", "", None, children, key=f"{path}//modules"))
    top = max((-heat(tensor.figures)[0] for tensor in measured), default=0.0) or 1.0
    for tensor in rows:
        bar = (
            min(1.0, -heat(tensor.figures)[0] / top) if tensor.figures is not None and tensor.figures.changed else None
        )
        entries.append(
            Entry(
                "tensor",
                tensor.name,
                tensor_words(tensor),
                tensor.status,
                (),
                tensor,
                bar,
                key=f"{path}//{tensor.name}",
            )
        )
    return entries + beyond


def _chosen(changes: Sequence[Any], what: str, above: str) -> tuple[Sequence[Any], list[Entry]]:
    """Choose the rows to show, differing ones first, plus a row about the others: a change if one of them differs."""
    if len(changes) <= SHOWN:
        return changes, []
    differ = [change for change in changes if change.status != "same"]
    chosen = differ[:SHOWN]
    chosen += [change for change in changes if change.status == "same"][: SHOWN - len(chosen)]
    said = Problem(f"{len(changes) - SHOWN:,} more {what}", "too large to show: kittui diff --json lists them all")
    status: Status | None = "changed" if len(differ) > SHOWN else None
    return chosen, [Entry("problem", said.where, said.message, status, (), said, key=f"more/{above}")]


def _order(tensor: TensorChange) -> tuple[int, tuple[float, float], str]:
    rank = {"changed": 0, "added": 1, "removed": 2, "moved": 3, "not_compared": 3, "same": 4}.get(tensor.status, 3)
    return rank, heat(tensor.figures) if tensor.figures is not None else (0.0, 0.0), natural_key(tensor.name)


def _values(title: str, part: Part, values: list[tuple[str, Any]]) -> Entry:
    children = tuple(
        Entry(part, name, change_words(value), value.status, (), value, key=f"{title}/{name}") for name, value in values
    )
    return Entry("heading", title, "", None, children, key=title)


def _filtered(entry: Entry, only: frozenset[Status] | None) -> Entry | None:
    if only is None:
        return entry
    children = tuple(kept for child in entry.children if (kept := _filtered(child, only)) is not None)
    if not children and entry.part != "problem" and entry.status not in only:
        return None
    return Entry(
        entry.part, entry.title, entry.detail, entry.status, children, entry.subject, entry.bar, entry.text, entry.key
    )
