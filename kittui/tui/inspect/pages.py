"""Turns viewers' results into lines: coloured documents, tables in columns, pictures as half blocks, models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size

from kittui.terminal import clean, counted, size_text
from kittui.tui.inspect.pictures import picture_page
from kittui.tui.inspect.tensors import shape_text
from kittui.tui.widgets.cutting import Span, Spans
from kittui.tui.widgets.documents import clean_line, heading, pairs
from kittui.tui.widgets.highlight import LIMIT, highlight, line_highlighter
from kittui.tui.widgets.lines import Line, Page, plain
from kittui.usecases.inspect.viewers.shown import (
    Code,
    Content,
    Document,
    Facts,
    Grid,
    Heading,
    Markup,
    Note,
    Part,
    Picture,
    Record,
    Shown,
    Tensors,
)

if TYPE_CHECKING:
    from kittui.tui.frame.selection import FileHere

TENSORS = 2000
"""Tensors that a page of lines lists; the viewer's tree has them all."""
CELL = 28
"""Columns of the screen that one of a table has at most."""
SAMPLE = 300
"""Rows that decide how wide a column is."""
COLUMNS = 1000
"""Columns of a table that are drawn."""


def pane_page(shown: Shown, here: FileHere) -> Page:
    """A file in the details pane: its name, how far it can be trusted, and its first page."""
    size = size_text(shown.size)
    part = f"the first {size_text(shown.shown)} of {size}" if shown.more else size
    trust = "verified" if shown.verified else "not verified"
    lines: list[Line] = [
        ((clean(here.entry.path, limit=None), "text+bold"),),
        ((f"{part} · {trust} · v opens it", "faint"),),
    ]
    if shown.trouble:
        lines.append(((f"▲ {clean(shown.trouble)}", "warn"),))
    page = lines_page(next(way.content for way in shown.ways if not isinstance(way.content, Markup)))
    below = [page.highlight(line) if isinstance(line, str) else line for line in page.lines]
    return Page([*lines, "", *below], raw=shown.text or None, cut=page.cut)


def lines_page(content: Content, raw: str = "") -> Page:
    """Any viewer's result as lines."""
    if isinstance(content, Tensors):
        return model_page(content)
    if isinstance(content, Grid):
        return Page(grid_lines(content), cut=True)
    if isinstance(content, Picture):
        return picture_page(content)
    if isinstance(content, Markup):
        return Page(content.text.split("\n"))
    return document_page(content, raw)


def document_page(document: Document, raw: str = "") -> Page:
    """Parts one below the other. A text alone is coloured line by line as it is looked at, where that is possible."""
    parts = document.parts
    if len(parts) == 1 and isinstance(parts[0], Code):
        text = parts[0]
        if text.syntax == "hexadecimal":
            return Page(text.lines, hex_spans)
        single = line_highlighter(text.syntax)
        if single is not None or sum(map(len, text.lines)) > LIMIT:
            return Page(text.lines, single or plain, raw or None)
    lines: list[Line] = []
    for part in parts:
        if isinstance(part, Heading) and lines:
            lines.append("")
        lines += _part(part)
    return Page(lines, raw=raw or None, cut=any(isinstance(part, Grid) for part in parts))


def _part(part: Part) -> Sequence[Line]:
    if isinstance(part, Heading):
        return [heading(part.text)]
    if isinstance(part, Facts):
        return pairs(part.pairs)
    if isinstance(part, Note):
        return [((part.text, "warn" if part.warning else "muted"),)]
    if isinstance(part, Grid):
        return grid_lines(part)
    if part.quiet:
        return [((line, "muted"),) for line in part.lines]
    return highlight(part.syntax, part.lines)


def hex_spans(line: str) -> Spans:
    """A line of hexadecimal in three colours."""
    return ((line[:12], "faint"), (line[12:62], "number"), (line[62:], "text"))


def widths_of(grid: Grid) -> tuple[int, ...]:
    """Columns of the screen for each of a table's, by its first rows."""
    columns = grid.columns[:COLUMNS]
    sample: list[Sequence[str]] = [columns, *(record.cells for record in grid.records[:SAMPLE])]
    return tuple(
        min(CELL, max((cell_len(row[at][: CELL + 1]) for row in sample if at < len(row)), default=0))
        for at in range(len(columns))
    )


def grid_lines(grid: Grid) -> list[Line]:
    """Records in columns; lines are as long as they are."""
    widths = widths_of(grid)
    lines: list[Line] = [_row("", grid.columns, widths)]
    return lines + [_row(str(record.number), record.cells, widths) for record in grid.records]


def _row(number: str, cells: Sequence[str], widths: Sequence[int]) -> Line:
    spans: list[Span] = [(f"{number:>5}  ", "faint")]
    for cell, width in zip(cells, widths, strict=False):
        role = "key" if not number else "number" if is_number(cell) else "text"
        spans += [*fitted(cell[: CELL + 1], width, role), ("  ", "text")]
    return tuple(spans)


def fitted(cell: str, width: int, role: str) -> list[Span]:
    """A cell in so many columns of the screen; numbers to the right."""
    length = cell_len(cell)
    if length > width:
        return [(set_cell_size(cell, width - 1) + "…", role)]
    blank = " " * (width - length)
    return [(blank + cell if role == "number" else cell + blank, role)]


def is_number(cell: str) -> bool:
    """Whether a cell reads as a plain number, and so is drawn to the right."""
    return len(cell) <= CELL and cell.replace(".", "", 1).replace(",", "", 1).replace("-", "", 1).isdigit()


def row_lines(grid: Grid, record: Record) -> list[Line]:
    """One row in full, a cell below the other."""
    lines: list[Line] = [heading(f"Row {record.number:,}")]
    for number, cell in enumerate(record.cells[:COLUMNS]):
        name = grid.columns[number] if number < len(grid.columns) else "(more)"
        lines += ["", ((name or f"column {number + 1}", "key"),)]
        lines += [((line, "text"),) for line in cell.split("⏎")]
    if len(record.cells) > COLUMNS:
        lines += ["", ((f"and {counted(len(record.cells) - COLUMNS, 'more cell')}", "muted"),)]
    return lines


def model_page(tensors: Tensors) -> Page:
    """A model as lines: totals, architecture, tensors."""
    from kittui.tui.inspect.tensor_view import facts_page

    weights = tensors.model.weights
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
    lines += ["", *facts_page(tensors.facts, weights).lines, "", heading("Tensors")]
    listed = weights.tensors[:TENSORS]
    width = min(60, max((cell_len(clean(tensor.name)) for tensor in listed), default=0))
    for tensor in listed:
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
