# mypy: ignore-errors
"""Make the tables and notebooks of the zoo anew, and what pandas, Arrow and nbformat say of them in `tables.json`.

    python -m venv /tmp/zoo && /tmp/zoo/bin/pip install pandas pyarrow nbformat
    /tmp/zoo/bin/python tests/zoo/make_tables.py

The files are committed with what these libraries said of them when they were written; pyarrow is needed to read them.
"""

from __future__ import annotations

import csv
import datetime
import decimal
import importlib.metadata
import json
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

HERE = Path(__file__).parent
EXPECTED: dict = {"by": {}, "tables": {}, "parquet": {}, "notebooks": {}}
for name in ("pandas", "pyarrow", "nbformat"):
    EXPECTED["by"][name] = importlib.metadata.version(name)


def place(path: str) -> Path:
    found = HERE / path
    found.parent.mkdir(parents=True, exist_ok=True)
    return found


def table(name: str, **how) -> None:
    """What pandas reads, every cell as text."""
    path = place(f"pandas/{name}")
    if name.endswith("jsonl"):
        frame = pd.read_json(path, lines=True, dtype=False, convert_dates=False)
        rows = [
            [cell if isinstance(cell, str) else json.dumps(cell, ensure_ascii=False) for cell in row]
            for row in frame.values.tolist()
        ]
        EXPECTED["tables"][f"pandas/{name}"] = {"titles": list(frame.columns), "rows": rows}
        return
    frame = pd.read_csv(path, dtype=str, keep_default_na=False, header=None, **how)
    rows = frame.values.tolist()
    EXPECTED["tables"][f"pandas/{name}"] = {"titles": rows[0], "rows": rows[1:]}


def pandas_files() -> None:
    rng = np.random.default_rng(7)
    frame = pd.DataFrame(
        {
            "name": ['36" screen', "lamp, tall", "two\nlines", 'a "quoted" word', "Müller", "", "plain", "x;y"],
            "price": rng.normal(100, 50, 8).round(2),
            "count": rng.integers(0, 9, 8),
            "at": pd.date_range("2024-02-27", periods=8, freq="13h"),
        }
    )
    frame.to_csv(place("pandas/index.csv"))
    table("index.csv")
    frame.to_csv(place("pandas/plain.csv"), index=False)
    table("plain.csv")
    frame.to_csv(place("pandas/all_quoted.csv"), index=False, quoting=csv.QUOTE_ALL)
    table("all_quoted.csv")
    frame.to_csv(place("pandas/decimal_comma.csv"), index=False, sep=";", decimal=",")
    table("decimal_comma.csv", sep=";")
    frame.to_csv(place("pandas/pipes.csv"), index=False, sep="|")
    table("pipes.csv", sep="|")
    frame.to_csv(place("pandas/wide.csv"), index=False, encoding="utf-16")
    table("wide.csv", encoding="utf-16")
    frame.to_csv(place("pandas/western.csv"), index=False, encoding="latin-1")
    table("western.csv", encoding="latin-1")
    frame.to_csv(place("pandas/marked.csv"), index=False, encoding="utf-8-sig", lineterminator="\r\n")
    table("marked.csv", encoding="utf-8-sig")
    words = frame.assign(name=['36" screen', '"Well, he said', "lamp", 'bye" he said', "Müller", "", "plain", "x;y"])
    words.to_csv(place("pandas/tabs.tsv"), index=False, sep="\t", quoting=csv.QUOTE_NONE)
    table("tabs.tsv", sep="\t", quoting=csv.QUOTE_NONE)
    years = pd.DataFrame(rng.integers(0, 99, (6, 3)), columns=[2019, 2020, 2021])
    years.to_csv(place("pandas/years.csv"), index=False)
    table("years.csv")
    pd.DataFrame(rng.normal(size=(5, 4)).round(4)).to_csv(place("pandas/numbered.csv"))
    table("numbered.csv")
    pd.DataFrame([[1, 2, 3], [4, 5, 6]], columns=["a", "a", ""]).to_csv(place("pandas/repeated.csv"), index=False)
    table("repeated.csv")
    genes = pd.DataFrame({"id": [1, 2, 3], "sequence": ["ACGT" * 10_000, "TTTT", "word, " * 9000]})
    genes.to_csv(place("pandas/long_cells.csv"), index=False)
    table("long_cells.csv")
    chats = pd.DataFrame(
        {
            "id": [1, 2],
            "messages": [[{"role": "user", "content": "hi"}], [{"role": "user", "content": "é “x”"}]],
            "score": [0.1, 2.5],
        }
    )
    chats.to_json(place("pandas/chats.jsonl"), orient="records", lines=True)
    table("chats.jsonl")


def parquet(name: str, frame: pa.Table) -> None:
    """The schema, and the cells that Arrow's own cast makes texts of; None for those it has none for."""
    path = place(f"pyarrow/{name}")
    pq.write_table(frame, path)
    columns = []
    for column in frame.columns:
        try:
            columns.append(pc.cast(column, pa.string()).to_pylist())
        except (pa.ArrowException, NotImplementedError, UnicodeDecodeError):
            columns.append(None)
    schema = [[field.name, str(field.type)] for field in pq.read_schema(path)]
    EXPECTED["parquet"][f"pyarrow/{name}"] = {"schema": schema, "rows": frame.num_rows, "columns": columns}


def parquet_files() -> None:
    of = pa.array
    stamp = pa.timestamp
    parquet("nanoseconds.parquet", pa.table({"t": of([1700000000123456789, None], stamp("ns")), "id": [1, 2]}))
    parquet(
        "far.parquet", pa.table({"t": of([253402300800000, -(10**15)], stamp("ms")), "d": of([10**7, -1], pa.date32())})
    )
    parquet(
        "zones.parquet",
        pa.table({"t": of([0, 1], stamp("us", "Mars/Olympus")), "u": of([0, 1], stamp("us", "+05:30"))}),
    )
    parquet(
        "times.parquet",
        pa.table({"t": of([1, 86399999999999], pa.time64("ns")), "d": of([1, 10**18 + 7], pa.duration("ns"))}),
    )
    parquet("repeated.parquet", pa.table([[1, 2], [3, 4]], names=["a", "a"]))
    parquet("dots.parquet", pa.table({"a.b": [1], "a": [2], "": [3]}))
    parquet(
        "nested.parquet",
        pa.table(
            {
                "m": [[{"role": "user", "content": "hi"}], []],
                "s": [{"a": 1, "b": {"c": [1, 2]}}, None],
                "k": of([[("k", 1)], None], pa.map_(pa.string(), pa.int64())),
                "t": of([[1700000000123456789], None], pa.list_(stamp("ns"))),
            }
        ),
    )
    parquet(
        "kinds.parquet",
        pa.table(
            {
                "decimal": [decimal.Decimal("1.10"), None],
                "bytes": [b"\x00\xff", b""],
                "half": of(np.array([1.5, -0.0], np.float16)),
                "double": [0.1 + 0.2, float("nan")],
                "big": [2**63 - 1, -(2**63)],
                "unsigned": of([2**64 - 1, 0], pa.uint64()),
                "day": [datetime.date(2024, 2, 29), None],
                "word": of(["x", "y"]).dictionary_encode(),
                "名前": ["東京タワー", None],
                "truth": [True, None],
            }
        ),
    )
    latin = pa.Array.from_buffers(
        pa.string(), 1, [None, pa.py_buffer(np.array([0, 4], np.int32).tobytes()), pa.py_buffer(b"caf\xe9")]
    )
    parquet("not_utf8.parquet", pa.table({"id": [1], "s": latin}))
    parquet("wide.parquet", pa.table({f"c{at}": [at] for at in range(120)}))
    parquet("no_rows.parquet", pa.table({"a": of([], pa.int64())}))
    parquet("no_columns.parquet", pa.table({}))
    parquet("pandas.parquet", pa.Table.from_pandas(pd.DataFrame({"x": [1.5, 2.5]}, index=["a", "b"])))


def notebook_files() -> None:
    four = nbformat.v4
    outputs = [four.new_output("stream", text="loss 0.4\n"), four.new_output("display_data", {"image/png": "iVBORw0="})]
    cells = [
        four.new_markdown_cell("# Title\n\nwords"),
        four.new_code_cell("x = 1\nprint(x)", execution_count=3, outputs=outputs),
        four.new_raw_cell("raw"),
    ]
    metadata = {"kernelspec": {"name": "ir", "display_name": "R", "language": "R"}, "colab": {"gpu": "T4"}}
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    book = four.new_notebook(cells=cells, metadata=metadata)
    place("nbformat/four.ipynb").parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(book, place("nbformat/four.ipynb"))
    old = nbformat.v3
    sheet = old.new_worksheet(
        cells=[old.new_heading_cell("Title", level=2), old.new_code_cell("print(1)", prompt_number=2)]
    )
    place("nbformat/three.ipynb").write_text(old.writes_json(old.new_notebook(worksheets=[sheet])))
    for path in sorted((HERE / "nbformat").glob("*.ipynb")):
        read = nbformat.read(path, as_version=4)
        EXPECTED["notebooks"][f"nbformat/{path.name}"] = [[cell.cell_type, cell.source] for cell in read.cells]


pandas_files()
parquet_files()
notebook_files()
place("tables.json").write_text(json.dumps(EXPECTED, indent=1, ensure_ascii=False) + "\n")
