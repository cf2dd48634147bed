"""Shows Parquet files: always the schema, and the first rows, from footer and first pages; needs pyarrow (`parquet`).

They are read in a separate process, since pages may take more than the file's stated sizes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kittui.budget import Budget
from kittui.errors import KittuiError, Malformed, Unsupported
from kittui.formats.files import RangeFile
from kittui.terminal import clean, counted, size_text
from kittui.usecases.inspect.viewers.arrow import CELL, COLUMNS, ROWS, batch_rows
from kittui.usecases.inspect.viewers.confined import confined
from kittui.usecases.inspect.viewers.shown import (
    Document,
    Facts,
    Grid,
    Heading,
    Note,
    OpenFile,
    Part,
    Record,
    Shown,
    Viewer,
    Way,
)

GROUP_LIMIT = 64 * 1024 * 1024
"""Maximum bytes of the first row group's shown columns; with more, only the schema is shown."""
_FIELDS = 5_000
_FOOTER = 64 * 1024 * 1024


async def _open(file: OpenFile) -> Shown:
    parts, grid = await confined("parquet", "the Parquet file", file.size, file.view.read, {}, _parts, needs="pyarrow")
    ways = [Way("Parquet", Document(parts)), *([Way("Rows", grid)] if grid is not None else [])]
    return Shown("parquet", file.size, tuple(ways), verified=file.view.verified, read=file.size)


def _parts(found: Any, _: bytes) -> tuple[list[Part], Grid | None]:
    """What the process that read the file answered, cleaned."""
    budget = Budget("the Parquet file")
    budget.spend("items", 2 * len(found["types"]))
    schema = [(clean(name, limit=200), clean(kind, limit=400)) for name, kind in found["types"]]
    facts = [(name, clean(value, limit=200)) for name, value in found["facts"]]
    parts: list[Part] = [Heading("Parquet"), Facts(facts), Heading("Schema"), Facts(schema)]
    if found["columns"] > len(schema):
        parts.append(Note(f"and {counted(found['columns'] - len(schema), 'more column')}"))
    if found["problem"]:
        parts.append(Note(clean(found["problem"]), warning=True))
    if found["rows"] is None:
        return parts, None
    records = []
    for number, cells in enumerate(found["rows"], 1):
        budget.spend("cells", len(cells))
        records.append(Record(number, tuple(clean(cell, limit=CELL) for cell in cells)))
    grid = Grid(tuple(clean(name, limit=200) for name in found["titles"]), records)
    parts += [Heading("First rows"), grid]
    if found["columns"] > len(grid.columns):
        parts.append(Note(f"the first {len(grid.columns)} of {found['columns']:,} columns"))
    return parts, grid


def parquet_answer(source: RangeFile) -> dict[str, Any]:
    """The schema and the first rows, as the process that reads them answers."""
    import pyarrow
    import pyarrow.parquet as parquet

    pyarrow.set_cpu_count(1)
    pyarrow.set_memory_pool(pyarrow.system_memory_pool())
    opened = _guarded(
        lambda: parquet.ParquetFile(
            source, pre_buffer=False, thrift_string_size_limit=_FOOTER, thrift_container_size_limit=1_000_000
        )
    )
    metadata, schema = opened.metadata, opened.schema_arrow
    facts = [("rows", f"{metadata.num_rows:,}"), ("row groups", f"{metadata.num_row_groups:,}")]
    if metadata.created_by:
        facts.append(("created by", str(metadata.created_by)[:1000]))
    names = list(schema.names)
    types = [(name[:1000], str(schema.field(at).type)[:2000]) for at, name in enumerate(names[:_FIELDS])]
    answer = {"facts": facts, "types": types, "columns": len(names), "problem": "", "rows": None, "titles": []}
    try:
        found = _first_rows(opened)
    except (Malformed, Unsupported) as error:
        return answer | {"problem": error.message}
    return answer if found is None else answer | {"titles": found[0], "rows": found[1]}


def _first_rows(opened: Any) -> tuple[list[str], list[tuple[str, ...]]] | None:
    """The first rows of the first columns, by position: titles may be repeated."""
    metadata, names = opened.metadata, list(opened.schema_arrow.names)
    if not metadata.num_row_groups or not names:
        return None
    wanted = None if len(names) <= COLUMNS else names[:COLUMNS]
    weight = _weight(metadata, wanted)
    if weight > GROUP_LIMIT:
        raise Unsupported(f"the first rows are not shown: they are in a group of {size_text(weight)}")
    batch = _guarded(lambda: next(opened.iter_batches(ROWS, row_groups=[0], columns=wanted, use_threads=False), None))
    if batch is None:
        return None
    batch = batch.select(list(range(min(COLUMNS, batch.num_columns))))
    rows = _guarded(lambda: batch_rows(batch))
    return [name[:1000] for name in batch.schema.names], rows


def _weight(metadata: Any, wanted: list[str] | None) -> int:
    """Bytes of the wanted columns in the first row group, as stated in the file."""
    group = metadata.row_group(0)
    columns = (group.column(number) for number in range(group.num_columns))
    return sum(
        column.total_uncompressed_size
        for column in columns
        if wanted is None
        or any(column.path_in_schema == name or column.path_in_schema.startswith(f"{name}.") for name in wanted)
    )


def _guarded(work: Callable[[], Any]) -> Any:
    try:
        return work()
    except (KittuiError, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001 - pyarrow has no one base for what a damaged file raises
        raise Malformed(f"the Parquet file can't be read: {str(error)[:300]}") from None


VIEWER = Viewer("parquet", lambda path, size, head: path.endswith((".parquet", ".pq")), _open)
