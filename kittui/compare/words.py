"""Words changes: the same in the interface, on the command line and in reports."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from humanize import naturaldelta

from kittui.compare.changes import Figures, FileChange, Row, Table, TensorChange, TextChange, ValueChange
from kittui.compare.comparison import Comparison
from kittui.compare.documents import change_in_percent
from kittui.compare.excerpts import shortened
from kittui.formats.exact_json import Number, json_text
from kittui.terminal import size_text

_VALUE_LIMIT = 200
_CELL = 60
_INSIDE = 5


def size_words(size: int | None) -> str:
    """Bytes with their unit, as everywhere in kittui: `18.0 kB`, `1.2 GB`; a question mark if unknown."""
    return size_text(size) or "?"


def value_words(value: Any, limit: int = _VALUE_LIMIT) -> str:
    """A value on one line: text as it is, all else as JSON, cut if it is long."""
    text = _written(value)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _written(value: Any) -> str:
    if isinstance(value, str) and value and value == value.strip() and "\n" not in value:
        return value
    return json_text(value)


def pair_words(a: Any, b: Any, limit: int = _VALUE_LIMIT) -> str:
    """Two values on one line, `0.001 → 0.0005`: long ones cut to what differs."""
    old, new = _written(a), _written(b)
    if old == new:
        # Distinguish a text that looks like a number.
        old, new = json_text(a), json_text(b)
    return " → ".join(shortened(old, new, limit))


def percent_words(value: ValueChange) -> str:
    """`−50 %` if both sides are numbers, else nothing."""
    percent = change_in_percent(value.a, value.b)
    return f"{percent:+.3g} %".replace("-", "−") if percent is not None and value.status == "changed" else ""


def change_words(value: ValueChange, limit: int = _VALUE_LIMIT) -> str:
    """The change of a value: `0.001 → 0.0005 −50 %`."""
    if value.status == "added":
        return value_words(value.b, limit)
    if value.status == "removed":
        return value_words(value.a, limit)
    if value.status == "moved":
        return f"order: {pair_words(value.a, value.b, limit)}"
    kinds = ""
    if type(value.a) is not type(value.b):
        kinds = f"({_kind(value.a)} → {_kind(value.b)})"
    parts = [pair_words(value.a, value.b, limit), percent_words(value), kinds]
    return "  ".join(part for part in parts if part)


def _kind(value: Any) -> str:
    names = {bool: "true/false", int: "integer", str: "text", type(None): "nothing", dict: "map"}
    names |= {float: "number", Number: "number"}
    return names.get(type(value), "list")


def figures_words(figures: Figures) -> str:
    """A tensor's statistics in one line."""
    if not figures.changed:
        return "no value changed"
    parts = [f"{fraction_words(figures)} of {figures.unit} changed"]
    if figures.max_abs is not None:
        parts.append(f"max |Δ| {figures.max_abs:.3g}")
    if figures.mean_abs is not None:
        parts.append(f"mean |Δ| {figures.mean_abs:.3g}")
    if figures.relative_norm is not None:
        parts.append(f"‖Δ‖/‖a‖ {figures.relative_norm:.3g}")
    if figures.nonfinite_a or figures.nonfinite_b:
        parts.append(f"NaN or infinite: {figures.nonfinite_a} → {figures.nonfinite_b}")
    return ", ".join(parts)


def fraction_words(figures: Figures) -> str:
    """The changed part in percent; never 0 % if something changed, nor 100 % if something did not."""
    percent = figures.fraction * 100
    if figures.changed and percent < 0.1:
        return "<0.1 %"
    if figures.changed < figures.count and percent > 99.9:
        return ">99.9 %"
    return f"{percent:.3g} %"


def tensor_words(tensor: TensorChange) -> str:
    """Type and shape, the kind of change, and the statistics."""
    a, b = tensor.a, tensor.b
    parts = []
    if a is not None and b is not None and (a.dtype != b.dtype or a.shape != b.shape):
        parts.append(f"{a.dtype} {shape_words(a.shape)} → {b.dtype} {shape_words(b.shape)}")
    elif (side := b or a) is not None:
        parts.append(f"{side.dtype} {shape_words(side.shape)}")
    if tensor.file_a:
        parts.append(f"from {tensor.file_a}")
    if tensor.nature in ("reshaped", "recast"):
        parts.append(tensor.nature)
    if tensor.figures is not None:
        parts.append(figures_words(tensor.figures))
    elif tensor.status in ("not_compared", "moved") and not tensor.note:
        parts.append("values not read")
    if tensor.note:
        parts.append(tensor.note)
    return "  ".join(parts)


def shape_words(shape: tuple[int, ...]) -> str:
    """`[512, 128]`."""
    return "[" + ", ".join(map(str, shape)) + "]"


def file_words(file: FileChange, text: TextChange | None = None) -> str:
    """Sizes, the old path if moved, and a summary of the text's changes."""
    parts = []
    if file.status in ("added", "removed", "same", "not_compared"):
        parts.append(size_words(file.size_b if file.size_b is not None else file.size_a))
    elif file.size_a != file.size_b:
        parts.append(f"{size_words(file.size_a)} → {size_words(file.size_b)}")
    if file.path_a:
        parts.append(f"from {file.path_a}")
    if file.note:
        parts.append(file.note)
    if text is not None and file.status == "changed" and (words := text_words(text)):
        parts.append(words)
    return "  ".join(parts)


def text_words(text: TextChange) -> str:
    """How much of a text changed."""
    if text.table is not None:
        return table_words(text.table)
    if text.added is not None and text.removed is not None:
        return f"+{text.added:,} −{text.removed:,} lines"
    added = sum(line.op == "+" for hunk in text.hunks for line in hunk.lines)
    removed = sum(line.op == "-" for hunk in text.hunks for line in hunk.lines)
    parts = []
    if text.kind == "notebook" and text.hunks:
        parts.append(_many(len({hunk.section.partition(" (")[0] for hunk in text.hunks}), "cell"))
    if added or removed:
        parts.append(f"+{added} −{removed} lines")
    if text.values:
        parts.append(_many(len(text.values), "metadata value" if text.kind == "notebook" else "value"))
    return ", ".join(parts) or "; ".join(text.notes)


def table_words(table: Table) -> str:
    """How many rows and columns changed."""
    parts = [
        f"{_many(count, 'row')} {what}"
        for count, what in (
            (table.changed, "changed"),
            (table.added, "added"),
            (table.removed, "removed"),
            (table.reordered, "in another place"),
        )
        if count
    ]
    if table.columns:
        parts.append(_many(len(table.columns), "column") + " changed")
    return ", ".join(parts) or "the same rows, written otherwise"


def row_words(table: Table, row: Row) -> str:
    """A changed row as `T000041: amount 2.00 → 999.99`."""
    if row.a is None or row.b is None:
        cells = row.b if row.a is None else row.a
        return f"{name_of(row)}: " + ", ".join(value_words(cell, _CELL) for cell in cells or () if cell is not None)
    pairs: list[str] = []
    for at in row.changed:
        name, old, new = table.names[at], row.a[at], row.b[at]
        inside = [value for value in row.values if value.path.startswith((name + ".", name + "["))]
        if old is None or new is None:
            pairs.append(f"{name} {_cell(old)} → {_cell(new)}")
        elif inside:
            pairs += [f"{value.path} {change_words(value, _CELL)}" for value in inside[:_INSIDE]]
            pairs += [f"{len(inside) - _INSIDE} more in {name}"] if len(inside) > _INSIDE else []
        else:
            pairs.append(f"{name} {pair_words(old, new, _CELL)}")
    return f"{name_of(row)}: " + ", ".join(pairs)


def cells_of(row: Row, limit: int) -> tuple[list[str | None], list[str | None]]:
    """A row's cells on both sides, cut to about `limit` characters: changed ones to what differs."""
    a, b = list(row.a or ()), list(row.b or ())
    for at in row.changed:
        old, new = a[at], b[at]
        if old is not None and new is not None:
            a[at], b[at] = shortened(old, new, limit)
    kept = set(row.changed)
    for side in (a, b):
        for at, cell in enumerate(side):
            if at not in kept and cell is not None and len(cell) > limit:
                side[at] = cell[: limit - 1] + "…"
    return a, b


def name_of(row: Row) -> str:
    """A row's name: its key, else its number."""
    return row.key or f"row {row.number_b if row.number_b is not None else row.number_a}"


def _cell(cell: str | None) -> str:
    return "nothing" if cell is None else value_words(cell, _CELL)


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def identity_words(comparison: Comparison) -> str:
    """One sentence on whether both are the same."""
    if comparison.identity == "identical":
        return "identical: one manifest"
    if comparison.identity == "repacked":
        return "repacked: the same content in other packaging"
    return "different"


def facts_words(comparison: Comparison) -> list[str]:
    """How the two are related: the first line above a comparison."""
    parts = [identity_words(comparison)]
    if not comparison.identical:
        parts += lineage_words(comparison)
        layers = sum(1 for layer in comparison.layers if layer.status != "removed")
        if layers:
            parts.append(f"{comparison.shared_layers} of {_many(layers, 'layer')} shared")
        parts += comparison.notes
    return parts


def reading_words(comparison: Comparison) -> list[str]:
    """The bytes received for it, and whether digests prove them."""
    parts = []
    if comparison.requests:
        parts.append(f"{size_words(comparison.bytes)} read in {_many(comparison.requests, 'request')}")
    if not comparison.verified:
        parts.append("read in parts, not verified")
    return parts


def lineage_words(comparison: Comparison) -> list[str]:
    """How the two are related: one repository, which is older and by how much, their other tags."""
    a, b = comparison.a, comparison.b
    parts = ["same repository"] if a.repository and a.repository == b.repository else []
    if words := age_words(a.created, b.created):
        parts.append(words)
    for name, version in (("a", a), ("b", b)):
        if others := [tag for tag in version.tags if not version.reference.endswith(f":{tag}")]:
            more = f" and {len(others) - 3} more" if len(others) > 3 else ""
            parts.append(f"{name} is also {', '.join(others[:3])}{more}")
    return parts


def age_words(a: str | None, b: str | None) -> str:
    """`b is 12 days newer`, from two creation times (RFC 3339); empty if one is unknown."""
    times = []
    for text in (a, b):
        try:
            time = datetime.fromisoformat(text or "")
        except ValueError:
            return ""
        times.append(time if time.tzinfo else time.replace(tzinfo=UTC))
    apart = times[1] - times[0]
    if abs(apart).total_seconds() < 1:
        return "both made at the same time"
    return f"b is {naturaldelta(apart, months=False)} {'newer' if apart.total_seconds() > 0 else 'older'}"


def summary_words(comparison: Comparison) -> list[str]:
    """All facts on a comparison as a whole."""
    return [*facts_words(comparison), *reading_words(comparison)]


def progress_words(comparison: Comparison) -> str:
    """The current step: `comparing values of model ./model: 120 MB of 2.2 GB`; empty between steps."""
    if not comparison.doing or not comparison.total:
        return comparison.doing
    return f"{comparison.doing}: {size_words(comparison.done)} of {size_words(comparison.total)}"


def counted(comparison: Comparison) -> str:
    """The number of changes in each part: `2 Kitfile values, 3 files, 1 tensor`."""
    words = {"Kitfile": "Kitfile value", "metadata": "metadata value", "annotations": "annotation"}
    parts = []
    for part, counts in comparison.counts().items():
        changed = sum(count for status, count in counts.items() if status not in ("same", "not_compared"))
        if changed:
            parts.append(_many(changed, words.get(part, part.removesuffix("s"))))
    return ", ".join(parts) or "nothing"
