"""Tables of Arrow as text: cells that Python has no value for are what Arrow's own cast makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kittui.terminal import clean, counted

ROWS = 100
"""Rows shown."""
COLUMNS = 40
"""Columns of them shown."""
CELL = 4_000
"""Characters of a cell that are kept."""
_INSIDE = 200
_DEPTH = 20


def batch_rows(batch: Any) -> list[tuple[str, ...]]:
    """The cells of a record batch, row by row."""
    columns = [[cell_of(value) for value in batch.column(number)] for number in range(batch.num_columns)]
    return list(zip(*columns, strict=True)) if columns else []


def cell_of(scalar: Any) -> str:
    """One cell."""
    return clean(_text(scalar, 0), limit=CELL)


def _text(scalar: Any, depth: int) -> str:
    import pyarrow as arrow

    kind = scalar.type
    types = arrow.types
    if hasattr(scalar, "is_valid") and not scalar.is_valid:
        return "null"
    if depth > _DEPTH:
        return "…"
    if types.is_dictionary(kind):
        return _text(scalar.value, depth)
    if isinstance(scalar, arrow.ExtensionScalar):
        return _text(scalar.value, depth)
    if types.is_map(kind):
        pairs = [f"{_text(pair['key'], depth + 1)}: {_text(pair['value'], depth + 1)}" for pair in _some(scalar.values)]
        return "{" + ", ".join(pairs) + "}"
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return "[" + ", ".join(_text(value, depth + 1) for value in _some(scalar.values)) + "]"
    if types.is_struct(kind):
        inner = [f"{kind.field(at).name}: {_text(scalar[at], depth + 1)}" for at in range(kind.num_fields)]
        return "{" + ", ".join(inner) + "}"
    return _plain(scalar, kind)


def _some(values: Any) -> Sequence[Any]:
    return [] if values is None else values[:_INSIDE]


def _plain(scalar: Any, kind: Any) -> str:
    import pyarrow as arrow

    types = arrow.types
    if types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind):
        content = scalar.as_buffer().to_pybytes()
        size = f"({counted(len(content), 'byte')})"
        return f"{content[:32].hex(' ')}{' …' if len(content) > 32 else ''} {size}".strip()
    if types.is_string(kind) or types.is_large_string(kind):
        return str(scalar.as_buffer().to_pybytes().decode("utf-8", "surrogateescape"))
    if types.is_duration(kind):
        return f"{scalar.cast(arrow.int64()).as_py():,} {kind.unit}"
    return _cast(scalar)


def _cast(scalar: Any) -> str:
    """What Arrow's cast to a string gives, Python's own text where it has none."""
    import pyarrow as arrow

    try:
        return str(scalar.cast(arrow.string()).as_py())
    except (arrow.ArrowException, NotImplementedError):
        if arrow.types.is_timestamp(scalar.type) and scalar.type.tz is not None:
            # A time zone that is not known here.
            return f"{_cast(scalar.cast(arrow.timestamp(scalar.type.unit)))} UTC"
        return str(scalar)
