"""Writes a comparison as the JSON document of `kittui diff --json`."""

from __future__ import annotations

import math
from typing import Any

from kittui.compare.changes import FileChange, Hunk, LayerSide, Table, TensorChange, TextChange, ValueChange
from kittui.compare.comparison import Comparison, Version
from kittui.compare.documents import change_in_percent
from kittui.compare.review import Review
from kittui.formats.exact_json import Number


def to_json(comparison: Comparison, review: Review | None = None) -> dict[str, Any]:
    """Convert every part of a comparison. Numbers that JSON can't express (NaN, infinities) become text."""
    return {
        "identical": comparison.identical,
        "identity": comparison.identity,
        "a": _version(comparison.a),
        "b": _version(comparison.b),
        "kitfile": [{"path": change.path, **_value(change)} for change in comparison.kitfile],
        "annotations": [{"key": change.path, **_value(change)} for change in comparison.annotations],
        "layers": [
            {
                "type": layer.type,
                "path": layer.path,
                "status": layer.status,
                "a": _layer(layer.a),
                "b": _layer(layer.b),
            }
            for layer in comparison.layers
        ],
        "files": [_file(file) for file in comparison.files],
        "texts": [_text(text) for text in comparison.texts],
        "metadata": [{"file": file, "key": change.path, **_value(change)} for file, change in comparison.metadata],
        "tensors": [_tensor(tensor) for tensor in comparison.tensors],
        "problems": [
            {"where": problem.where, "code": problem.code, "message": problem.message, "hint": problem.hint}
            for problem in comparison.problems
        ],
        "notes": list(comparison.notes),
        "verified": comparison.verified,
        "traffic": {"requests": comparison.requests, "bytes": comparison.bytes},
        **({"review": review.to_json()} if review is not None else {}),
    }


def plain(value: Any) -> Any:
    """Convert a value to one that JSON can hold."""
    if isinstance(value, Number):
        # Write a number that JSON readers would round as text.
        return float(value) if Number(repr(float(value))) == value else value.text
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


def _version(version: Version) -> dict[str, Any]:
    return {
        "reference": version.reference,
        "digest": version.digest,
        "kind": version.kind,
        "size": version.size,
        "created": version.created,
        "tags": list(version.tags),
    }


def _value(change: ValueChange) -> dict[str, Any]:
    result = {"status": change.status, "a": plain(change.a), "b": plain(change.b)}
    percent = change_in_percent(change.a, change.b)
    if percent is not None:
        result["percent"] = percent
    return result


def _layer(side: LayerSide | None) -> dict[str, Any] | None:
    if side is None:
        return None
    return {"digest": side.digest, "size": side.size, "path": side.path, "diff_id": side.diff_id}


def _file(file: FileChange) -> dict[str, Any]:
    return {
        "layer_type": file.layer_type,
        "path": file.path,
        "status": file.status,
        "size_a": file.size_a,
        "size_b": file.size_b,
        "mode_a": file.mode_a,
        "mode_b": file.mode_b,
        "path_a": file.path_a or (file.path if file.size_a is not None else None),
        "note": file.note,
    }


def _text(text: TextChange) -> dict[str, Any]:
    result: dict[str, Any] = {
        "path": text.path,
        "kind": text.kind,
        "hunks": [_hunk(hunk) for hunk in text.hunks],
        "notes": list(text.notes),
        "hunks_left_out": text.cut,
    }
    if text.values:
        result["values"] = [{"path": change.path, **_value(change)} for change in text.values]
    if text.table is not None:
        result["table"] = _table(text.table)
    return result


def _hunk(hunk: Hunk) -> dict[str, Any]:
    return {
        "a_start": hunk.a_start,
        "a_count": hunk.a_count,
        "b_start": hunk.b_start,
        "b_count": hunk.b_count,
        "section": hunk.section,
        "lines": [
            {"op": line.op, "text": line.text, "words": [list(word) for word in line.words], "note": line.note}
            for line in hunk.lines
        ],
    }


def _table(table: Table) -> dict[str, Any]:
    return {
        "names": list(table.names),
        "key": table.key,
        "count_a": table.count_a,
        "count_b": table.count_b,
        "added": table.added,
        "removed": table.removed,
        "changed": table.changed,
        "reordered": table.reordered,
        "columns": [
            {"name": column.name, "status": column.status, "kind_a": column.kind_a, "kind_b": column.kind_b}
            for column in table.columns
        ],
        "rows": [
            {
                "status": row.status,
                "key": row.key,
                "number_a": row.number_a,
                "number_b": row.number_b,
                "a": None if row.a is None else list(row.a),
                "b": None if row.b is None else list(row.b),
                "changed": list(row.changed),
                **({"values": [{"path": value.path, **_value(value)} for value in row.values]} if row.values else {}),
            }
            for row in table.rows
        ],
    }


def _tensor(tensor: TensorChange) -> dict[str, Any]:
    figures = tensor.figures
    return {
        "file": tensor.file,
        "file_a": tensor.file_a or (tensor.file if tensor.a else None),
        "name": tensor.name,
        "status": tensor.status,
        "change": tensor.nature or None,
        "dtype_a": tensor.a.dtype if tensor.a else None,
        "dtype_b": tensor.b.dtype if tensor.b else None,
        "shape_a": list(tensor.a.shape) if tensor.a else None,
        "shape_b": list(tensor.b.shape) if tensor.b else None,
        "changed_fraction": figures.fraction if figures else None,
        "max_abs_diff": plain(figures.max_abs) if figures else None,
        "mean_abs_diff": plain(figures.mean_abs) if figures else None,
        "relative_norm": plain(figures.relative_norm) if figures else None,
        "nonfinite_a": figures.nonfinite_a if figures else None,
        "nonfinite_b": figures.nonfinite_b if figures else None,
        "unit": figures.unit if figures else None,
        "note": tensor.note,
    }
