"""Reads Jupyter notebooks as cells of text (nbformat 4, and the older 3)."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from kittui.budget import Budget
from kittui.errors import Malformed
from kittui.formats.exact_json import parse_json

NOTEBOOK_LIMIT = 32 * 1024 * 1024
"""Maximum bytes of a notebook: embedded pictures are most of them."""
CELLS_LIMIT = 20_000
"""Cells read at most."""
_OUTPUTS = 100

CellKind = Literal["markdown", "code", "raw"]


class Cell(NamedTuple):
    """A cell. `outputs` are what it printed, as text; `about` is the rest of its fields."""

    kind: CellKind
    source: str
    number: int | None = None
    outputs: tuple[str, ...] = ()
    name: str = ""
    results: Any = None
    """Outputs as they are in the file."""
    about: dict[str, Any] | None = None


class Notebook(NamedTuple):
    """A notebook: the language of its code, its cells, and its metadata."""

    language: str
    cells: tuple[Cell, ...]
    about: dict[str, Any]


def notebook_budget() -> Budget:
    """The budget for one notebook: its values are parsed in one go, and all of its lines are laid out."""
    return Budget("the notebook", items=2_000_000, lines=200_000, seconds=20)


def read_notebook(text: str, budget: Budget) -> Notebook:
    """Read a notebook; raises Malformed, and TooLarge for more than the budget has."""
    document: Any = parse_json(text, budget)
    if not isinstance(document, dict):
        raise Malformed("not a notebook: the JSON in it is not a map")
    cells, about = document.get("cells"), {key: value for key, value in document.items() if key != "cells"}
    sheets = document.get("worksheets")
    if not isinstance(cells, list) and isinstance(sheets, list):
        inside = [sheet.get("cells") for sheet in sheets if isinstance(sheet, dict)]
        cells = [cell for sheet in inside if isinstance(sheet, list) for cell in sheet]
        about.pop("worksheets")
    if not isinstance(cells, list):
        raise Malformed("not a notebook: it has no cells")
    if len(cells) > CELLS_LIMIT:
        raise Malformed(f"the notebook has {len(cells):,} cells, more than the {CELLS_LIMIT:,} that are read")
    return Notebook(_language(about), tuple(_cell(value) for value in cells if isinstance(value, dict)), about)


def _language(about: dict[str, Any]) -> str:
    metadata = about.get("metadata")
    if isinstance(metadata, dict):
        for key, field in (("kernelspec", "language"), ("language_info", "name")):
            part = metadata.get(key)
            if isinstance(part, dict) and isinstance(part.get(field), str):
                return str(part[field])
    return "python"


_TOLD = {"cell_type", "source", "input", "outputs", "execution_count", "prompt_number", "id"}


def _cell(value: dict[str, Any]) -> Cell:
    kind = value.get("cell_type")
    number = value.get("execution_count", value.get("prompt_number"))
    source = _text(value.get("source", value.get("input")))
    level = value.get("level")
    if kind == "heading":
        kind, source = "markdown", f"{'#' * (level if isinstance(level, int) and 0 < level < 7 else 1)} {source}"
    outputs = value.get("outputs")
    said = [_output(output) for output in outputs[:_OUTPUTS]] if isinstance(outputs, list) else []
    if isinstance(outputs, list) and len(outputs) > _OUTPUTS:
        said.append(f"{len(outputs) - _OUTPUTS:,} more outputs")
    name = value.get("id")
    return Cell(
        kind if kind in ("markdown", "code") else "raw",
        source,
        number if isinstance(number, int) else None,
        tuple(text for text in said if text),
        name if isinstance(name, str) else "",
        outputs,
        {key: inner for key, inner in value.items() if key not in _TOLD},
    )


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "".join(part for part in value if isinstance(part, str)) if isinstance(value, list) else ""


def _output(output: Any) -> str:
    if not isinstance(output, dict):
        return ""
    kind = output.get("output_type")
    if kind == "stream":
        return _text(output.get("text"))
    if kind in ("error", "pyerr"):
        return f"{output.get('ename')}: {output.get('evalue')}"
    content = output.get("data", output)
    if not isinstance(content, dict):
        return ""
    for key in ("text/plain", "text"):
        if key in content:
            return _text(content[key])
    kinds = [str(key)[:60] for key in content if key not in ("output_type", "metadata", "prompt_number")]
    return ", ".join(kinds) + " (not shown)" if kinds else ""
