"""Jupyter notebooks as cells of text (nbformat 4)."""

from __future__ import annotations

import json
from typing import Any, Literal, NamedTuple

from kittui.errors import Malformed

CELLS_LIMIT = 5000
"""Cells read at most."""

CellKind = Literal["markdown", "code", "raw", "output"]


class Cell(NamedTuple):
    """A cell, or what running one printed."""

    kind: CellKind
    text: str
    number: int | None = None


def read_notebook(text: str) -> tuple[str, list[Cell]]:
    """The language and the cells, each followed by its text outputs; raises Malformed."""
    try:
        document: Any = json.loads(text)
    except (ValueError, RecursionError):
        raise Malformed("the notebook is not valid JSON") from None
    if not isinstance(document, dict) or not isinstance(document.get("cells"), list):
        raise Malformed("not a notebook of version 4: it has no cells")
    metadata = document.get("metadata")
    spec = metadata.get("kernelspec") if isinstance(metadata, dict) else None
    language = spec.get("language") if isinstance(spec, dict) else None
    cells: list[Cell] = []
    for value in document["cells"][:CELLS_LIMIT]:
        if not isinstance(value, dict):
            continue
        kind = value.get("cell_type")
        number = value.get("execution_count")
        found: CellKind = "markdown" if kind == "markdown" else "code" if kind == "code" else "raw"
        cells.append(Cell(found, _text(value.get("source")), number if isinstance(number, int) else None))
        outputs = value.get("outputs")
        said = [_output(output) for output in outputs[:100]] if isinstance(outputs, list) else []
        cells.extend(Cell("output", text) for text in said if text)
    return (language if isinstance(language, str) else "python"), cells


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "".join(part for part in value if isinstance(part, str)) if isinstance(value, list) else ""


def _output(output: Any) -> str:
    if not isinstance(output, dict):
        return ""
    if output.get("output_type") == "stream":
        return _text(output.get("text"))
    if output.get("output_type") == "error":
        return f"{output.get('ename')}: {output.get('evalue')}"
    content = output.get("data")
    if not isinstance(content, dict):
        return ""
    if "text/plain" in content:
        return _text(content["text/plain"])
    return ", ".join(str(kind)[:60] for kind in content) + " (not shown)"
