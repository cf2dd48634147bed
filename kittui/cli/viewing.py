"""Prints what a viewer shows of a file."""

from __future__ import annotations

from typing import Any

from kittui.cli.output import Printer, Styled
from kittui.cli.tensors import model_document, print_models
from kittui.terminal import size_text
from kittui.usecases.inspect.files import FoundFile
from kittui.usecases.inspect.models import ListedModel
from kittui.usecases.inspect.viewers.shown import (
    Content,
    Document,
    Facts,
    Grid,
    Heading,
    Markup,
    Note,
    Part,
    Picture,
    Shown,
    Tensors,
)


def print_shown(printer: Printer, shown: Shown, found: FoundFile) -> None:
    """Print the first of the file's views that can be printed as lines."""
    if shown.trouble:
        printer.warning(shown.trouble)
    content = next(way.content for way in shown.ways if not isinstance(way.content, Markup))
    _print(printer, content, found)
    if shown.more:
        printer.note(f"the first {size_text(shown.shown)} of {size_text(shown.size)}")


def _print(printer: Printer, content: Content, found: FoundFile) -> None:
    if isinstance(content, Tensors):
        print_models(printer, [ListedModel(found, content.model)])
    elif isinstance(content, Picture):
        printer.line(content.facts)
    elif isinstance(content, Document):
        for number, part in enumerate(content.parts):
            if number and isinstance(part, Heading):
                printer.line("")
            _part(printer, part)
    elif isinstance(content, Grid):
        _grid(printer, content)


def _part(printer: Printer, part: Part) -> None:
    if isinstance(part, Heading):
        printer.line((part.text, "bold"))
    elif isinstance(part, Facts):
        width = min(40, max((len(name) for name, _ in part.pairs), default=0))
        for name, value in part.pairs:
            printer.line((f"{name:<{width}}  ", "dim"), value)
    elif isinstance(part, Note):
        printer.line((part.text, "yellow" if part.warning else "dim"))
    elif isinstance(part, Grid):
        _grid(printer, part)
    else:
        for line in part.lines:
            printer.line(line)


def _grid(printer: Printer, grid: Grid) -> None:
    width = max([len(grid.columns), *(len(record.cells) for record in grid.records)])
    titles = [*grid.columns, *[""] * (width - len(grid.columns))]
    rows: list[list[Styled]] = [
        [(str(record.number), "dim"), *record.cells, *[""] * (width - len(record.cells))] for record in grid.records
    ]
    printer.table(["", *titles], rows, right=[0])


def shown_document(shown: Shown, found: FoundFile) -> dict[str, Any]:
    """What a viewer shows of a file, as JSON: its views that consist of text."""
    return {
        "kind": shown.kind,
        "problem": shown.trouble or None,
        "shown": shown.shown,
        "ways": [{"name": way.name, **_content(way.content, found)} for way in shown.ways],
    }


def _content(content: Content, found: FoundFile) -> dict[str, Any]:
    if isinstance(content, Document):
        return {"parts": [_as_json(part) for part in content.parts]}
    if isinstance(content, Grid):
        return _as_json(content)
    if isinstance(content, Markup):
        return {"text": content.text}
    if isinstance(content, Picture):
        return {"facts": content.facts}
    return {"model": model_document(ListedModel(found, content.model))}


def _as_json(part: Part) -> dict[str, Any]:
    if isinstance(part, Heading):
        return {"heading": part.text}
    if isinstance(part, Facts):
        return {"facts": [list(pair) for pair in part.pairs]}
    if isinstance(part, Note):
        return {"note": part.text}
    if isinstance(part, Grid):
        return {"columns": list(part.columns), "rows": [list(record.cells) for record in part.records]}
    return {"lines": part.lines}
