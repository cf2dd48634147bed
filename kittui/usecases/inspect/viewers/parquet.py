"""Parquet files: the schema always, and the first rows, from footer and first pages; needs pyarrow (`parquet`)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from kittui.errors import KittuiError, Malformed, Unsupported
from kittui.formats.files import RangeFile
from kittui.tasks import aside
from kittui.terminal import clean, size_text
from kittui.usecases.inspect.viewers.arrow import COLUMNS, ROWS, batch_rows
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
"""Bytes of the first row group's shown columns that are read; more shows the schema alone."""
_FIELDS = 5_000
_FOOTER = 64 * 1024 * 1024


async def _open(file: OpenFile) -> Shown:
    try:
        import pyarrow.parquet as parquet
    except ImportError:
        raise Unsupported("Parquet needs pyarrow", hint="Install kittui[parquet].") from None
    loop = asyncio.get_running_loop()

    def read_at(offset: int, length: int) -> bytes:
        return asyncio.run_coroutine_threadsafe(file.view.read(offset, length), loop).result()

    parts, grid = await aside(_read, parquet, RangeFile(file.size, read_at))
    ways = [Way("Parquet", Document(parts)), *([Way("Rows", grid)] if grid is not None else [])]
    return Shown("parquet", file.size, tuple(ways), verified=file.view.verified, read=file.size)


def _read(parquet: Any, source: RangeFile) -> tuple[list[Part], Grid | None]:
    opened = _guarded(
        lambda: parquet.ParquetFile(
            source, pre_buffer=False, thrift_string_size_limit=_FOOTER, thrift_container_size_limit=1_000_000
        )
    )
    metadata, schema = opened.metadata, opened.schema_arrow
    facts = [("rows", f"{metadata.num_rows:,}"), ("row groups", f"{metadata.num_row_groups:,}")]
    if metadata.created_by:
        facts.append(("created by", clean(str(metadata.created_by), limit=200)))
    names = [clean(name, limit=200) for name in schema.names[:_FIELDS]]
    types = [clean(str(schema.field(at).type), limit=400) for at in range(len(names))]
    parts: list[Part] = [
        Heading("Parquet"),
        Facts(facts),
        Heading("Schema"),
        Facts(list(zip(names, types, strict=True))),
    ]
    if len(schema.names) > _FIELDS:
        parts.append(Note(f"and {len(schema.names) - _FIELDS:,} more columns"))
    try:
        grid = _first_rows(opened)
    except (Malformed, Unsupported) as error:
        return [*parts, Note(error.message, warning=True)], None
    if grid is not None:
        parts += [Heading("First rows"), grid]
        if len(schema.names) > len(grid.columns):
            parts.append(Note(f"the first {len(grid.columns)} of {len(schema.names):,} columns"))
    return parts, grid


def _first_rows(opened: Any) -> Grid | None:
    """The first rows of the first columns, by their places: titles may be repeated."""
    metadata, names = opened.metadata, list(opened.schema_arrow.names)
    if not metadata.num_row_groups or not names:
        return None
    wanted = None if len(names) <= COLUMNS else names[:COLUMNS]
    weight = _weight(metadata, wanted)
    if weight > GROUP_LIMIT:
        raise Unsupported(f"the first rows are not shown: they are in a group of {size_text(weight)}")
    batch = _guarded(lambda: next(opened.iter_batches(ROWS, row_groups=[0], columns=wanted), None))
    if batch is None:
        return None
    batch = batch.select(list(range(min(COLUMNS, batch.num_columns))))
    rows = _guarded(lambda: batch_rows(batch))
    records = [Record(number, cells) for number, cells in enumerate(rows, 1)]
    return Grid(tuple(clean(name, limit=200) for name in batch.schema.names), records)


def _weight(metadata: Any, wanted: list[str] | None) -> int:
    """Bytes that the wanted columns of the first row group take, as the file says."""
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
    except KittuiError:
        raise
    except Exception as error:  # noqa: BLE001 - pyarrow has no one base for what a damaged file raises
        raise Malformed(f"the Parquet file can't be read: {str(error)[:300]}") from None


VIEWER = Viewer("parquet", lambda path, size, head: path.endswith((".parquet", ".pq")), _open)
