"""Tables, Parquet files and notebooks that pandas, Arrow and nbformat wrote show what these libraries say of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kittui.usecases.inspect.viewers.registry import show
from kittui.usecases.inspect.viewers.shown import Document, Facts, Grid, OpenFile, Shown
from kittui.usecases.inspect.views import BytesView

HERE = Path(__file__).parent
EXPECTED: dict[str, Any] = json.loads((HERE / "tables.json").read_text())


async def shown(path: str) -> Shown:
    return await show(OpenFile(path, BytesView((HERE / path).read_bytes(), verified=True)))


@pytest.mark.parametrize("path", EXPECTED["tables"])
async def test_rows_are_those_of_pandas(path: str) -> None:
    file = await shown(path)
    assert file.kind == "table"
    assert isinstance(file.first, Grid)
    expected = EXPECTED["tables"][path]
    assert list(file.first.columns) == expected["titles"]
    rows = [[cell.replace("⏎", "\n") for cell in record.cells] for record in file.first.records]
    assert rows == [[str(cell) for cell in row] for row in expected["rows"]]


@pytest.mark.parametrize("path", EXPECTED["parquet"])
async def test_schema_and_cells_are_those_of_arrow(path: str) -> None:
    pytest.importorskip("pyarrow")
    file = await shown(path)
    assert (file.kind, file.trouble) == ("parquet", "")
    expected = EXPECTED["parquet"][path]
    assert isinstance(file.first, Document)
    facts, schema = [list(part.pairs) for part in file.first.parts if isinstance(part, Facts)]
    assert facts[0] == ("rows", f"{expected['rows']:,}")
    assert [list(pair) for pair in schema] == expected["schema"]
    grids = [part for part in file.first.parts if isinstance(part, Grid)]
    if not expected["rows"] or not expected["schema"]:
        assert not grids
        return
    (grid,) = grids
    assert list(grid.columns) == [name for name, _ in expected["schema"]][:40]
    assert len(grid.records) == expected["rows"]
    for at, column in enumerate(expected["columns"][:40]):
        kind = expected["schema"][at][1]
        if column is None or kind in ("binary", "duration[ns]"):
            continue
        cells = [record.cells[at] for record in grid.records]
        assert cells == ["null" if cell is None else cell for cell in column]


NESTED = ["[{role: user, content: hi}]", "{a: 1, b: {c: [1, 2]}}", "{k: 1}", "[2023-11-14 22:13:20.123456789]"]


@pytest.mark.parametrize(
    ("path", "cells"),
    [
        ("pyarrow/nested.parquet", NESTED),
        ("pyarrow/not_utf8.parquet", ["1", "caf\\xe9"]),
        ("pyarrow/times.parquet", ["00:00:00.000000001", "1 ns"]),
        ("pyarrow/zones.parquet", ["1970-01-01 00:00:00.000000 UTC", "1970-01-01 05:30:00.000000+0530"]),
    ],
)
async def test_cells_that_arrow_has_no_cast_for_are_text(path: str, cells: list[str]) -> None:
    pytest.importorskip("pyarrow")
    rows = (await shown(path)).ways[1].content
    assert isinstance(rows, Grid)
    assert list(rows.records[0].cells) == cells


@pytest.mark.parametrize("path", EXPECTED["notebooks"])
async def test_notebooks_have_the_cells_that_nbformat_reads(path: str) -> None:
    from kittui.formats.notebook import notebook_budget, read_notebook

    assert (await shown(path)).kind == "notebook"
    notebook = read_notebook((HERE / path).read_text(), notebook_budget())
    assert [[cell.kind, cell.source] for cell in notebook.cells] == EXPECTED["notebooks"][path]
