"""Parquet files: schema and first rows, from footer and first pages; needs pyarrow (the `parquet` extra)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from kittui.disk.threads import in_thread
from kittui.errors import KittuiError, Malformed, Unsupported
from kittui.formats.files import RangeFile
from kittui.terminal import clean
from kittui.tui.widgets.documents import heading, pairs
from kittui.tui.widgets.lines import Line, Page

if TYPE_CHECKING:
    from kittui.usecases.inspect.views import View

ROWS = 100
"""Rows shown."""
COLUMNS = 40
"""Columns of them shown."""
CELL = 24
"""Characters of a cell shown."""
GROUP_LIMIT = 64 * 1024 * 1024
"""Bytes of the first row group's shown columns that are read; more shows the schema alone."""


async def parquet_page(view: View) -> Page:
    """Schema and first rows; raises Unsupported without pyarrow, Malformed for what is no Parquet file."""
    try:
        import pyarrow.parquet as parquet
    except ImportError:
        raise Unsupported("Parquet needs pyarrow", hint="Install kittui[parquet].") from None
    loop = asyncio.get_running_loop()

    def read_at(offset: int, length: int) -> bytes:
        return asyncio.run_coroutine_threadsafe(view.read(offset, length), loop).result()

    return await in_thread(_page, parquet, RangeFile(view.size, read_at))


def _page(parquet: Any, file: RangeFile) -> Page:
    try:
        opened = parquet.ParquetFile(file, pre_buffer=False)
        metadata, schema = opened.metadata, opened.schema_arrow
        facts = {"rows": f"{metadata.num_rows:,}", "row groups": f"{metadata.num_row_groups:,}"}
        lines: list[Line] = [heading("Parquet"), *pairs(facts), "", heading("Schema")]
        lines += pairs([(field.name, str(field.type)[:200]) for field in schema])
        names = list(schema.names)[:COLUMNS]
        if metadata.num_row_groups and _weight(metadata, names) <= GROUP_LIMIT:
            rows = next(opened.iter_batches(ROWS, row_groups=[0], columns=names), None)
            if rows is not None:
                lines += ["", heading("First rows"), *_table(names, rows.to_pylist())]
    except KittuiError:
        raise
    except Exception as error:  # noqa: BLE001 - pyarrow has no one base for what a damaged file raises
        raise Malformed(f"the Parquet file can't be read: {error}") from None
    return Page(lines)


def _weight(metadata: Any, names: list[str]) -> int:
    group = metadata.row_group(0)
    columns = (group.column(number) for number in range(group.num_columns))
    return sum(c.total_uncompressed_size for c in columns if c.path_in_schema.partition(".")[0] in names)


def _table(names: list[str], rows: list[dict[str, Any]]) -> list[Line]:
    cells = [[clean(name)[:CELL] for name in names]]
    cells += [[clean(str(row.get(name, "")))[:CELL] for name in names] for row in rows]
    widths = [max(len(row[n]) for row in cells) for n in range(len(names))]
    return [
        tuple((f"{cell:<{widths[n]}}  ", "text" if number else "key") for n, cell in enumerate(row))
        for number, row in enumerate(cells)
    ]
