"""A file as lines: text with highlighting, notebooks, tables, tensors, hexadecimal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size

from kittui.formats.notebook import read_notebook
from kittui.terminal import clean, size_text
from kittui.tui.inspect.paging import Record, is_number
from kittui.tui.inspect.tensors import shape_text
from kittui.tui.widgets.documents import clean_line, heading, pairs
from kittui.tui.widgets.highlight import highlight, line_highlighter
from kittui.tui.widgets.lines import Line, Page
from kittui.tui.widgets.rows import Span, Spans

if TYPE_CHECKING:
    from kittui.tui.frame.selection import FileHere
    from kittui.tui.inspect.opened import Contents, Model

TENSORS = 2000
"""Tensors that a page of lines lists; the viewer's tree has them all."""


def pane_page(contents: Contents, here: FileHere) -> Page:
    """A file in the details pane: its name, how far it can be trusted, and its first page."""
    size = size_text(contents.size)
    part = f"the first {size_text(contents.shown)} of {size}" if contents.more else size
    trust = "verified" if contents.verified else "not verified"
    lines: list[Line] = [
        ((clean(here.entry.path, limit=None), "text+bold"),),
        ((f"{part} · {trust} · v opens it", "faint"),),
    ]
    if contents.problem:
        lines.append(((f"▲ {clean(contents.problem)}", "warn"),))
    page = contents.page
    if contents.model is not None:
        page = model_page(contents.model)
    elif contents.table is not None:
        page = table_page(contents.table.columns, contents.table.widths, contents.records)
    below = [page.highlight(line) if isinstance(line, str) else line for line in page.lines]
    return Page([*lines, "", *below], raw=contents.text or None, cut=page.cut)


def text_page(path: str, text: str) -> Page:
    """A text by what its name says it is."""
    known = line_highlighter(path)
    if known is not None:
        return Page([clean_line(line) for line in text.split("\n")], known, text)
    return Page(highlighted(path, text), raw=text)


def hex_spans(line: str) -> Spans:
    """A line of hexadecimal in three colours."""
    return ((line[:12], "faint"), (line[12:62], "number"), (line[62:], "text"))


def table_page(columns: Sequence[str], widths: Sequence[int], records: Sequence[Record]) -> Page:
    """Records in columns; lines are as long as they are."""
    lines: list[Line] = [_row("", columns, widths)]
    lines += [_row(str(record.number), record.cells, widths) for record in records]
    return Page(lines, cut=True)


def _row(number: str, cells: Sequence[str], widths: Sequence[int]) -> Line:
    spans: list[Span] = [(f"{number:>5}  ", "faint")]
    for cell, width in zip(cells, widths, strict=False):
        role = "key" if not number else "number" if is_number(cell) else "text"
        spans += [*fitted(cell, width, role), ("  ", "text")]
    return tuple(spans)


def fitted(cell: str, width: int, role: str) -> list[Span]:
    """A cell in so many columns of the screen; numbers to the right."""
    length = cell_len(cell)
    if length > width:
        return [(set_cell_size(cell, width - 1) + "…", role)]
    blank = " " * (width - length)
    return [(blank + cell if role == "number" else cell + blank, role)]


def highlighted(path: str, text: str) -> list[Line]:
    """The lines of a text, harmless on a terminal, in the roles of what they are."""
    return [tuple(spans) for spans in highlight(path, [clean_line(line) for line in text.split("\n")])]


def notebook_page(path: str, text: str) -> Page:
    """Cells with what they printed; raises Malformed for what is no notebook."""
    notebook = read_notebook(text)
    lines: list[Line] = []
    for cell in notebook.cells:
        number = "" if cell.number is None else f" [{cell.number}]"
        lines += ["", heading(f"{cell.kind}{number}")]
        if cell.kind == "raw":
            lines += [((clean_line(line), "muted"),) for line in cell.source.split("\n")]
        else:
            lines += highlighted("x.md" if cell.kind == "markdown" else f"x.{notebook.language}", cell.source)
        for output in cell.outputs:
            lines += ["", heading("output")]
            lines += [((clean_line(line), "muted"),) for line in output.split("\n")]
    return Page(lines, raw=text)


def model_page(model: Model) -> Page:
    """A model as lines: totals, architecture, tensors."""
    from kittui.tui.inspect.tensor_view import facts_page

    weights = model.weights
    kinds = ", ".join(f"{name} {count:,}" for name, count in weights.dtypes.items())
    facts = {
        "format": weights.format,
        "tensors": f"{len(weights.tensors):,}",
        "parameters": f"{weights.parameters:,}",
        "bytes": f"{weights.nbytes:,} ({size_text(weights.nbytes)})",
        "types": kinds,
    }
    lines: list[Line] = [heading("Model"), *pairs(facts)]
    if weights.problem:
        lines.append(((f"▲ {clean_line(weights.problem)}", "bad"),))
    lines += ["", *facts_page(model.facts, weights).lines, "", heading("Tensors")]
    tensors = weights.tensors[:TENSORS]
    width = min(60, max((cell_len(clean(tensor.name)) for tensor in tensors), default=0))
    for tensor in tensors:
        spans: list[Span] = [
            (f"{clean(tensor.name):<{width}}  ", "text"),
            (f"{clean(tensor.dtype):<5} ", "special"),
            (shape_text(tensor.shape), "number"),
            (f"  {size_text(tensor.nbytes)}", "muted"),
        ]
        if tensor.problem:
            spans.append((f"  ✗ {clean(tensor.problem)}", "bad"))
        lines.append(tuple(spans))
    if len(weights.tensors) > TENSORS:
        lines.append(((f"{len(weights.tensors) - TENSORS:,} more", "muted"),))
    return Page(lines)
